"""etcd-member: a control plane leaves etcd, while all others are well, and before it is cleared.

Asked of a control plane that stays. Before the member goes, its lead is handed over and its API server stopped, so that
clients turn to another one instead of meeting one without its data. A machine that was given up is not touched.
"""

from __future__ import annotations

from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.api.operation import PlannedChange

from .. import etcd, planes, static_pods, virtual_ip
from ..errors import NotYet, StepRefused
from ..places import KUBERNETES
from ..scope import ReadScope, Scope
from ..waiting import wait_until

_API_SERVER = f"{KUBERNETES}/manifests/kube-apiserver.yaml"


class EtcdMember:
    name = "etcd-member"
    title = "Take the control plane out of etcd"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name not in scope.target.control_planes

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host = scope.hosts[await planes.source(scope)]
        if not await etcd.stacked(host):
            return []
        member = etcd.find(await etcd.members(host), scope.name, scope.own.spec.address)
        return [PlannedChange(what=f"etcd member {member.name or scope.name}", after="removed")] if member else []

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.writable[await planes.source(scope)]
        found = await etcd.members(host)
        member = etcd.find(found, scope.name, scope.own.spec.address)
        if member is None:
            return
        others = [one for one in found if one.id != member.id]
        await _require_well(scope, others)
        if scope.own.metadata.annotations.get(ANNOTATION_ABANDON) != "true":
            await _step_aside(scope, member, others)
        await etcd.remove(host, member)
        scope.log(f"removed etcd member {member.name or scope.name}; {len(others)} left")
        await planes.etcd_well(scope, f"etcd without {scope.name}")


async def _require_well(scope: Scope, others: list[etcd.Member]) -> None:
    """All that stay have to be well: the one that goes is what they could fall back on."""
    host = scope.hosts[await planes.source(scope)]
    if not others:
        raise StepRefused(f"cannot take {scope.name} out of etcd: it is the last member")

    async def missing() -> str:
        return await etcd.unwell(host, others)

    await wait_until(missing, what=f"the members of etcd that stay beside {scope.name} well", seconds=60,
                     clock=scope.clock)  # fmt: skip


async def _step_aside(scope: Scope, member: etcd.Member, others: list[etcd.Member]) -> None:
    door = scope.door
    if member.client and await etcd.stacked(door):
        try:
            await etcd.hand_over(door, member, others[0])
        except (NotYet, StepRefused) as error:
            scope.log(f"etcd will elect a leader by itself: {error.message}")
    await virtual_ip.release(door)
    await door.run(["rm", "-f", _API_SERVER])

    async def missing() -> str:
        return "it still runs" if await static_pods.processes(door, "kube-apiserver") else ""

    await wait_until(missing, what=f"the API server of {scope.name} stopped", seconds=90, clock=scope.clock)
