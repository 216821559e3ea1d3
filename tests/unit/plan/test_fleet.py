"""Any plan, run in any order that it permits and cut anywhere, brings any fleet to the wanted state."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from groundplane.api.facts import KernelFacts, MachineFacts, RuntimeFacts
from groundplane.api.operation import Plan
from groundplane.api.target import Desired
from groundplane.plan.create import plan_create
from groundplane.plan.delete import plan_delete
from groundplane.plan.preflight import check, errors

from .fleet import KEY, PAUSE, PLAIN, PLUGINS, SECRET, Disorder, Fleet, bare, desired, ready_runtime, runnable

SETTINGS = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def partly_prepared(draw: st.DrawFn, name: str) -> MachineFacts:
    """A machine on which some preparation was done, by us or by somebody else."""
    facts = bare(name)
    kernel = KernelFacts(
        modules=draw(st.lists(st.sampled_from(["overlay", "br_netfilter", "ip_vs"]), unique=True)),
        sysctls=draw(st.dictionaries(st.just("net.ipv4.ip_forward"), st.sampled_from(["0", "1"]))),
    )
    runtimes = [draw(runtime_state("containerd", "1.6.20")), draw(runtime_state("docker", "20.10.24"))]
    version = draw(st.sampled_from(["", "1.19.4", PLAIN]))
    owner = draw(st.sampled_from(["", KEY]))
    return replace(
        facts,
        swap=draw(st.sampled_from([0, 1 << 30])),
        kernel=kernel,
        runtimes=runtimes,
        kubelet=replace(facts.kubelet, installed=bool(version), version=version),
        kubeadm=replace(facts.kubeadm, installed_version=draw(st.sampled_from(["", PLAIN])), owner=owner),
        network=replace(
            facts.network, cni_plugins=draw(st.lists(st.sampled_from(PLUGINS), unique=True)), cni_configs=[]
        ),
        commands=[*facts.commands, *draw(st.sampled_from([[], ["kubectl"]]))],
    )


@st.composite
def runtime_state(draw: st.DrawFn, name: str, version: str) -> RuntimeFacts:
    stopped = RuntimeFacts(name=name, version=version, installed=True, cgroup_driver="cgroupfs")
    ready = ready_runtime(name, version)
    return draw(
        st.sampled_from(
            [stopped, replace(stopped, active=True), ready, replace(ready, images=[PAUSE, "busybox:latest"])]
        )
    )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    wish = desired(
        draw(st.sampled_from([1, 3, 5])),
        draw(st.integers(0, 6)),
        runtime=draw(st.sampled_from(["containerd", "docker"])),
        plugin=draw(st.sampled_from(["routed", "none", "manifest"])),
        marked=draw(st.booleans()),
    )
    return Fleet(wish, {name: draw(partly_prepared(name)) for name in wish.target.members})


def execute(fleet: Fleet, plan: Plan, rng: object, *, stop: int | None = None, half: bool = False) -> None:
    """Run the plan in an order that it permits; with `stop`, only so many steps, then perhaps half of one more."""
    done: set[str] = set()
    while ready := runnable(plan, done):
        step = rng.choice(ready)  # type: ignore[attr-defined]
        if stop is not None and len(done) >= stop:
            if half:
                fleet.run_half(step)
            return
        fleet.run(step)
        done.add(step.name)
    assert done == {step.name for step in plan.steps}


def create(fleet: Fleet) -> Plan:
    return plan_create(fleet.wish, fleet.machines, fleet.cluster())


def delete(fleet: Fleet) -> Plan:
    return plan_delete(fleet.wish, fleet.machines, fleet.cluster())


def well_formed(plan: Plan) -> None:
    names = [step.name for step in plan.steps]
    assert len(names) == len(set(names))
    above: set[str] = set()
    for step in plan.steps:
        assert len(step.after) == len(set(step.after))
        assert set(step.after) <= above, "a step waits only for steps above it, so there is no cycle"
        above.add(step.name)
        assert step.name == (f"{step.step}/{step.machine}" if step.machine else step.step)
        assert step.changes, "every step says what it changes"
        assert all(change.before != change.after for change in step.changes)


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False))
def test_a_plan_run_in_any_permitted_order_reaches_the_wanted_state(fleet: Fleet, rng: object) -> None:
    plan = create(fleet)
    well_formed(plan)
    execute(fleet, plan, rng)
    fleet.finished()


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False))
def test_a_second_plan_after_a_finished_one_is_empty(fleet: Fleet, rng: object) -> None:
    execute(fleet, create(fleet), rng)
    assert create(fleet).steps == []


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False), data=st.data())
def test_an_interrupted_plan_planned_again_completes(fleet: Fleet, rng: object, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        plan = create(fleet)
        well_formed(plan)
        stop = data.draw(st.integers(0, len(plan.steps)))
        execute(fleet, plan, rng, stop=stop, half=data.draw(st.booleans()))
    assert errors(check(fleet.wish, fleet.machines)) == [], "a half-finished create does not block the next"
    execute(fleet, create(fleet), rng)
    fleet.finished()
    assert create(fleet).steps == []


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False), data=st.data())
def test_what_an_interrupted_plan_finished_is_not_planned_again(fleet: Fleet, rng: object, data: st.DataObject) -> None:
    plan, done = create(fleet), set[str]()
    stop = data.draw(st.integers(0, len(plan.steps)))
    for _ in range(stop):
        step = rng.choice(runnable(plan, done))  # type: ignore[attr-defined]
        fleet.run(step)
        done.add(step.name)
    again = {step.name for step in create(fleet).steps}
    assert not again & (done - unprovable(fleet))


def unprovable(fleet: Fleet) -> set[str]:
    """Steps that look for themselves, and change nothing, because no survey can show that they ended.

    The runtime until its machine is a member; all that init implies until its kubeconfig is published.
    """
    known = fleet.nodes if fleet.published else {}
    unsure = {f"runtime/{name}" for name in fleet.target.members if name not in known}
    return unsure if fleet.published else unsure | {f"init/{fleet.target.first}"}


@SETTINGS
@given(fleet=fleets())
def test_no_plan_holds_a_secret(fleet: Fleet) -> None:
    assert SECRET.encode() not in msgspec.json.encode(create(fleet))
    assert SECRET.encode() in msgspec.json.encode(fleet.wish)


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False), data=st.data())
def test_delete_and_create_again_works_from_any_half(fleet: Fleet, rng: object, data: st.DataObject) -> None:
    plan = create(fleet)
    execute(fleet, plan, rng, stop=data.draw(st.integers(0, len(plan.steps))), half=data.draw(st.booleans()))
    removal = delete(fleet)
    well_formed(removal)
    if data.draw(st.booleans()):
        execute(fleet, removal, rng, stop=data.draw(st.integers(0, len(removal.steps))))
        removal = delete(fleet)
    execute(fleet, removal, rng)
    assert all(facts.kubeadm.owner == "" and not facts.kubeadm.joined for facts in fleet.machines.values())
    assert delete(fleet).steps == []
    fresh = Fleet(fleet.wish, dict(fleet.machines))
    assert errors(check(fresh.wish, fresh.machines)) == []
    execute(fresh, create(fresh), rng)
    fresh.finished()


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False), extra=st.integers(1, 3))
def test_new_workers_are_prepared_and_joined_without_touching_the_old(fleet: Fleet, rng: object, extra: int) -> None:
    execute(fleet, create(fleet), rng)
    old = set(fleet.target.members)
    grown: Desired = desired(
        len(fleet.target.control_planes),
        len(fleet.target.workers) + extra,
        runtime=fleet.target.runtime.name,
        plugin=fleet.target.network.plugin,
    )
    fleet.wish = grown
    fleet.machines |= {name: bare(name) for name in grown.target.members if name not in old}
    plan = create(fleet)
    assert not any(step.machine in old for step in plan.steps)
    assert plan.fingerprints.keys() == set(fleet.target.members) - old
    verified = {name for step in plan.steps if step.step == "verify" for name in step.among}
    assert verified.isdisjoint(old)
    assert plan.summary.startswith("complete cluster shop")
    execute(fleet, plan, rng)
    fleet.finished()
    assert create(fleet).steps == []


@SETTINGS
@given(fleet=fleets(), rng=st.randoms(use_true_random=False), data=st.data())
def test_a_delete_never_names_a_machine_without_our_mark(fleet: Fleet, rng: object, data: st.DataObject) -> None:
    execute(fleet, create(fleet), rng)
    strangers = data.draw(st.sets(st.sampled_from(fleet.target.members)))
    for name in strangers:
        facts = fleet.machines[name]
        other = data.draw(st.sampled_from(["", "default/other"]))
        fleet.machines[name] = replace(facts, kubeadm=replace(facts.kubeadm, owner=other))
    plan = delete(fleet)
    named = {step.machine for step in plan.steps} | set(plan.fingerprints)
    assert named == set(fleet.target.members) - strangers
    assert not any(name in strangers for step in plan.steps for name in step.after)


def test_the_simulated_fleet_refuses_a_wrong_order() -> None:
    fleet = Fleet(desired(), {name: bare(name) for name in desired().target.members})
    steps = {step.name: step for step in create(fleet).steps}
    for early in ("host-settings/w-1", "images/w-1", "join/w-1", "kubeconfig", "pod-network/w-1", "verify"):
        with pytest.raises(Disorder):
            fleet.run(steps[early])
