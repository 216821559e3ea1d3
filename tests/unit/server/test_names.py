"""Generated names, and what a request is about before its route is known."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.ids import new_uid
from groundplane.server import meta, names
from groundplane.server.requestinfo import request_info

from .conftest import Start

NAMESPACES = "/api/v1/namespaces"
BODY = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "team-"}}


def draw(monkeypatch: pytest.MonkeyPatch, endings: Iterator[str]) -> None:
    """Let chance give these endings."""
    monkeypatch.setattr(meta, "generate_name", lambda base: base + next(endings))


async def test_a_generated_name_that_is_taken_is_drawn_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, iter(["aaaaa", "aaaaa", "aaaaa", "bbbbb"]))
    async with start() as running:
        first, second = [(await running.http.post(NAMESPACES, json=BODY)).json() for _ in range(2)]
        assert [made["metadata"]["name"] for made in (first, second)] == ["team-aaaaa", "team-bbbbb"]
        assert second["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team-bbbbb"}


async def test_when_every_drawn_name_is_taken_the_caller_is_told_to_try_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(monkeypatch, iter(["aaaaa"] * 20))
    async with start() as running:
        assert (await running.http.post(NAMESPACES, json=BODY)).status_code == 201
        answer = await running.http.post(NAMESPACES, json=BODY)
        status = answer.json()
        assert (answer.status_code, status["reason"], answer.headers["retry-after"]) == (409, "AlreadyExists", "1")
        assert status["message"] == (
            'namespaces "team-aaaaa" already exists, the server was not able to generate a unique name for the object'
        )


@pytest.mark.parametrize(
    ("query", "verb"),
    [(b"", "list"), (b"watch=true", "watch"), (b"watch=", "watch"), (b"watch=yes", "watch"), (b"watch=False", "list")],
)
def test_a_watch_is_known_by_the_same_rule_before_its_route_is(query: bytes, verb: str) -> None:
    assert request_info("GET", "/api/v1/namespaces/default/secrets", query).verb == verb


@given(st.text("aZ0-._/ ", max_size=8) | st.from_regex(r"([a-z.]{0,70}/)?[A-z-]{0,70}", fullmatch=True))
def test_a_qualified_name_is_in_order_when_each_of_its_parts_is(text: str) -> None:
    prefix, slash, word = text.rpartition("/")
    fits = re.fullmatch(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", word) and len(word) <= 63
    expected = bool(fits) and (not slash or names.subdomain(prefix) == [])
    assert (names.qualified_name(text) == []) is expected


def test_uids_are_random_uuids_in_their_usual_form() -> None:
    made = [new_uid() for _ in range(200)]
    assert len(set(made)) == len(made)
    for uid in made:
        read = uuid.UUID(uid)
        assert (str(read), read.version, read.variant) == (uid, 4, uuid.RFC_4122)
