"""Bodies that say something twice or that the schema does not know: refused, warned of or taken, as was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.server.strict import duplicates, unfolds

from .conftest import FOUNDATION, GROUP, Start

URL = f"{GROUP}/foundations"
TWICE = (
    b'{"apiVersion":"groundplane.dev/v1alpha1","kind":"Foundation","metadata":{"name":"f"},'
    b'"spec":{"x":1,"kubernetes":{"version":"v1.20.1","version":"v1.20.2"}}}'
)
JSON = {"content-type": "application/json"}
YAML = b"""\
apiVersion: groundplane.dev/v1alpha1
kind: Foundation
metadata: {name: f}
spec:
  kubernetes:
    version: v1.20.1
    version: v1.20.2
"""


async def test_strict_refuses_unknown_and_repeated_fields_with_the_words_of_kubernetes(start: Start) -> None:
    async with start() as running:
        answer = await running.http.post(f"{URL}?fieldValidation=Strict", content=TWICE, headers=JSON)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert answer.json()["message"] == (
            'Foundation in version "v1alpha1" cannot be handled as a Foundation: strict decoding error: '
            'unknown field "spec.x", duplicate field "spec.kubernetes.version"'
        )


async def test_warn_takes_the_last_value_and_warns_in_a_header_for_each(start: Start) -> None:
    async with start() as running:
        answer = await running.http.post(URL, content=TWICE, headers=JSON)
        assert answer.status_code == 201
        assert answer.json()["spec"]["kubernetes"]["version"] == "v1.20.2"
        warnings = ['299 - "unknown field \\"spec.x\\""', '299 - "duplicate field \\"spec.kubernetes.version\\""']
        assert answer.headers.get_list("warning") == warnings


async def test_ignore_takes_everything_in_silence(start: Start) -> None:
    async with start() as running:
        answer = await running.http.post(f"{URL}?fieldValidation=Ignore", content=TWICE, headers=JSON)
        assert (answer.status_code, answer.headers.get("warning")) == (201, None)


async def test_yaml_that_sets_a_key_twice_is_refused_with_its_line(start: Start) -> None:
    async with start() as running:
        headers = {"content-type": "application/yaml"}
        answer = await running.http.post(f"{URL}?fieldValidation=Strict", content=YAML, headers=headers)
        assert answer.status_code == 400
        assert 'line 7: key "version" already set in map' in answer.json()["message"]


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        (
            "application/merge-patch+json",
            422,
            'unknown field "spec.x", duplicate field "spec.kubernetes.version"',
        ),
        (
            "application/apply-patch+yaml",
            400,
            "failed to create typed patch object: .spec.x: field not declared in schema",
        ),
    ],
)
async def test_a_patch_is_held_to_the_same_rule(start: Start, kind: str, code: int, text: str) -> None:
    async with start() as running:
        assert (await running.http.post(URL, json=FOUNDATION)).status_code == 201
        query = "fieldValidation=Strict&fieldManager=test"
        answer = await running.http.patch(f"{URL}/f?{query}", content=TWICE, headers={"content-type": kind})
        assert answer.status_code == code
        assert text in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"a: &a [*a]\n",
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 10)) for c in range(ord("a"), ord("i"))),
    ],
    ids=["inside itself", "a thousand million laughs"],
)
async def test_yaml_that_unfolds_without_end_is_refused(start: Start, body: bytes) -> None:
    async with start() as running:
        answer = await running.http.post(URL, content=body, headers={"content-type": "application/yaml"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert "excessive aliasing" in answer.json()["message"]


def test_paths_lead_through_objects_and_lists() -> None:
    body = b'{"a":[{"b":1,"b":2},{"c":{"d":1,"d":2,"d":3}}],"a":0}'
    paths = ["a[0].b", "a[1].c.d", "a[1].c.d", "a"]
    assert duplicates(body, is_yaml=False) == [f'duplicate field "{path}"' for path in paths]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(VALUES)
def test_a_document_without_repetition_has_no_duplicates_and_unfolds(value: object) -> None:
    import json

    assert duplicates(json.dumps(value).encode(), is_yaml=False) == []
    assert unfolds(value)


def test_aliases_that_only_save_typing_are_taken() -> None:
    shared = {"cpu": 1}
    assert unfolds({"a": shared, "b": [shared, shared]})
