"""What a Cluster needs next, and who has to approve it. Between what was observed and the pure planners.

What a person asked for by an annotation is a request: it is open until an Operation carries its value, whatever came of
that one, unless it went stale or was given up for a newer plan. Requests go before what the spec asks for; among them
the way back first. One that an open Operation stands against is refused, and does not wait for its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.meta import (
    ANNOTATION_CANCELLED_FOR,
    ANNOTATION_CLEAN_UP,
    ANNOTATION_RENEW,
    ANNOTATION_ROLLBACK,
    ANNOTATION_UPDATE,
)
from groundplane.api.operation import Operation, Plan
from groundplane.api.target import ClusterTarget, Desired, wishes
from groundplane.base.errors import Refused
from groundplane.plan.asked import in_the_way, moved_by, require_clean_up, require_rollback, waits_to_clean_up
from groundplane.plan.choose import Chosen, next_plan
from groundplane.plan.clean_up import plan_clean_up
from groundplane.plan.planes import leave
from groundplane.plan.remove import plan_remove
from groundplane.plan.renew import plan_renew
from groundplane.plan.rollback import plan_rollback

from ..objects import Objects
from .leaving import leaving
from .scope import ClusterScope


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a person asked for by an annotation. `about`: the Operation that a rollback takes back."""

    annotation: str
    value: str
    about: Operation | None = None

    @property
    def key(self) -> str:
        """What the Cluster's status files the answer under; each Operation can be asked back on its own."""
        return f"{self.annotation}:{self.about.metadata.name}" if self.about is not None else self.annotation

    @property
    def machines(self) -> str:
        """The machines of a rollback; what follows them only makes a second request with the same words another one."""
        return self.value.partition("@")[0]

    @property
    def answer(self) -> str:
        """What an Operation, or the Cluster's status, says once the request is answered."""
        return f"{self.about.metadata.name}: {self.value}" if self.about is not None else self.value


class RequestRefused(Refused):
    """What was asked for by `request` is refused: that is its answer."""

    def __init__(self, request: Request, error: Refused) -> None:
        super().__init__(error.message, remedy=error.remedy)
        self.request = request


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan with its target, and the request that it answers, if it is for one.

    `left`: deleted machines on which nothing of the cluster is. `refusal`: why others of them stay members.
    """

    chosen: Chosen
    request: Request | None = None
    left: Sequence[str] = ()
    refusal: Refused | None = None

    @property
    def of_spec(self) -> bool:
        """Whether the inputs are planned with it: what is asked for beside the spec leaves the spec to be planned."""
        return self.request is None or (self.request.about is not None and bool(self.chosen.plan.steps))

    def allowed(self) -> Proposal:
        """Return it; raises the refusal when there is nothing else in it."""
        if self.refusal is not None and not self.chosen.plan.steps and self.request is None:
            raise self.refusal
        return self


def asks_of_nodes(scope: ClusterScope) -> bool:
    """Tell whether anything is asked of the nodes of an adopted cluster: by its spec, by unify, or as an update."""
    updates = any(machine.metadata.annotations.get(ANNOTATION_UPDATE, "") for machine in scope.machines)
    return wishes(scope.cluster) or scope.foundation is not None or updates


def next_request(scope: ClusterScope) -> Request | None:
    """Return what was asked for and is not answered yet; of several the one that is done first."""
    return next(iter(open_requests(scope)), None)


def open_requests(scope: ClusterScope) -> list[Request]:
    """Return all that was asked for and is not answered yet."""
    answers = [one.metadata.annotations for one in scope.operations if one.status.phase != "Stale"]

    def answered(one: Request) -> bool:
        told = scope.cluster.status.requests.get(one.key)
        return one.answer in (told, *(each.get(one.annotation) for each in answers))

    return [one for one in _requests(scope) if not answered(one)]


def without_asked(scope: ClusterScope, known: Mapping[str, MachineFacts]) -> dict[str, MachineFacts]:
    """Return what is known, but of machines that a way back or a clean-up is about: these are looked at first."""
    request = next_request(scope)
    if request is None or request.annotation == ANNOTATION_RENEW:
        return dict(known)
    about = moved_by(request.about) if request.about is not None else known
    return {name: facts for name, facts in known.items() if name not in about}


def hindered(scope: ClusterScope) -> list[RequestRefused]:
    """Return what is refused because of an Operation that is open: it must not be done later, when that has ended."""
    found = []
    # One that is given up in this look is not in the way any more.
    operations = [one for one in scope.operations if one is not scope.superseded]
    if in_the_way(operations) is None:
        return []
    for request in open_requests(scope):
        try:
            _require(request, scope.cluster.metadata.name, operations)
        except Refused as error:
            found.append(RequestRefused(request, error))
    return found


def overtaken(scope: ClusterScope) -> Operation | None:
    """Return the clean-up that waits for approval while a way back is asked for that it would make impossible."""
    one = in_the_way(scope.operations)
    if one is None or not waits_to_clean_up(one):
        return None
    refused = {error.request.key for error in hindered(scope)}
    back = [request for request in open_requests(scope) if request.about is not None and request.key not in refused]
    return one if back else None


def propose(
    scope: ClusterScope, desired: Desired, facts: Mapping[str, MachineFacts], observed: ClusterFacts
) -> Proposal:
    """Return what is to be done next; a plan without steps when nothing is. Raises Refused, or RequestRefused."""
    return propose_beside(scope, desired, facts, observed).allowed()


def propose_beside(
    scope: ClusterScope, desired: Desired, facts: Mapping[str, MachineFacts], observed: ClusterFacts
) -> Proposal:
    """The same for whoever has more to do: a removal that is refused is in the proposal when that has no steps."""
    request, removal = next_request(scope), _removal(desired, facts, observed, leaving(scope))
    staying = leave(desired, removal.names)
    if request is not None and request.about is not None:
        return _asked(scope, request, staying, facts, observed)
    if removal.refusal is not None and scope.planned and not (scope.unfinished or scope.stale or request):
        raise removal.refusal
    if removal.names:
        chosen = noted(Chosen(removal.plan, staying.target), removal.refusal)
        return Proposal(chosen, left=() if removal.plan.steps else removal.names)
    proposal = _wanted(scope, request, staying, facts, observed)
    return replace(proposal, chosen=noted(proposal.chosen, removal.refusal), refusal=removal.refusal)


def without_leaving(
    scope: ClusterScope, desired: Desired, facts: Mapping[str, MachineFacts], observed: ClusterFacts
) -> Desired:
    """Return the wish without the deleted machines that may go; one whose removal is refused is a member still."""
    return leave(desired, _removal(desired, facts, observed, leaving(scope)).names)


@dataclass(frozen=True, slots=True)
class _Removal:
    """What takes deleted machines out: `names` are those that it may. `refusal`: why the others stay members."""

    plan: Plan
    names: Sequence[str]
    refusal: Refused | None = None


def _removal(
    desired: Desired, facts: Mapping[str, MachineFacts], observed: ClusterFacts, gone: Sequence[str]
) -> _Removal:
    """Plan the removal of as many as may go: one that is refused must not keep everything else from being done."""
    refusal: Refused | None = None
    names = []
    for name in gone:
        try:
            plan_remove(desired, facts, observed, [name])
            names.append(name)
        except Refused as error:
            refusal = error
    try:
        return _Removal(plan_remove(desired, facts, observed, names), names, refusal)
    except Refused as error:
        # Each may go alone, and not all of them.
        return _Removal(Plan(action="Remove"), [], error)


def noted(chosen: Chosen, refusal: Refused | None) -> Chosen:
    """Return the plan with what is not done by it."""
    if refusal is None:
        return chosen
    return Chosen(msgspec.structs.replace(chosen.plan, notes=[*chosen.plan.notes, str(refusal)]), chosen.target)


def _wanted(
    scope: ClusterScope,
    request: Request | None,
    staying: Desired,
    facts: Mapping[str, MachineFacts],
    observed: ClusterFacts,
) -> Proposal:
    """Return what is next of a cluster from which no machine is taken: what was asked for, or else its spec."""
    if request is not None:
        return _asked(scope, request, staying, facts, observed)
    if staying.target.origin == "Adopted" and not asks_of_nodes(scope):
        return Proposal(Chosen(Plan(action="Change", summary="nothing is asked for"), staying.target))
    releases = scope.distribution.spec.releases if scope.distribution is not None else []
    return Proposal(next_plan(staying, facts, observed, releases))


def _asked(
    scope: ClusterScope,
    request: Request,
    staying: Desired,
    facts: Mapping[str, MachineFacts],
    observed: ClusterFacts,
) -> Proposal:
    """Return the plan for a request. Raises RequestRefused."""
    try:
        _require(request, staying.target.name, scope.operations)
        if request.about is None:
            plan = _PLANNERS[request.annotation](staying, facts, observed)
            if request.annotation == ANNOTATION_CLEAN_UP and not plan.steps:
                raise Refused(
                    f"cannot clean up cluster {staying.target.name}: there is nothing left of a former runtime"
                )
            return Proposal(Chosen(plan, staying.target), request)
        chosen = plan_rollback(request.about, request.machines, staying, facts, observed)
        if not chosen.plan.steps:
            name, runtime = request.about.metadata.name, chosen.target.runtime.name
            raise Refused(f"cannot roll back {name}: its machines are on {runtime} already")
        return Proposal(chosen, request)
    except Refused as error:
        raise RequestRefused(request, error) from error


def _require(request: Request, cluster: str, operations: Sequence[Operation]) -> None:
    """Raise Refused when the Operations say that the request cannot be done as things are."""
    if request.about is not None:
        require_rollback(request.about, request.machines, operations)
    elif request.annotation == ANNOTATION_CLEAN_UP:
        require_clean_up(cluster, operations)


# What a person can ask of a Cluster by an annotation with a new value, in the order in which it is done.
_PLANNERS = {ANNOTATION_RENEW: plan_renew, ANNOTATION_CLEAN_UP: plan_clean_up}


def approved_at_once(cluster: Cluster, target: ClusterTarget, plan: Plan) -> bool:
    """Tell whether nobody has to approve: the Cluster's own spec asks for it, and its owner wants no questions.

    What removes things for good waits for a person always, as does what changes a cluster that was there before, and
    what only a Foundation asks of living nodes: editing one must not drain a fleet.
    """
    if plan.action == "Release":
        # It is how a deletion ends, and whoever deletes has said so.
        return True
    if target.change.approval != "Automatic" or plan.action == "CleanUp":
        return False
    if target.origin == "Adopted":
        return False
    return plan.action != "Change" or bool(plan.rolls_back) or _asked_for(cluster, plan)


def _asked_for(cluster: Cluster, plan: Plan) -> bool:
    """Tell whether the Cluster itself sets everything that a change is about."""
    spec, keys = cluster.spec, {step.step for step in plan.steps}
    floors = any(change.what == "kernel" for step in plan.steps for change in step.changes)
    asked = {
        # An update is asked for by an annotation, of the Cluster or of its Machine; a kernel's floor by a Foundation.
        "system-packages": not floors,
        "switch-runtime": spec.runtime is not None,
        "upgrade-kubelet": bool(spec.kubernetes.version),
        "upgrade-control-plane": bool(spec.kubernetes.version),
        "host-settings": spec.settings is not None,
    }
    return all(asked.get(key, True) for key in keys)


def _requests(scope: ClusterScope) -> Iterator[Request]:
    """Yield everything that is asked for, answered or not; the way back goes first."""
    for operation in scope.operations:
        value = operation.metadata.annotations.get(ANNOTATION_ROLLBACK, "")
        if value and not operation.spec.plan.rolls_back:
            yield Request(ANNOTATION_ROLLBACK, value, operation)
    for annotation in _PLANNERS:
        if value := scope.cluster.metadata.annotations.get(annotation, ""):
            yield Request(annotation, value)


async def make_way(objects: Objects, scope: ClusterScope) -> None:
    """Cancel what waits for approval when it has been overtaken: by other inputs, or a clean-up by a way back."""
    if scope.superseded is not None:
        await _cancel(objects, scope.superseded, _CHANGED, reopen=True)
    elif (one := overtaken(scope)) is not None:
        await _cancel(objects, one, _WAY_BACK)


_CHANGED = "what it was planned from has changed, and a new plan takes its place"
_WAY_BACK = "a rollback was asked for, which a clean-up would make impossible"


async def _cancel(objects: Objects, operation: Operation, why: str, *, reopen: bool = False) -> None:
    """Cancel an Operation that nobody has approved; `reopen`: the request that it answers is open again."""
    meta = operation.metadata
    answered = {name: None for name in (*_PLANNERS, ANNOTATION_ROLLBACK) if reopen and name in meta.annotations}
    patch = {
        "metadata": {
            "resourceVersion": meta.resource_version,
            "annotations": {**answered, ANNOTATION_CANCELLED_FOR: why},
        },
        "spec": {"cancel": "Requested"},
    }
    await objects.patch(Operation, meta.namespace, meta.name, patch)
