"""delete-node: a node that has left, or was given up, goes from the cluster's API, with what kubeadm noted of it.

Pods of a machine that was given up are deleted by force, for nobody is there to confirm their end. kubeadm kept a list
of API servers until v1.21 (ClusterStatus, https://github.com/kubernetes/kubeadm/issues/2074); an entry of a control
plane that is gone stops later joins and upgrades.
"""

from __future__ import annotations

from typing import Any

import yaml

from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.api.operation import PlannedChange

from .. import nodes
from ..scope import ClusterDoor, ReadScope, Scope

_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"


class DeleteNode:
    name = "delete-node"
    title = "Delete the Node"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name not in scope.target.members

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await nodes.door(scope)
        changes = []
        if await nodes.node(cluster, scope.name) is not None:
            changes.append(PlannedChange(what=f"node {scope.name}", after="deleted"))
        if await _noted(cluster, scope.name) is not None:
            changes.append(PlannedChange(what=f"{scope.name} in kubeadm's ClusterStatus", after="removed"))
        if _given_up(scope):
            pods = await _pods(cluster, scope.name)
            changes += [PlannedChange(what=f"pod {_title(pod)}", after="deleted by force") for pod in pods]
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)
        await cluster.delete(f"{nodes.NODES}/{scope.name}")
        if (status := await _noted(cluster, scope.name)) is not None:
            await cluster.patch(_CONFIG, {"data": {"ClusterStatus": status}})
        if _given_up(scope):
            for pod in await _pods(cluster, scope.name):
                meta = pod["metadata"]
                await cluster.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}?gracePeriodSeconds=0")
                scope.log(f"deleted pod {_title(pod)} by force")


def _given_up(scope: ReadScope) -> bool:
    return scope.own.metadata.annotations.get(ANNOTATION_ABANDON) == "true"


def without(status: str, name: str) -> str | None:
    """Return kubeadm's ClusterStatus without this node; None when it is not in it."""
    document: Any = yaml.safe_load(status) or {}
    endpoints = document.get("apiEndpoints") if isinstance(document, dict) else None
    if not endpoints or name not in endpoints:
        return None
    left = {key: value for key, value in endpoints.items() if key != name}
    return yaml.safe_dump({**document, "apiEndpoints": left}, sort_keys=False)


async def _noted(cluster: ClusterDoor, name: str) -> str | None:
    found: Any = await cluster.get(_CONFIG) or {}
    status = (found.get("data") or {}).get("ClusterStatus")
    return without(status, name) if status else None


async def _pods(cluster: ClusterDoor, name: str) -> list[nodes.Object]:
    return await nodes.items(cluster, f"{nodes.PODS}?fieldSelector=spec.nodeName%3D{name}")


def _title(pod: nodes.Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
