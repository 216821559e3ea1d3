"""What the plan of a removal takes out, in which order, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from groundplane.api.cluster import Change, Endpoint
from groundplane.api.facts import KubeadmFacts, NodeFacts
from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.api.operation import Plan
from groundplane.api.target import Desired
from groundplane.base.errors import Refused, Unavailable
from groundplane.plan.create import plan_create
from groundplane.plan.planes import leave, rooted, touched, with_leaving
from groundplane.plan.remove import lost_majority, plan_remove

from .fleet import KEY, Fleet, bare, desired, machine, with_target
from .test_create import change_machine, finished, step

OWN = Endpoint(host="198.18.1.200", provider="External")


def grown(control_planes: int, workers: int) -> Fleet:
    """A finished cluster behind an endpoint of its own."""
    return finished(with_target(desired(control_planes, workers), endpoint=OWN))


def plan_of(fleet: Fleet, *names: str) -> Plan:
    return plan_remove(fleet.wish, fleet.machines, fleet.cluster(), names)


def give_up(fleet: Fleet, name: str) -> None:
    """The machine is dead, and a person says so."""
    there = fleet.wish.machines[name]
    marked = replace(there, metadata=replace(there.metadata, annotations={ANNOTATION_ABANDON: "true"}))
    fleet.wish = replace(fleet.wish, machines={**fleet.wish.machines, name: marked})
    fleet.machines.pop(name)
    fleet.nodes[name] = replace(fleet.nodes[name], ready=False)


def test_a_worker_is_drained_cleared_and_forgotten_and_the_others_lose_its_route() -> None:
    fleet = grown(1, 3)
    plan = plan_of(fleet, "w-2")
    assert [one.name for one in plan.steps] == ["drain/w-2", "reset/w-2", "delete-node/w-2", "restore/w-2", "routes"]
    assert step(plan, "restore/w-2").after == ["delete-node/w-2"]
    assert step(plan, "routes").after == ["delete-node/w-2"]
    assert plan.fingerprints.keys() == {"w-2"}
    assert touched(plan) == {"w-2"}
    assert plan.summary == "take w-2 out of cluster shop; 3 nodes stay"


def test_a_control_plane_leaves_etcd_after_its_pods_and_before_it_is_cleared() -> None:
    plan = plan_of(grown(3, 0), "cp-1")
    assert [one.step for one in plan.steps if one.machine == "cp-1"] == [
        "drain",
        "etcd-member",
        "reset",
        "delete-node",
        "restore",
    ]
    assert step(plan, "reset/cp-1").after == ["etcd-member/cp-1"]
    assert any("two control planes" in note for note in plan.notes)


def test_control_planes_leave_one_after_another_and_after_the_workers() -> None:
    plan = plan_of(grown(3, 1), "w-1", "cp-3", "cp-2")
    assert step(plan, "drain/cp-2").after == ["delete-node/w-1"]
    assert step(plan, "drain/cp-3").after == ["delete-node/w-1", "delete-node/cp-2"]


def test_workers_leave_side_by_side_as_the_budget_allows() -> None:
    fleet = grown(1, 4)
    fleet.wish = with_target(fleet.wish, change=Change(max_unavailable=2))
    plan = plan_of(fleet, "w-1", "w-2", "w-3")
    assert [step(plan, f"drain/w-{n}").after for n in (1, 2, 3)] == [[], [], ["delete-node/w-1"]]


def test_a_machine_that_is_silent_is_waited_for_until_a_person_gives_it_up() -> None:
    fleet = grown(3, 1)
    gone = fleet.machines.pop("cp-3")
    with pytest.raises(Unavailable) as caught:
        plan_of(fleet, "cp-3")
    assert ANNOTATION_ABANDON in caught.value.remedy
    fleet.machines["cp-3"] = gone
    give_up(fleet, "cp-3")
    plan = plan_of(fleet, "cp-3")
    assert [one.name for one in plan.steps] == ["etcd-member/cp-3", "delete-node/cp-3", "routes"]
    assert plan.fingerprints == {}
    assert any("deleted by force" in note for note in plan.notes)
    give_up(fleet, "w-1")
    assert "etcd-member/w-1" not in [one.name for one in plan_of(fleet, "w-1").steps]


def test_the_last_control_plane_and_the_one_whose_address_everybody_knows_stay() -> None:
    with pytest.raises(Refused, match="no control plane would be left") as caught:
        plan_of(grown(1, 1), "cp-1")
    assert "to take the whole cluster off its machines, delete the Cluster" in caught.value.remedy
    with pytest.raises(Refused, match=r"reach the cluster by its address 198\.18\.1\.11"):
        plan_of(finished(desired(3, 0)), "cp-1")
    assert plan_of(finished(desired(3, 0)), "cp-2").steps


def test_of_a_cluster_that_was_there_before_nobody_is_told_to_take_it_apart() -> None:
    fleet = grown(1, 1)
    fleet.wish = with_target(fleet.wish, origin="Adopted")
    with pytest.raises(Refused, match="no control plane would be left") as caught:
        plan_of(fleet, "cp-1")
    assert caught.value.remedy.endswith("to give the cluster up unchanged, delete the Cluster")
    assert "off its machines" not in caught.value.remedy


def test_a_control_plane_that_etcd_needs_stays() -> None:
    fleet = grown(3, 0)
    fleet.nodes["cp-2"] = replace(fleet.nodes["cp-2"], ready=False)
    with pytest.raises(Refused, match="without a majority"):
        plan_of(fleet, "cp-3")
    give_up(fleet, "cp-2")
    plan = plan_of(fleet, "cp-2", "cp-3")
    assert step(plan, "drain/cp-3").after == ["delete-node/cp-2"]


@pytest.mark.parametrize("dead", [False, True])
def test_a_control_plane_that_never_joined_is_no_member_that_etcd_would_miss(dead: bool) -> None:
    fleet = grown(1, 0)
    added = machine("cp-2", "ControlPlane", "198.18.1.98")
    fleet.wish = with_target(
        replace(fleet.wish, machines={**fleet.wish.machines, "cp-2": added}), control_planes=["cp-1", "cp-2"]
    )
    marked = replace(bare("cp-2"), kubeadm=KubeadmFacts(owner=KEY))
    fleet.machines["cp-2"] = marked
    if dead:
        fleet.nodes["cp-2"] = NodeFacts(name="cp-2")
        give_up(fleet, "cp-2")
        del fleet.nodes["cp-2"]
    keys = [one.step for one in plan_of(fleet, "cp-2").steps]
    assert "etcd-member" in keys, "etcd itself is asked"
    fleet.nodes["cp-2"] = NodeFacts(name="cp-2")
    if not dead:
        fleet.machines["cp-2"] = replace(marked, kubeadm=replace(marked.kubeadm, etcd_data=True))
    with pytest.raises(Refused, match="without a majority"):
        plan_of(fleet, "cp-2")


def test_a_machine_that_never_was_a_node_needs_no_removal() -> None:
    fleet = grown(1, 1)
    added = machine("w-9", "Worker", "198.18.1.99")
    workers = [*fleet.target.workers, "w-9"]
    fleet.wish = with_target(replace(fleet.wish, machines={**fleet.wish.machines, "w-9": added}), workers=workers)
    fleet.machines["w-9"] = bare("w-9")
    assert plan_of(fleet, "w-9").steps == []


@given(st.integers(1, 9), st.data())
def test_etcd_has_a_majority_at_every_point_or_the_removal_is_refused(members: int, data: st.DataObject) -> None:
    healthy = data.draw(st.integers(0, members))
    dead = data.draw(st.integers(0, members - healthy))
    alive = data.draw(st.integers(0, healthy))
    size, well, safe = members, healthy, healthy > members // 2
    for kind in ["dead"] * dead + ["alive"] * alive:
        # A removal is itself something that a majority has to agree to.
        safe = safe and well > size // 2
        size, well = size - 1, well - (kind == "alive")
        safe = safe and well > size // 2
    assert lost_majority(members, healthy, dead=dead, alive=alive) is not safe


def renamed(fleet: Fleet) -> Desired:
    """The wish with another control plane that comes first by name."""
    added = machine("a-1", "ControlPlane", "198.18.1.50")
    planes = sorted(["a-1", *fleet.target.control_planes])
    wish = replace(fleet.wish, machines={**fleet.wish.machines, "a-1": added})
    # What resolve() makes of a Cluster that names no endpoint: the address of the first by name.
    return with_target(wish, control_planes=planes, endpoint=Endpoint(host=added.spec.address))


def test_a_control_plane_that_comes_first_by_name_joins_the_living_one() -> None:
    fleet = finished(desired(1, 1))
    fleet.wish = renamed(fleet)
    fleet.machines["a-1"] = bare("a-1")
    wish = rooted(fleet.wish, fleet.machines, fleet.cluster())
    assert wish.target.control_planes == ["cp-1", "a-1"]
    assert wish.target.endpoint.host == "198.18.1.11"
    names = [one.name for one in plan_create(fleet.wish, fleet.machines, fleet.cluster()).steps]
    assert "join/a-1" in names
    assert not any(name.startswith("init/") for name in names)


def test_a_cluster_that_does_not_live_is_as_it_is_written() -> None:
    wish = desired(3, 1)
    facts = {name: bare(name) for name in wish.target.members}
    assert rooted(wish, facts, Fleet(wish, facts).cluster()) is wish


def test_members_stem_from_a_living_control_plane_when_the_first_is_gone() -> None:
    fleet = grown(3, 0)
    left = leave(fleet.wish, ["cp-1"])
    assert left.target.control_planes == ["cp-2", "cp-3"]
    assert left.target.leaving == ["cp-1"]
    fleet.nodes.pop("cp-1")
    change_machine(fleet, "cp-1", kubeadm=replace(bare("cp-1").kubeadm))
    plan = plan_create(fleet.wish, fleet.machines, fleet.cluster())
    assert "join/cp-1" in [one.name for one in plan.steps]
    assert with_leaving(left.target, ["cp-1"]).control_planes == ["cp-2", "cp-3", "cp-1"]
