"""Boots a machine anew, and knows by the id of its boot that it did: asking twice boots it once.

The order goes to a timer of systemd's, so that the answer to it still arrives. It names the boot that it ends: given
late, to a machine that has booted meanwhile, it does nothing.
"""

from __future__ import annotations

from shlex import quote

from groundplane.hosts.contract import Host, ReadHost
from groundplane.hosts.errors import HostDenied, HostTimeout, HostUnreachable

from . import systemd
from .errors import NotReached, StepRefused
from .scope import ReadScope
from .waiting import wait_until

_ID = "/proc/sys/kernel/random/boot_id"
_UNIT = "groundplane-reboot"
# Servers test their memory before they boot.
LIMIT = 1200.0
_START = 300.0

_ASK = """set -eu
[ "$(cat {path})" = {boot} ] || exit 0
if systemctl is-active --quiet {unit}.timer {unit}.service; then exit 0; fi
systemctl reset-failed {unit}.timer {unit}.service 2>/dev/null || true
systemd-run --quiet --unit={unit} --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot
"""


async def boot_of(host: ReadHost) -> str:
    """Return the id of the machine's present boot."""
    found = (await host.read(_ID) or b"").decode().strip()
    if not found:
        raise StepRefused(f"cannot tell the boots of host {host.name} apart: {_ID} is empty", remedy="mount /proc")
    return found


async def ask(host: Host, boot: str) -> None:
    """Have the machine end the boot `boot`; nothing when that one is over."""
    await host.script(_ASK.format(path=_ID, boot=quote(boot), unit=_UNIT))


async def under_way(host: ReadHost) -> bool:
    """Tell whether a boot that was asked for is still to come, or the machine is going down for it."""
    timers = await host.query(["systemctl", "is-active", f"{_UNIT}.timer", f"{_UNIT}.service"])
    return timers.ok or (await host.query(["systemctl", "is-system-running"])).text == "stopping"


async def wait(scope: ReadScope, boot: str, *, fallback: str, limit: float = LIMIT) -> None:
    """Return when the machine has booted anew; `fallback` is the kernel to choose when it does not."""
    host = scope.host

    async def missing() -> str:
        try:
            now = await boot_of(host)
        except (HostUnreachable, HostTimeout):
            return "it does not answer"
        except HostDenied:
            # sshd answers before logins are allowed: pam_nologin(8).
            return "it does not let us in"
        return "it has not gone down" if now == boot else ""

    try:
        await wait_until(missing, what=f"host {host.name} boot anew", seconds=limit, clock=scope.clock, interval=2)
    except NotReached as error:
        raise StepRefused(
            error.message,
            remedy=f"look at the console of {host.name}: a unit that does not stop, a file system that is checked, or a"
            f" kernel that does not start; then choose the kernel before, {fallback}, in the boot menu"
            " (GRUB: Advanced options), make it the default with grub-set-default, and retry",
        ) from error


async def started(scope: ReadScope, *, limit: float = _START) -> None:
    """Return when the machine has finished starting and kubelet runs where it is to; StepRefused after `limit`."""
    host = scope.host

    async def missing() -> str:
        state = (await host.query(["systemctl", "is-system-running"])).text
        if state not in ("running", "degraded"):
            return f"systemd says {state or 'nothing'}"
        kubelet = await systemd.look(host, "kubelet.service")
        return "kubelet does not run" if kubelet.enabled and not kubelet.active else ""

    try:
        await wait_until(missing, what=f"host {host.name} whole after its boot", seconds=limit, clock=scope.clock)
    except NotReached as error:
        raise StepRefused(
            error.message,
            remedy=f"look at `systemctl --failed`, `systemctl list-jobs` and `journalctl -u kubelet` on {host.name}",
        ) from error
