"""drain: the pods of a worker leave by eviction before the worker does.

PodDisruptionBudgets are respected: what they forbid is named, and when the time is up the step fails rather than
break one. A time of "0s" deletes without draining. When the API is gone there is nothing to ask: said aloud, skipped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.base import durations
from groundplane.base.errors import Unavailable

from .. import cordon, nodes
from ..errors import NotReached, StepRefused
from ..scope import ClusterDoor, ReadScope, Scope
from ..waiting import wait_until

_MIRROR = "kubernetes.io/config.mirror"


class Drain:
    name = "drain"
    title = "Evict the pods"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and seconds_of(scope.target.change.drain.timeout) > 0

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await _door(scope)
        if cluster is None:
            return []
        found = await nodes.node(cluster, scope.name)
        if found is None:
            return []
        changes = []
        if cordon.is_open(found):
            changes.append(PlannedChange(what=f"node {scope.name}", after="cordoned"))
        pods = await pods_to_leave(cluster, scope.name)
        return changes + [PlannedChange(what=f"pod {name(pod)}", after="evicted") for pod in pods]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await _door(scope)
        found = await nodes.node(cluster, scope.name) if cluster is not None else None
        if cluster is None or found is None:
            return
        if cordon.is_open(found):
            await cordon.close(scope, cluster)
        await evict_all(scope, cluster, otherwise="set change.drain.timeout to 0s to delete without draining")

    async def undo(self, scope: Scope) -> None:
        """Uncordon the node when the cordon carries this cluster's mark; a foreign one stays."""
        if await _door(scope) is not None:
            await cordon.release(scope)


async def _door(scope: ReadScope) -> ClusterDoor | None:
    """Return the cluster's door, or None when its API is gone."""
    try:
        cluster = await scope.cluster()
        if cluster is not None:
            await cluster.get("/api/v1/namespaces/kube-system")
    except Unavailable as error:
        scope.log(f"not drained, the cluster's API does not answer: {error.message}")
        return None
    if cluster is None:
        scope.log("not drained: no control plane has an API any more")
    return cluster


Pods = list[dict[str, Any]]
Waited = Callable[[Pods], Awaitable[Pods]]


async def _all(pods: Pods) -> Pods:
    return pods


async def evict_all(scope: Scope, cluster: ClusterDoor, *, otherwise: str, waited_for: Waited = _all) -> None:
    """Evict until the node is empty; when the time is up, StepRefused names who stays and what keeps it.

    `waited_for` returns those of the pods that are still there that have to be waited for.
    """
    blocked: list[str] = []

    async def missing() -> str:
        blocked.clear()
        left = await waited_for(await pods_to_leave(cluster, scope.name))
        for pod in left:
            if pod["metadata"].get("deletionTimestamp"):
                continue
            if await cluster.evict(pod["metadata"]["namespace"], pod["metadata"]["name"]):
                scope.log(f"evicted {name(pod)}")
            else:
                blocked.append(name(pod))
        if blocked:
            return f"a PodDisruptionBudget keeps {', '.join(blocked)}"
        return f"{', '.join(name(pod) for pod in left)} still there" if left else ""

    limit = seconds_of(scope.target.change.drain.timeout)
    try:
        await wait_until(missing, what=f"node {scope.name} empty", seconds=limit, clock=scope.clock, interval=0.5)
    except NotReached as error:
        kept = ", ".join(blocked)
        remedy = f"loosen the PodDisruptionBudget of {kept}" if kept else "see why the pods do not end"
        raise StepRefused(
            f"cannot drain node {scope.name}: {error.message}",
            remedy=f"{remedy}, or {otherwise}",
        ) from error


async def pods_to_leave(cluster: ClusterDoor, node: str) -> list[dict[str, Any]]:
    """Return the pods that have to leave: not those of DaemonSets, not kubelet's own, not those that have ended."""
    found = await nodes.items(cluster, f"{nodes.PODS}?fieldSelector=spec.nodeName%3D{node}")
    return [pod for pod in found if _has_to_leave(pod)]


def _has_to_leave(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    if any(owner.get("kind") == "DaemonSet" for owner in owners) or _MIRROR in nodes.meta(pod, "annotations"):
        return False
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def name(pod: dict[str, Any]) -> str:
    """Return namespace/name of a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as "1h30m", "5m" or "90s"."""
    found = durations.seconds(duration)
    if found is None:
        raise StepRefused(f"cannot read duration {duration!r}", remedy='write it as "5m" or "90s"')
    return float(found)
