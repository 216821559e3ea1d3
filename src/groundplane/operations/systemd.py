"""Questions to systemd, and the few orders that steps give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from groundplane.hosts.contract import Host, ReadHost, Result


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is: `known`: systemd has it at all; `read`: its files are as systemd has read them."""

    name: str
    known: bool
    active: bool
    enabled: bool
    read: bool = True


async def look(host: ReadHost, name: str) -> Unit:
    """Return the state of unit `name`."""
    return (await look_at(host, [name]))[0]


async def look_at(host: ReadHost, names: Sequence[str]) -> list[Unit]:
    """Return the state of each unit, in this order, by one question."""
    if not names:
        return []
    asked = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
    shown = await host.query(["systemctl", "show", *names, *(f"--property={one}" for one in asked)])
    blocks = shown.text.strip().split("\n\n")
    return [_unit(name, block) for name, block in zip_longest(names, blocks[: len(names)], fillvalue="")]


def _unit(name: str, block: str) -> Unit:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    return Unit(
        name,
        known=values.get("LoadState") == "loaded",
        active=values.get("ActiveState") in ("active", "activating", "reloading"),
        enabled=values.get("UnitFileState") == "enabled",
        read=values.get("NeedDaemonReload") == "no",
    )


async def start(host: Host, name: str, *, restart: bool = False) -> None:
    """Enable the unit and have it run; with `restart` also one that runs."""
    unit = await look(host, name)
    # Each of them has systemd read all units anew.
    if not (unit.known and unit.read):
        await host.run(["systemctl", "daemon-reload"])
    if not unit.enabled:
        await host.run(["systemctl", "enable", name])
    await bring_up(host, name, restart=restart)


async def bring_up(host: Host, name: str, *, restart: bool = False, check: bool = True) -> Result:
    """Have the unit run, and with `restart` also one that runs begin anew; with `check` a failure is CommandFailed."""
    # A unit that failed often is held back by systemd until somebody resets it.
    await host.run(["systemctl", "reset-failed", name], check=False)
    return await host.run(["systemctl", "restart" if restart else "start", name], check=check, timeout=180)


async def put_back(host: Host, unit: Unit) -> None:
    """Bring a unit to the state that was found."""
    if not unit.enabled:
        await host.run(["systemctl", "disable", unit.name], check=False)
    await host.run(["systemctl", "restart" if unit.active else "stop", unit.name], timeout=180)


async def last_words(host: ReadHost, unit: str) -> str:
    """Return the last lines of a unit's journal that say what is wrong."""
    shown = await host.query(["journalctl", "-u", unit, "-n", "40", "--no-pager", "-o", "cat"])
    lines = [line.strip() for line in shown.text.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line.lower() for word in ("error", "fail", "fatal", "cannot"))]
    return "; ".join((telling or lines)[-2:])[:600] or "it says nothing"
