"""Crash dumps of the kernel: the family's service, installed and started at boot, and memory reserved for its kernel.

Memory is reserved by the kernel's command line and at boot only. Nothing is booted for it here: until the machine's
next boot no dump is taken, which is said.

- Debian family: kdump-tools, kdump-tools.service, a file in /etc/default/grub.d and update-grub.
- Enterprise Linux family: kexec-tools (kdump-utils from 10 on), kdump.service, grubby.
- SUSE family: kdump, kdump.service, /etc/default/grub and grub2-mkconfig.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from . import ledger, packages, systemd
from .errors import JobFailed, StepRefused
from .packages import APT, ZYPPER, Manager
from .places import STATE
from .scope import ReadScope, Scope
from .time_sync import CONTAINER

# What Enterprise Linux 9 sets by itself (kdumpctl get-default-crashkernel).
RESERVED = "crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M"
_GRUB, _GRUB_FILE = "/etc/default/grub", "/etc/default/grub.d/90-groundplane-kdump.cfg"
_GRUB_TEXT = f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {RESERVED}"\n'.encode()
_LINE = re.compile(r'^(GRUB_CMDLINE_LINUX_DEFAULT=)(["\'])(.*)\2[ \t]*$', re.MULTILINE)
# What boot loaders really read, wherever it was configured.
_BOOT = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/loader/entries", "/boot/efi/EFI")
_UNITS = ("kdump-tools.service", "kdump.service")


@dataclass(frozen=True, slots=True)
class _State:
    unit: systemd.Unit | None
    reserved: bool
    configured: bool


async def changes(scope: ReadScope) -> list[PlannedChange]:
    """Return what is to be done for crash dumps; nothing in a container, whose kernel is its host's."""
    host = scope.host
    if scope.target.settings.kdump != "Required" or await host.read(CONTAINER) is not None:
        return []
    state = await _look(host)
    found = []
    if state.unit is None:
        found.append(PlannedChange(what="kdump", before="not installed", after="installed, and starts at boot"))
    elif not state.unit.enabled:
        found.append(PlannedChange(what="kdump", before="not enabled", after="starts at boot"))
    elif state.reserved and not state.unit.active:
        found.append(PlannedChange(what="kdump", before="not running", after="a crash kernel is loaded"))
    if not state.reserved and not state.configured:
        found.append(PlannedChange(what="memory for crash dumps", after=f"{RESERVED}, from the next boot on"))
    return found


async def apply(scope: Scope) -> None:
    """Install, configure and start what is missing."""
    host = scope.door
    if not await changes(scope):
        return
    if (await _look(host)).unit is None:
        await _install(scope, await packages.manager_of(host))
    state = await _look(host)
    if state.unit is None:
        raise StepRefused(
            f"cannot find the kdump service of host {host.name} after its package was installed",
            remedy="see which package brings it there, or set settings.kdump to Ignored",
        )
    if not state.reserved and not state.configured:
        await _reserve(scope)
    if state.reserved:
        await systemd.start(host, state.unit.name)
    else:
        await host.run(["systemctl", "enable", state.unit.name])
        scope.log(f"no crash dump is taken before host {host.name} is booted anew: only then is memory reserved")


def edited(text: str) -> str | None:
    """Return /etc/default/grub with the reservation in it; None when it has no line that it could be put into."""
    if "crashkernel=" in text:
        return text
    match = _LINE.search(text)
    if match is None:
        return None
    words = f"{match[3]} {RESERVED}".strip()
    return f"{text[: match.start()]}{match[1]}{match[2]}{words}{match[2]}{text[match.end() :]}"


async def _look(host: ReadHost) -> _State:
    units = await systemd.look_at(host, _UNITS)
    running = (await host.read("/proc/cmdline") or b"").decode("utf-8", "replace").split()
    configured = await host.query(["grep", "-r", "-s", "-q", "-E", "^[^#]*crashkernel=", *_BOOT])
    return _State(
        unit=next((unit for unit in units if unit.known), None),
        reserved=any(word.startswith("crashkernel=") for word in running),
        configured=configured.ok,
    )


async def _install(scope: Scope, manager: Manager) -> None:
    choices = (["kdump-tools"],) if manager is APT else (["kdump"],) if manager is ZYPPER else _OF_RPM
    reasons = []
    for names in choices:
        try:
            return await packages.install(scope, manager, names)
        except JobFailed as error:
            reasons.append(error.message)
    raise StepRefused(
        f"cannot install kdump on host {scope.name}: {'; '.join(reasons)}",
        remedy=f"install {choices[0][0]} on the machine, or set settings.kdump to Ignored",
    )


_OF_RPM = (["kexec-tools"], ["kdump-utils"])


async def _reserve(scope: Scope) -> None:
    """Put the reservation on the command line of the next boot, by the means that the machine has."""
    host = scope.door
    if await _has(host, "/usr/sbin/grubby"):
        await host.run(["grubby", "--update-kernel=ALL", f"--args={RESERVED}"], timeout=300)
    elif await _has(host, "/usr/sbin/update-grub"):
        await ledger.put(host, _GRUB_FILE, _GRUB_TEXT)
        await host.run(["update-grub"], timeout=300)
    elif await _has(host, "/usr/sbin/grub2-mkconfig"):
        await _edit_grub(scope)
        await host.run(["grub2-mkconfig", "-o", "/boot/grub2/grub.cfg"], timeout=300)
    else:
        raise StepRefused(
            f"cannot reserve memory for crash dumps on host {host.name}: its boot loader is not known",
            remedy=f"put {RESERVED} on its kernel's command line, or set settings.kdump to Ignored",
        )


async def _edit_grub(scope: Scope) -> None:
    host = scope.door
    found = await host.read(_GRUB)
    text = edited(found.decode("utf-8", "surrogateescape")) if found is not None else None
    if text is None:
        raise StepRefused(
            f"cannot reserve memory for crash dumps on host {host.name}: {_GRUB} sets no GRUB_CMDLINE_LINUX_DEFAULT",
            remedy=f"add a line that has {RESERVED}",
        )
    # Backed up, but not on the ledger: a delete must not undo what others write into it meanwhile.
    await host.run(["cp", "-a", _GRUB, f"{STATE}/grub.before"])
    await host.write(_GRUB, text.encode("utf-8", "surrogateescape"))


async def _has(host: ReadHost, path: str) -> bool:
    return (await host.query(["test", "-x", path])).ok
