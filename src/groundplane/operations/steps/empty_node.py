"""drain, in a change: a node that stays is emptied by eviction, within the budget, before anything on it is stopped.

Nothing is evicted before all of it is known to be allowed: a pod that nothing would make anew stops the step while the
node is still open. Our cordon and its mark are one write; a node that somebody else cordoned keeps that cordon.
"""

from __future__ import annotations

from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.plan.budget import allowed

from .. import cordon, nodes, proven
from ..ended_pods import EndedPods, remaining
from ..errors import NotYet, StepRefused
from ..probe import LABEL as PROBE
from ..scope import ClusterDoor, ReadScope, Scope
from .drain import evict_all, name, pods_to_leave


class EmptyNode:
    name = "drain"
    title = "Cordon the node and evict its pods"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if proven.is_proven(scope):
            return []
        cluster = await nodes.door(scope)
        found = await nodes.need_node(cluster, scope.name)
        changes = []
        if cordon.is_open(found):
            changes.append(PlannedChange(what=f"node {scope.name}", after="cordoned with our mark"))
        pods = remaining(scope, await pods_to_leave(cluster, scope.name))
        return changes + [PlannedChange(what=f"pod {name(pod)}", after="evicted") for pod in pods]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)
        found = await nodes.need_node(cluster, scope.name)
        _require_managed(scope, await pods_to_leave(cluster, scope.name))
        if cordon.is_open(found):
            await _require_budget(scope, cluster)
            await cordon.close(scope, cluster)
        await evict_all(
            scope,
            cluster,
            otherwise="give them more time with change.drain.timeout",
            waited_for=EndedPods(scope).without,
        )

    async def undo(self, scope: Scope) -> None:
        """Open the node again when the cordon is ours."""
        await cordon.release(scope)


async def _require_budget(scope: ReadScope, cluster: ClusterDoor) -> None:
    """NotYet while as many nodes are away as may be: those that are down, and those that we emptied."""
    found = await nodes.items(cluster, nodes.NODES)
    away = [item["metadata"]["name"] for item in found if _away(scope, item) and item["metadata"]["name"] != scope.name]
    budget = allowed(scope.target.change.max_unavailable, len(found))
    if len(away) >= budget:
        raise NotYet(
            f"cannot empty node {scope.name} yet: {', '.join(sorted(away))} not in service, and change.maxUnavailable"
            f" allows {budget} to be away"
        )


def _away(scope: ReadScope, node: nodes.Object) -> bool:
    return cordon.is_ours(scope, node) or not nodes.has_condition(node, "Ready")


def _require_managed(scope: ReadScope, pods: list[dict[str, Any]]) -> None:
    """Refuse to lose pods that nothing makes anew, unless the Cluster says that they may go."""
    if scope.target.change.drain.unmanaged_pods == "Delete":
        return
    lost = [name(pod) for pod in pods if not _managed(pod)]
    if lost:
        raise StepRefused(
            f"cannot drain node {scope.name}: no controller makes {', '.join(lost)} anew",
            remedy="move them by hand, or set change.drain.unmanagedPods to Delete and they are deleted for good",
        )


def _managed(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") for owner in owners) or PROBE in nodes.meta(pod, "labels")
