"""The conductor of unify on the real API server: turns, approvals, hops, failures, and what people do meanwhile.

The controllers of Clusters and Operations are played by the test: what they write is what they promise to write.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from groundplane.api.cluster import Cluster, ClusterSpec, KubernetesOverride
from groundplane.api.distribution import Distribution, DistributionSpec, Release
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine, MachineSpec
from groundplane.api.meta import (
    ANNOTATION_UNIFY,
    LABEL_CLUSTER,
    NameReference,
    ObjectMeta,
    OwnerReference,
)
from groundplane.api.operation import Operation, OperationPhase, OperationSpec, Plan, PlannedStep
from groundplane.api.target import ClusterTarget, resolve
from groundplane.api.unify import UnifyState, UnifyStatus
from groundplane.client.errors import Conflict
from groundplane.controllers.assessing import Assessor
from groundplane.engine.conditions import Conditions

from .test_adoption import TUNED, adopted, look
from .test_foundations import DOCKER, GOOD, assessed, facts
from .test_manager import managed, until
from .world import World, cluster, distribution, foundation, world

RUN = "first"


@dataclass
class Fleet:
    """`site` with what the test does in the place of other controllers and of people."""

    site: World

    async def wish(self, **fields: Any) -> None:
        """Write spec.unify, as a person does."""
        await self.site.patch(Foundation, "ground", spec={"unify": fields})

    async def start(self, **fields: Any) -> None:
        await self.wish(run=RUN, state="Running", **fields)
        await self.look()

    async def look(self, times: int = 2) -> UnifyStatus:
        for _ in range(times):
            await self.site.look(Foundation, "ground")
        return await self.status()

    async def status(self) -> UnifyStatus:
        found = (await self.site.get(Foundation, "ground")).status.unify
        assert found is not None
        return found

    async def states(self) -> dict[str, UnifyState]:
        return {one.name: one.state for wave in (await self.status()).waves for one in wave.clusters}

    async def turns(self) -> list[str]:
        """The clusters that were given their turn."""
        found = await self.site.objects.all(Cluster)
        return sorted(c.metadata.name for c in found if c.metadata.annotations.get(ANNOTATION_UNIFY) == RUN)

    async def answer(
        self, name: str, condition: str = "Progressing", reason: str = "Done", *, said: bool = True
    ) -> None:
        """Play the Cluster's controller: it took the turn up, and has this to say."""
        cluster = await self.site.get(Cluster, name)
        conditions = Conditions(cluster.status.conditions, generation=1, now=self.site.clock())
        conditions.set(condition, "False", reason, f"said of {name}")
        answered = RUN if said else ""
        status = msgspec.structs.replace(cluster.status, unify_answered=answered, conditions=conditions.values())
        await self.site.objects.write_status(cluster, status)

    async def plan(self, name: str, *, run: str = RUN, then: str = "") -> Operation:
        """Play the Cluster's controller: it makes an Operation that waits for approval."""
        cluster = await self.site.get(Cluster, name)
        owner = OwnerReference(
            api_version="groundplane.dev/v1alpha1", kind="Cluster", name=name, uid=cluster.metadata.uid
        )
        made = Operation(
            metadata=ObjectMeta(
                generate_name=f"{name}-change-",
                namespace="default",
                labels={LABEL_CLUSTER: name},
                annotations={ANNOTATION_UNIFY: run} if run else {},
                owner_references=[owner],
            ),
            spec=OperationSpec(
                cluster_ref=NameReference(name=name),
                target=_target(name),
                plan=Plan(action="Change", steps=[PlannedStep(name="x", step="x", title="X")], next=then),
            ),
        )
        return await self.site.objects.create(made)

    async def approved(self, operation: Operation) -> bool:
        return (await self.site.get(Operation, operation.metadata.name)).spec.approval == "Approved"

    async def run(self, operation: Operation, phase: OperationPhase = "Succeeded") -> None:
        await self.site.end(operation, phase)

    async def one(self, name: str, phase: OperationPhase = "Succeeded") -> None:
        """Take a cluster whose turn it is through one Operation."""
        operation = await self.plan(name)
        await self.look()
        assert await self.approved(operation), (name, await self.status())
        await self.run(operation, phase)
        await self.look()


def _target(name: str) -> ClusterTarget:
    """A target as an Operation has it; what is in it is nothing to the conductor."""
    release = Distribution(spec=DistributionSpec(sources=[], releases=[Release(version="v1.20.2")]))
    spec = ClusterSpec(kubernetes=KubernetesOverride(version="v1.20.2"))
    plane = Machine(metadata=ObjectMeta(name=f"{name}-1"), spec=MachineSpec(address="198.18.9.11", role="ControlPlane"))
    return resolve(Cluster(metadata=ObjectMeta(name=name, namespace="default"), spec=spec), None, release, [plane])


@asynccontextmanager
async def fleet(folder: Path, *names: str, canary: str = "") -> AsyncIterator[Fleet]:
    """Clusters on Docker, whose Foundation wants containerd, and one that is on it."""
    async with world(folder) as site:
        await site.add(distribution(), foundation())
        for name in names or ("a", "b", "c"):
            await assessed(site, name, DOCKER)
        if canary:
            await site.patch(Cluster, canary, metadata={"labels": {"groundplane.dev/canary": "true"}})
        await assessed(site, "fine", GOOD)
        yield Fleet(site)


async def test_waves_are_written_down_before_anything_is_done(tmp_path: Path) -> None:
    async with fleet(tmp_path, canary="c") as found:
        await found.wish(run=RUN, state="Running", waves=[1, "100%"])
        status = await found.look(1)
        assert [[one.name for one in wave.clusters] for wave in status.waves] == [["c"], ["a", "b"]]
        assert [wave.canaries for wave in status.waves] == [True, False]
        assert status.phase == "Planned"
        assert await found.turns() == []


async def test_one_wave_after_another_to_the_end(tmp_path: Path) -> None:
    async with fleet(tmp_path, canary="c") as found:
        await found.start(waves=[1, "100%"], maxClusters=1)
        assert await found.turns() == ["c"]
        await found.one("c")
        assert await found.turns() == ["a", "c"]
        await found.one("a")
        await found.look()
        assert await found.turns() == ["a", "b", "c"]
        await found.answer("b")
        status = await found.look()
        assert (status.phase, status.message) == ("Succeeded", "3 of 3 clusters are done")
        assert status.finished_at
        unified = await found.site.condition(Foundation, "ground", "Unified")
        assert (unified.status, unified.reason) == ("True", "Succeeded")
        assert await found.site.told("UnifySucceeded")
        assert await found.site.writes(Foundation, "ground") == 0


async def test_a_cluster_that_needs_several_hops_is_followed_through_all(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        await found.start()
        first = await found.plan("a", then="Kubernetes v1.20.6")
        await found.look()
        await found.run(first)
        await found.look()
        assert await found.states() == {"a": "Planning"}
        second = await found.plan("a")
        await found.look()
        assert await found.approved(second)
        await found.run(second)
        status = await found.look()
        assert status.phase == "Succeeded"
        assert status.waves[0].clusters[0].operations == [first.metadata.name, second.metadata.name]


async def test_each_wave_waits_for_its_own_approval_with_its_plans_made(tmp_path: Path) -> None:
    async with fleet(tmp_path) as found:
        await found.start(approval="PerWave", waves=[1, "100%"])
        first = await found.plan("a")
        status = await found.look()
        assert status.phase == "AwaitingApproval"
        assert "groundplane unify --foundation ground --approve-wave 1" in status.message
        assert not await found.approved(first)
        await found.wish(approvedWave=1)
        await found.look()
        assert await found.approved(first)
        await found.run(first)
        await found.look()
        assert await found.turns() == ["a", "b", "c"]
        others = [await found.plan("b"), await found.plan("c")]
        assert (await found.look()).phase == "AwaitingApproval"
        assert not any([await found.approved(one) for one in others])
        await found.wish(approvedWave=2)
        await found.look()
        assert all([await found.approved(one) for one in others])


async def test_the_first_failure_stops_the_run_and_a_retry_takes_it_up_again(tmp_path: Path) -> None:
    async with fleet(tmp_path) as found:
        await found.start(waves=[1, 1, "100%"])
        await found.one("a", "Failed")
        status = await found.look()
        assert (status.phase, status.failures) == ("Failed", 1)
        assert "groundplane retry a" in status.message
        assert await found.turns() == ["a"]
        await found.one("a")
        assert (await found.status()).phase == "Running"
        assert await found.turns() == ["a", "b"]


async def test_a_failure_budget_lets_the_others_go_on(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        await found.start(maxFailures=1)
        await found.one("a", "Failed")
        await found.one("b")
        status = await found.look()
        assert (status.phase, status.failures) == ("Incomplete", 1)
        assert status.message == "1 of 2 clusters are done; failed: a"


async def test_what_a_person_cancelled_is_never_approved(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        await found.start()
        operation = await found.plan("a")
        await found.site.patch(Operation, operation.metadata.name, spec={"cancel": "Requested"})
        await found.look(3)
        assert not await found.approved(operation)
        await found.run(operation, "Cancelled")
        status = await found.look(3)
        assert (await found.states())["a"] == "Cancelled"
        assert status.phase == "Failed"
        assert await found.turns() == ["a"]


async def test_a_cluster_with_somebody_elses_operation_is_left_alone_and_waited_for(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        other = await found.plan("a", run="")
        await found.site.patch(Operation, other.metadata.name, spec={"approval": "Approved"})
        await found.start()
        status = await found.look()
        assert await found.turns() == []
        assert f"operation {other.metadata.name}, which is not of this run, has not ended" in status.message
        await found.run(other)
        await found.look()
        assert await found.turns() == ["a"]


async def test_outside_a_window_nothing_begins_and_what_runs_goes_on(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        now = found.site.clock()
        opens = (now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
        await found.start(windows=[{"start": f"{opens:%H:%M}", "duration": "1h"}], waves=["100%"], maxClusters=2)
        status = await found.look()
        assert status.phase == "Waiting"
        assert f"{opens:%Y-%m-%dT%H:%M}:00Z" in status.message
        assert await found.turns() == []
        found.site.clock.advance((opens - now).total_seconds() + 1)
        await found.look()
        operation, late = await found.plan("a"), None
        await found.look()
        assert await found.approved(operation)
        found.site.clock.advance(3600)
        late = await found.plan("b")
        assert (await found.look()).phase == "Running"
        assert not await found.approved(late)


async def test_paused_nothing_more_begins_and_resumed_it_goes_on(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        await found.start(waves=["100%"], maxClusters=2)
        operation = await found.plan("a")
        await found.wish(state="Paused")
        status = await found.look()
        assert status.phase == "Paused"
        assert "groundplane unify --foundation ground --resume" in status.message
        assert not await found.approved(operation)
        await found.wish(state="Running")
        await found.look()
        assert await found.approved(operation)


async def test_cancelled_it_takes_turns_back_and_lets_what_runs_end(tmp_path: Path) -> None:
    async with fleet(tmp_path) as found:
        await found.start(waves=["100%"], maxClusters=3)
        running = await found.plan("a")
        await found.look()
        waiting = await found.plan("b")
        await found.wish(state="Cancelled")
        await found.look()
        assert (await found.site.get(Operation, waiting.metadata.name)).spec.cancel == "Requested"
        assert (await found.site.get(Operation, running.metadata.name)).spec.cancel == ""
        assert await found.turns() == ["a"]
        await found.run(waiting, "Cancelled")
        await found.run(running)
        status = await found.look(3)
        assert (status.phase, status.message) == ("Cancelled", "cancelled; 1 of 3 clusters are done")
        await found.wish(state="Running")
        assert (await found.look()).phase == "Cancelled"
        assert await found.turns() == ["a"]


async def test_cancelled_with_its_operations_it_cancels_them_too(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        await found.start()
        operation = await found.plan("a")
        await found.look()
        await found.wish(state="Cancelled", cancelOperations=True)
        await found.look()
        assert (await found.site.get(Operation, operation.metadata.name)).spec.cancel == "Requested"


async def test_a_cluster_that_cannot_be_changed_is_blocked_with_the_reason_and_is_no_failure(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        await found.start(waves=[1, 1])
        await found.answer("a", "Progressing", "Refused")
        status = await found.look()
        assert (await found.states())["a"] == "Blocked"
        assert status.waves[0].clusters[0].message == "said of a"
        assert status.failures == 0
        assert "b" in await found.turns()


async def test_machines_that_do_not_answer_are_waited_for_a_while(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        await found.start()
        await found.answer("a", "MachinesReachable", "Unreachable", said=False)
        await found.look()
        assert await found.states() == {"a": "Planning"}
        found.site.clock.advance(700)
        await found.look()
        assert await found.states() == {"a": "Blocked"}


async def test_a_second_run_begins_from_the_start(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        await found.start()
        await found.one("a")
        assert (await found.status()).phase == "Succeeded"
        await found.wish(run="second", state="Running")
        status = await found.look(1)
        assert (status.run, status.phase, await found.states()) == ("second", "Planned", {"a": "Waiting"})


async def test_a_status_that_was_lost_is_told_anew_and_nothing_is_done_twice(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a", "b") as found:
        await found.start()
        operation = await found.plan("a")
        await found.look()
        kept = await found.site.get(Foundation, "ground")
        await found.site.objects.write_status(kept, msgspec.structs.replace(kept.status, unify=None))
        await found.look(3)
        assert await found.states() == {"a": "Running", "b": "Waiting"}
        assert len(await found.site.operations()) == 1
        await found.run(operation)
        await found.look()
        assert (await found.states())["a"] == "Done"


async def test_a_cluster_that_is_deleted_meanwhile_holds_nothing_up(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        await found.start()
        await found.site.delete(Cluster, "a")
        assert (await found.look()).phase == "Succeeded"
        assert await found.states() == {"a": "Gone"}


async def test_settings_of_a_run_are_not_what_a_cluster_is_planned_from(tmp_path: Path) -> None:
    from groundplane.controllers.cluster.scope import load

    async with fleet(tmp_path, "a") as found:
        before = await load(found.site.objects, "default", "a")
        await found.wish(run=RUN, state="Paused")
        paused = await load(found.site.objects, "default", "a")
        await found.wish(state="Running")
        await found.look(2)
        turned = await load(found.site.objects, "default", "a")
        await found.site.patch(Foundation, "ground", spec={"runtime": {"name": "docker"}})
        moved = await load(found.site.objects, "default", "a")
        assert before is not None
        assert paused is not None
        assert turned is not None
        assert moved is not None
        assert before.inputs() == paused.inputs()
        assert len({paused.inputs(), turned.inputs(), moved.inputs()}) == 3


async def test_all_controllers_together_take_a_run_to_its_end(tmp_path: Path) -> None:
    """A cluster without machines: its own controller takes the turn up and says why nothing can be done."""
    async with managed(tmp_path) as site:
        await site.add(distribution(), foundation(), cluster("a"))
        found = Fleet(site)

        async def known() -> bool:
            status = (await site.get(Cluster, "a")).status
            if status.assessment is None:
                with contextlib.suppress(Conflict):
                    assessment = await Assessor(site.objects, now=site.clock).cluster(
                        await site.get(Cluster, "a"), facts(DOCKER), {}
                    )
                    changed = msgspec.structs.replace(status, facts=facts(DOCKER), assessment=assessment)
                    await site.objects.write_status(await site.get(Cluster, "a"), changed)
            return status.assessment is not None and bool(status.conditions)

        await until(site, Cluster, known)
        await found.wish(run=RUN, state="Running")

        async def over() -> bool:
            status = (await site.get(Foundation, "ground")).status.unify
            return status is not None and status.phase == "Incomplete"

        await until(site, Foundation, over)
        assert await found.states() == {"a": "Blocked"}
        assert (await found.status()).waves[0].clusters[0].message.startswith("spec.controlPlane: ")


async def test_an_adopted_cluster_is_planned_with_its_foundations_wishes_in_its_turn_and_not_before(
    tmp_path: Path,
) -> None:
    async with adopted(tmp_path) as prod:
        site = prod.site
        ground = foundation()
        ground["spec"] |= {"operatingSystem": {"settings": TUNED}, "runtime": {"name": "docker"}}
        await site.add(ground)
        for name in prod.hosts:
            await site.look(Machine, name)
        await prod.wish(foundationRef={"name": "ground"})
        assert await site.operations() == []
        assert (await site.get(Cluster, "prod")).status.assessment is not None
        found = Fleet(site)
        await found.start(approval="PerWave")
        await found.look()
        assert await found.turns() == ["prod"]
        await look(site)
        await look(site)
        operation = await site.only_operation("Change")
        assert operation.metadata.annotations[ANNOTATION_UNIFY] == RUN
        assert operation.spec.approval == "Pending"
        assert operation.spec.target.settings.sysctls == TUNED["sysctls"]
        status = await found.look()
        assert (status.phase, await found.states()) == ("AwaitingApproval", {"prod": "Planned"})
        await found.wish(approvedWave=1)
        await found.look()
        assert await found.approved(operation)
        await found.run(operation)
        assert (await found.look()).phase == "Succeeded"
        await site.patch(Foundation, "ground", spec={"operatingSystem": {"settings": {"swap": "Disabled"}}})
        await look(site)
        await look(site)
        assert len(await site.operations()) == 1


async def test_a_plan_that_waited_for_a_person_gives_way_to_the_one_of_its_turn(tmp_path: Path) -> None:
    async with fleet(tmp_path, "a") as found:
        waiting = await found.plan("a", run="")
        await found.start()
        await found.look()
        assert await found.turns() == ["a"]
        assert not await found.approved(waiting)
        await found.run(waiting, "Cancelled")
        await found.look()
        assert await found.states() == {"a": "Planning"}
        await found.one("a")
        assert (await found.status()).phase == "Succeeded"
