"""The time service of a host: one that is there is used, else the family's usual one is installed.

A container's clock is its host's: nothing is done there.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from . import ledger, packages, systemd
from .errors import JobFailed, StepRefused
from .packages import APT, Manager
from .scope import ReadScope, Scope

# As the survey looks for them; which names one program has depends on the family.
UNITS = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntp", "ntpsec", "openntpd")
CONTAINER = "/run/systemd/container"
"""Written by systemd where it runs a container: https://systemd.io/CONTAINER_INTERFACE/."""

_REMEDY = "install chrony or systemd-timesyncd on the machine, or set settings.timeSync to Ignored"


async def changes(scope: ReadScope) -> list[PlannedChange]:
    """Return what is to be done for a clock that somebody keeps right."""
    host = scope.host
    if scope.target.settings.time_sync != "Required" or await host.read(CONTAINER) is not None:
        return []
    if await _runs(host):
        return []
    return [PlannedChange(what="time service", before="none runs", after="runs, and starts at boot")]


async def apply(scope: Scope) -> None:
    """Start the time service that is installed, or install one first; StepRefused when there is none to be had."""
    host = scope.door
    if not await changes(scope):
        return
    if not await _start(scope):
        manager = await packages.manager_of(host)
        await _install(scope, manager)
        await _start(scope)
    if not await _runs(host):
        raise StepRefused(
            f"cannot keep the clock of host {host.name} right: its time service does not stay running",
            remedy="look at `systemctl status chrony chronyd systemd-timesyncd` there",
        )


async def _runs(host: ReadHost) -> bool:
    return (await host.query(["systemctl", "is-active", *UNITS])).ok


async def _start(scope: Scope) -> bool:
    """Enable and start the first time service that is installed; False when none is."""
    for name in UNITS:
        shown = (await scope.door.query(["systemctl", "show", name, "--property=Id", "--property=LoadState"])).text
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded":
            # An alias cannot be enabled; its unit can.
            unit = values.get("Id", f"{name}.service")
            await ledger.note_first(scope.door, "time-sync", {"unit": unit})
            await systemd.start(scope.door, unit)
            scope.log(f"started {unit}")
            return True
    return False


async def _install(scope: Scope, manager: Manager) -> None:
    reasons = []
    for package in ("systemd-timesyncd", "chrony") if manager is APT else ("chrony",):
        try:
            return await packages.install(scope, manager, [package])
        except JobFailed as error:
            reasons.append(error.message)
    raise StepRefused(f"cannot install a time service on host {scope.name}: {'; '.join(reasons)}", remedy=_REMEDY)
