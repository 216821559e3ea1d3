"""Options of list and watch: which go together, what a page says of the rest, what becomes of an old token."""

from __future__ import annotations

import base64
import json

import pytest

from .conftest import SECRET, Running, Start

SECRETS = "/api/v1/namespaces/default/secrets"


async def fill(running: Running, names: str) -> None:
    for name in names:
        body = {**SECRET, "metadata": {"name": name, "labels": {"odd": str(ord(name) % 2)}}}
        assert (await running.http.post(SECRETS, json=body)).status_code == 201


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (
            "resourceVersionMatch=Exact",
            "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            "resourceVersionMatch=Newest&resourceVersion=1",
            'Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        (
            "resourceVersionMatch=Exact&resourceVersion=1&continue=x",
            "Forbidden: resourceVersionMatch is forbidden when continue is provided",
        ),
        (
            "watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1",
            "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        (
            "watch=1&sendInitialEvents=true",
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    ],
)
async def test_options_that_do_not_go_together_are_refused_with_the_words_of_kubernetes(
    start: Start, query: str, why: str
) -> None:
    async with start() as running:
        answer = await running.http.get(f"{SECRETS}?{query}")
        status = answer.json()
        expected = f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {why}'
        assert (answer.status_code, status["message"]) == (422, expected)
        assert (status["details"]["group"], status["details"]["kind"]) == ("meta.k8s.io", "ListOptions")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("timeoutSeconds=x&watch=1", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("resourceVersion=-1", 'resourceVersion: Invalid value: "-1": strconv.ParseUint: parsing "-1": invalid syntax'),
        ("continue=abc", "invalid continue token: continue key is not valid: it was not made by this server"),
    ],
)
async def test_malformed_options_are_refused(start: Start, query: str, message: str) -> None:
    async with start() as running:
        answer = await running.http.get(f"{SECRETS}?{query}")
        assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_page_tells_how_many_items_follow_unless_a_selector_hides_it(start: Start) -> None:
    async with start() as running:
        await fill(running, "abcdef")
        url, counts = f"{SECRETS}?limit=2", []
        while True:
            metadata = (await running.http.get(url)).json()["metadata"]
            counts.append(metadata.get("remainingItemCount"))
            if "continue" not in metadata:
                break
            url = f"{SECRETS}?limit=2&continue={metadata['continue']}"
        assert counts == [4, 2, None]
        selected = (await running.http.get(f"{SECRETS}?limit=2&labelSelector=odd%3D1")).json()
        assert [item["metadata"]["name"] for item in selected["items"]] == ["a", "c"]
        assert "continue" in selected["metadata"]
        assert "remainingItemCount" not in selected["metadata"]


async def test_a_token_goes_with_no_other_resource_version(start: Start) -> None:
    async with start() as running:
        await fill(running, "abc")
        token = (await running.http.get(f"{SECRETS}?limit=1")).json()["metadata"]["continue"]
        answer = await running.http.get(f"{SECRETS}?continue={token}&resourceVersion=2")
        expected = "specifying resource version is not allowed when using continue"
        assert (answer.status_code, answer.json()["message"]) == (400, expected)
        assert (await running.http.get(f"{SECRETS}?continue={token}&resourceVersion=0")).status_code == 200


async def test_a_token_that_is_too_old_is_answered_with_one_that_goes_on_without_the_snapshot(start: Start) -> None:
    async with start() as running:
        await fill(running, "abd")
        token = (await running.http.get(f"{SECRETS}?limit=1")).json()["metadata"]["continue"]
        await running.http.delete(f"{SECRETS}/d")
        await fill(running, "ce")
        await running.service.store.compact(await running.service.store.revision())
        refused = await running.http.get(f"{SECRETS}?limit=1&continue={token}")
        status = refused.json()
        assert (refused.status_code, status["reason"]) == (410, "Expired")
        assert "results in an inconsistent list" in status["message"]
        rest = (await running.http.get(f"{SECRETS}?continue={status['metadata']['continue']}")).json()
        assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c", "e"]
        assert rest["metadata"] == {"resourceVersion": str(await running.service.store.revision())}


async def test_a_forged_token_is_refused(start: Start) -> None:
    def forged(**changed: object) -> str:
        token = {"v": "groundplane/v1", "rv": 1, "namespace": "default", "name": "a", **changed}
        return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()

    async with start() as running:
        for token, why in (
            (forged(v="meta.k8s.io/v1"), 'server does not recognize this encoded version "meta.k8s.io/v1"'),
            (forged(rv=-5), "incorrect encoded start resourceVersion (version groundplane/v1)"),
            (forged(rv="1"), "it was not made by this server"),
        ):
            answer = await running.http.get(f"{SECRETS}?continue={token}")
            expected = f"invalid continue token: continue key is not valid: {why}"
            assert (answer.status_code, answer.json()["message"]) == (400, expected)


async def test_an_exact_revision_that_is_forgotten_is_expired(start: Start) -> None:
    async with start() as running:
        await fill(running, "ab")
        await running.service.store.compact(await running.service.store.revision())
        answer = await running.http.get(f"{SECRETS}?resourceVersion=2&resourceVersionMatch=Exact")
        expected = "The resourceVersion for the provided list is too old."
        assert (answer.status_code, answer.json()["message"]) == (410, expected)
