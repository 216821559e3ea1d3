"""verify-change: after a change the whole cluster works: nodes Ready, system pods running, no cordon of ours left."""

from __future__ import annotations

from groundplane.api.meta import ANNOTATION_CORDON
from groundplane.api.operation import PlannedChange

from .. import nodes
from ..scope import ReadScope, Scope
from ..waiting import wait_until
from .verify import pods_missing

_PATIENCE = 300.0


class VerifyChange:
    name = "verify-change"
    title = "Verify the cluster"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        missing = await _missing(scope)
        return [PlannedChange(what="cluster", before=missing, after="as it is to be")] if missing else []

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        async def missing() -> str:
            return await _missing(scope)

        await wait_until(missing, what="the whole cluster work", seconds=_PATIENCE, clock=scope.clock)


async def _missing(scope: ReadScope) -> str:
    cluster = await nodes.door(scope)
    found = await nodes.items(cluster, nodes.NODES)
    waiting = [item["metadata"]["name"] for item in found if not nodes.has_condition(item, "Ready")]
    if waiting:
        return f"{', '.join(waiting)} not Ready"
    key = scope.target.key
    marked = [i["metadata"]["name"] for i in found if nodes.meta(i, "annotations").get(ANNOTATION_CORDON) == key]
    if marked:
        return f"{', '.join(marked)} still cordoned by us"
    return await pods_missing(scope, cluster)
