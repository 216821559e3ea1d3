"""STYLE 7: a controller that looks twice at the same world writes nothing the second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.operation import Operation, OperationPhase

from .world import PASSWORD, World, world


async def nothing_more(site: World, name: str = "shop") -> None:
    """Look at everything until it rests, then look again at all of it."""
    await site.look_settled(name)
    site.clock.advance(5)
    assert await site.writes(Cluster, name) == 0


async def test_a_cluster_that_validation_blocks_is_written_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.patch(Cluster, "shop", spec={"foundationRef": {"name": "missing"}})
        await nothing_more(site)
        assert (await site.condition(Cluster, "shop", "SpecValid")).status == "False"


async def test_a_cluster_with_unreachable_machines_is_written_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        site.site.switch_off(hosts[1])
        await nothing_more(site)
        reachable = await site.condition(Cluster, "shop", "MachinesReachable")
        assert reachable.status == "False"
        assert "shop-2" in reachable.message


async def test_a_cluster_with_preflight_problems_is_written_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        for host in await site.add_all():
            host.identity = "the-same"
        await nothing_more(site)
        passed = await site.condition(Cluster, "shop", "PreflightPassed")
        assert passed.status == "False"
        assert "shop-1" in passed.message
        assert "shop-2" in passed.message
        assert await site.operations() == []


async def test_a_cluster_that_awaits_approval_and_its_operation_are_written_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all(change={"approval": "Manual"})
        await site.look_settled()
        operation = await site.only_operation()
        await site.look(Operation, operation.metadata.name)
        assert await site.writes(Operation, operation.metadata.name) == 0
        await nothing_more(site)
        assert (await site.condition(Cluster, "shop", "Progressing")).reason == "AwaitingApproval"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
async def test_a_cluster_after_its_operation_is_written_once(tmp_path: Path, phase: OperationPhase) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        operation = await site.only_operation()
        await site.end(operation, phase)
        await nothing_more(site)
        assert await site.writes(Operation, operation.metadata.name) == 0
        assert len(await site.operations()) == 1


async def test_a_machine_is_written_once_whether_it_answers_or_not(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        site.site.switch_off(hosts[1])
        for name in ("shop-1", "shop-2"):
            await site.look(Machine, name)
            site.clock.advance(1)
            assert await site.writes(Machine, name) == 0
        assert (await site.condition(Machine, "shop-1", "Reachable")).status == "True"
        assert (await site.condition(Machine, "shop-2", "Reachable")).status == "False"


@pytest.mark.parametrize(("kind", "name"), [(Foundation, "ground"), (Distribution, "native")])
async def test_what_a_cluster_stands_on_is_written_once(tmp_path: Path, kind: type, name: str) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        assert await site.writes(kind, name) == 1
        site.clock.advance(1)
        assert await site.writes(kind, name) == 0


async def test_nothing_is_done_for_objects_that_are_not_there(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        for kind in (Cluster, Machine, Operation, Foundation, Distribution):
            assert await site.writes(kind, "missing") == 0


async def test_no_secret_is_in_any_object_but_the_secret(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        await site.look_settled()
        site.site.password = "another"
        site.site.switch_off(hosts[1])
        for name in ("shop-1", "shop-2"):
            await site.look(Machine, name)
        page = [e for kind in ("events", "machines", "clusters", "operations") for e in await entries(site, kind)]
        assert page
        assert not [entry for entry in page if PASSWORD.encode() in entry]


async def entries(site: World, kind: str) -> list[bytes]:
    found = [await site.store.list(name) for name in (kind, f"{kind}.groundplane.dev", f"groundplane.dev/{kind}")]
    return [entry.value for page in found for entry in page.entries]
