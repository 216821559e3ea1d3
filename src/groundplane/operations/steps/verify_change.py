"""verify-change: after a change the whole cluster works: nodes Ready, system pods running, no cordon of ours left.

Where a control plane was changed, somebody has to lead among the schedulers and the controller managers: their Leases
are seen to be renewed. A pod of theirs that runs may only wait for its turn.

A node that was down before, and is not part of the change, must not fail it: nodes that are not Ready are spared as
long as they are no more than `change.maxUnavailable` allows and this Operation has not changed them.
"""

from __future__ import annotations

from groundplane.api.meta import ANNOTATION_CORDON
from groundplane.api.operation import PlannedChange
from groundplane.base.words import counted
from groundplane.plan.budget import allowed

from .. import leaders, nodes, proven
from ..scope import ReadScope, Scope
from ..waiting import wait_until
from .verify import pods_missing

_PATIENCE = 300.0
# Three times what a Lease lasts where nobody has set it otherwise.
_LEADING = 60.0
_LED = "leaders-seen"


class VerifyChange:
    name = "verify-change"
    title = "Verify the cluster"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        missing = await _missing(scope)
        changes = [PlannedChange(what="cluster", before=missing, after="as it is to be")] if missing else []
        if _planes_changed(scope) and not scope.journal.get(_LED):
            changes.append(PlannedChange(what="scheduler, controller manager", after="somebody leads"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        async def missing() -> str:
            return await _missing(scope)

        await wait_until(missing, what="the whole cluster work", seconds=_PATIENCE, clock=scope.clock)
        if _planes_changed(scope):
            await _see_leaders(scope)
            await scope.journal.put(_LED, "yes")


def _planes_changed(scope: ReadScope) -> bool:
    return any(proven.was_proven(scope, name) for name in scope.target.control_planes)


async def _see_leaders(scope: Scope) -> None:
    """Wait until each Lease is renewed; times are only compared with each other, for clocks may differ."""
    cluster = await nodes.door(scope)
    first = await leaders.renewals(cluster)

    async def silent() -> str:
        now = await leaders.renewals(cluster)
        waiting = sorted(name for name, time in first.items() if now.get(name, "") in ("", time))
        return f"nobody leads for {' and '.join(waiting)}" if waiting else ""

    await wait_until(silent, what="leaders at work", seconds=_LEADING, clock=scope.clock, interval=0.5)


async def _missing(scope: ReadScope) -> str:
    cluster = await nodes.door(scope)
    found = await nodes.items(cluster, nodes.NODES)
    away = {item["metadata"]["name"] for item in found if not nodes.has_condition(item, "Ready")}
    changed = sorted(name for name in away if proven.was_proven(scope, name))
    if changed:
        return f"{', '.join(changed)} not Ready after the change"
    budget = allowed(scope.target.change.max_unavailable, len(scope.target.members))
    if len(away) > budget:
        return f"{', '.join(sorted(away))} not Ready, and change.maxUnavailable allows {counted(budget, 'node')}"
    key, there = scope.target.key, [item for item in found if item["metadata"]["name"] not in away]
    marked = [i["metadata"]["name"] for i in there if nodes.meta(i, "annotations").get(ANNOTATION_CORDON) == key]
    if marked:
        return f"{', '.join(marked)} still cordoned by us"
    return await pods_missing(scope, cluster, spared=away)
