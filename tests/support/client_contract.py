"""What every end of `client.contract.Client` must do, as cases that take a client and a name of their own.

Run in process and over HTTP against the built-in server, and over HTTP against a real kube-apiserver. ConfigMaps in
namespace default, because all of them serve these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from groundplane.client.contract import Client, Resource, WatchEvent
from groundplane.client.errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound

MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NOTHING = Resource("nothing.example.dev", "v1", "nothings", "Nothing")

Case = Callable[[Client, str], Awaitable[None]]


def config_map(name: str, test: str = "", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"test": test or name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def what_is_created_is_read_and_listed(client: Client, name: str) -> None:
    sent = config_map(name, a="1")
    made = await client.create(MAPS, sent)
    assert sent == config_map(name, a="1"), "the caller's document was changed"
    assert (made["apiVersion"], made["kind"], made["data"]) == ("v1", "ConfigMap", {"a": "1"})
    assert await client.get(MAPS, "default", name) == made
    listed = await client.list(MAPS, namespace="default", label_selector=f"test={name}")
    assert listed.items == [made]
    assert int(listed.resource_version) >= int(made["metadata"]["resourceVersion"])
    assert made in (await client.list(MAPS)).items
    assert (await client.list(MAPS, namespace="kube-nowhere")).items == []
    with pytest.raises(AlreadyExists):
        await client.create(MAPS, sent)


class _Map(msgspec.Struct):
    data: dict[str, str]


class _Maps(msgspec.Struct):
    items: list[_Map]


async def a_list_is_read_into_the_fields_that_matter(client: Client, name: str) -> None:
    await client.create(MAPS, config_map(f"{name}-1", name, a="1"))
    await client.create(MAPS, config_map(f"{name}-2", name, a="2"))
    found = await client.read(MAPS, _Maps, namespace="default", label_selector=f"test={name}")
    assert sorted(one.data["a"] for one in found.items) == ["1", "2"]
    assert (await client.read(MAPS, _Maps, namespace="kube-nowhere")).items == []
    with pytest.raises(NotFound):
        await client.read(NOTHING, _Maps)


async def names_can_be_generated(client: Client, name: str) -> None:
    body = config_map("", name)
    body["metadata"] = {"generateName": f"{name}-", "namespace": "default"}
    first, second = [(await client.create(MAPS, body))["metadata"]["name"] for _ in range(2)]
    assert first != second
    assert first.startswith(f"{name}-")


async def what_is_not_there_is_not_found(client: Client, name: str) -> None:
    for asked in (
        client.get(MAPS, "default", name),
        client.update(MAPS, config_map(name)),
        client.patch(MAPS, "default", name, {"data": {"a": "1"}}),
        client.delete(MAPS, "default", name),
        client.list(NOTHING),
        client.get(NOTHING, "default", name),
        client.create(MAPS, config_map(name) | {"metadata": {"name": name, "namespace": "nowhere"}}),
    ):
        with pytest.raises(NotFound):
            await asked


async def an_update_needs_the_present_version_when_it_names_one(client: Client, name: str) -> None:
    made = await client.create(MAPS, config_map(name, a="1"))
    updated = await client.update(MAPS, made | {"data": {"a": "2"}})
    assert updated["data"] == {"a": "2"}
    assert updated["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(Conflict):
        await client.update(MAPS, made | {"data": {"a": "3"}})
    other = updated | {"metadata": updated["metadata"] | {"uid": "00000000-0000-0000-0000-000000000000"}}
    with pytest.raises(Conflict):
        await client.update(MAPS, other)
    assert await client.update(MAPS, updated) == updated, "an update that changes nothing made a version"


async def a_merge_patch_sets_and_removes(client: Client, name: str) -> None:
    await client.create(MAPS, config_map(name, a="1", b="2"))
    patched = await client.patch(MAPS, "default", name, {"data": {"a": None, "c": "3"}})
    assert patched["data"] == {"b": "2", "c": "3"}
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"c": "4"}}
    with pytest.raises(Conflict):
        await client.patch(MAPS, "default", name, stale)


async def apply_owns_fields_refuses_conflicts_and_takes_over_by_force(client: Client, name: str) -> None:
    dry = await client.apply(MAPS, config_map(name, a="0"), field_manager="one", dry_run=True)
    assert dry["data"] == {"a": "0"}
    with pytest.raises(NotFound):
        await client.get(MAPS, "default", name)
    first = await client.apply(MAPS, config_map(name, a="1", b="1"), field_manager="one")
    assert await client.apply(MAPS, config_map(name, a="1", b="1"), field_manager="one") == first
    with pytest.raises(Conflict, match="one"):
        await client.apply(MAPS, config_map(name, a="2"), field_manager="two")
    forced = await client.apply(MAPS, config_map(name, a="2"), field_manager="two", force=True)
    assert forced["data"] == {"a": "2", "b": "1"}
    left = await client.apply(MAPS, config_map(name), field_manager="one")
    assert left["data"] == {"a": "2"}


async def what_breaks_rules_is_refused_with_its_fields(client: Client, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        await client.create(MAPS, config_map("Not A Name", name))
    assert [cause.field for cause in caught.value.causes] == ["metadata.name"]
    with pytest.raises((BadRequest, Invalid)):
        await client.create(MAPS, config_map(name) | {"data": {"a": ["no text"]}})


async def what_has_a_finalizer_goes_when_that_goes(client: Client, name: str) -> None:
    body = config_map(name)
    body["metadata"]["finalizers"] = ["groundplane.dev/test"]
    await client.create(MAPS, body)
    await client.delete(MAPS, "default", name)
    marked = await client.get(MAPS, "default", name)
    assert marked["metadata"]["deletionTimestamp"]
    await client.patch(MAPS, "default", name, {"metadata": {"finalizers": None}})
    with pytest.raises(NotFound):
        await client.get(MAPS, "default", name)


async def status_is_apart_where_there_is_one(client: Client, name: str) -> None:
    made = await client.create(SPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert made["status"] == {"phase": "Active"}
    patched = await client.update(SPACES, made | {"status": {"phase": "Terminating"}})
    assert patched["status"] == {"phase": "Active"}
    labelled = made["metadata"] | {"resourceVersion": patched["metadata"]["resourceVersion"], "labels": {"a": "b"}}
    written = await client.update_status(SPACES, made | {"metadata": labelled})
    assert written["status"] == {"phase": "Active"}


async def a_watch_tells_everything_after_its_version_in_order(client: Client, name: str) -> None:
    start = (await client.list(MAPS, namespace="default")).resource_version
    await client.create(MAPS, config_map(name, a="1"))
    async with client.watch(MAPS, namespace="default", resource_version=start) as events:
        told = [await _next(events, name)]
        await client.patch(MAPS, "default", name, {"data": {"a": "2"}})
        told.append(await _next(events, name))
        await client.delete(MAPS, "default", name)
        told.append(await _next(events, name))
    assert [event.type for event in told] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event.object["data"] for event in told] == [{"a": "1"}, {"a": "2"}, {"a": "2"}]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in told]
    assert versions == sorted(set(versions))


async def _next(events: Any, name: str) -> WatchEvent:
    async with asyncio.timeout(20):
        while True:
            event: WatchEvent = await anext(events)
            if event.type != "BOOKMARK" and event.object["metadata"]["name"] == name:
                return event


async def racing_writers_of_one_version_have_one_winner(client: Client, name: str) -> None:
    made = await client.create(MAPS, config_map(name))
    writes = [client.update(MAPS, made | {"data": {"by": str(number)}}) for number in range(5)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 4


CASES: tuple[Case, ...] = (
    what_is_created_is_read_and_listed,
    a_list_is_read_into_the_fields_that_matter,
    names_can_be_generated,
    what_is_not_there_is_not_found,
    an_update_needs_the_present_version_when_it_names_one,
    a_merge_patch_sets_and_removes,
    apply_owns_fields_refuses_conflicts_and_takes_over_by_force,
    what_breaks_rules_is_refused_with_its_fields,
    what_has_a_finalizer_goes_when_that_goes,
    status_is_apart_where_there_is_one,
    a_watch_tells_everything_after_its_version_in_order,
    racing_writers_of_one_version_have_one_winner,
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
