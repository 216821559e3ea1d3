"""uncordon: a node that an Operation of ours cordoned is opened for pods again; a foreign cordon stays."""

from __future__ import annotations

from groundplane.api.operation import PlannedChange

from .. import cordon, nodes
from ..scope import ReadScope, Scope


class Uncordon:
    name = "uncordon"
    title = "Uncordon the node"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await nodes.door(scope)
        found = await nodes.need_node(cluster, scope.name)
        if not cordon.is_ours(scope, found):
            return []
        return [PlannedChange(what=f"node {scope.name}", before="cordoned with our mark", after="open for pods")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await cordon.release(scope)
