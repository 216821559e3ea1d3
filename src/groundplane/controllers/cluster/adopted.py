"""Imported Clusters that have Machines: matched to their Nodes, and changed as their spec asks once they are.

    survey the machines → hold them against the Nodes → say so (condition Adopted) → an Operation at work? say how it
    goes → something new to plan? plan, make an Operation that waits for a person

While an Operation is carried out, its machines are left alone unless a person asks for a look.

Machines that are no Nodes yet join it, once nothing is to be done on the nodes that are there.

To adopt writes nothing: not on a machine, and not in the cluster. Before the first Operation that may is made, the
Cluster gets its finalizer, and its Machines and their Secrets are held, so that what was written can be taken away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.meta import ANNOTATION_RENEW, ANNOTATION_SURVEY
from groundplane.api.target import ClusterTarget, Desired, Found, resolve_adopted, resolve_grown
from groundplane.api.validation.shared import runnable
from groundplane.api.validation.together import claims
from groundplane.base.certificates import as_found
from groundplane.base.clock import Now
from groundplane.base.errors import GroundplaneError, Refused
from groundplane.client.contract import Object
from groundplane.client.informer import ObjectChange
from groundplane.engine.conditions import Conditions
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.plan.adoption import Adoptee, match, newcomers
from groundplane.plan.choose import Chosen, with_rest
from groundplane.plan.grow import plan_grow
from groundplane.plan.preflight import Problem, check, errors
from groundplane.plan.view import holds_back

from ..access import Access
from ..objects import Objects
from . import holds
from .deletion import Deletion, may_be_on_machines
from .inspecting import OpenDoor, inspect, with_warnings
from .leaving import given_up, have_left, leaving
from .operations import make_operation
from .planning import (
    Proposal,
    RequestRefused,
    asks_of_nodes,
    make_way,
    next_request,
    noted,
    open_requests,
    propose_beside,
)
from .scope import ClusterScope, basis, belongs, ground_of, load, wanted_distribution
from .settling import Settling
from .status import StatusDraft
from .unused import remedy, unused, why


class Memberships:
    """Which Clusters have Machines, as the informer of Machines tells it: most imported ones have none."""

    def __init__(self) -> None:
        self._members: dict[ObjectKey, set[str]] = {}

    def take(self, change: ObjectChange) -> None:
        """Take in a change of a Machine."""
        for document in (change.old, change.new):
            if document is not None and (cluster := _cluster_of(document)):
                self._members.get(cluster, set()).discard(document["metadata"]["uid"])
        if change.new is not None and (cluster := _cluster_of(change.new)):
            self._members.setdefault(cluster, set()).add(change.new["metadata"]["uid"])

    def has(self, key: ObjectKey) -> bool:
        """Tell whether Machines point to the Cluster."""
        return bool(self._members.get(key))


def _cluster_of(machine: Object) -> ObjectKey | None:
    reference = machine.get("spec", {}).get("clusterRef")
    return ObjectKey(machine["metadata"].get("namespace", ""), reference["name"]) if reference else None


@dataclass(frozen=True, slots=True)
class Advanced:
    """What a look came to. `pending`: look again soon; `moved`: at once, for somebody changed something meanwhile.

    `settling`: in a moment, for more Machines may be coming or going.

    `unprotect`: no machine was touched, so the finalizer is of no use. `scope` is what was read last, where that is
    newer than what the look began with.
    """

    status: ClusterStatus
    pending: bool = False
    moved: bool = False
    settling: bool = False
    unprotect: bool = False
    scope: ClusterScope | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What the cluster answered: `facts` with its nodes. `authority` is the CA (PEM) that the kubeconfig trusts."""

    facts: ClusterFacts
    authority: bytes = b""


class Adoption:
    """Looks at adopted Clusters, for the controller of imported ones."""

    def __init__(
        self, objects: Objects, access: Access, memberships: Memberships, deletion: Deletion, *, now: Now
    ) -> None:
        self._objects = objects
        self._access = access
        self._memberships = memberships
        self._deletion = deletion
        self._now = now
        self._settling = Settling(now)

    async def scope(self, cluster: Cluster) -> ClusterScope | None:
        """Read everything about a Cluster that has Machines, or whose mark may be on some; None for any other."""
        meta = cluster.metadata
        if not self._memberships.has(ObjectKey(meta.namespace, meta.name)) and not holds.marked(cluster):
            return None
        scope = await load(self._objects, meta.namespace, meta.name)
        return _in_its_turn(scope) if scope is not None else None

    async def inputs(self, scope: ClusterScope) -> tuple[str, ...]:
        """Return what makes a new look worth while at once: what people change, and how Operations go."""
        namespace, logins = scope.cluster.metadata.namespace, set[str]()
        for machine in scope.machines:
            ssh = machine.spec.ssh
            logins |= {ref.name for ref in (ssh.secret_ref, ssh.jump and ssh.jump.secret_ref) if ref}
        secrets = [await self._objects.secret(namespace, name) for name in sorted(logins)]
        coming = any(not node.node for node in scope.cluster.status.nodes)
        return (
            scope.inputs(),
            ground_of(scope) if coming else "",
            *(f"{one.key}={one.answer}" for one in open_requests(scope)),
            *(f"{one.metadata.name}:{one.spec.approval}:{one.status.phase}" for one in scope.operations),
            *(str(secret["metadata"].get("resourceVersion", "")) if secret else "" for secret in secrets),
        )

    def working(self, scope: ClusterScope, status: ClusterStatus, refused: Sequence[RequestRefused]) -> ClusterStatus:
        """Return the status with how the Operation at work goes, if one is, and what is refused because of it."""
        draft = self._draft(scope, status)
        if scope.active is not None:
            draft.hindered(refused)
            draft.working(scope.active)
        return draft.finish()

    async def advance(
        self, scope: ClusterScope, status: ClusterStatus, found: Answered, open_door: OpenDoor
    ) -> Advanced:
        """Match the Machines, and make the Operation that the spec asks for."""
        facts = found.facts
        scope = _with_ground(scope, facts)
        if holds.marked(scope.cluster):
            await holds.hold(self._objects, scope)
        draft = self._draft(scope, status)
        draft.members(facts.nodes)
        await make_way(self._objects, scope)
        if left := have_left(scope) | unused(scope, facts):
            await holds.release_left(self._objects, scope, left)
            return Advanced(draft.finish(), pending=True)
        if scope.active is not None:
            draft.working(scope.active)
            # Whoever waits for an approval, or asks for a look, is told what is true now.
            if not (scope.active.spec.approval == "Pending" or _asked_to_look(scope.cluster)):
                return Advanced(draft.finish())
            fits = (await self._matched(scope, draft, found)).fits
            return Advanced(draft.finish(), pending=not fits)
        matched = await self._matched(scope, draft, found)
        machines, joining = matched.machines, matched.joining
        unproven = [name for name in _unproven(scope) if name in machines and name not in joining]
        if not matched.fits:
            draft.concluded(None if scope.stale else scope.answer)
            return Advanced(draft.finish(), pending=True)
        wished = asks_of_nodes(scope) or bool(leaving(scope) or joining or unproven)
        if next_request(scope) is not None or (
            wished and (scope.stale or scope.unfinished or not (scope.planned and scope.removed))
        ):
            if (joining or leaving(scope)) and not self._settling.settled(scope):
                return Advanced(draft.finish(), settling=True)
            return await self._plan(scope, draft, _Seen(machines, facts, joining, unproven), open_door)
        self._settling.forget(scope)
        draft.clear()
        draft.concluded(None if scope.stale else scope.answer)
        return Advanced(draft.finish(), unprotect=holds.marked(scope.cluster) and not may_be_on_machines(scope))

    async def _matched(self, scope: ClusterScope, draft: StatusDraft, found: Answered) -> _Matched:
        """Look at the machines, and say in the draft whether they are the Nodes."""
        surveyed = await self._access.survey([m for m in scope.machines if not given_up(m)])
        adoptee = Adoptee(_key(scope), found.facts, authorities_of(found.authority))
        ours = {name for name in leaving(scope) if _carries_mark(surveyed.facts.get(name), adoptee.key)}
        matched = match({m.metadata.name: m for m in scope.machines}, surveyed.facts, adoptee)
        # A removal that was cut off has taken away what would prove that such a machine was a Node.
        problems = [
            *_unreached(surveyed.errors),
            *_claimed(scope),
            *(problem for problem in matched if problem.machine not in ours),
        ]
        staying = {m.metadata.name: m for m in scope.machines if not m.metadata.deletion_timestamp}
        joining = newcomers(staying, surveyed.facts, adoptee)
        there = [name for name in surveyed.facts if name not in joining and adoptee.node(name) is not None]
        problems = [_of_leaving(problem, scope, found.facts) for problem in problems]
        draft.adopted(problems, len(there), joining)
        return _Matched(surveyed.facts, joining, fits=not errors(problems))

    async def delete(self, scope: ClusterScope) -> tuple[Again, ClusterStatus] | None:
        """Let the cluster go, which runs on; None when the finalizer is gone and there is no status to write."""
        draft = self._draft(scope, scope.cluster.status)
        again = await self._deletion.reconcile(scope, draft)
        return (again, draft.finish()) if again is not None else None

    async def _protected(self, scope: ClusterScope) -> ClusterScope | None:
        """Make sure that a deletion waits for us; return what is there then, None when it is something else by now."""
        if holds.marked(scope.cluster):
            return scope
        meta = scope.cluster.metadata
        await holds.mark(self._objects, scope.cluster)
        fresh = await load(self._objects, meta.namespace, meta.name)
        if fresh is None or not holds.marked(fresh.cluster):
            return None
        fresh = replace(_in_its_turn(fresh), aside=scope.aside)
        if fresh.inputs() != scope.inputs():
            return None
        await holds.hold(self._objects, fresh)
        return fresh

    async def unprotect(self, scope: ClusterScope) -> None:
        """Let the Machines and their Secrets go again: what was wished for was given up before it began."""
        await self._deletion.finish(scope)

    async def _plan(self, scope: ClusterScope, draft: StatusDraft, seen: _Seen, open_door: OpenDoor) -> Advanced:
        try:
            proposal, desired = _proposal(scope, seen)
        except Refused as error:
            draft.granted(error.request if isinstance(error, RequestRefused) else None)
            draft.refused(error)
            return Advanced(draft.finish())
        chosen = proposal.chosen
        if proposal.left:
            await holds.release_left(self._objects, scope, proposal.left)
        if not chosen.plan.steps:
            draft.clear()
            draft.granted(proposal.request)
            if proposal.of_spec:
                draft.planned(scope.inputs())
            draft.concluded(scope.answer)
            return Advanced(draft.finish(), pending=not proposal.of_spec)
        held = await self._protected(scope)
        if held is None:
            return Advanced(draft.finish(), moved=True)
        standing = await inspect(self._access, open_door, chosen, desired, (seen.machines, seen.cluster))
        if chosen.plan.action == "Join":
            standing += check(desired, seen.machines, among=seen.joining)
        draft.preflight(standing)
        if errors(standing):
            return Advanced(draft.finish(), pending=True, scope=held)
        chosen = with_warnings(chosen, standing)
        operation = await make_operation(self._objects, held, chosen, proposal.request)
        if proposal.of_spec:
            draft.planned(held.inputs())
        self._settling.forget(scope)
        draft.working(operation)
        return Advanced(draft.finish(), scope=held)

    def _draft(self, scope: ClusterScope, status: ClusterStatus) -> StatusDraft:
        cluster = msgspec.structs.replace(scope.cluster, status=status)
        conditions = Conditions(status.conditions, generation=cluster.metadata.generation, now=self._now())
        return StatusDraft(replace(scope, cluster=cluster), conditions)


@dataclass(frozen=True, slots=True)
class _Matched:
    """How the Machines were held against the Nodes: `joining` are those that are no Nodes yet, by name."""

    machines: Mapping[str, MachineFacts]
    joining: Sequence[str]
    fits: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a plan is made from. `joining` are Machines that are no Nodes yet, by name.

    `unproven`: Nodes for which the Join that made them did not come to its end.
    """

    machines: Mapping[str, MachineFacts]
    cluster: ClusterFacts
    joining: Sequence[str]
    unproven: Sequence[str]


def _proposal(scope: ClusterScope, seen: _Seen) -> tuple[Proposal, Desired]:
    """Return what is next, and the wish that it is made from: first all of the nodes that are there, then new ones."""
    every, request = scope.machines, next_request(scope)
    there = [machine for machine in every if machine.metadata.name not in seen.joining]
    alike = not asks_of_nodes(scope) and (request is None or request.annotation == ANNOTATION_RENEW)
    found = Found(seen.machines, seen.cluster, any_runtime=alike)
    target = resolve_adopted(scope.cluster, scope.foundation, scope.distribution, there, found)
    _require_runnable(scope, target)
    desired = Desired(target=target, machines={m.metadata.name: m for m in there})
    proposal = propose_beside(scope, desired, seen.machines, seen.cluster)
    goes_on = _may_join(scope, proposal)
    if proposal.chosen.plan.steps:
        begin = _begin(scope, seen.joining) if goes_on else []
        return replace(proposal, chosen=with_rest(proposal.chosen, begin)), desired
    grown = _grown(scope, seen, found) if goes_on else None
    if grown is not None and grown[0].plan.steps:
        return replace(proposal, chosen=noted(grown[0], proposal.refusal)), grown[1]
    return proposal.allowed(), desired


def _may_join(scope: ClusterScope, proposal: Proposal) -> bool:
    """Tell whether machines may join now, or next.

    In a turn of unify nobody does: the run's one approval would be for that, too. What a person asked for stands alone.
    """
    return not scope.run and proposal.request is None and not proposal.left


def _begin(scope: ClusterScope, names: Sequence[str]) -> list[str]:
    """Return those of the machines that nobody holds back."""
    held = {machine.metadata.name for machine in scope.machines if holds_back(machine)}
    return [name for name in names if name not in held]


def _grown(scope: ClusterScope, seen: _Seen, found: Found) -> tuple[Chosen, Desired] | None:
    """Return what has new machines join, with its wish; None when there is none."""
    begin, unproven = _begin(scope, seen.joining), _begin(scope, seen.unproven)
    if not begin and not unproven:
        return None
    waiting = set(seen.joining) - set(begin)
    machines = [machine for machine in scope.machines if machine.metadata.name not in waiting]
    foundation, _ = basis(scope.world, scope.cluster)
    target = resolve_grown(scope.cluster, foundation, scope.distribution, machines, replace(found, any_runtime=False))
    desired = Desired(target=target, machines={m.metadata.name: m for m in machines})
    chosen = plan_grow(desired, seen.machines, seen.cluster, begin, unproven)
    return chosen, msgspec.structs.replace(desired, target=chosen.target)


def _with_ground(scope: ClusterScope, facts: ClusterFacts) -> ClusterScope:
    """Return the scope with what new machines come with: another Foundation or version makes another plan for them."""
    nodes = {node.name for node in facts.nodes}
    coming = any(m.metadata.name not in nodes and not m.metadata.deletion_timestamp for m in scope.machines)
    if scope.run or not (coming or _unproven(scope)):
        return scope
    return replace(scope, aside=f"{facts.version} {ground_of(scope)}")


def _unproven(scope: ClusterScope) -> list[str]:
    """Return the Machines whose newest Join was begun and did not succeed."""
    newest: dict[str, bool] = {}
    for operation in scope.operations:
        if operation.spec.plan.action == "Join" and operation.status.started_at:
            good = operation.status.phase == "Succeeded"
            newest |= {step.machine: good for step in operation.spec.plan.steps if step.machine}
            newest |= {name: good for step in operation.spec.plan.steps for name in step.among}
    staying = [m.metadata.name for m in scope.machines if not m.metadata.deletion_timestamp]
    return sorted(name for name in staying if not newest.get(name, True))


def authorities_of(pem: bytes) -> frozenset[str]:
    """Return digests of a CA file as kubeadm keeps it, of the whole and of each of its certificates; none of none."""
    if not pem.strip():
        return frozenset()
    try:
        with as_found():
            parts = [one.public_bytes(Encoding.PEM) for one in x509.load_pem_x509_certificates(pem)]
    except ValueError:
        parts = []
    return frozenset(hashlib.sha256(part).hexdigest() for part in (pem, *parts))


def _in_its_turn(scope: ClusterScope) -> ClusterScope:
    """Return the scope with what the Foundation asks for only in the Cluster's turn of a run of unify.

    Else a Foundation is compared with, and never becomes a plan for a cluster that was there before.
    """
    foundation = scope.foundation
    if foundation is None or not scope.run:
        return replace(scope, foundation=None)
    return replace(scope, distribution=wanted_distribution(scope, foundation))


def _asked_to_look(cluster: Cluster) -> bool:
    return cluster.metadata.annotations.get(ANNOTATION_SURVEY, "") not in ("", cluster.status.survey_answered)


def _carries_mark(facts: MachineFacts | None, key: str) -> bool:
    return facts is not None and facts.kubeadm.owner == key


def _key(scope: ClusterScope) -> str:
    return f"{scope.cluster.metadata.namespace}/{scope.cluster.metadata.name}"


def _unreached(found: Mapping[str, GroundplaneError]) -> Iterator[Problem]:
    for name, error in sorted(found.items()):
        remedy = error.remedy or "make sure that the machine is up and its SSH access is right"
        yield Problem(name, "survey", f"machine {name}: {error.message}", remedy)


def _of_leaving(problem: Problem, scope: ClusterScope, observed: ClusterFacts) -> Problem:
    """Return the problem; of a deleted Machine it says why that is not simply let go, and what to type."""
    machine = next((m for m in scope.machines if m.metadata.name == problem.machine), None)
    if machine is None or not machine.metadata.deletion_timestamp:
        return problem
    message = f"{problem.message} – its deletion waits, for {why(machine, scope, observed)}"
    return replace(problem, message=message, remedy=f"{problem.remedy} – {remedy(problem.machine)}")


def _claimed(scope: ClusterScope) -> Iterator[Problem]:
    """Name the Machines that are one host. What is deleted is not compared: it takes no part in anything any more."""
    staying = [m for m in scope.world.machines if not m.metadata.deletion_timestamp or not belongs(m, scope.cluster)]
    world = replace(scope.world, machines=staying)
    for machine in scope.machines:
        for cause in () if machine.metadata.deletion_timestamp else claims(machine, world):
            name = machine.metadata.name
            yield Problem(name, "claimed", f"machine {name}: {cause.message}", "delete one of the two")


def _require_runnable(scope: ClusterScope, target: ClusterTarget) -> None:
    """Raise Refused when the spec asks for a runtime that the version does not run on."""
    spec = scope.cluster.spec
    cause = runnable("spec.runtime", target.runtime, target.version, scope.world.runtimes)
    if cause is not None and (spec.runtime or spec.kubernetes.version):
        raise Refused(f"cannot plan cluster {target.name}: {cause.field}: {cause.message}")
