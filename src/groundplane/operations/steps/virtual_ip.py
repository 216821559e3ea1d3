"""virtual-ip: this control plane's part in the virtual IP. keepalived is brought, set up and running, and one has it.

The address is looked for before it is taken: one that somebody else answers is refused. The step ends when exactly one
control plane has it; two at once do not hear each other, which a firewall between them does.
"""

from __future__ import annotations

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import ReadHost

from .. import ledger, packages, systemd, virtual_ip
from ..errors import JobFailed, NotReached, StepRefused
from ..planes import own_port
from ..scope import ReadScope, Scope
from ..virtual_ip import CONFIG, NOTE, SCRIPT, UNIT, Part
from ..waiting import wait_until

_PATIENCE = 30.0
_PROGRAMS = ("keepalived", "curl")


class VirtualIP:
    name = "virtual-ip"
    title = "Keep the virtual IP of the control planes"

    def wanted(self, scope: ReadScope) -> bool:
        planes, provider = scope.target.control_planes, scope.target.endpoint.provider
        return scope.machine is not None and scope.name in planes and provider == "VirtualIP"

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, missing = scope.host, await _missing(scope.host)
        if missing:
            return [PlannedChange(what=", ".join(missing), after="installed")]
        part, changes = await _part(scope), []
        for path, content in ((SCRIPT, part.script()), (CONFIG, part.config())):
            if await ledger.differs(host, path, content):
                changes.append(PlannedChange(what=path, after=f"for {part.address}"))
        unit = await systemd.look(host, UNIT)
        if not (unit.active and unit.enabled):
            changes.append(PlannedChange(what=UNIT, before="not running", after="running, started at boot"))
        if await ledger.note(host, NOTE) != part.note():
            changes.append(PlannedChange(what=f"virtual IP {part.address}", after="one control plane has it"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, part = scope.door, await _part(scope)
        await virtual_ip.require_free(host)
        await _require_unused(scope, part)
        await _install(scope)
        folder = SCRIPT.rpartition("/")[0]
        if await host.stat(folder) is None:
            await ledger.record(host, folder)
        await ledger.put(host, SCRIPT, part.script(), mode=0o755)
        if (await host.query(["test", "-x", "/usr/sbin/restorecon"])).ok:
            await host.run(["/usr/sbin/restorecon", SCRIPT])
        await ledger.put(host, CONFIG, part.config())
        if (await systemd.look(host, UNIT)).active:
            # The address stays where it is while the others become known.
            await host.run(["systemctl", "reload", UNIT])
        await systemd.start(host, UNIT)
        await _settle(scope, part)
        await ledger.write_note(host, NOTE, part.note())


async def _missing(host: ReadHost) -> list[str]:
    return [name for name in _PROGRAMS if not (await host.query(["which", name])).ok]


async def _install(scope: Scope) -> None:
    missing = await _missing(scope.host)
    if not missing:
        return
    manager = await packages.manager_of(scope.door)
    try:
        await packages.install(scope, manager, missing)
    except JobFailed as error:
        raise StepRefused(
            f"cannot install {', '.join(missing)} on host {scope.name}: {error.message}",
            remedy=f"install {', '.join(missing)} on the machine, or use provider External with a load balancer",
        ) from error


async def _part(scope: ReadScope) -> Part:
    target, own = scope.target, scope.own.spec.address
    address = target.endpoint.host
    shown = await scope.host.query(["ip", "-o", "addr", "show"])
    interface = virtual_ip.interface_of(shown.text, own, address)
    if not interface:
        raise StepRefused(
            f"cannot keep virtual IP {address} on host {scope.name}: no interface has {own} in a network that it is in",
            remedy="choose a free address of the network that all control planes are in",
        )
    others = sorted(scope.machines[name].spec.address for name in target.control_planes if name != scope.name)
    return Part(target.key, scope.name, interface, own, address, others, await own_port(scope, scope.name))


async def _require_unused(scope: Scope, part: Part) -> None:
    """Refuse an address that is somebody else's: nobody of ours has it, and it answers."""
    if await virtual_ip.holders(scope):
        return
    if (await scope.door.run(["ping", "-c", "1", "-W", "1", part.address], check=False)).ok:
        raise StepRefused(
            f"cannot take {part.address} as virtual IP: another machine has it, it answers host {scope.name}",
            remedy="choose an address that is free",
        )


async def _settle(scope: Scope, part: Part) -> None:
    seen: list[str] = []

    async def missing() -> str:
        seen[:] = await virtual_ip.holders(scope)
        return "" if len(seen) == 1 else f"{' and '.join(seen)} have it" if seen else "nobody has it"

    what = f"one control plane have virtual IP {part.address}"
    try:
        await wait_until(missing, what=what, seconds=_PATIENCE, clock=scope.clock, interval=0.5)
    except NotReached as error:
        heard = "let VRRP (IP protocol 112) pass between the control planes; a firewall may drop it"
        raise NotReached(
            f"{error.message}; keepalived says: {await systemd.last_words(scope.host, UNIT)}",
            remedy=heard if len(seen) > 1 else f"see `journalctl -u {UNIT}` there",
        ) from error
    scope.log(f"{seen[0]} has virtual IP {part.address}")
