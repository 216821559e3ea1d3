"""A node that comes while the others are being changed, or are held back, is made as the target says at once."""

from __future__ import annotations

from msgspec.structs import replace

from groundplane.api.foundation import RuntimeChoice
from groundplane.api.meta import ANNOTATION_HOLD_BACK
from groundplane.operations.kubeadm import Join, Token, join_documents
from groundplane.plan.choose import next_plan
from groundplane.plan.create import plan_create
from groundplane.plan.planes import touched

from .fleet import Fleet, bare, desired, machine, with_target
from .test_create import change_machine, finished, lines, step

CONTAINERD = RuntimeChoice(name="containerd")


def migrating(*held: str) -> Fleet:
    """A cluster on Docker that is to be on containerd, with a machine more; `held` nodes are left on Docker."""
    fleet = finished(desired(1, 1, runtime="docker"))
    for name in fleet.target.members:
        kubelet = fleet.machines[name].kubelet
        change_machine(fleet, name, kubelet=replace(kubelet, active=True))
    machines = dict(fleet.wish.machines)
    for name in held:
        annotations = {ANNOTATION_HOLD_BACK: "true"}
        machines[name] = replace(machines[name], metadata=replace(machines[name].metadata, annotations=annotations))
    machines["w-2"] = machine("w-2", "Worker", "198.18.1.13")
    fleet.wish = with_target(replace(fleet.wish, machines=machines), workers=["w-1", "w-2"], runtime=CONTAINERD)
    fleet.machines["w-2"] = bare("w-2")
    return fleet


def test_a_new_node_gets_the_wanted_runtime_while_the_others_are_held_back_on_docker() -> None:
    fleet = migrating("cp-1", "w-1")
    plan = plan_create(fleet.wish, fleet.machines, fleet.cluster())
    assert [one.machine for one in plan.steps if one.step == "runtime"] == ["w-2"]
    assert any("containerd" in line for line in lines(step(plan, "runtime/w-2")))
    assert any("loaded into containerd" in line for line in lines(step(plan, "images/w-2")))
    assert {one.machine for one in plan.steps} == {"w-2", ""}
    join = Join(Token("abcdef.0123456789abcdef"), discovery="/run/d.conf")
    [document] = join_documents(fleet.target, fleet.wish.machines["w-2"], join)
    assert "containerd" in document["nodeRegistration"]["criSocket"]


def test_a_migration_goes_first_and_says_that_the_new_node_joins_after_it() -> None:
    fleet = migrating()
    chosen = next_plan(fleet.wish, fleet.machines, fleet.cluster(), [])
    assert chosen.plan.action == "Change"
    assert "w-2" not in touched(chosen.plan)
    assert "w-2 joins" in chosen.plan.next


def test_facts_of_members_may_be_old_when_a_node_comes() -> None:
    """Only the new machine's facts bear the plan; what is known of the others is not pinned."""
    fleet = finished(desired(1, 1))
    fleet.wish = desired(1, 2)
    fleet.machines["w-2"] = bare("w-2")
    plan = plan_create(fleet.wish, fleet.machines, fleet.cluster())
    assert plan.fingerprints.keys() == {"w-2"}
    assert touched(plan) == {"w-2"}
