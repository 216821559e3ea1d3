"""The runner: executes a frozen Plan as a graph and tells a Recorder about every change of state.

A step runs when all that it comes after has succeeded. Each step plans, applies, and plans again: what is left then
is a failure. What is unavailable (a machine that reboots, a cut connection) is waited for inside the step; every
other error fails the step, skips what depends on it, and lets the rest finish. Started again it runs the plan again,
and what is done costs one read-only plan each. Of the run before it takes over only what concerns units: a finished
unit is neither walked again nor taken back, and what was begun in any other is taken back when this run does not end
well, even if it did not come that far itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import msgspec

from groundplane.api.operation import Plan, PlannedChange, PlannedStep, StepState, StepStatus
from groundplane.base.clock import rfc3339
from groundplane.base.errors import GroundplaneError, Unavailable, Unexpected
from groundplane.base.logs import get_logger

from .scope import ReadScope, Scope
from .step import Step, Undoable
from .waiting import Clock, SystemClock

_log = get_logger(__name__)

_DONE: frozenset[StepState] = frozenset({"Succeeded", "Unchanged"})


class Recorder(Protocol):
    """Told of every change of a step's state, in order for each step."""

    async def step(self, status: StepStatus) -> None: ...

    def log(self, step: str, line: str) -> None:
        """One line for people who follow step `step`; never a secret."""


class ScopeFactory(Protocol):
    """Makes the scopes of a planned step: one to look, one to change."""

    def read(self, step: PlannedStep) -> ReadScope: ...

    def write(self, step: PlannedStep) -> Scope: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the Operation ended; `message` names the first failed step, `remedy` is one sentence or empty."""

    phase: Literal["Succeeded", "Failed", "Cancelled"]
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """`steps` run at once, `heavy` of them of a kind in `heavy_steps`. Times are seconds.

    `deadline`: how long a step waits for what is unavailable. `grace`: how long a running step may go on after
    cancel was asked for, before it is interrupted.
    """

    steps: int = 32
    heavy: int = 8
    heavy_steps: frozenset[str] = frozenset({"images", "binaries"})
    deadline: float = 1200
    grace: float = 30
    first_pause: float = 1
    longest_pause: float = 15


@dataclass(slots=True)
class _Run:
    """What is known of one planned step while the plan runs. `settled` is set when its state is final."""

    planned: PlannedStep
    status: StepStatus
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    error: GroundplaneError | None = None
    waited_for: str = ""


class Runner:
    """Runs one Plan. Make a new one for every run."""

    def __init__(  # noqa: PLR0913 - the parts that an Operation is made of
        self,
        plan: Plan,
        *,
        steps: Mapping[str, Step],
        scopes: ScopeFactory,
        recorder: Recorder,
        cancel: asyncio.Event | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        previous: Mapping[str, StepStatus] | None = None,
    ) -> None:
        unknown = sorted({planned.step for planned in plan.steps} - steps.keys())
        if unknown:
            raise Unexpected(f"cannot run the plan: there is no step called {', '.join(unknown)}")
        self._steps = steps
        self._scopes = scopes
        self._recorder = recorder
        self._cancel = cancel or asyncio.Event()
        self._clock = clock or SystemClock()
        self._limits = limits or Limits()
        self._slots = asyncio.Semaphore(self._limits.steps)
        self._heavy = asyncio.Semaphore(self._limits.heavy)
        before = previous or {}
        self._kept = _finished_units(plan, before)
        self._runs = {
            planned.name: _Run(planned, _status(planned, before.get(planned.name), self._kept))
            for planned in plan.steps
        }
        for planned in plan.steps:
            if missing := [name for name in planned.after if name not in self._runs]:
                raise Unexpected(f"cannot run the plan: {planned.name} comes after {missing[0]}, which is not in it")

    async def run(self) -> Outcome:
        """Run the plan to its end and say how it ended."""
        async with asyncio.TaskGroup() as group:
            for run in self._runs.values():
                group.create_task(self._when_due(run), name=f"step {run.planned.name}")
        outcome = self._outcome()
        if outcome.phase == "Succeeded":
            return outcome
        return self._with_return(outcome, await self._take_back())

    async def _take_back(self) -> dict[str, str]:
        """Undo what was begun and is not kept, last first; return what could not be undone and why, by unit."""
        begun = [run for run in reversed(self._runs.values()) if self._to_undo(run)]
        units = dict.fromkeys(run.planned.unit for run in begun)
        trouble: dict[str, str] = dict.fromkeys((unit for unit in units if unit), "")

        async def one(unit: str) -> None:
            for run in (run for run in begun if run.planned.unit == unit):
                problem = await self._undo(run)
                if problem and unit:
                    # What comes next stands on this one: an uncordon, say, on a runtime that runs.
                    trouble[unit] = f"{run.planned.name}: {problem}"
                    return

        async with asyncio.TaskGroup() as group:
            for unit in units:
                group.create_task(one(unit), name=f"take back {unit}")
        return trouble

    def _to_undo(self, run: _Run) -> bool:
        if not run.status.started_at or not isinstance(self._steps[run.planned.step], Undoable):
            return False
        unit = run.planned.unit
        if unit in self._kept:
            return False
        return not unit or any(o.status.state not in _DONE for o in self._runs.values() if o.planned.unit == unit)

    async def _undo(self, run: _Run) -> str:
        """Undo one step, waiting for what is unavailable as long as a step would; return why it could not be."""
        step = self._steps[run.planned.step]
        if not isinstance(step, Undoable):
            return ""
        deadline, pause = self._clock.monotonic() + self._limits.deadline, self._limits.first_pause
        while True:
            try:
                await step.undo(self._scopes.write(run.planned))
            except Unavailable as error:
                if run.planned.unit and self._clock.monotonic() < deadline:
                    self._recorder.log(run.planned.name, f"taking back, waiting: {error}")
                    await self._clock.sleep(pause)
                    pause = min(pause * 2, self._limits.longest_pause)
                    continue
                return await self._not_undone(run, error)
            except GroundplaneError as error:
                return await self._not_undone(run, error)
            except Exception as error:  # noqa: BLE001 - a defect in one step must not keep the others from going back
                _log.exception("step raised an unexpected error while it was taken back", step=run.planned.name)
                defect = f"defect in step {run.planned.step}: {type(error).__name__}: {error}"
                return await self._not_undone(run, Unexpected(defect, remedy="report it"))
            if run.planned.unit:
                done = run.status.state in _DONE
                words = "taken back" if done else f"{run.status.message}; taken back"
                await self._note(run, state="Undone" if done else run.status.state, message=words)
            return ""

    async def _not_undone(self, run: _Run, error: GroundplaneError) -> str:
        self._recorder.log(run.planned.name, f"cannot take back: {error}")
        if run.planned.unit:
            await self._note(run, message=f"{run.status.message}; not taken back: {error}".removeprefix("; "))
        return str(error)

    @staticmethod
    def _with_return(outcome: Outcome, trouble: Mapping[str, str]) -> Outcome:
        """Say of each unit whether it is as it was: that decides what a person has to do now."""
        whole = [unit for unit, problem in trouble.items() if not problem]
        words = [f"brought back as it was: {', '.join(whole)}"] if whole else []
        words += [f"{unit} could NOT be brought back: {problem}" for unit, problem in trouble.items() if problem]
        return replace(outcome, message="; ".join([outcome.message, *words]))

    def _outcome(self) -> Outcome:
        failed = [run for run in self._runs.values() if run.status.state == "Failed"]
        if failed:
            first = min(failed, key=lambda run: run.status.finished_at)
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            remedy = first.error.remedy if first.error else ""
            return Outcome("Failed", f"step {first.planned.name} failed{more}: {first.status.message}", remedy)
        if any(run.status.state == "Cancelled" for run in self._runs.values()):
            done = sum(run.status.state in _DONE for run in self._runs.values())
            return Outcome("Cancelled", f"cancelled after {done} of {len(self._runs)} steps")
        changed = sum(run.status.state == "Succeeded" for run in self._runs.values())
        return Outcome("Succeeded", f"{len(self._runs)} steps done, {changed} of them changed something")

    async def _when_due(self, run: _Run) -> None:
        try:
            if run.planned.unit in self._kept:
                return
            before = [self._runs[name] for name in run.planned.after]
            for other in before:
                await other.settled.wait()
            unmet = [other for other in before if other.status.state not in _DONE]
            if self._cancel.is_set():
                await self._settle(run, "Cancelled", "cancelled before it started")
            elif unmet:
                await self._settle(run, "Skipped", f"needs {unmet[0].planned.name}, which is {unmet[0].status.state}")
            else:
                await self._take_turn(run)
        finally:
            run.settled.set()

    async def _take_turn(self, run: _Run) -> None:
        heavy = run.planned.step in self._limits.heavy_steps
        async with self._slots:
            if heavy:
                async with self._heavy:
                    await self._interruptible(run)
            else:
                await self._interruptible(run)

    async def _interruptible(self, run: _Run) -> None:
        """Run the step; when cancel is asked for, let it finish for a while and then interrupt it."""
        if self._cancel.is_set():
            await self._settle(run, "Cancelled", "cancelled before it started")
            return
        work = asyncio.create_task(self._guarded(run), name=f"work {run.planned.name}")
        watch = asyncio.create_task(self._after_cancel(), name=f"cancel {run.planned.name}")
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.wait({work, watch})
        if work.cancelled():
            await self._settle(run, "Cancelled", "interrupted; it can be run again")
        else:
            work.result()

    async def _after_cancel(self) -> None:
        await self._cancel.wait()
        await self._clock.sleep(self._limits.grace)

    async def _guarded(self, run: _Run) -> None:
        """Run the step and turn whatever comes out of it into a state. This task's owner is here: it may catch all."""
        try:
            await self._attempts(run)
        except GroundplaneError as error:
            run.error = error
            self._recorder.log(run.planned.name, f"failed: {error}")
            await self._settle(run, "Failed", error.message)
        except Exception as error:  # noqa: BLE001 - a defect in a step must end as a failed step, not as a lost Operation
            run.error = Unexpected(f"defect in step {run.planned.step}: {type(error).__name__}", remedy="report it")
            _log.exception("step raised an unexpected error", step=run.planned.name)
            await self._settle(run, "Failed", f"{run.error.message}: {error}")

    async def _attempts(self, run: _Run) -> None:
        started = self._clock.monotonic()
        pause = self._limits.first_pause
        await self._begin(run)
        while True:
            try:
                return await self._once(run)
            except Unavailable as error:
                left = started + self._limits.deadline - self._clock.monotonic()
                if left <= 0:
                    raise
                await self._say_waiting(run, error)
                await self._pause(min(pause, left))
                pause = min(pause * 2, self._limits.longest_pause)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than until cancel is asked for: nothing of ours is in flight here."""
        if self._cancel.is_set():
            raise asyncio.CancelledError
        cancelled = asyncio.create_task(self._cancel.wait())
        slept = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({cancelled, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            slept.cancel()
            await asyncio.wait({cancelled, slept})
        if self._cancel.is_set():
            raise asyncio.CancelledError

    async def _once(self, run: _Run) -> None:
        step = self._steps[run.planned.step]
        read = self._scopes.read(run.planned)
        if not step.wanted(read):
            await self._settle(run, "Unchanged", "not wanted here")
            return
        changes = await step.plan(read)
        if not changes:
            await self._settle(run, "Succeeded" if run.status.changes else "Unchanged", "")
            return
        fresh = [change for change in changes if change not in run.status.changes]
        await self._note(run, message="", changes=[*run.status.changes, *fresh])
        for change in fresh:
            self._recorder.log(run.planned.name, _in_words(change))
        await step.apply(self._scopes.write(run.planned), changes)
        left = await step.plan(read)
        if left:
            words = "; ".join(_in_words(change) for change in left)
            raise Unexpected(
                f"did not take: {words}", remedy=f"read the log of step {run.planned.name}, then try again"
            )
        await self._settle(run, "Succeeded", "")

    async def _begin(self, run: _Run) -> None:
        await self._note(
            run, state="Running", started_at=rfc3339(self._clock.now()), attempts=run.status.attempts + 1, message=""
        )

    async def _say_waiting(self, run: _Run, error: Unavailable) -> None:
        message = f"waiting: {error}"
        await self._note(run, message=message)
        # Said once for each reason: a machine that stays away must not fill the log.
        if run.waited_for != message:
            run.waited_for = message
            self._recorder.log(run.planned.name, message)

    async def _settle(self, run: _Run, state: StepState, message: str) -> None:
        await self._note(run, state=state, message=message, finished_at=rfc3339(self._clock.now()))

    async def _note(self, run: _Run, **changed: object) -> None:
        run.status = msgspec.structs.replace(run.status, **changed)
        await self._recorder.step(run.status)


def _finished_units(plan: Plan, before: Mapping[str, StepStatus]) -> frozenset[str]:
    """Return the units that a run before has finished: every step of theirs is done, and none was taken back."""
    units = {planned.unit for planned in plan.steps if planned.unit}
    open_ = {
        planned.unit for planned in plan.steps if planned.name not in before or before[planned.name].state not in _DONE
    }
    return frozenset(units - open_)


def _status(planned: PlannedStep, before: StepStatus | None, kept: frozenset[str]) -> StepStatus:
    """Return what a step starts with: of a step in a unit it is remembered that a run before has begun it."""
    if before is None:
        return StepStatus(name=planned.name, state="Pending")
    if planned.unit in kept:
        return before
    begun = before.started_at if planned.unit and before.state != "Undone" else ""
    return StepStatus(name=planned.name, state="Pending", attempts=before.attempts, started_at=begun)


def _in_words(change: PlannedChange) -> str:
    if change.before and change.after:
        return f"{change.what}: {change.before} → {change.after}"
    return f"{change.what}: {change.after or change.before}" if change.after or change.before else change.what
