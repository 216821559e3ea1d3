"""Bodies that say something twice or that the schema does not know: refused, warned of or taken, as was asked for."""

from __future__ import annotations

import asyncio
import json

import pytest
import yaml
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
        b"a0: &a0 !!pairs [k: v, k: v]\n"
        + b"".join(b"a%d: &a%d !!pairs [k: *a%d, k: *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        b"a0: &a0 {x0: 1}\n" + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
    ],
    ids=["inside itself", "a thousand million laughs", "laughs in pairs", "maps that are merged"],
)
async def test_yaml_that_unfolds_without_end_is_refused(start: Start, body: bytes) -> None:
    async with start() as running:
        answer = await running.http.post(URL, content=body, headers={"content-type": "application/yaml"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert "excessive aliasing" in answer.json()["message"]


@pytest.mark.parametrize("body", [b"a: " + b"[" * 200_000, b"".join(b" " * n + b"a:\n" for n in range(600))])
async def test_yaml_that_is_nested_without_end_is_refused_and_the_server_goes_on(start: Start, body: bytes) -> None:
    async with start() as running:
        answer = await running.http.post(URL, content=body, headers={"content-type": "application/yaml"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert "nested too deep" in answer.json()["message"]


def test_paths_lead_through_objects_and_lists() -> None:
    body = b'{"a":[{"b":1,"b":2},{"c":{"d":1,"d":2,"d":3}}],"a":0}'
    paths = ["a[0].b", "a[1].c.d", "a[1].c.d", "a"]
    assert duplicates(body, json.loads(body), is_yaml=False) == [f'duplicate field "{path}"' for path in paths]


# What JSON and YAML write alike.
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


@given(VALUES)
def test_a_document_without_repetition_has_no_duplicates_and_unfolds(value: object) -> None:
    assert duplicates(json.dumps(value).encode(), value, is_yaml=False) == []
    assert unfolds(_nodes(json.dumps(value)))


BLANKS = st.sampled_from(["", " ", "\n\t"])


def _written(blank: str, members: list[tuple[str, tuple[str, int]]]) -> tuple[str, int]:
    """Write an object that may repeat keys, and count how often it and what is in it do."""
    keys = [key for key, _ in members]
    text = f",{blank}".join(f"{json.dumps(key)}{blank}:{blank}{value}" for key, (value, _) in members)
    return f"{{{blank}{text}}}", len(keys) - len(set(keys)) + sum(count for _, (_, count) in members)


REPEATING = st.recursive(
    (st.none() | st.integers() | TEXTS).map(lambda value: (json.dumps(value), 0)),
    lambda inner: st.builds(_written, BLANKS, st.lists(st.tuples(TEXTS, inner), max_size=4)),
)


@given(REPEATING)
def test_every_key_that_is_given_again_is_reported_however_the_body_is_spaced(written: tuple[str, int]) -> None:
    text, repeated = written
    assert len(duplicates(text.encode(), json.loads(text), is_yaml=False)) == min(repeated, 100)


def _nodes(text: str) -> yaml.Node:
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert node is not None
    return node


def test_aliases_that_only_save_typing_are_taken() -> None:
    assert unfolds(_nodes("{shared: &s {cpu: 1}, a: *s, b: [*s, *s]}"))


async def test_a_large_yaml_body_holds_up_nobody_else(start: Start) -> None:
    async with start() as running:
        body = b"kind: Foundation\nx: [" + b"1," * 5_000 + b"1]\n"
        headers = {"content-type": "application/yaml"}
        slow = asyncio.create_task(running.http.post(URL, content=body, headers=headers))
        answered = 0
        while not slow.done():
            assert (await running.http.get(f"{URL}/none")).status_code == 404
            answered += 1
            # The client above calls the application without ever giving the loop a turn.
            await asyncio.sleep(0)
        assert slow.result().status_code == 400
        # The body was under way when the second was answered; read in the loop, it is done before that.
        assert answered > 1


async def test_more_yaml_than_can_be_read_in_seconds_is_refused(start: Start) -> None:
    async with start() as running:
        body = b"a: [" + b"1," * (130 * 1024) + b"1]\n"
        answer = await running.http.post(URL, content=body, headers={"content-type": "application/yaml"})
        assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
        assert "send JSON" in answer.json()["message"]


@pytest.mark.parametrize("body", [b"a: " + b"1" * 5000, b"? {a: 1}\n: b\n", b"null: 1\n"])
async def test_yaml_that_is_no_json_is_the_mistake_of_its_sender(start: Start, body: bytes) -> None:
    async with start() as running:
        answer = await running.http.post(URL, content=body, headers={"content-type": "application/yaml"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
