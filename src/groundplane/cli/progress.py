"""Progress, pure: an Operation becomes lines and rows. Two ways of showing it use them: a live screen and a pipe.

Nothing here prints, waits or looks at a clock: `now` is handed in. The order is that of the plan, so that a row
stays in its place from the first look to the last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from groundplane.api.meta import Condition
from groundplane.api.operation import FINAL_PHASES, Operation, PlannedStep, StepState, StepStatus
from groundplane.base.clock import parse_rfc3339

CLUSTER_WIDE = "(cluster)"
DONE: frozenset[StepState] = frozenset({"Succeeded", "Unchanged"})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as shown. `seconds` it ran so far, None before its start."""

    name: str
    title: str
    machine: str
    state: StepState
    seconds: float | None
    message: str


@dataclass(frozen=True, slots=True)
class MachineRow:
    """All steps of one machine, or of the cluster as a whole."""

    machine: str
    steps: list[StepRow] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Number of steps with nothing left to do."""
        return sum(step.state in DONE for step in self.steps)

    @property
    def current(self) -> StepRow | None:
        """The step to look at: one that failed, else one that runs."""
        wanted = ("Failed", "Running")
        return next((step for state in wanted for step in self.steps if step.state == state), None)


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long steps of one kind were at work, in seconds: what ran side by side counts once, what lay between not."""

    step: str
    title: str
    machines: int
    seconds: float


def steps(operation: Operation, now: datetime) -> list[StepRow]:
    """Return one row a step, in the plan's order."""
    states = {status.name: status for status in operation.status.steps}
    return [_row(planned, states.get(planned.name), now) for planned in operation.spec.plan.steps]


def machines(operation: Operation, now: datetime) -> list[MachineRow]:
    """Return the steps grouped by machine, in the order of first appearance; the cluster's own come last."""
    groups: dict[str, MachineRow] = {}
    for row in steps(operation, now):
        groups.setdefault(row.machine, MachineRow(row.machine)).steps.append(row)
    return sorted(groups.values(), key=lambda group: group.machine == CLUSTER_WIDE)


def headline(operation: Operation, now: datetime) -> str:
    """Return the Operation in one line: what, which cluster, phase, steps done, time."""
    rows = steps(operation, now)
    done = sum(row.state in DONE for row in rows)
    spent = _elapsed(operation.status.started_at, operation.status.finished_at, now)
    took = f", {duration(spent)}" if spent is not None else ""
    plan = operation.spec.plan
    where = f"{plan.action} cluster {operation.spec.cluster_ref.name}"
    return f"{operation.metadata.name}: {where}: {operation.status.phase or 'Pending'}, {done}/{len(rows)} steps{took}"


def changes(old: Operation | None, new: Operation, now: datetime) -> list[str]:
    """Return one line for each thing that is different from `old`, with the time at which it happened."""
    before = {row.name: row for row in steps(old, now)} if old else {}
    lines = []
    for row, status in _with_status(new, now):
        if _is_news(before.get(row.name), row):
            lines.append((_time_of(row, status) or _stamp(now), _step_line(row)))
    lines.sort(key=lambda line: line[0])
    if old is None or old.status.phase != new.status.phase:
        at = new.status.finished_at or (new.status.started_at if old is None else "")
        line = (at or _stamp(now), headline(new, now))
        lines = [*lines, line] if is_final(new) else [line, *lines]
    return [f"{_clock(time)} {text}" for time, text in lines]


def trouble(operation: Operation, now: datetime) -> list[str]:
    """Return what went wrong, whole: each failed step with its message, then conditions that say why."""
    failed = [(row, status) for row, status in _with_status(operation, now) if row.state == "Failed"]
    told, lines = failed, []
    if failed and operation.status.phase in FINAL_PHASES and any(step.unit for step in operation.spec.plan.steps):
        # What became of the nodes decides what is to be done now; the outcome says it of each, with the first cause.
        lines.append(operation.status.progress)
        first = min(failed, key=lambda one: one[1].finished_at)
        told = [one for one in failed if one is not first]
    lines += [f"{row.title} on {row.machine} failed: {row.message or 'no reason was given'}" for row, _ in told]
    if operation.status.phase in {"Failed", "Stale", "Cancelled"} and not failed:
        # That nobody approved it is no reason, and its advice is void: it has ended.
        lines.extend(unmet(c for c in operation.status.conditions if c.type != "Approved"))
    return lines


def unmet(conditions: Iterable[Condition]) -> list[str]:
    """Return the conditions that are not met, one line each."""
    return [f"{c.type} ({c.reason}): {c.message}" for c in conditions if c.status != "True" and c.message]


def phase_times(operation: Operation, now: datetime) -> list[PhaseTime]:
    """Return how long each kind of step took, in the plan's order; what did not run is left out."""
    order: dict[str, list[tuple[PlannedStep, StepStatus]]] = {}
    states = {status.name: status for status in operation.status.steps}
    for planned in operation.spec.plan.steps:
        status = states.get(planned.name)
        if status is not None and status.started_at and status.state != "Pending":
            order.setdefault(planned.step, []).append((planned, status))
    return [_phase(key, members, now) for key, members in order.items()]


def again(operation: Operation) -> str:
    """Return the command that asks for the same once more. What was asked for beside the spec is asked for anew.

    A retry plans the spec, and would do again what a rollback was to take back.
    """
    plan, cluster = operation.spec.plan, operation.spec.cluster_ref.name
    if plan.rolls_back:
        names = [step.machine for step in plan.steps if step.step == "drain"]
        some = names if len(names) < len(operation.spec.target.members) else []
        return " ".join([f"groundplane operation rollback {plan.rolls_back}", *(f"--machine {name}" for name in some)])
    asked = {"RenewCertificates": "renew-certificates", "CleanUp": "clean-up"}
    return f"groundplane {asked.get(plan.action, 'retry')} {cluster}"


def is_final(operation: Operation) -> bool:
    """Tell whether nothing more will happen to the Operation."""
    return operation.status.phase in FINAL_PHASES


def duration(seconds: float) -> str:
    """Return 4.2 s, 1m05s or 2h03m."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def _row(planned: PlannedStep, status: StepStatus | None, now: datetime) -> StepRow:
    found = status or StepStatus(name=planned.name, state="Pending")
    # Of one that waits to be run again after a restart, the start of the first run is kept.
    spent = _elapsed(found.started_at, found.finished_at, now) if found.state != "Pending" else None
    machine = planned.machine or CLUSTER_WIDE
    return StepRow(planned.name, planned.title, machine, found.state, spent, found.message)


def _with_status(operation: Operation, now: datetime) -> list[tuple[StepRow, StepStatus]]:
    states = {status.name: status for status in operation.status.steps}
    return [(row, states.get(row.name) or StepStatus(name=row.name, state="Pending")) for row in steps(operation, now)]


def _is_news(previous: StepRow | None, row: StepRow) -> bool:
    """A new state is, but that a step waits again; within a state only a new message of a step that runs."""
    if row.state == "Pending":
        return False
    if row.state != (previous.state if previous else "Pending"):
        return True
    return row.state == "Running" and row.message not in ("", previous.message if previous else "")


def _step_line(row: StepRow) -> str:
    took = f" in {duration(row.seconds)}" if row.seconds is not None and row.state != "Running" else ""
    message = f": {row.message}" if row.message else ""
    return f"{row.machine}: {row.title}: {row.state}{took}{message}"


def _time_of(row: StepRow, status: StepStatus) -> str:
    return status.started_at if row.state == "Running" else status.finished_at


def _phase(key: str, members: list[tuple[PlannedStep, StepStatus]], now: datetime) -> PhaseTime:
    spans = sorted(
        (parse_rfc3339(status.started_at), parse_rfc3339(status.finished_at) if status.finished_at else now)
        for _, status in members
    )
    seconds, reached = 0.0, spans[0][0]
    for start, end in spans:
        seconds += max(0.0, (end - max(start, reached)).total_seconds())
        reached = max(reached, end)
    return PhaseTime(key, members[0][0].title, len(members), seconds)


def _elapsed(start: str, end: str, now: datetime) -> float | None:
    if not start:
        return None
    until = parse_rfc3339(end) if end else now
    return max(0.0, (until - parse_rfc3339(start)).total_seconds())


def _stamp(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _clock(time: str) -> str:
    return parse_rfc3339(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def log_line(line: bytes) -> str:
    """Return one line of an Operation's log as text: time, step, what it says."""
    record = msgspec.json.decode(line, type=_LogLine)
    return f"{record.time} {record.step:<24} {record.line}"


class _LogLine(msgspec.Struct, frozen=True):
    time: str = ""
    step: str = ""
    line: str = ""
