"""What somebody with all rights in one namespace cannot do to the others: to what they have, and to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import pytest
import yaml

from groundplane.api.examples import DISTRIBUTION, OPERATION
from groundplane.base.tasks import TaskOwner
from groundplane.server.collector import Collector
from groundplane.server.service import decode, encoder
from groundplane.store.contract import Key

from .access import binding, caller, role, rule, user, write
from .conftest import Running, Start

MINE = "/api/v1/namespaces/team-a"
OURS = "/apis/groundplane.dev/v1alpha1/namespaces/team-a"


@asynccontextmanager
async def tenant(running: Running) -> AsyncIterator[httpx2.AsyncClient]:
    """Give the client of the administrator of namespace team-a; there is a team-b too."""
    for name in ("team-a", "team-b"):
        await running.http.post("/api/v1/namespaces", json={"metadata": {"name": name}})
    await write(running.http, "RoleBinding", binding("admins", "admin", user("jane")), "team-a")
    async with caller(running, "jane") as jane:
        yield jane


@asynccontextmanager
async def collecting(running: Running) -> AsyncIterator[Collector]:
    collector = Collector(running.service)
    async with TaskOwner("test") as owner:
        owner.start(collector.run(), name="collector")
        await collector.listed.wait()
        yield collector


@pytest.mark.parametrize(
    "time", ["garbage", "2020-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
async def test_an_event_with_any_time_in_it_does_not_end_the_server(start: Start, time: str) -> None:
    async with start() as running, tenant(running) as jane:
        body = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "team-a"}}
        assert (await jane.post(f"{MINE}/events", json=body)).status_code == 201
        # Past the API, which refuses some of these by now: what an earlier version took is still there.
        stored = await running.service.store.get(Key("events", "team-a", "e"))
        await running.service.store.update(
            stored.key, encoder({**decode(stored.value), "lastTimestamp": time}), expected=stored.revision
        )
        table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        assert (await jane.get(f"{MINE}/events", headers=table)).status_code == 200
        # The collector looks at all events when it starts; a task that fails ends the block.
        async with collecting(running):
            owned = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}
            await jane.post(f"{MINE}/configmaps", json={"metadata": {"name": "c", "ownerReferences": [owned]}})
            async with asyncio.timeout(5):
                while (await jane.get(f"{MINE}/configmaps/c")).status_code != 404:
                    await asyncio.sleep(0)


@pytest.mark.parametrize(("document", "place"), [(DISTRIBUTION, "spec"), (OPERATION, "spec/target")])
async def test_files_of_the_servers_host_are_named_by_its_administrators_alone(
    start: Start, document: str, place: str
) -> None:
    async with start() as running, tenant(running) as jane:
        body, plural = _with_source(document, place, {"type": "HTTP", "url": "https://example.com"})
        assert (await jane.post(f"{OURS}/{plural}", json=body)).status_code == 201
        assert (await jane.delete(f"{OURS}/{plural}/{body['metadata']['name']}")).status_code == 200
        for kind in ("Directory", "Bundle"):
            body, _ = _with_source(document, place, {"type": kind, "path": "/var/lib/groundplane"})
            refused = await jane.post(f"{OURS}/{plural}", json=body)
            assert (refused.status_code, refused.json()["reason"]) == (403, "Forbidden")
            assert 'take the verb "read-host" on distributions.groundplane.dev' in refused.json()["message"]
        assert (await running.http.post(f"{OURS}/{plural}", json=body)).status_code == 201


async def test_a_source_that_an_administrator_named_may_stay_and_no_other_may_be_added(start: Start) -> None:
    async with start() as running, tenant(running) as jane:
        body, _ = _with_source(DISTRIBUTION, "spec", {"type": "Directory", "path": "/srv/artifacts"})
        name = body["metadata"]["name"]
        assert (await running.http.post(f"{OURS}/distributions", json=body)).status_code == 201
        patch = {"content-type": "application/merge-patch+json"}

        async def change(spec: dict[str, Any]) -> int:
            content = msgspec.json.encode({"spec": spec})
            return (await jane.patch(f"{OURS}/distributions/{name}", content=content, headers=patch)).status_code

        kept, other = body["spec"]["sources"], [{"type": "Directory", "path": "/srv"}]
        assert await change({"description": "ours", "sources": kept}) == 200
        assert await change({"sources": [*kept, *other]}) == 403
        await write(
            running.http, "Role", role("reader", rule("read-host", "distributions", "groundplane.dev")), "team-a"
        )
        await write(running.http, "RoleBinding", binding("reader", "reader", user("jane"), kind="Role"), "team-a")
        assert await change({"sources": [*kept, *other]}) == 200


def _with_source(document: str, place: str, source: dict[str, str]) -> tuple[dict[str, Any], str]:
    body = yaml.safe_load(document)
    body["metadata"].pop("namespace", None)
    holder = body
    for part in place.split("/"):
        holder = holder[part]
    holder["sources"] = [source]
    return body, f"{body['kind'].lower()}s"


async def test_a_patch_that_copies_without_end_is_refused(start: Start) -> None:
    async with start() as running, tenant(running) as jane:
        await jane.post(f"{MINE}/configmaps", json={"metadata": {"name": "c"}, "data": {"a": "x" * 1000}})
        growing = [{"op": "copy", "from": "/data", "path": f"/data/b{n}"} for n in range(16)]
        content, headers = msgspec.json.encode(growing), {"content-type": "application/json-patch+json"}
        refused = await jane.patch(f"{MINE}/configmaps/c", content=content, headers=headers)
        assert refused.status_code == 422
        assert "the accumulated size increase of copy operation is" in refused.json()["message"]


async def test_who_owns_from_another_namespace_does_not_hold_up_a_deletion(start: Start) -> None:
    async with start() as running, tenant(running) as jane, collecting(running):
        other = "/api/v1/namespaces/team-b/configmaps"
        made = (await running.http.post(other, json={"metadata": {"name": "c"}})).json()
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": made["metadata"]["uid"]}
        held = {"name": "held", "ownerReferences": [owner], "finalizers": ["example.com/never"]}
        assert (await jane.post(f"{MINE}/configmaps", json={"metadata": held})).status_code == 201
        await running.http.request("DELETE", f"{other}/c", json={"propagationPolicy": "Foreground"})
        async with asyncio.timeout(5):
            while (await running.http.get(f"{other}/c")).status_code != 404:
                await asyncio.sleep(0)


def test_no_default_role_of_a_namespace_reads_the_host() -> None:
    from groundplane.server.access.bootstrap import defaults

    roles = [one for one in defaults() if one["kind"] == "ClusterRole" and one["metadata"]["name"] != "cluster-admin"]
    assert not [one for one in roles for rules in one["rules"] or () if {"*", "read-host"} & set(rules["verbs"])]


async def test_more_finalizers_than_can_be_looked_through_are_refused(start: Start) -> None:
    async with start() as running, tenant(running) as jane:
        many = [f"example.com/{number}" for number in range(1001)]
        body = {"metadata": {"name": "c", "finalizers": many}}
        refused = await jane.post(f"{MINE}/configmaps", json=body)
        assert refused.status_code == 422
        assert "metadata.finalizers: Too many: 1001: must have at most 1000 items" in refused.json()["message"]
        body["metadata"]["finalizers"] = many[1:]
        assert (await jane.post(f"{MINE}/configmaps", json=body)).status_code == 201
