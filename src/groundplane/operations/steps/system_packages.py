"""system-packages: the kernel's or all packages are updated on a drained node, which then boots anew and is verified.

Written down before each deed, so that whoever comes next goes on: on the machine what was installed and which marks are
ours; in the journal how far it got, and the boot that is to end. Killed anywhere, the next run follows the package
manager that still runs, boots once and not twice, and answers a request once.

Packages are not taken back to older versions: what an update changed in files and databases cannot be. The kernel
before stays on the machine and is named to whoever has to choose it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from groundplane.api.meta import ANNOTATION_UPDATE
from groundplane.api.operation import PlannedChange
from groundplane.base import versions
from groundplane.hosts.contract import Host, ReadHost

from .. import ledger, packages, reboot
from ..errors import StepRefused
from ..jobs import Job, run_job, running
from ..packages import Installed, Manager
from ..scope import ReadScope, Scope
from ..waiting import wait_until

ANSWERED = "packages"
"""The note of the requests for updates that were answered; the survey reads it."""

_HELD, _BEFORE = "packages-held", "packages-before"
_KERNELS = ("vmlinuz-", "vmlinux-", "bzImage-", "Image-")
_REBOOT_REQUIRED = "/run/reboot-required"
_REMEMBERED = 16
# A new kernel builds its initial file system, and out-of-tree modules are compiled for it.
_SECONDS = 3600.0
_JOBS = ("packages-repair", "packages-refresh", "packages-update")


@dataclass(frozen=True, slots=True)
class _Progress:
    """`before`: digest of the packages at the start; `boot`: the boot that is to end; `kernel`: what ran in it."""

    phase: Literal["", "Begun", "Installed", "Asked", "Done"] = ""
    before: str = ""
    boot: str = ""
    kernel: str = ""

    @classmethod
    def of(cls, scope: ReadScope) -> _Progress:
        found = scope.journal.get(_key(scope))
        return cls(**json.loads(found)) if found else cls()

    async def note(self, scope: ReadScope) -> _Progress:
        await scope.journal.put(_key(scope), json.dumps(asdict(self)))
        return self


class SystemPackages:
    name = "system-packages"
    title = "Update packages and boot anew"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, progress = scope.host, _Progress.of(scope)
        changes = []
        if await _pending(scope):
            changes.append(PlannedChange(what="packages", before="as found", after="updated"))
        now = await _kernel(host)
        if not _reaches(now, scope.target.kernel.minimum):
            changes.append(PlannedChange(what="kernel", before=now, after=f"at least {scope.target.kernel.minimum}"))
        if progress.phase in ("Installed", "Asked"):
            changes.append(PlannedChange(what="boot", before=progress.boot, after="a new one, verified"))
        if await ledger.note(host, _HELD) is not None:
            changes.append(PlannedChange(what="marks on packages", before="ours", after="taken away"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        progress = _Progress.of(scope)
        if progress.phase in ("", "Begun", "Done"):
            progress = await _install(scope, progress)
        await _release(scope.door)
        if await _boot_needed(scope, progress):
            progress = await replace(progress, phase="Asked").note(scope)
            scope.log(f"booting anew; the kernel before is {progress.kernel}")
            await reboot.ask(scope.door, progress.boot)
            await reboot.wait(scope, progress.boot, fallback=progress.kernel)
        await reboot.started(scope)
        await _judge_kernel(scope, progress)
        await _answer(scope)
        await replace(progress, phase="Done").note(scope)

    async def undo(self, scope: Scope) -> None:
        """Leave the machine started, with its kubelet and without our marks; packages stay as they are now."""
        host, progress = scope.door, _Progress.of(scope)
        await _idle(scope)
        if progress.phase == "Asked" and await reboot.under_way(host):
            await reboot.wait(scope, progress.boot, fallback=progress.kernel)
        await _release(host)
        if progress.phase == "Asked":
            # Where no boot was asked for, the machine is as started as it was found.
            await reboot.started(scope)
        if progress.phase:
            scope.log("packages stay as they are now: they are not taken back to older versions")


def _key(scope: ReadScope) -> str:
    return f"system-packages/{scope.name}"


async def _idle(scope: Scope) -> None:
    """Wait for what a run before has started: killed, a package manager leaves half of a package."""
    host = scope.door

    async def busy() -> str:
        left = [name for name in _JOBS if await running(host, Job(name, ["true"]))]
        return f"{left[0]} still runs" if left else ""

    await wait_until(busy, what=f"the package manager of host {host.name} end", seconds=_SECONDS, clock=scope.clock)


async def _install(scope: Scope, progress: _Progress) -> _Progress:
    """Update, with what Kubernetes stands on left out; return the progress with the boot that has to end."""
    host = scope.door
    manager = await packages.manager_of(host)
    await _idle(scope)
    found = await packages.installed(host, manager)
    if progress.phase != "Begun":
        await ledger.write_note(host, _BEFORE, {"packages": found.lines, "held": sorted(found.held)})
        progress = await _Progress("Begun", _digest(found)).note(scope)
    if manager.repair and found.unfinished:
        await run_job(scope, host, Job(_JOBS[0], manager.repair, _SECONDS, good=manager.good))
    await run_job(scope, host, Job(_JOBS[1], manager.refresh, 900, good=manager.good))
    names = [] if await _pending(scope) else await _kernel_packages(scope, manager, found)
    await _keep(host, manager, found)
    update = packages.updating(manager, found.kept, names)
    scope.log(f"updating {', '.join(names) or 'all packages'}; left as they are: {', '.join(found.kept) or 'none'}")
    await run_job(scope, host, Job(_JOBS[2], update, _SECONDS, good=manager.good))
    await _require_kernel(scope)
    now = await _kernel(host)
    return await replace(progress, phase="Installed", boot=await reboot.boot_of(host), kernel=now).note(scope)


async def _kernel_packages(scope: Scope, manager: Manager, found: Installed) -> list[str]:
    names = await packages.kernel_packages(scope.host, manager, found, await _kernel(scope.host))
    if not names:
        raise StepRefused(
            f"cannot update the kernel of host {scope.name}: it did not come in a package of {manager.name}",
            remedy=f"install a kernel from {scope.target.kernel.minimum} on by the means that brought this one",
        )
    return names


async def _keep(host: Host, manager: Manager, found: Installed) -> None:
    """Mark what is left out. Which marks are ours is written down first; those that were there are nobody's of ours."""
    if not manager.hold:
        return
    await ledger.note_first(host, _HELD, {"names": [name for name in found.kept if name not in found.held]})
    noted = await ledger.note(host, _HELD) or {}
    await packages.marks(host, manager.hold, [name for name in noted["names"] if name not in found.held])


async def _release(host: Host) -> None:
    """Take our marks away, and forget them when they are gone."""
    noted = await ledger.note(host, _HELD)
    if noted is None:
        return
    manager = await packages.manager_of(host)
    held = (await packages.installed(host, manager)).held
    await packages.marks(host, manager.release, [name for name in noted["names"] if name in held])
    await ledger.forget_note(host, _HELD)


async def _require_kernel(scope: Scope) -> None:
    """Refuse to boot for nothing: a kernel that reaches the floor has to be there."""
    floor = scope.target.kernel.minimum
    if _reaches(await _kernel(scope.host), floor):
        return
    names = (await scope.host.query(["ls", "/boot"])).text.split()
    there = [name.removeprefix(start) for name in names for start in _KERNELS if name.startswith(start)]
    if not any(_reaches(one, floor) and one[:1].isdigit() for one in there):
        raise StepRefused(
            f"cannot bring the kernel of host {scope.name} to {floor}: its package sources have none; in /boot:"
            f" {', '.join(sorted(there)) or 'nothing'}",
            remedy="add a package source that has one, lower operatingSystem.kernel.minimum of the Foundation, or"
            " install the machine anew with a newer system",
        )


async def _boot_needed(scope: Scope, progress: _Progress) -> bool:
    """Tell whether the boot that was noted has to end, and is not over: nothing changed means nothing to boot for."""
    host = scope.door
    if await reboot.boot_of(host) != progress.boot:
        return False
    if progress.phase == "Asked":
        return True
    found = await packages.installed(host, await packages.manager_of(host))
    required = (await host.query(["test", "-e", _REBOOT_REQUIRED])).ok
    low = not _reaches(await _kernel(host), scope.target.kernel.minimum)
    return required or low or _digest(found) != progress.before


async def _judge_kernel(scope: Scope, progress: _Progress) -> None:
    now, floor = await _kernel(scope.host), scope.target.kernel.minimum
    if not _reaches(now, floor):
        raise StepRefused(
            f"cannot bring the kernel of host {scope.name} to {floor}: a newer one is installed, but it booted {now}",
            remedy="see which kernel its boot menu chooses (GRUB_DEFAULT in /etc/default/grub, grubby"
            " --default-kernel), choose the newer one, and retry",
        )
    if progress.kernel and now != progress.kernel:
        scope.log(f"kernel {progress.kernel} → {now}; the old one is still installed")


async def _answer(scope: Scope) -> None:
    """Note the requests as answered on the machine, so that no later plan asks for the same again."""
    pending = await _pending(scope)
    if pending:
        noted = await ledger.note(scope.door, ANSWERED) or {}
        answered = [*noted.get("answered", []), *pending][-_REMEMBERED:]
        await ledger.write_note(scope.door, ANSWERED, {"answered": answered})


async def _pending(scope: ReadScope) -> list[str]:
    """Return the requests, the Cluster's and the Machine's, that this machine has not answered."""
    noted = await ledger.note(scope.host, ANSWERED) or {}
    asked = (scope.target.update_packages, scope.own.metadata.annotations.get(ANNOTATION_UPDATE, ""))
    return [value for value in dict.fromkeys(asked) if value and value not in noted.get("answered", [])]


async def _kernel(host: ReadHost) -> str:
    return (await host.query(["uname", "-r"])).text


def _reaches(release: str, floor: str) -> bool:
    """What cannot be compared is nothing to boot a machine for."""
    try:
        return versions.kernel_at_least(release, floor)
    except versions.UnknownVersion:
        return True


def _digest(found: Installed) -> str:
    return hashlib.sha256("\n".join(found.lines).encode()).hexdigest()
