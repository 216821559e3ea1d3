"""Who leads among the cluster's schedulers and controller managers, by their Leases in kube-system.

One that is stopped does not give its Lease away, and nobody else leads before that has run out: for a quarter of a
minute no pod is placed. What was stopped by us, and was seen to lead from the stopped node, is said to lead no more, in
the words in which a leader says it itself. https://kubernetes.io/docs/concepts/architecture/leases/#leader-election
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplane.clusters.errors import ClusterRefused

from .scope import ClusterDoor, Scope

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
NAMES = ("kube-controller-manager", "kube-scheduler")


async def on_node(cluster: ClusterDoor, node: str) -> dict[str, str]:
    """Return those that lead from this node: name of the Lease to its holder, which begins with the host's name."""
    found = {name: await _holder(cluster, name) for name in NAMES}
    return {name: holder for name, holder in found.items() if holder.rpartition("_")[0] == node}


async def renewals(cluster: ClusterDoor) -> dict[str, str]:
    """Return when each Lease that is there was last renewed, "" while nobody holds it."""
    found = {name: await _lease(cluster, name) for name in NAMES}
    held = {name: spec.get("renewTime") if spec.get("holderIdentity") else "" for name, spec in found.items() if spec}
    return {name: str(time or "") for name, time in held.items()}


async def release(scope: Scope, cluster: ClusterDoor, stopped: Mapping[str, str]) -> None:
    """Give the Leases of stopped holders away; one that somebody else has by now is left alone."""
    for name, holder in stopped.items():
        lease: Any = await cluster.get(f"{_LEASES}/{name}")
        if lease is None or lease["spec"].get("holderIdentity") != holder:
            continue
        patch: dict[str, object] = {
            "metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]},
            "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
        }
        try:
            await cluster.patch(f"{_LEASES}/{name}", patch)
        except ClusterRefused as error:
            scope.log(f"the lease of {name} runs out by itself: {error.message}")
            continue
        scope.log(f"{name} of before led from here, was stopped, and does not lead any more")


async def _holder(cluster: ClusterDoor, name: str) -> str:
    return str((await _lease(cluster, name)).get("holderIdentity") or "")


async def _lease(cluster: ClusterDoor, name: str) -> dict[str, Any]:
    found: Any = await cluster.get(f"{_LEASES}/{name}") or {}
    return dict(found.get("spec") or {})
