"""One look at one Cluster, from the top, every time.

    hold what deletion will need → valid? → an Operation at work? wait → something new to plan? survey, preflight,
    plan, make an Operation → else observe the nodes → write the status once

A plan is made once for each set of inputs (what a person can change); a failed or cancelled Operation is not
repeated by itself, but when an input changes or a person says retry. A stale one is planned anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.target import Desired, resolve
from groundplane.api.validation import check_cluster
from groundplane.base.clock import Now
from groundplane.base.errors import Refused, Unavailable
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.plan.planes import rooted, touched
from groundplane.plan.preflight import Problem, check, errors

from ..access import Access
from ..assessing import Assessor
from ..members import Members, Seen
from ..objects import Objects
from . import deletion, holds
from .inspecting import inspect, with_warnings
from .leaving import facts_for, have_left, leaving, vouched
from .operations import make_operation
from .planning import (
    Proposal,
    RequestRefused,
    hindered,
    make_way,
    next_request,
    propose,
    without_asked,
    without_leaving,
)
from .scope import ClusterScope, load
from .settling import SETTLE, Settling
from .status import StatusDraft
from .unused import unused, waiting

OBSERVE_EVERY = 60.0
RETRY_BLOCKED = 30.0


@dataclass(frozen=True, slots=True)
class _Wished:
    """A proposal with what it was made from. `problems`: what preflight has to say, without errors."""

    proposal: Proposal
    desired: Desired
    facts: Mapping[str, MachineFacts]
    problems: list[Problem]


class ClusterReconciler:
    """Makes Operations and writes Cluster.status."""

    def __init__(self, objects: Objects, access: Access, members: Members, events: EventRecorder, *, now: Now) -> None:
        self._objects = objects
        self._assessor = Assessor(objects, now=now)
        self._access = access
        self._members = members
        self._events = events
        self._now = now
        self._settling = Settling(now)
        self.deletion = deletion.Deletion(objects, access, members)

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Cluster that Groundplane makes; imported ones are another controller's."""
        cluster = await self._objects.find(Cluster, key.namespace, key.name)
        if cluster is None or cluster.spec.provider == "Imported":
            return Again()
        scope = await load(self._objects, key.namespace, key.name)
        if scope is None:
            return Again()
        draft = self._draft(scope)
        if scope.cluster.metadata.deletion_timestamp:
            again = await self.deletion.reconcile(scope, draft)
        elif not holds.marked(scope.cluster):
            await holds.mark(self._objects, scope.cluster)
            # What was read is not the newest any more.
            return Again(0.0)
        else:
            again = await self._reconcile(scope, draft)
        if again is None:
            self._settling.forget(scope)
            return Again()
        facts = {m.metadata.name: m.status.facts for m in scope.machines if m.status.facts is not None}
        status = await self._assessor.assessed(scope.cluster, draft.finish(), facts)
        if await self._objects.write_status(scope.cluster, status):
            await self._tell(scope, draft)
        return again

    def _draft(self, scope: ClusterScope) -> StatusDraft:
        generation = scope.cluster.metadata.generation
        conditions = Conditions(scope.cluster.status.conditions, generation=generation, now=self._now())
        return StatusDraft(scope, conditions)

    async def _reconcile(self, scope: ClusterScope, draft: StatusDraft) -> Again:
        await holds.hold(self._objects, scope)
        if left := have_left(scope) | await self._unused(scope):
            await holds.release_left(self._objects, scope, left)
            return Again(SETTLE)
        valid = self._valid(scope, draft)
        await make_way(self._objects, scope)
        if scope.active is not None:
            # What is under way has its own frozen target, whatever the spec says meanwhile.
            draft.hindered(hindered(scope))
            draft.working(scope.active)
            if draft.watches_beside(scope.active):
                draft.observed(await self._observe(scope, draft))
            return Again(OBSERVE_EVERY)
        if not valid:
            return await self._blocked(scope, draft)
        if scope.open or next_request(scope):
            if not self._settling.settled(scope):
                return Again(SETTLE)
            again = await self._plan(scope, draft)
            if again is not None:
                return again
        draft.settled(None if scope.stale else scope.answer, await self._observe(scope, draft))
        return Again(OBSERVE_EVERY)

    async def _unused(self, scope: ClusterScope) -> set[str]:
        """Return the deleted machines on which there is nothing of the cluster."""
        return unused(scope, (await self._members.observe(scope.cluster)).facts) if leaving(scope) else set()

    async def _observe(self, scope: ClusterScope, draft: StatusDraft) -> Seen:
        """Look at the nodes, and at everything when that is due."""
        seen = await self._members.observe(scope.cluster)
        if not seen.facts.reachable:
            draft.answered()
            return seen
        changed_at = scope.latest.status.finished_at if scope.latest else ""
        facts = await self._members.survey(scope.cluster, changed_at=changed_at)
        if facts is not None:
            draft.surveyed(facts)
            draft.answered()
        return seen

    async def _blocked(self, scope: ClusterScope, draft: StatusDraft) -> Again:
        """What is wanted cannot be done now; a cluster that stands is watched over all the same."""
        if draft.stands:
            draft.observed(await self._observe(scope, draft))
        else:
            draft.answered()
        return Again(RETRY_BLOCKED)

    def _valid(self, scope: ClusterScope, draft: StatusDraft) -> bool:
        verdict = check_cluster(scope.cluster, scope.foundation, scope.distribution, scope.machines, scope.world)
        draft.validated(verdict)
        return not verdict.causes

    async def _plan(self, scope: ClusterScope, draft: StatusDraft) -> Again | None:
        """Plan and make an Operation. None: nothing to do, go on and observe."""
        observed = (await self._members.observe(scope.cluster)).facts
        known = without_asked(scope, vouched(scope, observed))
        wished = await self._wished(scope, draft, observed, known)
        if wished is not None and (unseen := touched(wished.proposal.chosen.plan) & known.keys()):
            # What was only known of the machines that it is about is looked at before anybody is asked.
            fresh = {name: facts for name, facts in wished.facts.items() if name not in unseen}
            wished = await self._wished(scope, draft, observed, fresh)
        proposal = await self._inspected(scope, draft, observed, wished) if wished is not None else None
        if proposal is None:
            return await self._blocked(scope, draft)
        chosen = proposal.chosen
        if proposal.left:
            await holds.release_left(self._objects, scope, proposal.left)
        if not chosen.plan.steps:
            draft.granted(proposal.request)
            if not proposal.of_spec:
                # Now for what the spec asks for.
                return Again(SETTLE)
            draft.planned(scope.inputs())
            return None
        operation = await make_operation(self._objects, scope, chosen, proposal.request)
        if proposal.of_spec:
            draft.planned(scope.inputs())
        draft.working(operation)
        return Again(SETTLE if draft.watches_beside(operation) else OBSERVE_EVERY)

    async def _wished(
        self, scope: ClusterScope, draft: StatusDraft, observed: ClusterFacts, known: Mapping[str, MachineFacts]
    ) -> _Wished | None:
        """Return what is to be done next; None when something stands against it, and the draft says what."""
        if scope.distribution is None:
            raise Refused(f"cannot plan cluster {scope.cluster.metadata.name}: it has no distribution")
        surveyed = await facts_for(self._access, scope, known)
        if surveyed.errors:
            draft.unreachable(surveyed.errors, remedy=waiting(surveyed.errors, scope, observed))
            return None
        target = resolve(scope.cluster, scope.foundation, scope.distribution, scope.machines)
        wish = Desired(target=target, machines={m.metadata.name: m for m in scope.machines})
        desired = rooted(wish, surveyed.facts, observed)
        problems = check(without_leaving(scope, desired, surveyed.facts, observed), surveyed.facts)
        draft.preflight(problems)
        if errors(problems):
            return None
        try:
            proposal = propose(scope, desired, surveyed.facts, observed)
        except (Refused, Unavailable) as error:
            draft.granted(error.request if isinstance(error, RequestRefused) else None)
            draft.refused(error)
            return None
        return _Wished(proposal, desired, surveyed.facts, problems)

    async def _inspected(
        self, scope: ClusterScope, draft: StatusDraft, observed: ClusterFacts, wished: _Wished
    ) -> Proposal | None:
        """Return the proposal with what to know of the nodes that it empties; None when that stands against it."""
        proposal, seen = wished.proposal, (wished.facts, observed)
        standing = await inspect(
            self._access, lambda: self._members.door(scope.cluster), proposal.chosen, wished.desired, seen
        )
        if standing:
            draft.preflight([*wished.problems, *standing])
        return None if errors(standing) else replace(proposal, chosen=with_warnings(proposal.chosen, standing))

    async def _tell(self, scope: ClusterScope, draft: StatusDraft) -> None:
        for level, reason, message in draft.news():
            tell = self._events.warning if level == "Warning" else self._events.normal
            await tell("Cluster", scope.cluster.metadata, reason, message)
