"""drain, of a node that leaves a cluster which stays: an API that does not answer is waited for, not passed over."""

from __future__ import annotations

from groundplane.api.operation import PlannedChange

from .. import nodes
from ..scope import ReadScope
from .drain import Drain


class DrainLeaving(Drain):
    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await nodes.node(await nodes.door(scope), scope.name) is None:
            return []
        return await super().plan(scope)
