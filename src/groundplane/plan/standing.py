"""How one Cluster stands in a run of unify, told from the Cluster and its Operations alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from groundplane.api.cluster import Cluster
from groundplane.api.meta import ANNOTATION_UNIFY, find_condition
from groundplane.api.operation import FINAL_PHASES, Operation
from groundplane.api.unify import UnifyState

from .waves import Standing

_BLOCKING = (("SpecValid", "Invalid"), ("PreflightPassed", "Problems"), ("Progressing", "Refused"))
_SILENT = ("MachinesReachable", "Adopted", "Reachable", "Imported")
_LOST: dict[str, UnifyState] = {"OperationFailed": "Failed", "OperationCancelled": "Cancelled"}


@dataclass(frozen=True, slots=True)
class Told:
    """A Standing with what a person reads: the run's Operations and how it goes.

    `silent`: no plan can be made as long as machines or the cluster do not answer, or are not what was imported.
    """

    standing: Standing
    operations: list[str]
    message: str = ""
    silent: bool = False


def standing_of(name: str, cluster: Cluster | None, operations: Sequence[Operation], run: str) -> Told:
    """Tell how a Cluster stands; `operations` are its own, oldest first. None: it is not there any more."""
    mine = [one for one in operations if one.metadata.annotations.get(ANNOTATION_UNIFY) == run]
    names = [one.metadata.name for one in mine]
    if cluster is None or cluster.metadata.deletion_timestamp:
        return Told(Standing(name, "Gone"), names, "it was deleted")
    standing = Standing(
        name,
        turn=cluster.metadata.annotations.get(ANNOTATION_UNIFY) == run,
        begun=any(one.spec.approval == "Approved" for one in mine),
    )
    is_open = next((one for one in operations if one.status.phase not in FINAL_PHASES), None)
    if is_open is not None and is_open in mine:
        return _under_way(standing, is_open, names)
    state, message = _ended(mine[-1], cluster) if mine else _not_begun(cluster, run, turn=standing.turn)
    if is_open is not None and state in ("Waiting", "Planning"):
        if _superseded(is_open):
            return Told(_with(standing, state), names, message)
        other = f"operation {is_open.metadata.name}, which is not of this run, has not ended"
        return Told(_with(standing, state, hindered=other), names, other)
    if state == "Planning" and (why := _silence(cluster)):
        return Told(_with(standing, state), names, why, silent=True)
    return Told(_with(standing, state), names, message)


def _superseded(operation: Operation) -> bool:
    """Tell whether an Operation of before the turn is only a plan: a Change or a Join that nobody has approved.

    The Cluster's controller gives it up for the plan of the turn. What a person asked for, such as a rollback, and what
    has begun is waited for.
    """
    spec = operation.spec
    return spec.plan.action in ("Change", "Join") and not spec.plan.rolls_back and spec.approval == "Pending"


def _under_way(standing: Standing, operation: Operation, names: list[str]) -> Told:
    """An Operation of the run: only one that a person has not cancelled waits for the run's approval."""
    asks = operation.spec.approval == "Pending" and not operation.spec.cancel
    words = operation.spec.plan.summary if asks else operation.status.progress or operation.spec.plan.summary
    state: UnifyState = "Planned" if asks else "Running"
    return Told(_with(standing, state, operation=operation.metadata.name), names, words)


def _ended(last: Operation, cluster: Cluster) -> tuple[UnifyState, str]:
    """How the cluster stands when the run's last Operation of it has ended."""
    progress = last.status.progress
    if last.status.phase == "Failed":
        return "Failed", progress
    if last.status.phase == "Cancelled":
        return "Cancelled", progress
    if last.status.phase == "Succeeded" and not last.spec.plan.next:
        return "Done", progress
    if blocked := _blocked(cluster):
        return "Blocked", blocked
    return "Planning", last.spec.plan.next or "a new plan is being made"


def _not_begun(cluster: Cluster, run: str, *, turn: bool) -> tuple[UnifyState, str]:
    if not turn:
        return "Waiting", ""
    if cluster.status.unify_answered != run:
        return "Planning", "a plan is being made"
    if blocked := _blocked(cluster):
        return "Blocked", blocked
    progressing = find_condition(cluster.status.conditions, "Progressing")
    if progressing is not None and progressing.reason == "Done":
        return "Done", progressing.message
    if progressing is not None and progressing.reason in _LOST:
        return _LOST[progressing.reason], progressing.message
    return "Planning", "a plan is being made"


def _silence(cluster: Cluster) -> str:
    """Return why no plan can be made for now; empty when nothing says so."""
    found = (find_condition(cluster.status.conditions, kind) for kind in _SILENT)
    return next((one.message or one.reason for one in found if one is not None and one.status == "False"), "")


def _blocked(cluster: Cluster) -> str:
    """Return why nothing can be done to the cluster as it is; empty when nothing says so."""
    for kind, reason in _BLOCKING:
        found = find_condition(cluster.status.conditions, kind)
        if found is not None and (found.status, found.reason) == ("False", reason):
            return found.message or reason
    return ""


def _with(standing: Standing, state: UnifyState, **said: Any) -> Standing:
    return replace(standing, state=state, **said)
