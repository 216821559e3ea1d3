"""etcd-snapshot: the cluster's store saved on the first control plane and read back, once in an Operation.

Where it is stands in the log and in the journal. An etcd that is not kubeadm's is its owner's to save.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange

from .. import etcd_snapshot, etcd_store
from ..errors import StepRefused
from ..places import SNAPSHOTS
from ..scope import ReadScope, Scope

_KEY = "etcd-snapshot"
ACCEPT = "ExternalEtcd"


class EtcdSnapshot:
    name = "etcd-snapshot"
    title = "Save etcd"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if scope.journal.get(_KEY):
            return []
        if not await etcd_store.is_stacked(scope.host):
            return [PlannedChange(what="etcd", before="not on this machine", after="saved by its owner")]
        return [PlannedChange(what="etcd", after=f"snapshot in {SNAPSHOTS}, read back")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        if not await etcd_store.is_stacked(scope.host):
            if ACCEPT not in scope.target.change.accept:
                raise StepRefused(
                    f"cannot save etcd of cluster {scope.target.name}: host {scope.name} runs none",
                    remedy=f"save it yourself, then accept {ACCEPT} in change.accept",
                )
            scope.log(f"etcd is not on this machine and was not saved: {ACCEPT} is accepted")
            await scope.journal.put(_KEY, "external")
            return
        await etcd_store.require_health(scope)
        name = f"etcd-{scope.clock.now():%Y%m%dT%H%M%SZ}-before-{scope.target.version}"
        path = await etcd_snapshot.take(scope, scope.door, name)
        scope.log(f"etcd is saved on {scope.name} in {path}")
        await scope.journal.put(_KEY, path)
