"""Which deleted Machines have left, and whose facts may be taken as they are known."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Cluster, ClusterSpec, KubernetesOverride
from groundplane.api.distribution import Distribution, DistributionSpec, Release
from groundplane.api.facts import ClusterFacts, KubeadmFacts, MachineFacts, NodeFacts
from groundplane.api.machine import Machine, MachineSpec, MachineStatus
from groundplane.api.meta import FINALIZER_IN_USE, NameReference, ObjectMeta
from groundplane.api.operation import Operation, OperationPhase, OperationSpec, OperationStatus, Plan
from groundplane.api.target import resolve
from groundplane.controllers.cluster.leaving import have_left, leaving, settled
from groundplane.controllers.cluster.scope import ClusterScope, World

KEY = "default/shop"
FACTS = MachineFacts(machine_id="id-w-1", kubeadm=KubeadmFacts(owner=KEY, joined=True))
NODE = NodeFacts(name="w-1", ready=True, machine_id="id-w-1")
TARGET = resolve(
    Cluster(spec=ClusterSpec(kubernetes=KubernetesOverride(version="v1.20.2"))),
    None,
    Distribution(spec=DistributionSpec(releases=[Release(version="v1.20.2")])),
    [Machine(metadata=ObjectMeta(name="cp-1"), spec=MachineSpec(address="192.0.2.1", role="ControlPlane"))],
)
SEEN = ClusterFacts(reachable=True, nodes=[NODE])


def machine(deleted: str = "") -> Machine:
    meta = ObjectMeta(
        name="w-1", namespace="default", generation=3, deletion_timestamp=deleted, finalizers=[FINALIZER_IN_USE]
    )
    return Machine(metadata=meta, status=MachineStatus(observed_generation=3, facts=FACTS))


def removal(created: str, phase: OperationPhase, *names: str) -> Operation:
    target = replace(TARGET, leaving=list(names))
    spec = OperationSpec(cluster_ref=NameReference(name="shop"), target=target, plan=Plan(action="Remove"))
    return Operation(metadata=ObjectMeta(creation_timestamp=created), spec=spec, status=OperationStatus(phase=phase))


def scope_of(machines: list[Machine], *operations: Operation) -> ClusterScope:
    return ClusterScope(Cluster(), None, None, machines, list(operations), World([], machines, [], []))


def test_a_machine_has_left_when_a_removal_made_after_its_deletion_succeeded() -> None:
    gone = machine("2026-01-02T00:00:00Z")
    early = removal("2026-01-01T00:00:00Z", "Succeeded", "w-1")
    failed = removal("2026-01-03T00:00:00Z", "Failed", "w-1")
    done = removal("2026-01-03T00:00:00Z", "Succeeded", "w-1")
    assert leaving(scope_of([gone])) == ["w-1"]
    assert have_left(scope_of([gone], early, failed)) == set()
    assert have_left(scope_of([gone], early, failed, done)) == {"w-1"}
    assert have_left(scope_of([machine()], done)) == set()
    let_go = replace(gone, metadata=replace(gone.metadata, finalizers=["example.com/mine"]))
    assert have_left(scope_of([let_go], done)) == set(), "somebody else holds it, and there is nothing left to do"


def test_a_living_member_that_its_node_vouches_for_need_not_be_looked_at() -> None:
    assert settled(machine(), KEY, SEEN) is FACTS


@pytest.mark.parametrize(
    "seen",
    [
        ClusterFacts(),
        replace(SEEN, nodes=[]),
        replace(SEEN, nodes=[replace(NODE, ready=False)]),
        replace(SEEN, nodes=[replace(NODE, machine_id="another")]),
        replace(SEEN, nodes=[replace(NODE, machine_id="")]),
    ],
)
def test_what_nobody_vouches_for_is_looked_at(seen: ClusterFacts) -> None:
    assert settled(machine(), KEY, seen) is None


def test_a_machine_that_changed_or_leaves_or_is_not_ours_is_looked_at() -> None:
    there = machine()
    assert settled(machine("2026-01-02T00:00:00Z"), KEY, SEEN) is None
    assert settled(there, "default/other", SEEN) is None
    assert settled(replace(there, metadata=replace(there.metadata, generation=4)), KEY, SEEN) is None
    assert settled(replace(there, status=MachineStatus()), KEY, SEEN) is None
