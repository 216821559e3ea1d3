"""The virtual IP of control planes: one address that moves to a control plane whose API server can be used.

keepalived holds it, one on each control plane, and they tell each other by unicast who has it. All have the same
priority, and one whose API server can be used has more: so the address leaves a server that fails, and does not go back
for nothing when that one is well again. Sources: keepalived.conf(5); https://datatracker.ietf.org/doc/html/rfc5798.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groundplane.base.errors import Unavailable
from groundplane.hosts.contract import Host, ReadHost

from . import ledger, systemd
from .errors import StepRefused
from .scope import ReadScope

UNIT = "keepalived.service"
CONFIG = "/etc/keepalived/keepalived.conf"
# Where SELinux's policy lets keepalived run scripts as they need it: keepalived_selinux(8).
SCRIPT = "/usr/libexec/keepalived/groundplane-api"
NOTE = "virtual-ip"
"""What this machine's part is: the survey reads it."""
_FOUND = "virtual-ip-found"
# A list without any would have keepalived from 2.1 on fall back to multicast, where it meets strangers:
# https://github.com/openshift/machine-config-operator/pull/2576
_ALWAYS = "127.0.0.1"

_CONFIG = """# Written by groundplane for cluster {cluster}: the virtual IP of its control planes.
global_defs {{
    router_id {name}
    script_user root
    enable_script_security
}}
vrrp_script api_server {{
    script "{script}"
    interval 1
    timeout 3
    fall 2
    rise 2
    weight 50
}}
vrrp_instance api_server {{
    state BACKUP
    interface {interface}
    virtual_router_id {router}
    priority 100
    advert_int 1
    unicast_src_ip {own}
    unicast_peer {{
{peers}
    }}
    virtual_ipaddress {{
        {address}/{length} dev {interface}
    }}
    track_script {{
        api_server
    }}
}}
"""
# An API server that asks who is there, or forbids it, lives.
_SCRIPT = """#!/bin/sh
# Written by groundplane: tells whether the API server of this machine can be used.
code=$(curl -sk -o /dev/null -m 2 -w '%{{http_code}}' --noproxy '*' https://{own}:{port}/readyz)
case $code in 200 | 401 | 403) exit 0 ;; esac
exit 1
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A control plane's part: its `own` address is on `interface`, whose network has the virtual one, `address`."""

    cluster: str
    name: str
    interface: str
    own: str
    address: str
    peers: Sequence[str]
    port: int

    def config(self) -> bytes:
        """Return keepalived's configuration."""
        text = _CONFIG.format(
            cluster=self.cluster,
            name=self.name,
            script=SCRIPT,
            interface=self.interface,
            router=1 + zlib.crc32(f"{self.cluster} {self.address}".encode()) % 255,
            own=self.own,
            peers="\n".join(f"        {peer}" for peer in (*self.peers, _ALWAYS)),
            address=self.address,
            length=ipaddress.ip_address(self.address).max_prefixlen,
        )
        return text.encode()

    def script(self) -> bytes:
        """Return what keepalived asks the API server with."""
        return _SCRIPT.format(own=self.own, port=self.port).encode()

    def note(self) -> dict[str, Any]:
        """Return what the survey is told."""
        return {"address": self.address, "peers": list(self.peers)}


def interface_of(listing: str, own: str, address: str) -> str:
    """Return the interface that has `own` in a network with `address`, by what `ip -o addr show` prints; "": none."""
    for line in listing.splitlines():
        words = line.split()
        if len(words) < 4 or not words[2].startswith("inet"):
            continue
        there = ipaddress.ip_interface(words[3])
        if str(there.ip) == own and ipaddress.ip_address(address) in there.network:
            return words[1].partition("@")[0]
    return ""


async def holds(host: ReadHost, address: str) -> bool:
    """Tell whether the machine has the virtual IP now."""
    shown = await host.query(["ip", "-o", "addr", "show", "to", address])
    return bool(shown.text.strip())


async def holders(scope: ReadScope) -> list[str]:
    """Return the control planes that have the virtual IP; one that does not answer is passed over."""
    found = []
    for name in scope.target.control_planes:
        try:
            if await holds(scope.hosts[name], scope.target.endpoint.host):
                found.append(name)
        except Unavailable as error:
            scope.log(f"not asked whether {name} has the virtual IP: {error.message}")
    return found


async def require_free(host: Host) -> None:
    """Refuse a keepalived that somebody else uses; note how it was found otherwise."""
    if await ledger.note(host, _FOUND) is not None:
        return
    unit = await systemd.look(host, UNIT)
    # A package may bring an example of a configuration, or start it at boot without any.
    if unit.active or (unit.enabled and await host.stat(CONFIG) is not None):
        raise StepRefused(
            f"cannot set up a virtual IP on host {host.name}: keepalived is there already, for something else",
            remedy=f"move {CONFIG} away and stop {UNIT}, or use provider External with that keepalived",
        )
    await ledger.note_first(host, _FOUND, {"enabled": unit.enabled})


async def kept(host: ReadHost) -> bool:
    """Tell whether the machine has a part in a virtual IP of ours."""
    return await ledger.note(host, _FOUND) is not None and (await systemd.look(host, UNIT)).active


async def release(host: Host) -> None:
    """Have the machine give the virtual IP away for good; fine where none was set up."""
    if await kept(host):
        await host.run(["systemctl", "disable", "--now", UNIT], timeout=60)
        await ledger.forget_note(host, NOTE)


async def restore(host: Host) -> None:
    """Have keepalived start at boot if it did when it was found; the files are the ledger's."""
    found = await ledger.note(host, _FOUND)
    if found is not None and found.get("enabled"):
        await host.run(["systemctl", "enable", UNIT], check=False)
