"""release: our mark and notes leave a machine of an adopted cluster; what runs there, and its files, stay.

Nothing is put back: what a change made of the node is what the node lives on. The mark goes last, so that an
interrupted release finds the machine again. A machine that carries another cluster's mark, or none, is left alone.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange

from .. import claim
from ..places import CLAIM, RUN, STATE
from ..scope import ReadScope, Scope


class Release:
    name = "release"
    title = "Let the machine go"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await claim.owner_of(scope.host) != scope.target.key:
            return []
        return [PlannedChange(what="owner", before=scope.target.key, after="none")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        await host.run(["rm", "-rf", STATE, RUN])
        await host.run(["rm", "-f", CLAIM])
        await host.run(["rmdir", "--ignore-fail-on-non-empty", CLAIM.rpartition("/")[0]], check=False)
