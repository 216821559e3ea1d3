"""uncordon: a node that an Operation of ours cordoned is opened for pods again; a foreign cordon stays."""

from __future__ import annotations

from groundplane.api.meta import ANNOTATION_CORDON
from groundplane.api.operation import PlannedChange

from .. import nodes
from ..scope import ReadScope, Scope


class Uncordon:
    name = "uncordon"
    title = "Uncordon the node"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await nodes.door(scope)
        found = await nodes.need_node(cluster, scope.name)
        if nodes.meta(found, "annotations").get(ANNOTATION_CORDON) != scope.target.key:
            return []
        return [PlannedChange(what=f"node {scope.name}", before="cordoned with our mark", after="open for pods")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await release(scope)


async def release(scope: Scope) -> bool:
    """Take our cordon off the node; tell whether there was one. A foreign cordon is never taken away."""
    cluster = await nodes.door(scope)
    found = await nodes.node(cluster, scope.name)
    if found is None or nodes.meta(found, "annotations").get(ANNOTATION_CORDON) != scope.target.key:
        return False
    patch: nodes.Object = {"metadata": {"annotations": {ANNOTATION_CORDON: None}}, "spec": {"unschedulable": None}}
    await cluster.patch(f"{nodes.NODES}/{scope.name}", patch)
    scope.log(f"uncordoned node {scope.name}")
    return True
