"""The routed pod network of one machine as text: CNI configuration and the script that sets routes and rules. Pure.

Each node bridges its own pods; a host route leads to every other node's pod range. Pods that talk to pods keep their
addresses across nodes; what leaves the pod network is masqueraded. (The bridge plugin's own ipMasq knows only its
node's range and would masquerade pods of other nodes too, so it is off.) Forwarding for pods is accepted explicitly,
because Docker and many firewalls drop what is forwarded. Everything of ours is marked: chains GROUNDPLANE-*, and
routes of protocol 157, a number that no routing daemon has (/etc/iproute2/rt_protos).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .places import NETWORK_SCRIPT

PROTOCOL = "157"
MASQ = "GROUNDPLANE-MASQ"
FORWARD = "GROUNDPLANE-FORWARD"
_MULTICAST = "224.0.0.0/4"


@dataclass(frozen=True, slots=True)
class Routed:
    """`own` is this node's pod range, `pods` the cluster's, `peers` maps the other nodes' ranges to their addresses."""

    own: str
    pods: str
    peers: Mapping[str, str]

    @property
    def chains(self) -> dict[tuple[str, str, str], list[str]]:
        """Table, chain and the chain that leads to it: the rules, as `iptables -S` prints them."""
        return {
            ("nat", MASQ, "POSTROUTING"): [
                f"-A {MASQ} ! -s {self.pods} -j RETURN",
                f"-A {MASQ} -d {self.pods} -j RETURN",
                f"-A {MASQ} -d {_MULTICAST} -j RETURN",
                f"-A {MASQ} -j MASQUERADE",
            ],
            ("filter", FORWARD, "FORWARD"): [
                f"-A {FORWARD} -s {self.pods} -j ACCEPT",
                f"-A {FORWARD} -d {self.pods} -j ACCEPT",
            ],
        }


def conflist(network: Routed) -> bytes:
    """Return the CNI configuration; cniVersion 0.4.0 is read by dockershim and by every containerd."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": network.own}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    document = {"cniVersion": "0.4.0", "name": "groundplane", "plugins": [bridge, portmap]}
    return json.dumps(document, indent=2).encode() + b"\n"


def script(network: Routed) -> bytes:
    """Return the script that sets routes and rules (`up`), routes alone (`routes`), or takes all away (`down`).

    Each may be run again.
    """
    lines = [
        "#!/bin/sh",
        "# Written by groundplane: routes to the other nodes' pods, and rules for traffic of pods.",
        "set -eu",
        f'if [ "${{1:-up}}" = down ]; then ip route flush proto {PROTOCOL} || true; fi',
    ]
    lines += ['if [ "${1:-up}" != routes ]; then']
    for (table, chain, parent), rules in network.chains.items():
        lines += _chain(table, chain, parent, rules)
    lines += [
        "fi",
        'if [ "${1:-up}" = down ]; then exit 0; fi',
        f"wanted='{' '.join(sorted(network.peers))}'",
        f"ip -4 route show proto {PROTOCOL} | while read -r range rest; do",
        '    case " $wanted " in *" $range "*) ;; *) ip route del "$range" proto ' + PROTOCOL + " ;; esac",
        "done",
    ]
    lines += [
        f'have="$(ip -4 route show proto {PROTOCOL})"',
        "route() {",
        '    case "$have" in *"$1 via $2 "*) ;; *) ip route replace "$1" via "$2" proto ' + PROTOCOL + " ;; esac",
        "}",
    ]
    lines += [f"route {range_} {via}" for range_, via in sorted(network.peers.items())]
    return ("\n".join(lines) + "\n").encode()


def _chain(table: str, chain: str, parent: str, rules: list[str]) -> list[str]:
    jump = f"{parent} -m comment --comment groundplane -j {chain}"
    tool = f"iptables -w -t {table}"
    return [
        'if [ "${1:-up}" = down ]; then',
        f"    while {tool} -C {jump} 2>/dev/null; do {tool} -D {jump}; done",
        f"    {tool} -F {chain} 2>/dev/null && {tool} -X {chain} || true",
        "else",
        f"    {tool} -N {chain} 2>/dev/null || {tool} -F {chain}",
        *(f"    {tool} {rule}" for rule in rules),
        f"    {tool} -C {jump} 2>/dev/null || {tool} -I {jump}",
        "fi",
    ]


UNIT = f"""[Unit]
Description=Routes and rules of the pod network (groundplane)
Wants=network-online.target
After=network-online.target docker.service firewalld.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={NETWORK_SCRIPT} up
ExecStop={NETWORK_SCRIPT} down

[Install]
WantedBy=multi-user.target
""".encode()
