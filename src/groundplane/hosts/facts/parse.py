"""Makes typed facts of what the facts script printed. Pure: no clock, no I/O.

Half an output gives no facts at all: `sections.split` has to see the script's last line. Within a whole output nothing
is trusted to have a shape: what cannot be read is left empty, as if the machine did not have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from groundplane.api.facts import (
    DiskFacts,
    KdumpFacts,
    KernelFacts,
    MachineFacts,
    SecurityFacts,
    TimeFacts,
    VirtualIPFacts,
)

from .abilities import ability_facts
from .certificates import certificate_facts
from .kubernetes import kubeadm_facts, kubelet_facts
from .network import listen_facts, network_facts
from .runtimes import handler_facts, runtime_facts
from .sections import Sections, Units, number, pairs, units_of, values
from .systems import os_facts

_TIME_UNITS = ("chronyd", "chrony", "systemd-timesyncd", "ntpd", "ntp", "ntpsec", "openntpd")
_KDUMP_UNITS = ("kdump-tools", "kdump")
_TIME_PROCESSES = {"systemd-timesyn": "systemd-timesyncd", "chronyd": "chronyd", "ntpd": "ntpd", "openntpd": "openntpd"}


def parse(sections: Sections, *, observed_at: str, offset_seconds: float) -> MachineFacts:
    """Return the facts in the sections of the script's whole output (`sections.split`)."""
    identity = pairs(sections.get("identity", ()))
    units = units_of(sections.get("units", ()))
    architecture = identity.get("architecture", "") or _seen(sections, "architecture")
    return MachineFacts(
        observed_at=observed_at,
        machine_id=identity.get("machine-id", ""),
        boot_id=identity.get("boot-id", ""),
        product_uuid=identity.get("product-uuid", "").lower(),
        os=os_facts(sections.get("os-release", ()), architecture),
        kernel=_kernel(sections, identity),
        cpus=number(identity.get("cpus", "")) or _cpus(identity.get("online", "")) or number(_seen(sections, "cpus")),
        memory=_memory(sections.get("meminfo", ())),
        swap=_swap(sections.get("swaps", ())),
        disks=list(_disks(sections.get("disks", ()), _mounts(sections))),
        time=_time(sections, units, offset_seconds),
        kdump=_kdump(sections, units),
        container=identity.get("container", ""),
        updates=_updates(sections.get("updates", ())),
        security=_security(sections, units),
        listening=listen_facts(sections),
        runtimes=runtime_facts(sections, units),
        handlers=handler_facts(sections),
        certificates=certificate_facts(sections),
        abilities=ability_facts(sections, architecture),
        kubelet=kubelet_facts(sections, units, identity.get("hostname", "")),
        kubeadm=kubeadm_facts(sections),
        network=network_facts(sections, identity.get("hostname", "")),
        virtual_ip=_virtual_ip(sections.get("virtual-ip", ()), units),
        commands=sorted(sections.get("commands", ())),
        systemd=identity.get("init") == "systemd",
        kvm=_seen(sections, "kvm") == "yes",
    )


def _kernel(sections: Sections, identity: Mapping[str, str]) -> KernelFacts:
    config = pairs(sections.get("kernel-config", ()))
    source = config.pop("source", "") or _seen(sections, "config-source")
    lines = [line for key in ("modules", "builtin-modules", "module-folders") for line in sections.get(key, ())]
    # /proc/modules has more behind the name; modules.builtin has a path before it.
    modules = {line.strip().partition(" ")[0].rpartition("/")[2].partition(".ko")[0] for line in lines}
    sysctls = pairs(sections.get("sysctls", ()))
    return KernelFacts(
        release=identity.get("kernel", ""),
        config={name: value.strip('"') for name, value in config.items()},
        config_source=source,
        modules=sorted(modules - {""}),
        sysctls={name.replace("/", "."): " ".join(value.split()) for name, value in sysctls.items()},
        cgroup_version=_cgroup(sections),
    )


def _cgroup(sections: Sections) -> Literal[0, 1, 2]:
    mounts = [line.split() for line in sections.get("cgroup", ()) if line.startswith("/")]
    mounts += [[mount.path, mount.filesystem] for mount in _mounts(sections) if mount.path.startswith("/sys/fs/cgroup")]
    # Version 2 counts when it is the hierarchy itself; beside version 1 (hybrid) it holds no controllers.
    if ["/sys/fs/cgroup", "cgroup2"] in mounts:
        return 2
    return 1 if any(mount[1:] == ["cgroup"] for mount in mounts) else 0


@dataclass(frozen=True, slots=True)
class _Mount:
    path: str
    filesystem: str
    device: str


def _mounts(sections: Sections) -> list[_Mount]:
    """Return what /proc/self/mountinfo says (proc_pid_mountinfo(5)); the last mount of a path hides those before it."""
    found = []
    for line in sections.get("mounts", ()):
        before, dash, after = line.partition(" - ")
        words, kinds = before.split(" "), after.split(" ")
        if dash and len(words) > 5:
            found.append(_Mount(path=words[4], filesystem=kinds[0], device=words[2]))
    return found


def _memory(lines: Sequence[str]) -> int:
    total = next((line for line in lines if line.startswith("MemTotal:")), "")
    return number(total.removeprefix("MemTotal:").strip().removesuffix(" kB")) * 1024


def _swap(lines: Sequence[str]) -> int:
    rows = [line.split() for line in lines[1:]]
    return sum(number(row[2]) for row in rows if len(row) > 2) * 1024


def _disks(lines: Sequence[str], mounts: Sequence[_Mount]) -> Iterator[DiskFacts]:
    for line in lines:
        path, tab, rest = line.partition("\t")
        words = line.split()
        if tab:
            # As the script of earlier versions printed it.
            sizes, filesystem, device = (*rest.split("\t"), "", "", "")[:3]
            words = [path, *sizes.split()[:3], device.strip() or "0", filesystem.strip() or " ".join(sizes.split()[3:])]
        if path.startswith("/") and len(words) >= 5:
            block, total, available = (number(word) for word in words[1:4])
            mount = _mount_of(words[0], mounts)
            # tmpfs had no number of its own before Linux 5.13; its mount has one.
            device = words[4] if words[4].strip("0") else mount.device if mount else ""
            kind = mount.filesystem if mount else " ".join(words[5:])
            yield DiskFacts(
                path=words[0], filesystem=kind, total=block * total, available=block * available, device=device
            )


def _mount_of(path: str, mounts: Sequence[_Mount]) -> _Mount | None:
    holding = [mount for mount in mounts if path == mount.path or path.startswith(mount.path.rstrip("/") + "/")]
    return max(reversed(holding), key=lambda mount: len(mount.path), default=None)


def _time(sections: Sections, units: Units, offset_seconds: float) -> TimeFacts:
    said = [line for key in ("time", "chrony", "seen") for line in sections.get(key, ())]
    service = next((name for name in _TIME_UNITS if units.active(name)), "")
    if not service:
        running = [line.split()[-1] for line in sections.get("processes", ()) if line.split()]
        service = next((_TIME_PROCESSES[name] for name in running if name in _TIME_PROCESSES), "")
    leap = any(re.fullmatch(r"Leap status\s*:\s*Normal", line) for line in said)
    synchronized = leap or pairs(said).get("NTPSynchronized") == "yes"
    return TimeFacts(synchronized=synchronized, service=service, offset_seconds=offset_seconds)


def _kdump(sections: Sections, units: Units) -> KdumpFacts:
    name = next((name for name in _KDUMP_UNITS if units.known(name)), "")
    words = values(sections.get("seen", ()), "boot")
    return KdumpFacts(
        installed=bool(name),
        enabled=units.enabled(name),
        active=units.active(name),
        reserved=next((word for word in words if word.startswith("crashkernel=")), ""),
        configured=_seen(sections, "next-boot") == "crashkernel",
    )


def _updates(lines: Sequence[str]) -> list[str]:
    """Return what the note of step `system-packages` says; a note that cannot be read says nothing."""
    try:
        noted = msgspec.json.decode("\n".join(lines), type=dict[str, list[str]])
    except msgspec.MsgspecError:
        return []
    return noted.get("answered", [])


def _virtual_ip(lines: Sequence[str], units: Units) -> VirtualIPFacts:
    """Return what the note of step `virtual-ip` says; a note that cannot be read says nothing."""
    try:
        noted = msgspec.json.decode("\n".join(lines), type=VirtualIPFacts)
    except msgspec.MsgspecError:
        return VirtualIPFacts()
    return msgspec.structs.replace(noted, active=units.active("keepalived"))


def _security(sections: Sections, units: Units) -> SecurityFacts:
    found = pairs(sections.get("security", ()))
    selinux = (found.get("selinux", "") or _seen(sections, "selinux")).capitalize()
    ufw = "ENABLED=yes" in sections.get("ufw", ())
    return SecurityFacts(
        selinux={"1": "Enforcing", "0": "Permissive"}.get(selinux, selinux),
        apparmor="enabled" if found.get("apparmor") == "Y" else "",
        firewall=next((name for name in ("firewalld", "nftables") if units.active(name)), "ufw" if ufw else ""),
    )


def _seen(sections: Sections, name: str) -> str:
    return pairs(sections.get("seen", ())).get(name, "")


def _cpus(online: str) -> int:
    """Return how many CPUs a list such as "0-3,5" names."""
    count = 0
    for part in online.split(","):
        first, dash, last = part.partition("-")
        if first.strip().isdigit():
            count += number(last) - number(first) + 1 if dash else 1
    return max(count, 0)
