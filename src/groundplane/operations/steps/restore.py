"""restore: what Groundplane put on the machine goes, backups come back, the runtime returns to the state found.

The mark goes last: as long as it is there, an interrupted delete finds the machine and goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host

from .. import claim, ledger, runtimes, systemd, virtual_ip
from ..fstab import FSTAB, with_swap
from ..places import CLAIM, RUN, STATE
from ..runtimes import CONTAINERD, DOCKER
from ..scope import ReadScope, Scope


class Restore:
    name = "restore"
    title = "Put the machine back as it was"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if not await claim.ours(scope.host, scope.target.key):
            return []
        entries = await ledger.entries(scope.host)
        words = {"created": "removed", "backup": "as it was found"}
        changes = [PlannedChange(what=entry.path, after=words[entry.was]) for entry in entries]
        return [*changes, PlannedChange(what="owner", before=scope.target.key, after="none")]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        await _kubelet(host)
        await _remove_images(scope)
        for entry in await ledger.entries(host):
            await ledger.restore(host, entry)
        await host.run(["systemctl", "daemon-reload"])
        await _units(host, (await ledger.note(host, "runtime") or {}).get("units", {}))
        await virtual_ip.restore(host)
        await _package(scope)
        await _settings(scope)
        await host.run(["rmdir", "--ignore-fail-on-non-empty", *_FOLDERS], check=False)
        await host.run(["rm", "-rf", STATE, RUN])
        await host.run(["rm", "-f", CLAIM])
        await host.run(["rmdir", "--ignore-fail-on-non-empty", CLAIM.rpartition("/")[0]], check=False)


# Folders that may have been made for our files alone.
_FOLDERS = (
    "/etc/systemd/system/kubelet.service.d",
    "/usr/local/lib/groundplane",
    "/opt/cni/bin",
    "/opt/cni",
    "/etc/cni/net.d",
    "/etc/cni",
)


async def _kubelet(host: Host) -> None:
    found = await ledger.note(host, "kubelet")
    if found is not None and not found["enabled"]:
        await host.run(["systemctl", "disable", "--now", "kubelet.service"], check=False)


async def _remove_images(scope: Scope) -> None:
    """Remove the images that Groundplane loaded and that were not there before, while the runtime still runs."""
    host = scope.door
    noted = await ledger.note(host, "images") or {}
    for runtime in (CONTAINERD, DOCKER):
        mine: dict[str, Any] = noted.get(runtime.name, {})
        if mine and (await systemd.look(host, runtime.unit)).active:
            held = await runtimes.images(host, runtime)
            await runtimes.remove_images(host, runtime, to_remove(held, mine))


def to_remove(held: Mapping[str, str], noted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the references to remove: those of Groundplane, and the names by digest that the CRI gave the same images.

    An image that somebody else has a name for keeps its digest's name.
    """
    ours = [reference for reference, how in noted.items() if not how.get("existed") and reference in held]
    others = {digest for name, digest in held.items() if name not in ours and not name.startswith("sha256:")}
    digests = {held[reference] for reference in ours} - others
    return ours + sorted(name for name, digest in held.items() if name.startswith("sha256:") and digest in digests)


async def _units(host: Host, found: dict[str, dict[str, bool]]) -> None:
    """Bring the runtime's units back to how they were; Docker before the containerd that it stands on."""
    for name in ("docker.socket", "docker.service", "containerd.service"):
        if name in found:
            state = found[name]
            await systemd.put_back(host, systemd.Unit(name, state["known"], state["active"], state["enabled"]))


async def _package(scope: Scope) -> None:
    noted = await ledger.note(scope.door, "package")
    if noted is not None:
        scope.log(f"package {noted['package']} stays: {noted['manager']} installed it, and others may need it by now")


async def _settings(scope: Scope) -> None:
    """Set sysctls and swap back; loaded modules stay until the next boot, for others may use them."""
    host = scope.door
    for key, value in (await ledger.note(host, "sysctls") or {}).items():
        if value:
            await host.run(["sysctl", "-q", "-w", f"{key}={value}"], check=False)
    fstab = await host.read(FSTAB)
    if fstab is not None and with_swap(fstab) != fstab:
        await host.write(FSTAB, with_swap(fstab))
    for device in (await ledger.note(host, "swap") or {}).get("devices", []):
        await host.run(["swapon", device], check=False)
