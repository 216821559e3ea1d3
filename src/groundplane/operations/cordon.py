"""Our cordon of a node and its mark: written at once, and taken away only together."""

from __future__ import annotations

from groundplane.api.meta import ANNOTATION_CORDON

from . import nodes
from .scope import ClusterDoor, ReadScope, Scope


def is_open(node: nodes.Object) -> bool:
    """Tell whether pods may be scheduled to the node."""
    return not (node.get("spec") or {}).get("unschedulable")


def is_ours(scope: ReadScope, node: nodes.Object) -> bool:
    """Tell whether the node carries this cluster's mark."""
    return nodes.meta(node, "annotations").get(ANNOTATION_CORDON) == scope.target.key


async def close(scope: Scope, cluster: ClusterDoor) -> None:
    """Cordon the node at hand with our mark, in one write: a cordon of ours is never without it."""
    mark = {"annotations": {ANNOTATION_CORDON: scope.target.key}}
    await cluster.patch(f"{nodes.NODES}/{scope.name}", {"metadata": mark, "spec": {"unschedulable": True}})


async def release(scope: Scope) -> bool:
    """Take our cordon off the node; tell whether there was one. A foreign cordon is never taken away."""
    cluster = await nodes.door(scope)
    found = await nodes.node(cluster, scope.name)
    if found is None or not is_ours(scope, found):
        return False
    patch: nodes.Object = {"metadata": {"annotations": {ANNOTATION_CORDON: None}}, "spec": {"unschedulable": None}}
    await cluster.patch(f"{nodes.NODES}/{scope.name}", patch)
    scope.log(f"uncordoned node {scope.name}")
    return True
