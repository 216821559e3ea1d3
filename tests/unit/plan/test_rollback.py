"""Plans that take a migration back, and that give up the way back."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from groundplane.api.facts import ClusterFacts, KubeletFacts, MachineFacts, NodeFacts, RuntimeFacts
from groundplane.api.foundation import HostSettings, Kernel
from groundplane.api.meta import ANNOTATION_HOLD_BACK, NameReference, ObjectMeta
from groundplane.api.operation import Operation, OperationSpec, OperationStatus, Plan, StepStatus
from groundplane.api.target import Desired
from groundplane.base.errors import Refused
from groundplane.plan.budget import allowed
from groundplane.plan.change import plan_change
from groundplane.plan.choose import next_plan
from groundplane.plan.clean_up import plan_clean_up
from groundplane.plan.rollback import plan_rollback

from .fleet import VERSION, Fleet, desired
from .test_supported import finished


def on(fleet: Fleet, runtime: str) -> tuple[dict[str, MachineFacts], ClusterFacts]:
    """What is seen of a fleet whose nodes run on `runtime`, with both runtimes on the machines."""
    both = [RuntimeFacts(name=name, installed=True, active=True, enabled=True) for name in ("docker", "containerd")]
    socket = "unix:///var/run/dockershim.sock" if runtime == "docker" else "unix:///run/containerd/containerd.sock"
    facts = {
        name: replace(seen, runtimes=both, kubelet=replace(seen.kubelet, runtime=socket))
        for name, seen in fleet.machines.items()
    }
    cluster = fleet.cluster()
    nodes = [replace(node, runtime=f"{runtime}://1") for node in cluster.nodes]
    return facts, replace(cluster, nodes=nodes)


def operation(plan: Plan, wish: Desired) -> Operation:
    spec = OperationSpec(cluster_ref=NameReference(name="shop"), target=wish.target, plan=plan)
    done = OperationStatus(phase="Succeeded")
    return Operation(metadata=ObjectMeta(name="shop-change-x", namespace="default"), spec=spec, status=done)


@pytest.fixture
def migrated() -> tuple[Fleet, Operation]:
    fleet = finished(desired(1, 2))
    return fleet, operation(plan_change(fleet.wish, *on(fleet, "docker")), fleet.wish)


def test_all_machines_go_back_to_the_runtime_that_they_had(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    chosen = plan_rollback(done, "all", fleet.wish, *on(fleet, "containerd"))
    assert chosen.target.runtime.name == "docker"
    assert chosen.plan.rolls_back == "shop-change-x"
    assert chosen.plan.summary.startswith("roll back shop-change-x: containerd → docker on 3 nodes")
    assert [step.machine for step in chosen.plan.steps if step.step == "switch-runtime"] == ["w-1", "w-2", "cp-1"]


def test_one_machine_goes_back_alone(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    chosen = plan_rollback(done, "w-2", fleet.wish, *on(fleet, "containerd"))
    assert {step.machine for step in chosen.plan.steps if step.machine} == {"w-2"}


def test_a_way_back_changes_nothing_but_the_runtime(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    facts, cluster = on(fleet, "containerd")
    facts = {name: replace(seen, swap=2**30) for name, seen in facts.items()}
    more = {"version": "v1.21.14", "update_packages": "now", "kernel": Kernel(minimum="9.9")}
    target = replace(fleet.wish.target, **more, settings=HostSettings(swap="Disabled"))
    chosen = plan_rollback(done, "all", replace(fleet.wish, target=target), facts, cluster)
    assert chosen.target.version == VERSION
    keys = {step.step for step in chosen.plan.steps}
    assert "switch-runtime" in keys
    assert not keys & {"upgrade-kubelet", "upgrade-control-plane", "system-packages", "host-settings"}


@pytest.mark.parametrize("wanted", ["all", "w-2"])
def test_a_machine_that_is_held_back_is_named(migrated: tuple[Fleet, Operation], wanted: str) -> None:
    fleet, done = migrated
    machine = fleet.wish.machines["w-2"]
    held = replace(machine, metadata=replace(machine.metadata, annotations={ANNOTATION_HOLD_BACK: "true"}))
    wish = replace(fleet.wish, machines={**fleet.wish.machines, "w-2": held})
    with pytest.raises(Refused, match="w-2 held back"):
        plan_rollback(done, wanted, wish, *on(fleet, "containerd"))
    assert plan_rollback(done, "w-1", wish, *on(fleet, "containerd")).plan.steps


def test_a_machine_from_which_docker_was_removed_does_not_go_back(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    facts, cluster = on(fleet, "containerd")
    left = [runtime for runtime in facts["w-2"].runtimes if runtime.name != "docker"]
    facts["w-2"] = replace(facts["w-2"], runtimes=left)
    for wanted in ("all", "w-2"):
        with pytest.raises(Refused, match="docker was removed from w-2, and after a clean-up there is no way back"):
            plan_rollback(done, wanted, fleet.wish, facts, cluster)
    assert plan_rollback(done, "w-1", fleet.wish, facts, cluster).plan.steps


def test_what_an_operation_brought_back_itself_it_did_not_move(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    states = {"w-1": "Succeeded", "w-2": "Undone", "cp-1": "Skipped"}
    steps = [
        StepStatus(name=f"switch-runtime/{name}", state=state, started_at="" if state == "Skipped" else "t")
        for name, state in states.items()
    ]
    failed = replace(done, status=OperationStatus(phase="Failed", started_at="t", steps=steps))
    plan = plan_rollback(failed, "all", fleet.wish, *on(fleet, "containerd")).plan
    assert {step.machine for step in plan.steps if step.step == "switch-runtime"} == {"w-1"}


@pytest.mark.parametrize(("wanted", "why"), [("w-9", "it did not move w-9"), (" , ", "no machine is named")])
def test_what_it_did_not_move_is_not_taken_back(migrated: tuple[Fleet, Operation], wanted: str, why: str) -> None:
    fleet, done = migrated
    with pytest.raises(Refused, match=why) as caught:
        plan_rollback(done, wanted, fleet.wish, *on(fleet, "containerd"))
    assert "w-1, w-2, cp-1" in caught.value.remedy or "cp-1" in caught.value.remedy


def test_a_kubernetes_is_never_taken_back(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    steps = [
        *done.spec.plan.steps,
        replace(done.spec.plan.steps[0], name="upgrade-kubelet/w-1", step="upgrade-kubelet"),
    ]
    upgraded = replace(done, spec=replace(done.spec, plan=replace(done.spec.plan, steps=steps)))
    with pytest.raises(Refused, match="a Kubernetes is never taken back"):
        plan_rollback(upgraded, "all", fleet.wish, *on(fleet, "containerd"))


def test_docker_is_no_way_back_from_a_kubernetes_without_dockershim(migrated: tuple[Fleet, Operation]) -> None:
    fleet, done = migrated
    facts, cluster = on(fleet, "containerd")
    with pytest.raises(Refused, match="no dockershim any more"):
        plan_rollback(done, "all", fleet.wish, facts, replace(cluster, version="v1.24.0"))


def test_docker_is_removed_from_nodes_that_are_ready_on_containerd() -> None:
    fleet = finished(desired(1, 2))
    plan = plan_clean_up(fleet.wish, *on(fleet, "containerd"))
    assert [step.name for step in plan.steps] == ["clean-up/cp-1", "clean-up/w-1", "clean-up/w-2"]
    assert plan.notes == ["it cannot be undone: the migration cannot be rolled back afterwards"]
    assert not plan_clean_up(fleet.wish, *on(fleet, "docker")).steps, "a node that runs on Docker keeps it"


def test_docker_stays_while_a_node_is_not_proven() -> None:
    fleet = finished(desired(1, 1))
    facts, cluster = on(fleet, "containerd")
    down = replace(cluster, nodes=[replace(node, ready=node.name != "w-1") for node in cluster.nodes])
    with pytest.raises(Refused, match="w-1 not Ready on containerd"):
        plan_clean_up(fleet.wish, facts, down)
    with pytest.raises(Refused, match="does not answer"):
        plan_clean_up(fleet.wish, facts, ClusterFacts())


def test_living_nodes_are_changed_before_new_ones_join() -> None:
    fleet = finished(desired(1, 1))
    wish = desired(1, 2)
    facts, cluster = on(fleet, "docker")
    facts["w-2"] = msgspec.structs.replace(next(iter(facts.values())), kubelet=KubeletFacts(), kubeadm=fresh(facts))
    chosen = next_plan(wish, facts, cluster, [wish.target.release])
    assert chosen.plan.action == "Change"
    assert chosen.plan.next == "w-2 joins"
    facts, cluster = on(fleet, "containerd")
    facts["w-2"] = msgspec.structs.replace(next(iter(facts.values())), kubelet=KubeletFacts(), kubeadm=fresh(facts))
    assert next_plan(wish, facts, cluster, [wish.target.release]).plan.action == "Create"


def fresh(facts: dict[str, MachineFacts]) -> object:
    """The kubeadm facts of a machine where nothing was ever done."""
    return type(next(iter(facts.values())).kubeadm)()


@pytest.mark.parametrize(
    ("wanted", "nodes", "count"),
    [(1, 3, 1), (5, 3, 3), ("25%", 10, 2), ("25%", 3, 1), ("1%", 1, 1), ("2", 9, 2), (0, 4, 1)],
)
def test_a_budget_is_never_none(wanted: int | str, nodes: int, count: int) -> None:
    assert allowed(wanted, nodes) == count


def test_a_budget_that_is_no_number_is_refused() -> None:
    with pytest.raises(Refused, match="maxUnavailable"):
        allowed("many", 3)


def test_nodes_without_a_runtime_that_is_known_are_left_alone() -> None:
    fleet = finished(desired(1, 1))
    facts, cluster = on(fleet, "cri-o")
    strange = [NodeFacts(name=node.name, ready=True, runtime="cri-o://1") for node in cluster.nodes]
    facts = {
        name: replace(seen, kubelet=replace(seen.kubelet, runtime="/run/crio.sock")) for name, seen in facts.items()
    }
    assert not [s for s in plan_change(fleet.wish, facts, replace(cluster, nodes=strange)).steps if s.step == "drain"]
