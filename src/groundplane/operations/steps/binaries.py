"""binaries: the release's programs, the CNI plugins, and kubelet's unit with kubeadm's drop-in.

Programs go to /usr/local/bin, which no package manager owns: an installed package is neither overwritten nor, on
delete, broken. The unit and drop-in are those of the Kubernetes packages, but for that path
(https://github.com/kubernetes/release/tree/master/cmd/krel/templates/latest).
"""

from __future__ import annotations

import asyncio

from groundplane.api.distribution import Artifact
from groundplane.api.operation import PlannedChange

from .. import ledger, systemd
from ..artifact_set import RUNTIME_ARTIFACTS, needed
from ..places import BIN, CNI_BIN, KUBELET_DROPIN, KUBELET_UNIT
from ..scope import ReadScope, Scope
from ..together import together
from ..unpack import unpack, unpacked

_CNI = "cni-plugins"
_UNITS = {
    KUBELET_UNIT: f"""[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={BIN}/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
""",
    KUBELET_DROPIN: f"""# Written by groundplane; kubeadm keeps the flags in kubeadm-flags.env.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart={BIN}/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
""",
}


class Binaries:
    name = "binaries"
    title = "Install kubeadm, kubelet, kubectl and CNI plugins"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host = scope.host
        changes = [PlannedChange(what=f"{BIN}/{a.name}", after=scope.target.version) for a in await _missing(scope)]
        changes += [PlannedChange(what="CNI plugins", after=f"in {CNI_BIN}") for _ in await _plugins_missing(scope)]
        for path, text in _UNITS.items():
            if await ledger.differs(host, path, text.encode()):
                changes.append(PlannedChange(what=path, after="kubelet's unit"))
        # kubeadm starts kubelet but does not enable it.
        if not changes and not (await systemd.look(host, "kubelet.service")).enabled:
            changes.append(PlannedChange(what="kubelet.service", before="not enabled", after="started at boot"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        unit = await systemd.look(host, "kubelet.service")
        await ledger.note_first(host, "kubelet", {"known": unit.known, "enabled": unit.enabled, "active": unit.active})
        programs = [_install(scope, artifact) for artifact in await _missing(scope)]
        plugins = [unpack(scope, archive, CNI_BIN) for archive in await _plugins_missing(scope)]
        await together([*programs, *plugins])
        for path, text in _UNITS.items():
            if await ledger.differs(host, path, text.encode()):
                await ledger.put(host, path, text.encode())
        await host.run(["systemctl", "daemon-reload"])
        await host.run(["systemctl", "enable", "kubelet.service"])


async def _install(scope: Scope, artifact: Artifact) -> None:
    path = f"{BIN}/{artifact.name}"
    await ledger.record(scope.door, path)
    await scope.delivery.deliver(scope.door, artifact, path, mode=0o755)


async def _missing(scope: ReadScope) -> list[Artifact]:
    wanted = [a for a in await needed(scope.host, scope.target, "Binary") if a.name not in RUNTIME_ARTIFACTS]
    found = await asyncio.gather(*(scope.host.digest(f"{BIN}/{artifact.name}") for artifact in wanted))
    return [artifact for artifact, digest in zip(wanted, found, strict=True) if digest != artifact.sha256]


async def _plugins_missing(scope: ReadScope) -> list[Artifact]:
    archives = await needed(scope.host, scope.target, "Archive")
    return [a for a in archives if a.name == _CNI and not await unpacked(scope.host, a)]
