"""reset: kubeadm, kubelet, containers, chains and pod network go from a machine that carries this cluster's mark."""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from .. import claim, systemd, virtual_ip
from ..cleanup import unplug_network, wipe
from ..places import CNI_CONF, KUBERNETES, NETWORK_UNIT, NOTES
from ..routed import FORWARD, MASQ, PROTOCOL
from ..scope import ReadScope, Scope

_FOLDERS = ("/var/lib/kubelet", "/var/lib/etcd", f"{KUBERNETES}/manifests", f"{KUBERNETES}/pki", "/var/log/pods")
_FILES = tuple(f"{KUBERNETES}/{name}.conf" for name in ("admin", "kubelet", "controller-manager", "scheduler"))


class Reset:
    name = "reset"
    title = "Reset kubeadm, kubelet and pod network"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host = scope.host
        if not await claim.ours(host, scope.target.key):
            return []
        changes = []
        if (await systemd.look(host, "kubelet.service")).active:
            changes.append(PlannedChange(what="kubelet", before="running", after="stopped"))
        if await virtual_ip.kept(host):
            changes.append(PlannedChange(what=virtual_ip.UNIT, before="running", after="stopped"))
        changes += [PlannedChange(what=path, after="removed") for path in await _left(host)]
        changes += [PlannedChange(what=what, after="removed") for what in await _network_left(host)]
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        await virtual_ip.release(host)
        await unplug_network(host)
        await wipe(scope, host)
        await host.run(["rm", "-f", CNI_CONF])
        await host.run(["rm", "-f", f"{NOTES}/kubeadm.json"])


async def _left(host: ReadHost) -> list[str]:
    """Return the files and filled folders that kubeadm and kubelet leave."""
    left = []
    for path in (*_FOLDERS, *_FILES):
        shown = await host.query(["ls", "-A", path])
        if shown.ok and shown.text.strip():
            left.append(path)
    return left


async def _network_left(host: ReadHost) -> list[str]:
    left = [path for path in (CNI_CONF,) if await host.stat(path) is not None]
    if (await systemd.look(host, NETWORK_UNIT.rpartition("/")[2])).active:
        left.append(NETWORK_UNIT)
    if (await host.query(["ip", "-4", "route", "show", "proto", PROTOCOL])).text.strip():
        left.append("routes to pods")
    saved = (await host.query(["iptables-save"])).text
    left += [f"chains {name}*" for name in ("KUBE-", MASQ, FORWARD) if f"\n:{name}" in saved]
    return left
