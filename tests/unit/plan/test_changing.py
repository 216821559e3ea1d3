"""Any change of any fleet, in any order that its plan permits, failing or cut anywhere, keeps the rules.

`changing.World` writes down every rule that is broken while the real runner executes the plan: budgets, control planes
one at a time, skew, order, one drain each and none without need. What is checked here is how it ends.
GROUNDPLANE_FLEETS sets how many fleets are tried; a failure names the seed that makes it again.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from itertools import pairwise

import msgspec
import pytest
from msgspec.structs import replace

from groundplane.api.machine import Machine
from groundplane.api.operation import Plan, PlannedChange
from groundplane.api.target import Desired
from groundplane.base import versions
from groundplane.base.errors import Refused
from groundplane.operations import Outcome
from groundplane.plan.change import plan_change, without_hold
from groundplane.plan.deltas import Delta
from groundplane.plan.view import View
from groundplane.plan.way import next_stop

from .changing import Faults, Killed, Node, World, begin, execute, living

FLEETS = int(os.environ.get("GROUNDPLANE_FLEETS", "10000"))
BATCHES = 10
HOPS = {"v1.20.2": ("v1.20.2", "v1.20.6", "v1.20.6-tke.1", "v1.21.14"), "v1.19.16": ("v1.19.16", "v1.20.2", "v1.20.6")}
RELEASES = ["v1.18.20", "v1.19.16", "v1.20.2", "v1.20.6", "v1.20.6-tke.3", "v1.21.14", "v1.22.5-tke.11", "v1.22.17"]


def random_fleet(chance: random.Random) -> World:
    """A cluster that is in use: mostly well, sometimes half changed, with nodes down, cordoned or held back."""
    planes, workers = chance.choice((1, 1, 1, 3)), chance.choice((0, 1, 1, 2, 2, 3, 5))
    now = chance.choice(list(HOPS))
    wanted = chance.choice(HOPS[now])
    runtime = chance.choice(("docker", "docker", "containerd"))
    lag = "v1.18.20" if chance.random() < 0.1 else now
    adopted = chance.random() < 0.3
    nodes: dict[str, Node] = {}
    names = [f"cp-{n}" for n in range(1, planes + 1)] + [f"w-{n}" for n in range(1, workers + 1)]
    for name in names:
        plane = name.startswith("cp")
        nodes[name] = Node(
            plane=plane,
            runtime=chance.choice((runtime, runtime, "containerd")),
            kubelet=now if plane else chance.choice((now, lag)),
            server=now if plane else "",
            swap=chance.random() < 0.15,
            claimed=not adopted or chance.random() < 0.5,
            ready=chance.random() > 0.04,
            held=chance.random() < 0.07,
            foreign=chance.random() < 0.1,
        )
        nodes[name].dead = not nodes[name].ready
    _half_changed(nodes, wanted, chance)
    world = living(nodes, chance)
    world.answers = chance.choice([name for name, node in nodes.items() if node.plane])
    world.aim(
        version=wanted,
        runtime=chance.choice(("containerd", "containerd", runtime)),
        budget=chance.choice((1, 1, 2, 3, "25%", "50%", "100%")),
    )
    return world


def _half_changed(nodes: dict[str, Node], wanted: str, chance: random.Random) -> None:
    """Sometimes an earlier change had upgraded some control planes, all of it or the API server only."""
    if chance.random() < 0.2:
        for node in [node for node in nodes.values() if node.plane and not node.held][: chance.randrange(3)]:
            node.server = wanted
            node.kubelet = chance.choice((node.kubelet, wanted))


def random_faults(chance: random.Random, plan: Plan) -> Faults:
    """What goes wrong in a run: mostly one thing, sometimes several."""
    names = [step.name for step in plan.steps]
    faults = Faults()
    for kind in chance.sample(("fail", "unavailable", "cancel", "kill", "broken_undo"), chance.choice((0, 1, 1, 2))):
        if kind == "fail":
            faults.fail = {chance.choice(names): chance.randrange(1, 5)}
        elif kind == "unavailable":
            faults.unavailable = {chance.choice(names): chance.randrange(1, 4)}
        elif kind == "broken_undo":
            faults.fail = {chance.choice(names): chance.randrange(1, 5)}
            faults.broken_undo = {chance.choice(names)}
        else:
            setattr(faults, kind, chance.randrange(1, 4 * len(names)))
    return faults


def planned(world: World) -> Plan | None:
    """Return the plan, or None when the way is not allowed; it is the same plan every time."""
    try:
        plan = plan_change(world.wish, world.facts(), world.cluster())
    except Refused:
        return None
    assert msgspec.json.encode(plan) == msgspec.json.encode(plan_change(world.wish, world.facts(), world.cluster()))
    return plan


async def carry_out(world: World, plan: Plan, faults: Faults) -> Outcome:
    """Run the plan; killed, it is run again from the start, with nothing known but the notes of its steps."""
    for _ in range(4):
        try:
            return await execute(world, plan, faults)
        except Killed:
            faults = (
                Faults(kill=world.chance.randrange(1, 4 * len(plan.steps))) if world.chance.random() < 0.3 else Faults()
            )
    return await execute(world, plan)


def check_untouched(world: World, start: Mapping[str, Node], plan: Plan) -> None:
    """What nothing was planned for is as it was; nobody else's cordon was touched."""
    units = {step.unit for step in plan.steps}
    for name, node in world.nodes.items():
        assert node.foreign == start[name].foreign, f"the foreign cordon of {name} was touched"
        if name not in units:
            assert node.found() == start[name].found(), f"{name} was touched"
            assert node.drains == 0, f"{name} was drained"


def check_taken_back(world: World, start: Mapping[str, Node], faults: Faults) -> None:
    """After a run that did not succeed: every node is at its target, or as it was found, and open."""
    for name, node in world.nodes.items():
        if f"drain/{name}" not in world.notes:
            assert (node.found(), node.mark) == (start[name].found(), start[name].mark), f"{name} was not its turn"
        elif not faults.broken_undo:
            whole = not world.needs(name) and node.ready and not node.empty
            assert whole or node.found() == start[name].found(), f"{name} is neither kept nor as it was found: {node}"
            assert not node.mark, f"our cordon is left on {name}"


async def try_fleet(seed: int) -> str:
    """Change one random fleet, with faults and then without; return what became of it."""
    chance = random.Random(seed)
    world = random_fleet(chance)
    plan = planned(world)
    if plan is None:
        return "refused"
    if not plan.steps:
        assert not world.as_wanted(), world.as_wanted()
        return "nothing to do"
    start = deepcopy(world.nodes)
    begin(world)
    faults = random_faults(chance, plan)
    outcome = await carry_out(world, plan, faults)
    assert not world.broken, world.broken
    check_untouched(world, start, plan)
    if outcome.phase != "Succeeded":
        check_taken_back(world, start, faults)
        if not await try_again(world):
            return "refused after a failure"
    assert not world.as_wanted(), world.as_wanted()
    assert not any(node.mark for node in world.nodes.values()), "a cordon of ours is left"
    again = planned(world)
    assert again is not None
    assert not again.steps, f"nothing is left to do: {[step.name for step in again.steps]}"
    return outcome.phase


async def try_again(world: World) -> bool:
    """Somebody mends what is broken, and the change is planned anew and done; False when it is refused."""
    for node in world.nodes.values():
        node.dead, node.ready = False, True
    begin(world)
    plan = planned(world)
    if plan is None:
        return False
    outcome = await execute(world, plan)
    assert outcome.phase == "Succeeded", outcome
    assert not world.broken, world.broken
    return True


def over_seeds(first: int, count: int, attempt: Callable[[int], Awaitable[str]]) -> dict[str, int]:
    """Try the seeds one by one in one loop; a failure is told with its seed. Return how often each end was met."""
    ends: dict[str, int] = {}

    async def all_of_them() -> None:
        for seed in range(first, first + count):
            try:
                end = await attempt(seed)
            except (AssertionError, Refused) as error:
                raise AssertionError(f"seed {seed}: {error}") from error
            ends[end] = ends.get(end, 0) + 1

    asyncio.run(all_of_them())
    return ends


@pytest.mark.parametrize("batch", range(BATCHES))
def test_any_change_of_any_fleet_keeps_the_rules(batch: int) -> None:
    count = FLEETS // BATCHES
    ends = over_seeds(batch * count, count, try_fleet)
    if count >= 500:
        # Every end is met, or the fleets are not what they are meant to be.
        assert {"Succeeded", "Failed", "Cancelled", "refused", "nothing to do"} <= ends.keys(), ends
        assert ends["Succeeded"] > count // 4, ends


def small_fleet() -> World:
    """One control plane and two workers on Docker that move to containerd and to the next minor, two at a time."""
    nodes = {
        name: Node(plane=plane, runtime="docker", kubelet="v1.20.2", server="v1.20.2" if plane else "")
        for name, plane in (("cp-1", True), ("w-1", False), ("w-2", False))
    }
    nodes["w-2"].foreign = True
    world = living(nodes, random.Random(5))
    world.aim(version="v1.21.14", runtime="containerd", budget=2)
    return world


async def cut_at(moment: int, kind: str) -> str:
    """Cut the change of the small fleet at one moment; return how it ended, or "over" when it was over before."""
    world = small_fleet()
    plan, start = planned(world), deepcopy(world.nodes)
    assert plan is not None
    begin(world)
    outcome = await carry_out(world, plan, Faults(**{kind: moment}))
    assert not world.broken, world.broken
    check_untouched(world, start, plan)
    if outcome.phase == "Succeeded":
        assert not world.as_wanted(), world.as_wanted()
    else:
        check_taken_back(world, start, Faults())
        assert await try_again(world)
    return "over" if world.moments < moment and kind == "cancel" else outcome.phase


def test_killed_at_any_moment_the_change_is_completed() -> None:
    assert over_seeds(1, 150, lambda moment: cut_at(moment, "kill")) == {"Succeeded": 150}


def test_cancelled_at_any_moment_every_node_is_kept_or_taken_back() -> None:
    ends = over_seeds(1, 150, lambda moment: cut_at(moment, "cancel"))
    assert ends["Cancelled"] > 40
    assert ends.keys() <= {"Cancelled", "Succeeded", "over"}


def test_failing_at_any_step_every_node_is_kept_or_taken_back() -> None:
    plan = planned(small_fleet())
    assert plan is not None

    async def fail(number: int) -> str:
        step, moment = plan.steps[number // 4], number % 4 + 1
        world = small_fleet()
        start = deepcopy(world.nodes)
        begin(world)
        outcome = await carry_out(world, plan, Faults(fail={step.name: moment}))
        assert not world.broken, world.broken
        check_untouched(world, start, plan)
        if outcome.phase == "Failed":
            check_taken_back(world, start, Faults())
            assert await try_again(world)
        return outcome.phase

    assert over_seeds(0, 4 * len(plan.steps), fail)["Failed"] > 2 * len(plan.steps)


async def roll_back(seed: int) -> str:
    """Migrate a random fleet, then take some of its nodes back: they are as they were, the others stay."""
    chance = random.Random(seed)
    world = random_fleet(chance)
    world.aim(version=world.nodes["cp-1"].server, runtime="containerd")
    for node in world.nodes.values():
        node.kubelet = node.server = world.nodes["cp-1"].server
        node.ready, node.dead, node.server = True, False, node.server if node.plane else ""
    start, plan = deepcopy(world.nodes), planned(world)
    if plan is None or not any(step.unit for step in plan.steps):
        return "nothing to roll back"
    begin(world)
    assert (await execute(world, plan)).phase == "Succeeded"
    changed = [name for name in world.nodes if start[name].runtime != world.nodes[name].runtime]
    chosen = sorted(chance.sample(changed, chance.randrange(1, len(changed) + 1)))
    forward = deepcopy(world.nodes)
    world.aim(runtime="docker")
    for name, node in world.nodes.items():
        node.held = name not in chosen
    begin(world)
    back = plan_change(without_hold(world.wish, chosen), world.facts(), world.cluster())
    assert sorted({step.unit for step in back.steps} - {""}) == chosen
    assert (await carry_out(world, back, Faults(kill=chance.randrange(1, 200)))).phase == "Succeeded"
    assert not world.broken, world.broken
    for name, node in world.nodes.items():
        as_it_was = start[name] if name in chosen else forward[name]
        assert (node.found(), node.mark) == (as_it_was.found(), False), f"{name}: {node}, and was {as_it_was}"
    return "rolled back"


def test_a_change_that_is_rolled_back_restores_the_start() -> None:
    ends = over_seeds(0, 300, roll_back)
    assert ends["rolled back"] > 100, ends


async def go_the_way(seed: int) -> str:
    """Go hop by hop from one version to another, each hop a plan of its own that is carried out."""
    chance = random.Random(seed)
    world = random_fleet(chance)
    found, wanted = chance.choice(RELEASES), chance.choice(RELEASES)
    for node in world.nodes.values():
        node.kubelet, node.held, node.ready, node.dead = found, False, True, False
        node.server = found if node.plane else ""
    world.wish = Desired(target=world.target, machines={n: bare(m) for n, m in world.wish.machines.items()})
    minors = [versions.minor(found)]
    for _ in range(10):
        now = world.nodes["cp-1"].server
        try:
            stop = next_stop(now, wanted, RELEASES)
        except Refused:
            assert now == found, "refused in the middle of the way"
            return "refused"
        world.aim(version=stop, runtime="containerd")
        plan = planned(world)
        assert plan is not None
        begin(world)
        assert (await execute(world, plan)).phase == "Succeeded"
        assert not world.broken, world.broken
        minors.append(versions.minor(stop))
        if stop == wanted:
            break
    assert not world.as_wanted()
    assert {node.kubelet for node in world.nodes.values()} == {wanted}
    steps = {after[1] - before[1] for before, after in pairwise(minors)}
    assert steps <= {0, 1}, f"a minor was left out: {minors}"
    return f"{max(0, len(minors) - 1)} hops"


def bare(machine: Machine) -> Machine:
    """A Machine without annotations."""
    return replace(machine, metadata=replace(machine.metadata, annotations={}))


def test_the_way_ends_at_the_wanted_version_and_leaves_out_no_minor() -> None:
    ends = over_seeds(0, 300, go_the_way)
    assert ends["refused"] > 50, ends
    assert ends["4 hops"] > 0, ends


def test_a_control_plane_that_is_held_back_is_not_overtaken() -> None:
    world = small_fleet()
    world.nodes["cp-1"].held = True
    held = without_hold(world.wish, ["w-1", "w-2"])
    with pytest.raises(Refused, match="ahead of the API server of cp-1, which is held back"):
        plan_change(held, world.facts(), world.cluster())


def test_a_kubelet_that_would_be_too_far_behind_is_named() -> None:
    world = small_fleet()
    world.nodes["w-1"].kubelet = "v1.18.20"
    with pytest.raises(Refused, match=r"w-1: kubelet v1\.18\.20 is 3 minors behind"):
        plan_change(world.wish, world.facts(), world.cluster())


def test_an_upgraded_control_plane_is_not_drained_again_because_another_one_answers() -> None:
    nodes = {f"cp-{n}": Node(plane=True, runtime="docker", kubelet="v1.20.2", server="v1.20.2") for n in (1, 2, 3)}
    nodes["cp-1"].kubelet = nodes["cp-1"].server = "v1.20.6"
    world = living(nodes, random.Random(1))
    world.aim(version="v1.20.6")
    world.answers = "cp-2"
    plan = planned(world)
    assert plan is not None
    assert {step.unit for step in plan.steps} == {"", "cp-2", "cp-3"}


def test_a_node_that_was_left_with_our_cordon_is_finished_first() -> None:
    world = small_fleet()
    world.aim(version="v1.20.2", budget=1)
    world.nodes["w-2"].mark = True
    plan = planned(world)
    assert plan is not None
    assert [step.unit for step in plan.steps if step.step == "drain"] == ["w-2", "w-1", "cp-1"]
    world.aim(runtime="docker")
    plan = planned(world)
    assert plan is not None
    assert [step.name for step in plan.steps if step.unit] == ["drain/w-2", "verify-node/w-2", "uncordon/w-2"]


def test_no_control_plane_goes_while_another_one_is_away() -> None:
    nodes = {f"cp-{n}": Node(plane=True, runtime="docker", kubelet="v1.20.2", server="v1.20.2") for n in (1, 2, 3)}
    nodes["cp-3"].runtime, nodes["cp-3"].ready = "containerd", False
    world = living(nodes, random.Random(1))
    world.aim(runtime="containerd", budget=3)
    with pytest.raises(Refused, match="cp-3 is away, and control planes go one at a time"):
        plan_change(world.wish, world.facts(), world.cluster())


def test_a_hop_of_a_minor_brings_all_api_servers_up_before_the_first_kubelet() -> None:
    nodes = {f"cp-{n}": Node(plane=True, runtime="docker", kubelet="v1.20.2", server="v1.20.2") for n in (1, 2, 3)}
    world = living(nodes, random.Random(1))
    world.aim(version="v1.21.14", runtime="containerd")
    plan = planned(world)
    assert plan is not None
    servers = [step for step in plan.steps if step.step == "upgrade-control-plane"]
    assert [step.unit for step in servers] == ["control-plane/cp-1", "control-plane/cp-2", "control-plane/cp-3"]
    assert all(before.name in after.after for before, after in pairwise(servers))
    drains = [step for step in plan.steps if step.step == "drain"]
    assert all({server.name for server in servers} <= set(drain.after) for drain in drains)
    inside = ["drain", "switch-runtime", "upgrade-kubelet", "verify-node", "uncordon"]
    assert [step.step for step in plan.steps if step.unit == "cp-2"] == inside


def test_a_hop_of_a_patch_takes_each_control_plane_whole() -> None:
    nodes = {f"cp-{n}": Node(plane=True, runtime="docker", kubelet="v1.20.2", server="v1.20.2") for n in (1, 2, 3)}
    world = living(nodes, random.Random(1))
    world.aim(version="v1.20.6")
    plan = planned(world)
    assert plan is not None
    inside = ["drain", "upgrade-control-plane", "upgrade-kubelet", "verify-node", "uncordon"]
    assert [step.step for step in plan.steps if step.unit == "cp-2"] == inside


def test_system_runtime_and_kubernetes_of_a_node_share_one_drain() -> None:
    world = small_fleet()
    plan = planned(world)
    assert plan is not None
    inside = ["switch-runtime", "upgrade-control-plane", "upgrade-kubelet"]
    assert [step.step for step in plan.steps if step.unit == "cp-1"] == ["drain", *inside, "verify-node", "uncordon"]
    updated = (PlannedChange(what="packages", after="updated"),)
    delta = Delta(name="cp-1", runtime=True, kubernetes=True, control_plane=True, system=updated)
    view = View(world.wish, world.facts(), world.cluster())
    assert list(delta.disturbing(view)) == ["system-packages", *inside]
