"""Makes typed facts of what the facts script printed. Pure: no clock, no I/O.

Half an output gives no facts at all: the script's last line has to be there. Within a whole output nothing is
trusted to have a shape: what cannot be read is left empty, as if the machine did not have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from groundplane.api.facts import (
    ARCHITECTURES,
    DiskFacts,
    KernelFacts,
    ListenFacts,
    MachineFacts,
    NetworkFacts,
    OSFacts,
    SecurityFacts,
    TimeFacts,
)

from ..errors import SurveyIncomplete
from .kubernetes import kubeadm_facts, kubelet_facts
from .runtimes import runtime_facts
from .sections import Sections, Units, number, pairs, units_of

_TIME_UNITS = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntp", "ntpsec", "openntpd")
_TIME_PROCESSES = {"systemd-timesyn": "systemd-timesyncd", "chronyd": "chronyd", "ntpd": "ntpd", "openntpd": "openntpd"}


def parse(output: bytes, *, observed_at: str, offset_seconds: float) -> MachineFacts:
    """Return the facts in the script's whole `output`; raises SurveyIncomplete when its end is missing."""
    sections = split(output)
    identity = pairs(sections.get("identity", ()))
    units = units_of(sections.get("units", ()))
    return MachineFacts(
        observed_at=observed_at,
        machine_id=identity.get("machine-id", ""),
        boot_id=identity.get("boot-id", ""),
        product_uuid=identity.get("product-uuid", "").lower(),
        os=_os(sections, identity),
        kernel=_kernel(sections, identity),
        cpus=number(identity.get("cpus", "")),
        memory=_memory(sections.get("meminfo", ())),
        swap=_swap(sections.get("swaps", ())),
        disks=list(_disks(sections.get("disks", ()))),
        time=_time(sections, units, offset_seconds),
        security=_security(sections, units),
        listening=_listening(sections),
        runtimes=runtime_facts(sections, units),
        kubelet=kubelet_facts(sections, units, identity.get("hostname", "")),
        kubeadm=kubeadm_facts(sections),
        network=_network(sections, identity),
        commands=sorted(sections.get("commands", ())),
        systemd=identity.get("init") == "systemd",
    )


def split(output: bytes) -> Sections:
    """Return the sections of a whole output as lists of lines."""
    # Only the newline ends a line here: other line separators may stand in what the machine printed.
    lines = output.decode("utf-8", "replace").rstrip("\n").split("\n")
    if lines[-1] != "@@ end":
        raise SurveyIncomplete("cannot read the facts of the machine: the survey's output is cut short")
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("@@ "):
            current = sections.setdefault(line[3:], [])
        elif line.startswith(" "):
            current.append(line[1:])
    return sections


def _os(sections: Sections, identity: Mapping[str, str]) -> OSFacts:
    machine = identity.get("architecture", "")
    release = {name: value.strip("\"'") for name, value in pairs(sections.get("os-release", ())).items()}
    return OSFacts(
        id=release.get("ID", "").lower(),
        id_like=release.get("ID_LIKE", "").lower().split(),
        version_id=release.get("VERSION_ID", ""),
        pretty_name=release.get("PRETTY_NAME", ""),
        architecture=ARCHITECTURES.get(machine, machine),
    )


def _kernel(sections: Sections, identity: Mapping[str, str]) -> KernelFacts:
    config = pairs(sections.get("kernel-config", ()))
    source = config.pop("source", "")
    modules = {
        name.strip() for key in ("modules", "builtin-modules", "module-folders") for name in sections.get(key, ())
    }
    sysctls = pairs(sections.get("sysctls", ()))
    return KernelFacts(
        release=identity.get("kernel", ""),
        config={name: value.strip('"') for name, value in config.items()},
        config_source=source,
        modules=sorted(modules - {""}),
        sysctls={name.replace("/", "."): " ".join(value.split()) for name, value in sysctls.items()},
        cgroup_version=_cgroup(sections.get("cgroup", ())),
    )


def _cgroup(lines: Sequence[str]) -> Literal[0, 1, 2]:
    mounts = [line.split() for line in lines if line.startswith("/")]
    # Version 2 counts when it is the hierarchy itself; beside version 1 (hybrid) it holds no controllers.
    if ["/sys/fs/cgroup", "cgroup2"] in mounts:
        return 2
    return 1 if any(mount[1:] == ["cgroup"] for mount in mounts) else 0


def _memory(lines: Sequence[str]) -> int:
    total = next((line for line in lines if line.startswith("MemTotal:")), "")
    return number(total.removeprefix("MemTotal:").strip().removesuffix(" kB")) * 1024


def _swap(lines: Sequence[str]) -> int:
    rows = [line.split() for line in lines[1:]]
    return sum(number(row[2]) for row in rows if len(row) > 2) * 1024


def _disks(lines: Sequence[str]) -> Iterator[DiskFacts]:
    for line in lines:
        path, sizes, filesystem, device = (*line.split("\t"), "", "", "")[:4]
        words = sizes.split()
        if path.startswith("/") and len(words) >= 3:
            block, total, available = (number(word) for word in words[:3])
            kind = filesystem.strip() or " ".join(words[3:])
            yield DiskFacts(
                path=path, filesystem=kind, total=block * total, available=block * available, device=device.strip()
            )


def _time(sections: Sections, units: Units, offset_seconds: float) -> TimeFacts:
    service = next((name for name in _TIME_UNITS if units.active(name)), "")
    if not service:
        running = [line.split()[-1] for line in sections.get("processes", ()) if line.split()]
        service = next((_TIME_PROCESSES[name] for name in running if name in _TIME_PROCESSES), "")
    leap = any(re.fullmatch(r"Leap status\s*:\s*Normal", line) for line in sections.get("chrony", ()))
    synchronized = leap or pairs(sections.get("time", ())).get("NTPSynchronized") == "yes"
    return TimeFacts(synchronized=synchronized, service=service, offset_seconds=offset_seconds)


def _security(sections: Sections, units: Units) -> SecurityFacts:
    found = pairs(sections.get("security", ()))
    selinux = found.get("selinux", "").capitalize()
    ufw = "ENABLED=yes" in sections.get("ufw", ())
    return SecurityFacts(
        selinux={"1": "Enforcing", "0": "Permissive"}.get(selinux, selinux),
        apparmor="enabled" if found.get("apparmor") == "Y" else "",
        firewall=next((name for name in ("firewalld", "nftables") if units.active(name)), "ufw" if ufw else ""),
    )


def _listening(sections: Sections) -> list[ListenFacts]:
    found = {fact for line in sections.get("listening", ()) if (fact := _socket(line))}
    found |= {fact for line in sections.get("listening-proc", ()) if (fact := _proc_socket(line))}
    return sorted(found, key=lambda fact: (fact.port, fact.protocol, fact.address, fact.process))


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


def _proc_socket(line: str) -> ListenFacts | None:
    match = re.fullmatch(r"[0-9A-F]{8,32}:([0-9A-F]{4})", line)
    return ListenFacts(port=int(match.group(1), 16)) if match and match.group(1) != "0000" else None


def _network(sections: Sections, identity: Mapping[str, str]) -> NetworkFacts:
    addresses = []
    for line in sections.get("addresses", ()):
        match = re.search(r"\sinet6?\s+(\S+).*\sscope\s+global", line)
        if match:
            addresses.append(match.group(1))
    default, routes = False, {}
    for line in sections.get("routes", ()):
        words = line.split()
        default = default or words[:1] == ["default"]
        if len(words) > 2 and words[1] == "via" and words[0] != "default":
            destination = words[0] if "/" in words[0] else f"{words[0]}/{128 if ':' in words[0] else 32}"
            routes[destination] = words[2]
    return NetworkFacts(
        hostname=identity.get("hostname", ""),
        addresses=addresses,
        default_route=default,
        routes=routes,
        cni_configs=sorted(sections.get("cni-configs", ())),
        cni_plugins=sorted(set(sections.get("cni-plugins", ()))),
    )
