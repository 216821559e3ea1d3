"""Deleted Machines on which there is nothing of their Cluster go at once; of the others it is said why they wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Cluster, ClusterSpec, ClusterStatus
from groundplane.api.facts import ClusterFacts, KubeadmFacts, MachineFacts, NodeFacts
from groundplane.api.machine import Machine, MachineSpec, MachineStatus
from groundplane.api.meta import ANNOTATION_ABANDON, FINALIZER_IN_USE, NameReference, ObjectMeta
from groundplane.api.operation import Operation, OperationSpec, OperationStatus, Plan, PlannedStep
from groundplane.controllers.cluster.scope import ClusterScope, World
from groundplane.controllers.cluster.unused import unused, waiting, why

from .site import CONTROL_PLANE
from .test_adoption import PLANE, TUNED, WORKER, Adopted, adopted, settle
from .test_growing import NEW, spare
from .test_imported import message, reasons
from .test_leaving import TARGET
from .test_removal import machines, made
from .world import NAMESPACE, world

KEY = "default/shop"
MADE, DELETED, LATER = "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z"
SEEN = ClusterFacts(reachable=True, nodes=[NodeFacts(name="cp-1", machine_id="id-cp-1")])


def machine(name: str = "w-9", facts: MachineFacts | None = None, **annotations: str) -> Machine:
    meta = ObjectMeta(
        name=name,
        namespace="default",
        creation_timestamp=MADE,
        deletion_timestamp=DELETED,
        finalizers=[FINALIZER_IN_USE],
        annotations={f"groundplane.dev/{key}": value for key, value in annotations.items()},
    )
    return Machine(
        metadata=meta, spec=MachineSpec(address="192.0.2.9", role="Worker"), status=MachineStatus(facts=facts)
    )


def operation(machine: str = "w-9", **status: Any) -> Operation:
    steps = [PlannedStep(name=f"join/{machine}", step="join", title="Join", machine=machine)]
    spec = OperationSpec(NameReference(name="shop"), target=TARGET, plan=Plan(action="Join", steps=steps))
    return Operation(metadata=ObjectMeta(name="shop-join-1"), spec=spec, status=OperationStatus(**status))


def scope_of(one: Machine, *operations: Operation, provider: Any = "Machines", lost: str = "") -> ClusterScope:
    status = ClusterStatus(operation_ref=NameReference(name=lost) if lost else None)
    cluster = Cluster(
        metadata=ObjectMeta(name="shop", namespace="default"), spec=ClusterSpec(provider=provider), status=status
    )
    plane = Machine(metadata=ObjectMeta(name="cp-1", namespace="default"))
    return ClusterScope(cluster, None, None, [plane, one], list(operations), World([], [], [], []))


RAN = operation(phase="Failed", started_at=LATER, finished_at=LATER)


@pytest.mark.parametrize(
    ("facts", "operations"),
    [
        (None, []),
        (MachineFacts(machine_id="id-9", kubeadm=KubeadmFacts(owner="default/other", joined=True)), []),
        (MachineFacts(machine_id="id-cp-1", kubeadm=KubeadmFacts(owner=KEY, joined=True)), []),
        (None, [operation(phase="Cancelled")]),
        (None, [operation("cp-1", phase="Succeeded", started_at=LATER, finished_at=LATER)]),
        (None, [operation(phase="Succeeded", started_at="2025-12-30T00:00:00Z", finished_at="2025-12-31T00:00:00Z")]),
    ],
    ids=["never-seen", "of-another-cluster", "a-node-of-another-name", "never-begun", "of-others", "of-an-earlier-one"],
)
def test_nothing_of_the_cluster_is_on_it(facts: MachineFacts | None, operations: list[Operation]) -> None:
    assert unused(scope_of(machine(facts=facts), *operations), SEEN) == {"w-9"}


@pytest.mark.parametrize(
    ("scope", "seen", "reason"),
    [
        (scope_of(machine("cp-1")), SEEN, "it is Node cp-1"),
        (scope_of(machine(), provider="Imported"), ClusterFacts(), "API does not answer"),
        (scope_of(machine(), operation("cp-1", phase="Failed", started_at=LATER)), ClusterFacts(), "does not answer"),
        (scope_of(machine(), RAN), SEEN, "Operation shop-join-1 was to work on it"),
        (scope_of(machine(), operation()), SEEN, "Operation shop-join-1 was to work on it"),
        (scope_of(machine(), operation(phase="Running", started_at=LATER)), SEEN, "Operation shop-join-1"),
        (scope_of(machine(), lost="shop-join-0"), SEEN, "is not there any more"),
        (scope_of(machine(facts=MachineFacts(kubeadm=KubeadmFacts(owner=KEY)))), SEEN, "had the mark of the cluster"),
    ],
)
def test_what_is_not_known_for_sure_keeps_it(scope: ClusterScope, seen: ClusterFacts, reason: str) -> None:
    one = scope.machines[-1]
    assert unused(scope, seen) == set()
    assert reason in why(one, scope, seen)
    said = waiting([one.metadata.name], scope, seen)
    assert f"the deletion of Machine {one.metadata.name} waits: " in said
    assert f"kubectl annotate machine {one.metadata.name} {ANNOTATION_ABANDON}=true" in said


def test_one_that_stays_is_not_asked_about() -> None:
    one = machine()
    stays = replace(one, metadata=replace(one.metadata, deletion_timestamp=""))
    assert unused(scope_of(stays), SEEN) == set()
    assert waiting(["w-9"], scope_of(stays), SEEN) == ""


def test_what_is_given_up_goes_when_the_cluster_knows_nothing_of_it() -> None:
    worker = machine(abandon="true")
    assert unused(scope_of(worker, RAN), SEEN) == {"w-9"}
    assert unused(scope_of(worker, RAN), ClusterFacts()) == set()
    plane = replace(worker, spec=replace(worker.spec, role="ControlPlane"))
    assert unused(scope_of(plane, RAN), SEEN) == set(), "etcd may still know it"


async def held(found: Adopted) -> None:
    """Change the cluster once, so that its Machines are held."""
    await found.wish(settings=TUNED)
    await found.site.end(await found.site.only_operation("Change"), "Succeeded")
    for name in (PLANE, WORKER):
        found.hosts[name].owner = f"{NAMESPACE}/prod"
    await found.site.patch(Cluster, "prod", spec={"settings": None})
    await settle(found.site)


async def delete(found: Adopted, *names: str) -> None:
    for name in names:
        assert await found.site.finalizers(Machine, name) == [FINALIZER_IN_USE]
        await found.site.delete(Machine, name)
    await settle(found.site)


async def test_a_machine_with_a_wrong_address_goes_when_it_is_deleted(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await held(found)
        host = await spare(found)
        found.site.site.switch_off(host)
        await settle(found.site)
        assert (await reasons(found.site))["Adopted"] == ("False", "MachinesUnreachable")
        await delete(found, NEW)
        assert await machines(found.site) == [PLANE, WORKER]
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")
        assert await found.site.operations("Remove") == []


async def test_a_machine_on_a_node_of_another_cluster_goes_when_it_is_deleted(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await held(found)
        host = await spare(found)
        host.captured, host.worker = CONTROL_PLANE, True
        await settle(found.site)
        assert (await reasons(found.site))["Adopted"] == ("False", "NotMatched")
        await delete(found, NEW)
        assert await machines(found.site) == [PLANE, WORKER]
        assert host.asked == []


async def test_two_deleted_machines_of_one_host_do_not_keep_each_other(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await held(found)
        await spare(found)
        (await spare(found, "spare")).identity = NEW
        for name in (NEW, "spare"):
            await found.site.look(Machine, name)
        await settle(found.site)
        assert "one host is one Machine" in await message(found.site, "Adopted")
        # The address is a wrong one by now, and what was seen at the right one is all that is known.
        found.site.site.switch_off(found.hosts[NEW])
        await delete(found, NEW, "spare")
        assert await machines(found.site) == [PLANE, WORKER]
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")


async def begun(found: Adopted) -> None:
    """Two deleted Machines of one host, on each of which a Join was begun."""
    await held(found)
    first, second = await spare(found), await spare(found, "spare")
    await settle(found.site)
    join = await found.site.only_operation("Join")
    await found.site.end(join, "Failed")
    second.identity = NEW
    for host in (first, second):
        host.owner = f"{NAMESPACE}/prod"
        host.captured = CONTROL_PLANE
        await found.site.annotate(Machine, host.name, "groundplane.dev/survey", "1")
        await found.site.look(Machine, host.name)
    await delete(found, NEW, "spare")


async def test_what_may_bear_something_of_ours_waits_and_says_what_to_type(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await begun(found)
        said = await message(found.site, "Adopted")
        assert "one host is one Machine" not in said
        assert {NEW, "spare"} <= set(await machines(found.site))
        await found.site.annotate(Machine, NEW, ANNOTATION_ABANDON, "true")
        await settle(found.site)
        assert NEW not in await machines(found.site)


async def test_of_a_deletion_that_waits_the_condition_says_so(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await held(found)
        host = await spare(found)
        await settle(found.site)
        await found.site.end(await found.site.only_operation("Join"), "Failed")
        found.site.site.switch_off(host)
        await delete(found, NEW)
        said = await message(found.site, "Adopted")
        assert "its deletion waits, for Operation prod-join-" in said
        assert f"kubectl annotate machine {NEW} {ANNOTATION_ABANDON}=true" in said
        await found.site.annotate(Machine, NEW, ANNOTATION_ABANDON, "true")
        await settle(found.site)
        assert await machines(found.site) == [PLANE, WORKER]


async def test_a_deletion_is_taken_back_as_the_documents_say(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await held(found)
        await delete(found, WORKER)
        removal = await found.site.only_operation("Remove")
        notes = removal.spec.plan.notes
        assert any("to give the cluster up unchanged, delete the Cluster instead" in note for note in notes)
        await found.site.end(removal, "Cancelled", started=False)
        await settle(found.site)
        assert WORKER in await machines(found.site)
        await found.site.patch(Machine, WORKER, metadata={"finalizers": None})
        await settle(found.site)
        assert await machines(found.site) == [PLANE]
        assert (await reasons(found.site))["Adopted"] == ("False", "NodesWithoutMachine")
        await found.site.add(found.site.machine(found.hosts[WORKER], "prod", "Worker"))
        await settle(found.site)
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")
        await found.site.only_operation("Remove")
        assert len(await found.site.operations()) == 2


async def test_where_nothing_was_changed_cancelling_lets_the_machine_go_and_its_node_stay(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await delete(found, WORKER)
        superseded = await found.site.only_operation("Change")
        assert superseded.spec.cancel == "Requested"
        await found.site.end(superseded, "Cancelled", started=False)
        await settle(found.site)
        await found.site.end(await found.site.only_operation("Remove"), "Cancelled", started=False)
        for _ in range(2):
            await settle(found.site)
        assert await machines(found.site) == [PLANE]
        await found.site.only_operation("Remove")


async def test_a_machine_waits_while_its_cluster_does_not_answer_and_it_is_said_why(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.look_settled()
        host = await site.add_machine("shop-4", 4)
        site.site.switch_off(host)
        await site.look_settled()
        assert await site.finalizers(Machine, "shop-4") == [FINALIZER_IN_USE]
        assert (await site.condition(Cluster, "shop", "MachinesReachable")).status == "False"
        await site.delete(Machine, "shop-4")
        await site.look_settled()
        assert "shop-4" in await machines(site), "its API does not answer here"
        said = (await site.condition(Cluster, "shop", "MachinesReachable")).message
        assert "the deletion of Machine shop-4 waits: the cluster's API does not answer" in said


async def test_before_anything_was_done_nothing_keeps_a_machine(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all(2)
        site.site.switch_off(hosts[2])
        await site.look_settled()
        assert await site.finalizers(Machine, "shop-3") == [FINALIZER_IN_USE]
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        assert await machines(site) == ["shop-1", "shop-2"]
        await site.only_operation("Create")
