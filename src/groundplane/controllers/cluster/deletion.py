"""Taking a Cluster off its machines before the object goes.

An Operation at work is cancelled first. Then one Delete Operation is made for each set of inputs; when it succeeded,
or nothing of the Cluster is on any machine, the holds and the finalizer are removed. A machine that is gone for good
is given up with the annotation groundplane.dev/abandon: "true".
"""

from __future__ import annotations

from groundplane.api.cluster import Cluster
from groundplane.api.meta import FINALIZER_CLUSTER
from groundplane.api.operation import Operation
from groundplane.api.target import Desired, resolve
from groundplane.engine.loop import Again
from groundplane.plan.delete import plan_delete

from ..access import Access
from ..members import Members
from ..objects import Objects
from . import holds
from .operations import make_operation
from .scope import ClusterScope
from .status import StatusDraft

LOOK_AGAIN = 30.0


async def reconcile(
    objects: Objects, access: Access, members: Members, scope: ClusterScope, draft: StatusDraft
) -> Again | None:
    """Look at a Cluster that is being deleted. None: the finalizer is gone, there is no status to write."""
    active = scope.active
    if active is not None:
        draft.working(active)
        if active.spec.plan.action != "Delete" and active.spec.cancel != "Requested":
            await _cancel(objects, active)
        return Again(LOOK_AGAIN)
    latest = scope.latest
    if latest is not None and latest.spec.plan.action == "Delete":
        if latest.status.phase == "Succeeded":
            await _finish(objects, scope)
            return None
        if latest.status.phase != "Stale" and scope.cluster.status.planned_inputs == scope.inputs():
            draft.settled(latest, await members.observe(scope.cluster))
            return Again(LOOK_AGAIN)
    return await _plan(objects, access, members, scope, draft)


async def _plan(
    objects: Objects, access: Access, members: Members, scope: ClusterScope, draft: StatusDraft
) -> Again | None:
    kept = scope.kept
    if scope.distribution is None or not any(m.spec.role == "ControlPlane" for m in kept):
        # Without a distribution or a control plane nothing was ever planned, so nothing is on a machine.
        if scope.operations:
            return _stuck(draft)
        await _finish(objects, scope)
        return None
    surveyed = await access.survey(kept)
    if surveyed.errors and scope.operations:
        draft.unreachable(surveyed.errors)
        return Again(LOOK_AGAIN)
    target = resolve(scope.cluster, scope.foundation, scope.distribution, kept)
    desired = Desired(target=target, machines={m.metadata.name: m for m in kept})
    plan = plan_delete(desired, surveyed.facts, await members.observe(scope.cluster))
    if not plan.steps:
        await _finish(objects, scope)
        return None
    operation = await make_operation(objects, scope, target, plan)
    draft.planned(scope.inputs())
    draft.working(operation)
    return Again(LOOK_AGAIN)


def _stuck(draft: StatusDraft) -> Again:
    draft.lost("the distribution or the control plane machines are gone: apply them again so that the cluster can go")
    return Again(LOOK_AGAIN)


async def _cancel(objects: Objects, operation: Operation) -> None:
    meta = operation.metadata
    await objects.patch(Operation, meta.namespace, meta.name, {"spec": {"cancel": "Requested"}})


async def _finish(objects: Objects, scope: ClusterScope) -> None:
    await holds.release(objects, scope)
    meta = scope.cluster.metadata
    rest = [finalizer for finalizer in meta.finalizers if finalizer != FINALIZER_CLUSTER]
    if rest != meta.finalizers:
        patch = {"metadata": {"finalizers": rest, "resourceVersion": meta.resource_version}}
        await objects.patch(Cluster, meta.namespace, meta.name, patch)
