"""Machines join a cluster that was there before: whatever is cut off, they end as nodes, and no other is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from groundplane.api.cluster import Endpoint
from groundplane.api.facts import ComponentFacts, KubeadmFacts, PodNetworkFacts
from groundplane.api.foundation import RuntimeChoice
from groundplane.base.errors import Refused
from groundplane.plan.grow import plan_grow

from .fleet import PAUSE, VERSION, Fleet, bare, desired, runnable, with_target
from .test_create import finished

ENDPOINT = Endpoint(host="198.18.1.200", provider="External")


def adopted(planes: int, workers: int, new_planes: int = 0, new_workers: int = 0) -> tuple[Fleet, list[str]]:
    """A cluster that others made, with machines more: the new ones come first by name."""
    wish = desired(planes, workers)
    fleet = finished(wish)
    for name, facts in fleet.machines.items():
        fleet.machines[name] = replace(facts, kubeadm=replace(facts.kubeadm, owner=""))
    new = desired(new_planes, new_workers)
    named = {f"a-{name}": one for name, one in new.machines.items()}
    joining = sorted(named)
    for number, name in enumerate(joining, 50):
        spec = replace(named[name].spec, address=f"198.18.1.{number}")
        wish.machines[name] = replace(named[name], spec=spec, metadata=replace(named[name].metadata, name=name))
        fleet.machines[name] = bare(name)
    fleet.wish = with_target(
        wish,
        origin="Adopted",
        endpoint=ENDPOINT,
        control_planes=[*(f"a-{name}" for name in new.target.control_planes), *wish.target.control_planes],
        workers=[*(f"a-{name}" for name in new.target.workers), *wish.target.workers],
    )
    return fleet, joining


@given(
    st.tuples(st.integers(1, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)),
    st.booleans(),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_new_machines_end_as_nodes_however_often_it_is_cut_off(
    sizes: tuple[int, int, int, int], network: bool, cuts: list[int]
) -> None:
    planes, workers, new_planes, new_workers = sizes
    fleet, joining = adopted(planes, workers, new_planes, new_workers or 1 - min(1, new_planes))
    before = {name: facts for name, facts in fleet.machines.items() if name not in joining}
    for cut in [*cuts, 1000]:
        seen = replace(fleet.cluster(), network=PodNetworkFacts(plugin="flannel" if network else ""))
        left = [name for name in joining if name not in fleet.nodes]
        if not left:
            break
        chosen = plan_grow(fleet.wish, fleet.machines, seen, left)
        assert {step.machine for step in chosen.plan.steps} - {""} <= set(joining)
        assert [step.among for step in chosen.plan.steps if not step.machine and step.step != "runtime-classes"] == (
            [left] if network else []
        )
        fleet.wish, done = replace(fleet.wish, target=chosen.target), set[str]()
        for place in range(len(chosen.plan.steps)):
            step = runnable(chosen.plan, done)[0]
            if place == cut:
                fleet.run_half(step)
                break
            if step.step != "verify":
                fleet.run(step)
            done.add(step.name)
    assert set(joining) <= set(fleet.nodes)
    assert {name: fleet.machines[name] for name in before} == before
    assert fleet.births == 1


def test_the_living_control_plane_stays_the_one_that_others_stem_from() -> None:
    fleet, joining = adopted(1, 1, new_planes=2)
    target = plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining).target
    assert (target.first, target.control_planes) == ("cp-1", ["cp-1", "a-cp-1", "a-cp-2"])


def test_control_planes_join_one_after_another_and_workers_side_by_side() -> None:
    fleet, joining = adopted(1, 0, new_planes=2, new_workers=2)
    plan = plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining).plan
    waits = {
        step.machine: [name for name in step.after if name.startswith("join/")]
        for step in plan.steps
        if step.step == "join"
    }
    assert waits == {"a-cp-1": [], "a-cp-2": ["join/a-cp-1"], "a-w-1": [], "a-w-2": []}
    assert (
        plan.summary
        == f"join {', '.join(joining)} to cluster shop: 2 control planes, 2 workers, {VERSION} on containerd"
    )


def test_without_an_address_of_its_own_a_cluster_gets_workers_only() -> None:
    fleet, joining = adopted(1, 0, new_planes=1, new_workers=1)
    fleet.wish = with_target(fleet.wish, endpoint=Endpoint(host="198.18.1.11"))
    with pytest.raises(Refused, match="cannot have a-cp-1 join cluster shop as a control plane"):
        plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining)
    fleet.wish = with_target(fleet.wish, control_planes=["cp-1"])
    assert plan_grow(fleet.wish, fleet.machines, fleet.cluster(), ["a-w-1"]).plan.steps


def test_nodes_that_reach_their_api_by_a_proxy_of_their_own_get_no_others() -> None:
    fleet, joining = adopted(1, 0, new_workers=1)
    fleet.wish = with_target(fleet.wish, endpoint=Endpoint(host="127.0.0.1", provider="External"))
    with pytest.raises(Refused, match=r"reach the API by 127\.0\.0\.1"):
        plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining)


def test_nothing_but_labels_and_proof_is_planned_on_a_node_that_is_there() -> None:
    fleet, joining = adopted(1, 1, new_workers=1)
    seen = replace(fleet.cluster(), version="v1.20.9", network=PodNetworkFacts(plugin="calico"))
    fleet.wish = with_target(fleet.wish, version="v1.20.9")
    steps = plan_grow(fleet.wish, fleet.machines, seen, [], ["w-1"]).plan.steps
    assert [(step.step, step.machine, step.among) for step in steps] == [("verify", "", ["w-1"])]
    both = plan_grow(fleet.wish, fleet.machines, seen, joining, ["w-1"]).plan
    assert {step.machine for step in both.steps} == {"", "a-w-1"}
    assert both.steps[-1].among == ["a-w-1", "w-1"]


def test_a_join_that_failed_behind_its_registration_is_looked_at_again() -> None:
    fleet, joining = adopted(1, 0, new_planes=1)
    chosen = plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining)
    fleet.wish, done = replace(fleet.wish, target=chosen.target), set[str]()
    while ready := [one for one in runnable(chosen.plan, done) if one.step != "verify"]:
        fleet.run(ready[0])
        done.add(ready[0].name)
    facts = fleet.machines["a-cp-1"]
    fleet.machines["a-cp-1"] = replace(facts, kubeadm=replace(facts.kubeadm, unfinished=True))
    again = plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining)
    assert [step.name for step in again.plan.steps] == ["join/a-cp-1"]
    assert again.target.first == "cp-1"


def test_what_the_release_lacks_is_said_before_anything_is_done() -> None:
    fleet, joining = adopted(1, 0, new_workers=1)
    release = replace(fleet.target.release, artifacts=[])
    fleet.wish = with_target(fleet.wish, release=release)
    with pytest.raises(Refused, match="a-w-1 needs kubeadm, kubelet, kubectl, cni-plugins"):
        plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining)


def test_an_image_that_the_release_does_not_bring_is_a_note() -> None:
    fleet, joining = adopted(1, 0, new_workers=1)
    mirrored = ComponentFacts(name="kube-proxy", version=VERSION, image=f"mirror.example/kube-proxy:{VERSION}")
    seen = replace(fleet.cluster(), components=[mirrored], network=PodNetworkFacts(plugin="calico"))
    notes = plan_grow(fleet.wish, fleet.machines, seen, joining).plan.notes
    assert notes == [
        f"the release does not bring mirror.example/kube-proxy:{VERSION}, which the nodes of this cluster run: a-w-1"
        " pulls it"
    ]
    brought = replace(mirrored, image=PAUSE)
    seen = replace(seen, components=[brought])
    assert plan_grow(fleet.wish, fleet.machines, seen, joining).plan.notes == []


def test_runtime_handlers_get_their_class_when_the_nodes_have_joined() -> None:
    fleet, joining = adopted(1, 0, new_workers=1)
    fleet.wish = with_target(fleet.wish, runtime=RuntimeChoice(name="containerd", handlers=["runc", "kata"]))
    plan = plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining).plan
    made = next(step for step in plan.steps if step.step == "runtime-classes")
    assert (made.after, [change.what for change in made.changes]) == (["join/a-w-1"], ["RuntimeClass kata"])


def test_what_a_cut_off_join_left_is_not_brought_again() -> None:
    fleet, joining = adopted(1, 0, new_workers=1)
    fleet.machines["a-w-1"] = replace(fleet.machines["a-w-1"], kubeadm=KubeadmFacts(owner="default/shop", joined=True))
    keys = [step.step for step in plan_grow(fleet.wish, fleet.machines, fleet.cluster(), joining).plan.steps]
    assert "claim" not in keys
    assert "join" in keys
