"""What the plan of a delete takes apart, in which order, and what it leaves."""

from __future__ import annotations

from msgspec.structs import replace

from groundplane.api.operation import Plan
from groundplane.plan.delete import plan_delete

from .fleet import Fleet, desired
from .test_create import change_machine, finished, fresh, step


def plan_of(fleet: Fleet) -> Plan:
    return plan_delete(fleet.wish, fleet.machines, fleet.cluster())


def test_workers_go_first_and_the_first_control_plane_last() -> None:
    plan = plan_of(finished(desired(3, 2)))
    assert plan.summary == "delete cluster shop: 12 steps on 5 machines"
    assert step(plan, "reset/w-1").after == ["drain/w-1"]
    assert set(step(plan, "reset/cp-3").after) == {"drain/w-1", "drain/w-2", "reset/w-1", "reset/w-2"}
    assert "reset/cp-3" in step(plan, "reset/cp-2").after
    assert "reset/cp-2" in step(plan, "reset/cp-1").after
    assert step(plan, "restore/cp-1").after == ["reset/cp-1"]
    assert not any(one.step == "drain" and one.machine.startswith("cp") for one in plan.steps)


def test_a_machine_that_was_only_prepared_is_looked_at_by_reset_and_restored() -> None:
    fleet = fresh(desired(1, 0))
    fleet.do_claim("cp-1")
    plan = plan_of(fleet)
    assert [one.name for one in plan.steps] == ["reset/cp-1", "restore/cp-1"]
    assert [change.what for change in plan.steps[0].changes] == ["containers, folders and chains of kubelet"]


def test_a_kubelet_or_a_pod_network_that_is_left_is_named() -> None:
    fleet = fresh(desired(1, 1))
    for name in fleet.machines:
        fleet.do_claim(name)
    change_machine(fleet, "cp-1", kubelet=replace(fleet.machines["cp-1"].kubelet, active=True))
    network = replace(fleet.machines["w-1"].network, cni_configs=["10-groundplane.conflist"])
    change_machine(fleet, "w-1", network=network)
    plan = plan_of(fleet)
    assert "kubelet" in [change.what for change in step(plan, "reset/cp-1").changes]
    assert "pod network" in [change.what for change in step(plan, "reset/w-1").changes]


def test_machines_without_our_mark_make_an_empty_plan() -> None:
    plan = plan_of(fresh(desired(1, 1)))
    assert plan.steps == []
    assert plan.fingerprints == {}
    assert plan.summary == "cluster shop is on no machine: nothing to do"


def test_a_machine_without_facts_is_left_and_named() -> None:
    fleet = finished(desired(1, 2))
    del fleet.machines["w-2"]
    plan = plan_of(fleet)
    assert not any(one.machine == "w-2" for one in plan.steps)
    assert plan.summary.endswith("; left as they are, for nothing is known of them: w-2")
