"""The runner on steps that change a small world of flags."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplane.api.operation import Plan, PlannedChange, PlannedStep, StepState, StepStatus
from groundplane.base.errors import Denied, GroundplaneError, Refused, Unavailable, Unexpected
from groundplane.operations import Limits, Outcome, ReadScope, Runner, Scope
from support.virtual import VirtualClock


@dataclass
class World:
    """What is done, in which order, and how many steps work at the same time."""

    done: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    working: int = 0
    most: int = 0


async def _nothing(_: str) -> None:
    await asyncio.sleep(0)


@dataclass
class Flag:
    """A step that wants its planned name in `world.done`. `work` runs before it takes effect."""

    world: World
    work: Callable[[str], Awaitable[None]] = _nothing
    takes: bool = True
    is_wanted: bool = True
    name: str = "flag"
    title: str = "Set a flag"

    def wanted(self, scope: ReadScope) -> bool:
        return self.is_wanted

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        name = cast(str, scope)
        self.world.planned.append(name)
        return [] if name in self.world.done else [PlannedChange(what=name, before="unset", after="set")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        name = cast(str, scope)
        self.world.working += 1
        self.world.most = max(self.world.most, self.world.working)
        try:
            await self.work(name)
        finally:
            self.world.working -= 1
        if self.takes:
            self.world.done.append(name)


class Names:
    """A scope factory whose scope is the planned step's name."""

    def read(self, step: PlannedStep) -> ReadScope:
        return cast(ReadScope, step.name)

    def write(self, step: PlannedStep) -> Scope:
        return cast(Scope, step.name)


@dataclass
class Heard:
    """A Recorder that keeps every state in order."""

    states: dict[str, list[StepStatus]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    async def step(self, status: StepStatus) -> None:
        self.states.setdefault(status.name, []).append(status)

    def log(self, step: str, line: str) -> None:
        self.lines.append(f"{step}: {line}")

    def last(self, name: str) -> StepStatus:
        return self.states[name][-1]


def plan_of(edges: Mapping[str, list[str]], *, step: str = "flag") -> Plan:
    return Plan(
        action="Create",
        steps=[PlannedStep(name=name, step=step, title=name, after=after) for name, after in edges.items()],
    )


def runner(plan: Plan, flag: Flag, heard: Heard, **options: Any) -> Runner:
    return Runner(
        plan,
        steps={step: cast(Any, flag) for step in ("flag", "images")},
        scopes=Names(),
        recorder=heard,
        clock=options.pop("clock", VirtualClock()),
        **options,
    )


async def run(plan: Plan, flag: Flag, **options: Any) -> tuple[Outcome, Heard]:
    heard = Heard()
    return await runner(plan, flag, heard, **options).run(), heard


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    count = draw(st.integers(min_value=1, max_value=12))
    return {
        f"s{index}": draw(st.lists(st.sampled_from([f"s{i}" for i in range(index)]), unique=True)) if index else []
        for index in range(count)
    }


@given(edges=graphs())
@settings(max_examples=60, deadline=None)
def test_every_step_runs_once_and_after_all_that_it_comes_after(edges: dict[str, list[str]]) -> None:
    world = World()
    outcome, _ = asyncio.run(run(plan_of(edges), Flag(world)))
    assert outcome.phase == "Succeeded"
    assert sorted(world.done) == sorted(edges)
    assert all(world.done.index(before) < world.done.index(name) for name, after in edges.items() for before in after)


@given(edges=graphs(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_after_a_failure_exactly_what_depends_on_it_is_skipped(
    edges: dict[str, list[str]], data: st.DataObject
) -> None:
    bad = data.draw(st.sampled_from(sorted(edges)))

    async def work(name: str) -> None:
        if name == bad:
            raise Refused("cannot do it: no")

    outcome, heard = asyncio.run(run(plan_of(edges), Flag(World(), work)))
    lost = {bad}
    for name, after in edges.items():
        if lost & set(after):
            lost.add(name)
    assert outcome.phase == "Failed"
    assert {name for name in edges if heard.last(name).state == "Succeeded"} == edges.keys() - lost
    assert {name for name in edges if heard.last(name).state == "Skipped"} == lost - {bad}


async def test_a_second_run_changes_nothing_and_plans_each_step_once() -> None:
    world, plan = World(), plan_of({"a": [], "b": ["a"]})
    await run(plan, Flag(world))
    world.planned.clear()
    outcome, heard = await run(plan, Flag(world))
    assert outcome == Outcome("Succeeded", "2 steps done, 0 of them changed something")
    assert world.planned == ["a", "b"]
    assert {heard.last(name).state for name in "ab"} == {"Unchanged"}


async def test_a_step_that_did_not_take_fails_and_says_what_is_left() -> None:
    outcome, heard = await run(plan_of({"a": []}), Flag(World(), takes=False))
    assert outcome.phase == "Failed"
    assert heard.last("a").message == "did not take: a: unset → set"


async def test_a_step_that_has_no_meaning_here_is_unchanged_without_a_look() -> None:
    world = World()
    _, heard = await run(plan_of({"a": []}), Flag(world, is_wanted=False))
    assert heard.last("a").state == "Unchanged"
    assert world.planned == []


async def test_what_is_unavailable_is_waited_for_inside_the_step() -> None:
    clock, world = VirtualClock(), World()

    async def work(_: str) -> None:
        if clock.passed < 100:
            raise Unavailable("cannot reach shop-2: no route", remedy="switch it on")

    outcome, heard = await run(plan_of({"a": []}), Flag(world, work), clock=clock)
    assert outcome.phase == "Succeeded"
    waiting = "waiting: cannot reach shop-2: no route (switch it on)"
    assert waiting in [status.message for status in heard.states["a"]]
    assert heard.last("a").message == ""
    assert heard.last("a").attempts == 1
    assert heard.lines.count(f"a: {waiting}") == 1


async def test_waiting_ends_at_the_deadline_with_the_reason() -> None:
    clock = VirtualClock()

    async def work(_: str) -> None:
        raise Unavailable("cannot reach shop-2: no route", remedy="switch it on")

    outcome, heard = await run(plan_of({"a": []}), Flag(World(), work), clock=clock, limits=Limits(deadline=60))
    assert outcome == Outcome("Failed", "step a failed: cannot reach shop-2: no route", "switch it on")
    assert heard.last("a").state == "Failed"
    assert 60 <= clock.passed < 80


@pytest.mark.parametrize("error", [Refused("cannot: x"), Denied("cannot: x"), Unexpected("cannot: x")])
async def test_every_other_error_fails_the_step_at_once(error: GroundplaneError) -> None:
    clock = VirtualClock()

    async def work(_: str) -> None:
        raise error

    outcome, heard = await run(plan_of({"a": []}), Flag(World(), work), clock=clock)
    assert (outcome.phase, heard.last("a").message, clock.passed) == ("Failed", "cannot: x", 0)


async def test_a_defect_in_a_step_fails_that_step_and_no_other() -> None:
    async def work(name: str) -> None:
        if name == "a":
            raise KeyError("lost")

    outcome, heard = await run(plan_of({"a": [], "b": []}), Flag(World(), work))
    assert outcome.phase == "Failed"
    assert "KeyError" in heard.last("a").message
    assert heard.last("b").state == "Succeeded"


async def test_cancel_lets_the_running_step_finish_and_starts_no_other() -> None:
    cancel, world = asyncio.Event(), World()

    async def work(name: str) -> None:
        cancel.set()

    outcome, heard = await run(plan_of({"a": [], "b": ["a"]}), Flag(world, work), cancel=cancel)
    assert outcome == Outcome("Cancelled", "cancelled after 1 of 2 steps")
    assert (heard.last("a").state, heard.last("b").state) == ("Succeeded", "Cancelled")
    assert world.done == ["a"]


async def test_cancel_interrupts_a_step_that_does_not_end_in_its_grace() -> None:
    cancel, never = asyncio.Event(), asyncio.Event()

    async def work(_: str) -> None:
        cancel.set()
        await never.wait()

    outcome, heard = await run(plan_of({"a": []}), Flag(World(), work), cancel=cancel, limits=Limits(grace=30))
    assert outcome.phase == "Cancelled"
    assert heard.last("a").state == "Cancelled"


async def test_cancel_interrupts_a_step_that_waits_for_a_machine() -> None:
    cancel, clock = asyncio.Event(), VirtualClock()

    async def work(_: str) -> None:
        cancel.set()
        raise Unavailable("cannot reach shop-2: no route")

    outcome, _ = await run(plan_of({"a": []}), Flag(World(), work), cancel=cancel, clock=clock)
    assert outcome.phase == "Cancelled"
    assert clock.passed <= 30


async def test_no_more_steps_run_at_once_than_allowed() -> None:
    world = World()
    await run(plan_of({f"s{i}": [] for i in range(20)}), Flag(world), limits=Limits(steps=3))
    assert world.most == 3


async def test_no_more_heavy_steps_run_at_once_than_allowed() -> None:
    world = World()
    await run(plan_of({f"s{i}": [] for i in range(20)}, step="images"), Flag(world), limits=Limits(heavy=2))
    assert world.most == 2


async def test_attempts_count_the_starts_over_all_runs() -> None:
    heard = Heard()
    previous = {"a": StepStatus(name="a", state="Running", attempts=2)}
    await runner(plan_of({"a": []}), Flag(World()), heard, previous=previous).run()
    assert heard.last("a").attempts == 3


async def test_stopping_the_engine_stops_the_steps_and_leaves_no_task() -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def work(_: str) -> None:
        begun.set()
        await never.wait()

    task = asyncio.create_task(run(plan_of({"a": [], "b": ["a"]}), Flag(World(), work)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1 or all(
        not t.get_name().startswith(("step", "work")) for t in asyncio.all_tasks()
    )


def test_a_plan_with_an_unknown_step_or_a_missing_predecessor_is_refused() -> None:
    with pytest.raises(Unexpected, match="no step called surprise"):
        runner(plan_of({"a": []}, step="surprise"), Flag(World()), Heard())
    with pytest.raises(Unexpected, match="a comes after b"):
        runner(plan_of({"a": ["b"]}), Flag(World()), Heard())


@dataclass
class Marking(Flag):
    """A flag that is taken back when the Operation does not end well."""

    async def undo(self, scope: Scope) -> None:
        self.world.done.append(f"undid {cast(str, scope)}")


async def test_only_steps_that_were_begun_are_taken_back_and_only_after_a_failure() -> None:
    async def work(name: str) -> None:
        if name == "b":
            raise Refused("no")

    plan, world = plan_of({"a": [], "b": ["a"], "c": ["b"]}), World()
    await run(plan, Marking(world, work))
    assert world.done == ["a", "undid b", "undid a"]
    well = World()
    await run(plan, Marking(well))
    assert well.done == ["a", "b", "c"]


def units_of(edges: Mapping[str, list[str]]) -> Plan:
    """A plan whose steps "x1", "x2" are the unit "x"."""
    return Plan(
        action="Change",
        steps=[PlannedStep(name=n, step="flag", title=n, after=after, unit=n[0]) for n, after in edges.items()],
    )


def status(name: str, state: StepState) -> StepStatus:
    return StepStatus(name=name, state=state, attempts=1, started_at="2026-01-01T00:00:00Z")


async def test_a_finished_unit_is_neither_walked_again_nor_taken_back_after_a_restart() -> None:
    async def work(name: str) -> None:
        raise Refused("no")

    world, heard = World(), Heard()
    plan = units_of({"a1": [], "a2": ["a1"], "b1": ["a2"], "b2": ["b1"]})
    previous = {name: status(name, "Succeeded") for name in ("a1", "a2", "b1")}
    outcome = await runner(plan, Marking(world, work), heard, previous=previous).run()
    assert world.planned == ["b1"]
    assert world.done == ["undid b1"]
    assert outcome.message == "step b1 failed: no; brought back as it was: b"


async def test_a_finished_unit_stays_when_cancel_comes_right_after_a_restart() -> None:
    cancel, world = asyncio.Event(), World()
    cancel.set()
    previous = {name: status(name, "Succeeded") for name in ("a1", "a2")}
    outcome = await runner(
        units_of({"a1": [], "a2": ["a1"], "b1": ["a2"]}), Marking(world), Heard(), previous=previous, cancel=cancel
    ).run()
    assert outcome == Outcome("Cancelled", "cancelled after 2 of 3 steps")
    assert world.done == []


@pytest.mark.parametrize(("state", "undone"), [("Running", ["undid a1"]), ("Failed", ["undid a1"]), ("Undone", [])])
async def test_what_a_run_before_had_begun_is_taken_back(state: StepState, undone: list[str]) -> None:
    cancel, world = asyncio.Event(), World()
    cancel.set()
    plan, previous = units_of({"a1": [], "a2": ["a1"]}), {"a1": status("a1", state)}
    await runner(plan, Marking(world), Heard(), previous=previous, cancel=cancel).run()
    assert world.done == undone


async def test_a_unit_that_was_taken_back_is_walked_again() -> None:
    world = World()
    previous = {"a1": status("a1", "Undone"), "a2": status("a2", "Succeeded")}
    await runner(units_of({"a1": [], "a2": ["a1"]}), Marking(world), Heard(), previous=previous).run()
    assert world.planned[0] == "a1"
    assert world.done == ["a1", "a2"]


async def test_what_stands_alone_is_taken_back_only_if_this_run_began_it() -> None:
    cancel, world = asyncio.Event(), World()
    cancel.set()
    previous = {"a": status("a", "Running")}
    await runner(plan_of({"a": []}), Marking(world), Heard(), previous=previous, cancel=cancel).run()
    assert world.done == []


@dataclass
class Broken(Marking):
    """A flag whose undo has a defect for one step."""

    async def undo(self, scope: Scope) -> None:
        if cast(str, scope) == "a1":
            raise KeyError("lost")
        await super().undo(scope)


async def test_a_defect_in_one_undo_keeps_no_other_from_going_back() -> None:
    async def work(name: str) -> None:
        if name.endswith("2"):
            raise Refused("no")

    world = World()
    outcome, heard = await run(units_of({"a1": [], "a2": ["a1"], "b1": [], "b2": ["b1"]}), Broken(world, work))
    assert outcome.phase == "Failed"
    assert "undid b1" in world.done
    assert "brought back as it was: b" in outcome.message
    assert "a could NOT be brought back: a1: defect in step flag: KeyError" in outcome.message
    assert "not taken back" in heard.last("a1").message
