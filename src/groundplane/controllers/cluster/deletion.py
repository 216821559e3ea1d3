"""Taking a Cluster off its machines before the object goes.

An Operation at work is cancelled first. Then one Delete Operation is made for each set of inputs, or, for an adopted
cluster, which runs on, one of action Release; when it succeeded, or nothing of the Cluster is on any machine, the holds
and the finalizer are removed. A machine that is gone for good is given up with the annotation groundplane.dev/abandon:
"true".
"""

from __future__ import annotations

import asyncio

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.meta import ANNOTATION_ABANDON, FINALIZER_CLUSTER
from groundplane.api.operation import Operation
from groundplane.api.target import ClusterTarget, Desired, resolve
from groundplane.engine.loop import Again
from groundplane.plan.choose import Chosen
from groundplane.plan.delete import plan_delete
from groundplane.plan.planes import with_leaving
from groundplane.plan.release import plan_release

from ..access import Access
from ..members import Members
from ..objects import Objects
from . import holds
from .operations import make_operation
from .scope import ClusterScope, load
from .status import StatusDraft

LOOK_AGAIN = 30.0
# What ends a Cluster: taken off its machines, or, when it was there before, let go with what runs.
_ENDS = ("Delete", "Release")
_ABANDON = f'a machine that is gone for good is given up with the annotation {ANNOTATION_ABANDON}: "true"'
_APPLY_AGAIN = "its control plane machines are gone: apply them again so that the cluster can be taken off them"


class Deletion:
    """Handles Clusters that are being deleted."""

    def __init__(self, objects: Objects, access: Access, members: Members) -> None:
        self._objects = objects
        self._access = access
        self._members = members
        # Of two clusters that go at once, each would leave what they share to the other.
        self._finishing = asyncio.Lock()

    async def reconcile(self, scope: ClusterScope, draft: StatusDraft) -> Again | None:
        """Look at one of them. None: the finalizer is gone, there is no status to write."""
        active = scope.active
        if active is not None:
            draft.working(active)
            if active.spec.plan.action not in _ENDS and active.spec.cancel != "Requested":
                await self._cancel(active)
            return Again(LOOK_AGAIN)
        latest = scope.latest
        if latest is not None and latest.spec.plan.action in _ENDS:
            if latest.status.phase == "Succeeded":
                await self.finish(scope)
                return None
            if latest.status.phase != "Stale" and scope.planned:
                draft.settled(latest, await self._members.observe(scope.cluster))
                return Again(LOOK_AGAIN)
        return await self._plan(scope, draft)

    async def _plan(self, scope: ClusterScope, draft: StatusDraft) -> Again | None:
        target = _target(scope)
        if target is None:
            if may_be_on_machines(scope):
                draft.lost(_APPLY_AGAIN)
                return Again(LOOK_AGAIN)
            await self.finish(scope)
            return None
        surveyed = await self._access.survey(scope.kept)
        if surveyed.errors and may_be_on_machines(scope):
            draft.unreachable(surveyed.errors, remedy=_ABANDON)
            return Again(LOOK_AGAIN)
        desired = Desired(target=target, machines={m.metadata.name: m for m in scope.kept})
        seen = await self._members.observe(scope.cluster)
        plan_end = plan_release if target.origin == "Adopted" else plan_delete
        plan = plan_end(desired, surveyed.facts, seen.facts)
        if not plan.steps:
            await self.finish(scope)
            return None
        operation = await make_operation(self._objects, scope, Chosen(plan, target))
        draft.planned(scope.inputs())
        draft.working(operation)
        return Again(LOOK_AGAIN)

    async def _cancel(self, operation: Operation) -> None:
        meta = operation.metadata
        await self._objects.patch(Operation, meta.namespace, meta.name, {"spec": {"cancel": "Requested"}})

    async def finish(self, scope: ClusterScope) -> None:
        """Let go what was held, and the Cluster itself."""
        meta = scope.cluster.metadata
        async with self._finishing:
            fresh = await load(self._objects, meta.namespace, meta.name)
            if fresh is None or fresh.cluster.metadata.uid != meta.uid:
                return
            await holds.release(self._objects, fresh)
            rest = [finalizer for finalizer in fresh.cluster.metadata.finalizers if finalizer != FINALIZER_CLUSTER]
            if rest != fresh.cluster.metadata.finalizers:
                version = fresh.cluster.metadata.resource_version
                patch = {"metadata": {"finalizers": rest, "resourceVersion": version}}
                await self._objects.patch(Cluster, meta.namespace, meta.name, patch)


def may_be_on_machines(scope: ClusterScope) -> bool:
    """Tell whether something of the Cluster may be on a machine: an Operation started, or one is not there any more."""
    return is_lost(scope) or any(operation.status.started_at for operation in scope.operations)


def is_lost(scope: ClusterScope) -> bool:
    """Tell whether the Operation that the Cluster's status names is not there any more."""
    reference = scope.cluster.status.operation_ref
    return reference is not None and reference.name not in {one.metadata.name for one in scope.operations}


def _target(scope: ClusterScope) -> ClusterTarget | None:
    """Return what is to be taken off the machines that are kept; None when there never was a valid wish.

    What an Operation froze is what is on the machines, so it goes before what the Cluster says now.
    """
    members = {m.metadata.name for m in scope.machines}
    frozen = scope.latest.spec.target if scope.latest else _wanted(scope)
    if frozen is None:
        return None
    # To be let go, each machine needs itself alone.
    needed = frozen.members if frozen.origin == "Adopted" else frozen.control_planes
    if not members & set(needed):
        return None
    kept = {m.metadata.name for m in scope.kept}
    if frozen.origin == "Adopted":
        # A machine whose join was cut off may carry the mark, and be in no later target.
        frozen = msgspec.structs.replace(frozen, leaving=sorted({*frozen.leaving, *kept}))
    # What was leaving when the whole cluster was deleted may not have left.
    frozen = with_leaving(frozen, [m.metadata.name for m in scope.machines if m.spec.role == "ControlPlane"])
    return msgspec.structs.replace(
        frozen,
        change=scope.cluster.spec.change,
        control_planes=[name for name in frozen.control_planes if name in kept],
        workers=[name for name in frozen.workers if name in kept],
    )


def _wanted(scope: ClusterScope) -> ClusterTarget | None:
    """Return what the Cluster asks for, as far as it can be made out; an imported one put nothing on a machine yet."""
    if (
        scope.cluster.spec.provider == "Imported"
        or scope.distribution is None
        or not any(m.spec.role == "ControlPlane" for m in scope.machines)
    ):
        return None
    try:
        return resolve(scope.cluster, scope.foundation, scope.distribution, scope.machines)
    except LookupError:
        return None
