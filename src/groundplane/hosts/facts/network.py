"""Facts of the network: addresses, routes through a gateway, sockets that listen."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence

from groundplane.api.facts import ListenFacts, NetworkFacts

from .sections import Sections, number, pairs

ADDRESSES_KEPT = 256
_RTF_GATEWAY = 0x2


def network_facts(sections: Sections, hostname: str) -> NetworkFacts:
    """Return addresses and routes; an address counts when its scope is global."""
    addresses = []
    for line in sections.get("addresses", ()):
        match = re.search(r"\sinet6?\s+(\S+).*\sscope\s+global", line)
        if match:
            addresses.append(match.group(1))
    routes = [*_printed(sections.get("routes", ())), *_routes(sections), *_routes6(sections)]
    return NetworkFacts(
        hostname=hostname,
        interfaces=number(pairs(sections.get("seen", ())).get("interfaces", "")),
        addresses=addresses[:ADDRESSES_KEPT],
        default_route=any(destination in ("0.0.0.0/0", "::/0") for destination, _ in routes),
        routes={to: hop for to, hop in routes if hop and to not in ("0.0.0.0/0", "::/0")},
        cni_configs=sorted(sections.get("cni-configs", ())),
        cni_plugins=sorted(set(sections.get("cni-plugins", ()))),
    )


def listen_facts(sections: Sections) -> list[ListenFacts]:
    """Return the sockets that listen, by port."""
    found = {fact for line in sections.get("listening", ()) if (fact := _socket(line))}
    found |= set(_proc_sockets(sections.get("listening-proc", ()), "tcp", "0A"))
    found |= set(_proc_sockets(sections.get("sockets-tcp", ()), "tcp", "0A"))
    found |= set(_proc_sockets(sections.get("sockets-udp", ()), "udp", "07"))
    return sorted(found, key=lambda fact: (fact.port, fact.protocol, fact.address, fact.process))


def _printed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield destination and gateway of what `ip route show` prints."""
    for line in lines:
        words = line.split()
        if words[:1] == ["default"]:
            yield "0.0.0.0/0", ""
        elif len(words) > 2 and words[1] == "via":
            yield words[0] if "/" in words[0] else f"{words[0]}/{128 if ':' in words[0] else 32}", words[2]


def _routes(sections: Sections) -> Iterator[tuple[str, str]]:
    """Yield destination and gateway of the lines of /proc/net/route: addresses in hex, in the byte order of the CPU."""
    for line in sections.get("routes-proc", ()):
        words = line.split("\t")
        try:
            to, gateway, flags, mask = (int(words[n], 16) for n in (1, 2, 3, 7))
            if to == 0 or flags & _RTF_GATEWAY:
                yield f"{_ipv4(to)}/{mask.bit_count()}", _ipv4(gateway) if flags & _RTF_GATEWAY else ""
        except (ValueError, IndexError, OverflowError):
            continue


def _ipv4(number: int) -> str:
    # Every CPU that Kubernetes runs on here is little-endian.
    return str(ipaddress.IPv4Address(number.to_bytes(4, "little")))


def _routes6(sections: Sections) -> Iterator[tuple[str, str]]:
    """Yield destination and gateway of the lines of /proc/net/ipv6_route."""
    for line in sections.get("routes6-proc", ()):
        words = line.split()
        try:
            to, length, hop, flags = (int(words[n], 16) for n in (0, 1, 4, 8))
            if flags & _RTF_GATEWAY and hop:
                yield f"{ipaddress.IPv6Address(to)}/{length}", str(ipaddress.IPv6Address(hop))
        except (ValueError, IndexError):
            continue


def _socket(line: str) -> ListenFacts | None:
    words = line.split()
    if len(words) < 5 or words[0] not in {"tcp", "udp"}:
        return None
    address, _, port = words[4].rpartition(":")
    process = re.search(r'users:\(\("([^"]*)"', line)
    address = re.sub(r"%[^\]]*", "", address).strip("[]")
    if not 0 < number(port) < 65536:
        return None
    return ListenFacts(
        port=number(port), protocol=words[0], address=address, process=process.group(1) if process else ""
    )


def _proc_sockets(lines: Sequence[str], protocol: str, state: str) -> Iterator[ListenFacts]:
    for line in lines:
        match = re.search(r"(?:^|: )[0-9A-F]{8,32}:([0-9A-F]{4})(?: [0-9A-F]{8,32}:0000 (..) |$)", line)
        if match and match.group(1) != "0000" and match.group(2) in (None, state):
            yield ListenFacts(port=int(match.group(1), 16), protocol=protocol)
