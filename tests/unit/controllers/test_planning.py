"""From objects to one Operation: once for each set of inputs, never while one is at work."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_RETRY
from groundplane.api.operation import Operation, OperationPhase

from .world import World, cluster, distribution, foundation, secret, world


async def test_objects_that_arrive_one_by_one_lead_to_one_operation_with_all_machines(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        await site.look(Cluster, "shop")
        for one in (foundation(), distribution(), secret()):
            await site.add(one)
            await site.look(Cluster, "shop")
        for number in (1, 2, 3):
            await site.add_machine(f"shop-{number}", number)
            await site.look(Cluster, "shop")
            site.clock.advance(1)
        await site.look_settled()
        operation = await site.only_operation("Create")
        assert operation.spec.target.members == ["shop-1", "shop-2", "shop-3"]
        assert operation.spec.approval == "Approved"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
async def test_the_same_inputs_never_plan_twice(tmp_path: Path, phase: OperationPhase) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), phase)
        await site.look_settled()
        site.clock.advance(3600)
        await site.look_settled()
        await site.only_operation()


async def test_a_status_that_got_lost_does_not_make_a_failed_operation_run_again(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), "Failed")
        found = await site.get(Cluster, "shop")
        await site.objects.write_status(found, type(found.status)())
        await site.look_settled()
        await site.only_operation()
        assert (await site.condition(Cluster, "shop", "Progressing")).reason == "OperationFailed"


async def test_nothing_is_planned_while_an_operation_is_at_work(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.patch(Cluster, "shop", spec={"components": {"kubelet": {"config": {"maxPods": 50}}}})
        await site.look_settled()
        await site.only_operation()


async def test_a_change_of_the_spec_after_the_operation_plans_again(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        first = await site.only_operation()
        await site.end(first, "Failed")
        await site.look_settled()
        await site.patch(Cluster, "shop", spec={"components": {"kubelet": {"config": {"maxPods": 50}}}})
        await site.look_settled()
        later = [o for o in await site.operations() if o.metadata.name != first.metadata.name]
        assert len(later) == 1
        assert later[0].spec.target.components.kubelet.config == {"maxPods": 50}


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
async def test_a_person_who_says_retry_gets_one_new_operation(tmp_path: Path, phase: OperationPhase) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), phase)
        await site.look_settled()
        await site.annotate(Cluster, "shop", ANNOTATION_RETRY, "1")
        await site.look_settled()
        assert len(await site.operations()) == 2
        await site.look_settled()
        assert len(await site.operations()) == 2


async def test_a_stale_operation_is_planned_anew_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), "Stale", started=False)
        await site.look_settled()
        assert len(await site.operations()) == 2


@pytest.mark.parametrize(("kind", "name"), [(Foundation, "ground"), (Distribution, "native"), (Machine, "shop-2")])
async def test_a_change_of_what_the_cluster_is_made_from_plans_again(tmp_path: Path, kind: type, name: str) -> None:
    changes = {
        Foundation: {"operatingSystem": {"kernel": {"minimum": "4.19"}}},
        Distribution: {"description": "another"},
        Machine: {"labels": {"rack": "r12"}},
    }
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), "Failed")
        await site.look_settled()
        await site.patch(kind, name, spec=changes[kind])
        await site.look_settled()
        assert len(await site.operations()) == 2


async def test_operations_of_an_earlier_cluster_of_the_name_do_not_count(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        first = await site.only_operation()
        await add_stranger(site, first)
        await site.delete(Operation, first.metadata.name)
        await site.annotate(Cluster, "shop", ANNOTATION_RETRY, "1")
        await site.look_settled()
        mine = (await site.get(Cluster, "shop")).metadata.uid
        assert [o for o in await site.operations() if o.metadata.owner_references[0].uid == mine]


async def add_stranger(site: World, like: Operation) -> None:
    """An Operation that still runs for a Cluster that is gone."""
    owner = msgspec.structs.replace(like.metadata.owner_references[0], uid="00000000-0000-4000-8000-000000000000")
    meta = type(like.metadata)(
        name="shop-create-old", namespace="default", labels=like.metadata.labels, owner_references=[owner]
    )
    await site.objects.create(Operation(metadata=meta, spec=like.spec))


async def test_a_cluster_whose_change_is_refused_is_still_looked_at(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        for host in hosts:
            host.owner, host.captured = "default/shop", "captured-lab-containerd-control-plane.txt"
        await site.look_settled()
        again = await site.look(Cluster, "shop")
        assert (await site.condition(Cluster, "shop", "Progressing")).reason == "Refused"
        assert (await site.condition(Cluster, "shop", "Ready")).reason == "Refused"
        assert again.seconds is not None
        site.clock.advance(5)
        assert await site.writes(Cluster, "shop") == 0


async def test_machines_that_come_back_are_planned_for(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        site.site.switch_off(hosts[1])
        await site.look_settled()
        assert await site.operations() == []
        site.site.switch_on(hosts[1])
        await site.look_settled()
        await site.only_operation()
        assert (await site.condition(Cluster, "shop", "MachinesReachable")).status == "True"
