"""claim: mark the machine as this cluster's, before anything else is done to it."""

from __future__ import annotations

from groundplane.api.operation import PlannedChange

from .. import claim, ledger
from ..places import CLAIM
from ..scope import ReadScope, Scope


class Claim:
    name = "claim"
    title = "Mark the machine as this cluster's"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await claim.ours(scope.host, scope.target.key):
            return []
        return [PlannedChange(what="owner", after=f"cluster {scope.target.key}")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await ledger.prepare(scope.door)
        await scope.door.write(CLAIM, claim.content(scope.target.key))
