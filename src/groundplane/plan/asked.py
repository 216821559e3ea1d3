"""What may be asked for beside a spec, told from Operations alone: who asks and who answers hold it to the same rules.

What cannot be done when it is asked for is refused then. It does not wait, for it would be done when nobody thinks of
it any more. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from groundplane.api.operation import FINAL_PHASES, Operation, PlannedStep
from groundplane.base.errors import Refused

_SWITCH = "switch-runtime"
_CLEAN_UP = "clean-up"


def require_rollback(operation: Operation, wanted: str, operations: Sequence[Operation]) -> None:
    """Raise Refused when `operation` cannot be taken back on `wanted` machines: "all", or names with commas between.

    `operations` are all of its Cluster. One that waits for approval to clean up is not in the way: it makes way.
    """
    name, plan = operation.metadata.name, operation.spec.plan
    cluster = operation.spec.cluster_ref.name
    if plan.rolls_back:
        raise Refused(
            f"cannot roll back {name}: it is a rollback itself", remedy=f"forward again: groundplane retry {cluster}"
        )
    if operation.status.phase not in FINAL_PHASES:
        raise Refused(
            f"cannot roll back {name}: it has not ended ({phase_of(operation)})",
            remedy=f"stop it with: groundplane operation cancel {name}",
        )
    chosen(operation, wanted)
    _require_not_cleaned(operation, wanted, operations)
    other = in_the_way(operations)
    if other is None or waits_to_clean_up(other):
        return
    raise Refused(f"cannot roll back {name}: {_not_ended(other)}", remedy=_when_it_has_ended(other))


def require_clean_up(cluster: str, operations: Sequence[Operation]) -> None:
    """Raise Refused when a clean-up of the Cluster would have to wait for another Operation, or is one already."""
    other = in_the_way(operations)
    if other is not None:
        raise Refused(f"cannot clean up cluster {cluster}: {_not_ended(other)}", remedy=_when_it_has_ended(other))


def in_the_way(operations: Sequence[Operation]) -> Operation | None:
    """Return the Operation that is open; one that is cancelled before it began is gone in a moment."""
    return next((one for one in operations if one.status.phase not in FINAL_PHASES and not _leaving(one)), None)


def waits_to_clean_up(operation: Operation) -> bool:
    """Tell whether it is a clean-up that nobody has approved yet: nothing was removed by it."""
    spec = operation.spec
    return spec.plan.action == "CleanUp" and spec.approval == "Pending" and not operation.status.started_at


def moved_by(operation: Operation) -> dict[str, PlannedStep]:
    """Return the machines that an ended Operation brought to another runtime, each with its step.

    Not those that it did not come to, nor those that it brought back itself.
    """
    states = {step.name: step for step in operation.status.steps}

    def moved(step: PlannedStep) -> bool:
        state = states.get(step.name)
        if state is None:
            return operation.status.phase == "Succeeded"
        return bool(state.started_at) and state.state != "Undone"

    return {step.machine: step for step in operation.spec.plan.steps if step.step == _SWITCH and moved(step)}


def chosen(operation: Operation, wanted: str) -> list[str]:
    """Return the machines that are to go back. Raises Refused for one that the Operation did not move."""
    name, moved = operation.metadata.name, list(moved_by(operation))
    names = moved if wanted == "all" else [each.strip() for each in wanted.split(",") if each.strip()]
    strangers = [each for each in names if each not in moved]
    if not strangers and names:
        return names
    if moved:
        words = f"it did not move {', '.join(strangers)}" if strangers else "no machine is named"
        raise Refused(f"cannot roll back {name}: {words}", remedy=f"choose among {', '.join(moved)}")
    began = operation.status.started_at or operation.status.phase == "Succeeded"
    words = "moved no machine to another runtime" if began else "changed nothing"
    raise Refused(
        f"cannot roll back {name}: it is {phase_of(operation)} and {words}",
        remedy="choose an Operation that migrated a runtime",
    )


def phase_of(operation: Operation) -> str:
    """Return the phase; one that nobody has looked at yet is Pending."""
    return operation.status.phase or "Pending"


def no_way_back(name: str, machines: Sequence[str], runtime: str, by: str = "") -> Refused:
    """Return the refusal for machines from which the former runtime was removed, `by` an Operation if one is known."""
    removed = f"{runtime} was removed from {', '.join(machines)}" + (f" by {by}" if by else "")
    return Refused(
        f"cannot roll back {name}: {removed}, and after a clean-up there is no way back",
        remedy=f"ask for {runtime} as a new change with spec.runtime, where the machines can install it; machines that"
        " still have it are named with --machine",
    )


def _require_not_cleaned(operation: Operation, wanted: str, operations: Sequence[Operation]) -> None:
    names, made = chosen(operation, wanted), operation.metadata.creation_timestamp
    for one in operations:
        if one.spec.plan.action != "CleanUp" or one.metadata.creation_timestamp < made:
            continue
        begun = {step.name for step in one.status.steps if step.state in ("Succeeded", "Failed", "Cancelled")}
        begun &= {step.name for step in one.status.steps if step.started_at}
        steps = {step.machine for step in one.spec.plan.steps if step.step == _CLEAN_UP and step.name in begun}
        if gone := [name for name in names if name in steps]:
            raise no_way_back(operation.metadata.name, gone, "docker", one.metadata.name)


def _leaving(operation: Operation) -> bool:
    return operation.spec.cancel == "Requested" and not operation.status.started_at


def _not_ended(other: Operation) -> str:
    what = "clean-up" if other.spec.plan.action == "CleanUp" else "operation"
    return f"{what} {other.metadata.name} has not ended ({phase_of(other)})"


def _when_it_has_ended(other: Operation) -> str:
    name, cluster = other.metadata.name, other.spec.cluster_ref.name
    if other.spec.approval == "Pending":
        return f"read it with: groundplane plan {cluster}; then approve it, or: groundplane operation cancel {name}"
    return f"ask again when it has: groundplane operation watch {name}"
