"""Watches: order, selectors, bookmarks, initial events, ends; and the in-process client that stands on them."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from groundplane.client.contract import Client, Resource
from groundplane.client.errors import AlreadyExists, Conflict, Gone, Invalid, NotFound
from groundplane.server.local import LocalClient
from groundplane.server.service import Call, Service, decode
from groundplane.server.users import CONTROLLER
from groundplane.server.verbs import watching

from .conftest import FOUNDATION, SECRET, Start

SECRETS = Resource("", "v1", "secrets", "Secret")
FOUNDATIONS = Resource("groundplane.dev", "v1alpha1", "foundations", "Foundation")


def secret(name: str, **labels: str) -> dict[str, Any]:
    return {**SECRET, "metadata": {"name": name, "namespace": "default", "labels": labels}}


def foundation() -> dict[str, Any]:
    return {**FOUNDATION, "metadata": {"name": "f", "namespace": "default"}}


async def collect(service: Service, query: dict[str, str], count: int) -> list[tuple[str, str]]:
    """Return the first events of a watch of Secrets as (type, name or revision)."""
    call = Call(CONTROLLER, service.resources.by_stored["secrets"], "default")
    options = watching.parse_options(call, query)
    found: list[tuple[str, str]] = []
    async with aclosing(watching.watching(service, call, options, asyncio.Event())) as events:
        async for event in events:
            name = decode(event.value)["metadata"]["name"] if event.value else f"initial={event.initial_end}"
            found.append((event.type, name))
            if len(found) == count:
                return found
    return found


async def test_a_watch_replays_what_came_after_its_revision(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        revision = await running.service.store.revision()
        await client.create(SECRETS, secret("a"))
        await client.patch(SECRETS, "default", "a", {"metadata": {"labels": {"x": "y"}}})
        await client.delete(SECRETS, "default", "a")
        found = await collect(running.service, {"resourceVersion": str(revision)}, 3)
        assert found == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_an_object_comes_into_view_and_leaves_it_by_its_labels(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        revision = await running.service.store.revision()
        await client.create(SECRETS, secret("a", site="x"))
        await client.create(SECRETS, secret("b", site="y"))
        await client.patch(SECRETS, "default", "b", {"metadata": {"labels": {"site": "x"}}})
        await client.patch(SECRETS, "default", "a", {"metadata": {"labels": {"site": "y"}}})
        await client.delete(SECRETS, "default", "a")
        await client.delete(SECRETS, "default", "b")
        query = {"resourceVersion": str(revision), "labelSelector": "site=x"}
        assert await collect(running.service, query, 4) == [
            ("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a"), ("DELETED", "b"),
        ]  # fmt: skip


async def test_initial_events_end_with_their_bookmark(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        await client.create(SECRETS, secret("a"))
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
        found = await collect(running.service, query, 3)
        assert found == [("ADDED", "a"), ("BOOKMARK", "initial=True"), ("BOOKMARK", "initial=False")]


async def test_a_watch_over_http_ends_at_its_timeout(start: Start) -> None:
    async with start() as running:
        await LocalClient(running.service).create(SECRETS, secret("a"))
        accept = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
        answer = await running.http.get("/api/v1/secrets?watch=true&timeoutSeconds=1", headers=accept)
        event = json.loads(answer.text)
        assert (event["type"], event["object"]["kind"]) == ("ADDED", "Table")
        assert event["object"]["rows"][0]["cells"][0] == "a"


async def test_the_local_client_fits_the_contract_and_raises_its_errors(start: Start) -> None:
    async with start() as running:
        client: Client = LocalClient(running.service)
        made = await client.create(FOUNDATIONS, foundation())
        with pytest.raises(AlreadyExists):
            await client.create(FOUNDATIONS, foundation())
        with pytest.raises(NotFound):
            await client.get(FOUNDATIONS, "default", "none")
        with pytest.raises(NotFound):
            await client.list(Resource("", "v1", "pods", "Pod"))
        with pytest.raises(Invalid) as refused:
            await client.patch(FOUNDATIONS, "default", "f", {"spec": {"runtime": {"name": "rkt"}}})
        assert [cause.field for cause in refused.value.causes] == ["spec.runtime.name"]
        await client.patch(FOUNDATIONS, "default", "f", {"metadata": {"labels": {"a": "b"}}})
        with pytest.raises(Conflict):
            await client.update(FOUNDATIONS, made)
        fresh = await client.get(FOUNDATIONS, "default", "f")
        done = await client.update_status(FOUNDATIONS, {**fresh, "spec": {}, "status": {"clusters": 3}})
        assert done["status"] == {"clusters": 3}
        assert done["spec"] == fresh["spec"]
        await client.delete(FOUNDATIONS, "default", "f")
        assert (await client.list(FOUNDATIONS)).items == []


async def test_the_local_watch_tells_what_happens_and_ends_with_its_client(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        listed = await client.list(SECRETS)
        async with client.watch(SECRETS, resource_version=listed.resource_version) as events:
            await client.create(SECRETS, secret("a"))
            first = await anext(events)
            assert (first.type, first.object["metadata"]["name"]) == ("ADDED", "a")
            await client.close()
            assert [event async for event in events if event.type != "BOOKMARK"] == []


async def test_the_local_watch_says_when_its_revision_is_gone(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        await client.create(SECRETS, secret("a"))
        await running.service.store.compact(await running.service.store.revision())
        async with client.watch(SECRETS, resource_version="1") as events:
            with pytest.raises(Gone):
                await anext(events)


async def test_concurrent_patches_lose_nothing(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        await client.create(SECRETS, secret("a"))
        names = [f"l{number}" for number in range(5)]
        patches = [{"metadata": {"labels": {name: "x"}}} for name in names]
        await asyncio.gather(*(client.patch(SECRETS, "default", "a", patch) for patch in patches))
        assert set((await client.get(SECRETS, "default", "a"))["metadata"]["labels"]) == set(names)


async def test_two_creators_of_one_name_get_one_object(start: Start) -> None:
    async with start() as running:
        client = LocalClient(running.service)
        results = await asyncio.gather(*(client.create(SECRETS, secret("a")) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(result, AlreadyExists) for result in results) == 4
