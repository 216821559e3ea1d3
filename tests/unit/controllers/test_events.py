"""Events: the same again raises the count; one that cannot be written stops nobody."""

from __future__ import annotations

from pathlib import Path

from groundplane.api.cluster import Cluster
from groundplane.api.meta import ObjectMeta
from groundplane.client.typed import EVENTS

from .world import cluster, world


async def test_the_same_event_again_raises_the_count_for_an_hour(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        meta = (await site.get(Cluster, "shop")).metadata
        for _ in range(3):
            await site.events.warning("Cluster", meta, "Broken", "it is broken")
            site.clock.advance(60)
        await site.events.warning("Cluster", meta, "Broken", "it is broken otherwise")
        assert sorted(event["count"] for event in await site.told("Broken")) == [1, 3]
        site.clock.advance(3600)
        await site.events.warning("Cluster", meta, "Broken", "it is broken")
        assert sorted(event["count"] for event in await site.told("Broken")) == [1, 1, 3]


async def test_an_event_that_was_deleted_is_written_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        meta = (await site.get(Cluster, "shop")).metadata
        await site.events.normal("Cluster", meta, "Said", "once")
        [first] = await site.told("Said")
        await site.client.delete(EVENTS, "default", first["metadata"]["name"])
        for _ in range(2):
            await site.events.normal("Cluster", meta, "Said", "once")
        assert [event["count"] for event in await site.told("Said")] == [2]


async def test_an_event_in_a_namespace_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        meta = ObjectMeta(name="shop", namespace="gone", uid="1")
        for _ in range(2):
            await site.events.normal("Cluster", meta, "Said", "to nobody")
        assert await site.told("Said") == []
