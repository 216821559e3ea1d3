"""host-settings: swap, kernel modules, sysctls, time service and crash dumps as wanted, now and after a reboot.

A module counts as there when its effect is: it may be built into the kernel, or belong to the host of a container.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from .. import kdump, ledger, time_sync
from ..errors import StepRefused
from ..fstab import FSTAB, without_swap
from ..places import MODULES_LOAD, STATE, SYSCTL
from ..scope import ReadScope, Scope

# Where a module shows itself when it is not listed in /proc/modules.
_EFFECT = {"br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables"}
_FILESYSTEMS = frozenset({"overlay"})


class HostSettings:
    name = "host-settings"
    title = "Set what the host has to be set to"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, settings = scope.host, scope.target.settings
        changes = [
            PlannedChange(what=f"kernel module {name}", after="loaded")
            for name in settings.modules
            if not await _has_module(host, name)
        ]
        if await ledger.differs(host, MODULES_LOAD, _modules_file(scope)):
            changes.append(PlannedChange(what=MODULES_LOAD, after=" ".join(settings.modules)))
        for key, value in settings.sysctls.items():
            now = await _sysctl(host, key)
            if now != _folded(value):
                changes.append(PlannedChange(what=f"sysctl {key}", before=now, after=_folded(value)))
        if await ledger.differs(host, SYSCTL, _sysctl_file(scope)):
            changes.append(PlannedChange(what=SYSCTL, after=f"{len(settings.sysctls)} settings"))
        changes += await _swap_changes(host) if settings.swap == "Disabled" else []
        return [*changes, *await time_sync.changes(scope), *await kdump.changes(scope)]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host = scope.door
        await ledger.put(host, MODULES_LOAD, _modules_file(scope))
        for name in scope.target.settings.modules:
            await _load(scope, name)
        before = {key: await _sysctl(host, key) for key in scope.target.settings.sysctls}
        await ledger.note_first(host, "sysctls", before)
        await ledger.put(host, SYSCTL, _sysctl_file(scope))
        for key, value in scope.target.settings.sysctls.items():
            if before[key] != _folded(value):
                await host.run(["sysctl", "-q", "-w", f"{key}={value}"])
        if scope.target.settings.swap == "Disabled":
            await _swap_off(scope)
        await time_sync.apply(scope)
        await kdump.apply(scope)


def _modules_file(scope: ReadScope) -> bytes:
    return "".join(f"{name}\n" for name in scope.target.settings.modules).encode()


def _sysctl_file(scope: ReadScope) -> bytes:
    return "".join(f"{key} = {value}\n" for key, value in sorted(scope.target.settings.sysctls.items())).encode()


def _folded(text: str) -> str:
    return " ".join(text.split())


async def _sysctl(host: ReadHost, key: str) -> str:
    content = await host.read(f"/proc/sys/{key.replace('.', '/')}")
    return _folded(content.decode()) if content is not None else ""


async def _has_module(host: ReadHost, name: str) -> bool:
    plain = name.replace("-", "_")
    loaded = (await host.read("/proc/modules") or b"").decode()
    if any(line.split()[0] == plain for line in loaded.splitlines() if line.strip()):
        return True
    if plain in _FILESYSTEMS:
        known = (await host.read("/proc/filesystems") or b"").decode()
        return any(line.split()[-1] == plain for line in known.splitlines() if line.strip())
    return (await host.query(["test", "-e", _EFFECT.get(plain, f"/sys/module/{plain}")])).ok


async def _load(scope: Scope, name: str) -> None:
    host = scope.door
    if await _has_module(host, name):
        return
    tried = await host.run(["modprobe", name], check=False)
    if not tried.ok and not await _has_module(host, name):
        reason = tried.stderr.decode("utf-8", "replace").strip() or f"exit status {tried.status}"
        raise StepRefused(
            f"cannot load kernel module {name} on host {host.name}: {reason}",
            remedy="install the kernel's modules, or take the module out of the settings",
        )


async def _swap_devices(host: ReadHost) -> list[str]:
    lines = (await host.read("/proc/swaps") or b"").decode().splitlines()[1:]
    return [line.split()[0] for line in lines if line.strip()]


async def _swap_changes(host: ReadHost) -> list[PlannedChange]:
    changes = []
    if devices := await _swap_devices(host):
        changes.append(PlannedChange(what="swap", before=" ".join(devices), after="off"))
    fstab = await host.read(FSTAB)
    if fstab is not None and without_swap(fstab) != fstab:
        changes.append(PlannedChange(what=f"swap lines of {FSTAB}", after="commented out"))
    return changes


async def _swap_off(scope: Scope) -> None:
    host = scope.door
    if devices := await _swap_devices(host):
        await ledger.note_first(host, "swap", {"devices": devices})
        await host.run(["swapoff", "-a"], timeout=300)
    fstab = await host.read(FSTAB)
    if fstab is not None and without_swap(fstab) != fstab:
        # Backed up, but not on the ledger: a delete must not undo what others write into it meanwhile.
        await host.run(["cp", "-a", FSTAB, f"{STATE}/fstab.before"])
        await host.write(FSTAB, without_swap(fstab))
