"""The pieces that parsers of the survey share: its output as sections, key=value lines, systemd units.

The script prints files as grep does, "path:line", many at a time, and notes of its own between them. Here each line
finds its section: a file that holds one value becomes "name=value" in the section of its subject, a parameter of the
kernel a line of `sysctls`.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import SurveyIncomplete
from .script import OPTIONS

Sections = Mapping[str, Sequence[str]]

_PACKED, _END = b"\n@@ packed-config\n", b"\n@@ end\n"
_LARGEST_CONFIG = 1024 * 1024
_SYSCTLS = "/proc/sys/"
_VALUES = {
    "/etc/machine-id": ("identity", "machine-id"),
    "/proc/sys/kernel/random/boot_id": ("identity", "boot-id"),
    "/sys/class/dmi/id/product_uuid": ("identity", "product-uuid"),
    "/proc/sys/kernel/hostname": ("identity", "hostname"),
    "/proc/sys/kernel/osrelease": ("identity", "kernel"),
    "/proc/sys/kernel/arch": ("identity", "architecture"),
    "/proc/1/comm": ("identity", "init"),
    "/run/systemd/container": ("identity", "container"),
    "/sys/devices/system/cpu/online": ("identity", "online"),
    "/sys/fs/selinux/enforce": ("security", "selinux"),
    "/sys/module/apparmor/parameters/enabled": ("security", "apparmor"),
    "/sys/kernel/kexec_crash_loaded": ("seen", "crash-loaded"),
}
# Notes of the script that are of the subject of another section.
_NOTES = {
    "module": "module-folders",
    "socket": "sockets",
    "cni-config": "cni-configs",
    "cni-plugin": "cni-plugins",
    "command": "commands",
    "disk": "disks",
    "process": "processes",
}
_LISTENS = ("tcp", "udp")
_FILES = {
    "/etc/os-release": "os-release",
    "/usr/lib/os-release": "os-release",
    "/proc/meminfo": "meminfo",
    "/proc/swaps": "swaps",
    "/proc/modules": "modules",
    "/etc/ufw/ufw.conf": "ufw",
    "/var/lib/kubelet/kubeadm-flags.env": "kubelet-flags-file",
    "/etc/groundplane/machine.json": "owner",
    "/var/lib/groundplane/notes/packages.json": "updates",
    "/var/lib/groundplane/notes/virtual-ip.json": "virtual-ip",
    "/var/lib/groundplane/notes/kubeadm.json": "kubeadm-note",
    "net/route": "routes-proc",
    "net/ipv6_route": "routes6-proc",
    "net/tcp": "sockets-tcp",
    "net/tcp6": "sockets-tcp",
    "net/udp": "sockets-udp",
    "net/udp6": "sockets-udp",
    "self/mountinfo": "mounts",
}


def split(output: bytes) -> dict[str, list[str]]:
    """Return the sections of a whole output as lists of lines; raises SurveyIncomplete when its end is missing.

    What a login shell or a forced command prints before and behind is left out.
    """
    output, packed = _unpacked(output)
    # Only the newline ends a line here: other line separators may stand in what the machine printed.
    lines = [line.rstrip("\r") for line in output.decode("utf-8", "replace").replace("\0", "").split("\n")]
    try:
        # What an unfinished line of somebody else's stands before is still our first line.
        begin = next((n for n, line in enumerate(lines) if line.endswith("@@ begin")), 0)
        lines = lines[begin : lines.index("@@ end", begin)]
    except ValueError:
        raise SurveyIncomplete("cannot read the facts of the machine: the survey's output is cut short") from None
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith("@@ "):
            current = sections.setdefault(line[3:], [])
        elif line:
            current.append(line[1:] if line[0] == " " else line)
    sections.setdefault("kernel-config", []).extend(packed)
    for name, line in _sorted_in(sections.pop("files", [])):
        sections.setdefault(name, []).append(line)
    return sections


def _unpacked(output: bytes) -> tuple[bytes, Sequence[str]]:
    """Take the packed configuration of the kernel out of an output, and return its lines."""
    start, end = output.find(_PACKED), output.rfind(_END)
    if start < 0 or end < start:
        return output, ()
    return output[:start] + output[end:], _options(output[start + len(_PACKED) : end])


@functools.lru_cache(maxsize=64)
def _options(packed: bytes) -> Sequence[str]:
    """Return the options of a gzipped configuration; the machines of one kernel send the very same bytes."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(packed, _LARGEST_CONFIG)
    except zlib.error:
        return ()
    return [line for line in text.decode("ascii", "replace").split("\n") if OPTIONS.match(line)]


def _sorted_in(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the section that each line of the mixture belongs to, and the line."""
    for line in lines:
        path, colon, rest = line.partition(":")
        if colon and path in _VALUES:
            name, key = _VALUES[path]
            yield name, f"{key}={rest}"
        elif colon and path in _FILES:
            yield _FILES[path], rest
        elif colon and path.startswith(_SYSCTLS):
            yield "sysctls", f"{path[len(_SYSCTLS) :]}={rest}"
        elif line.startswith(_LISTENS):
            yield "listening", line
        elif colon and path.isdigit():
            yield "addresses", line
        else:
            yield from _note(line)


def _note(line: str) -> Iterator[tuple[str, str]]:
    name, equals, value = line.partition("=")
    if equals and name in _NOTES:
        yield _NOTES[name], value
    elif equals:
        yield "seen", line


def number(text: str) -> int:
    """Return a whole number, or 0 for anything else; ASCII digits of a size that a machine can have."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def pairs(lines: Iterable[str]) -> dict[str, str]:
    """Return the lines of the form name=value; the first of a name counts."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and name:
            found.setdefault(name.strip(), value.strip())
    return found


def values(lines: Iterable[str], name: str) -> list[str]:
    """Return the values of every line name=value."""
    start = f"{name}="
    return [line[len(start) :] for line in lines if line.startswith(start)]


@dataclass(frozen=True, slots=True)
class Units:
    """States of systemd units by name, without ".service"."""

    states: Mapping[str, Mapping[str, str]]

    def active(self, name: str) -> bool:
        return self.states.get(name, {}).get("ActiveState") in {"active", "reloading"}

    def known(self, name: str) -> bool:
        return self.states.get(name, {}).get("LoadState") == "loaded"

    def enabled(self, name: str) -> bool:
        return self.states.get(name, {}).get("UnitFileState") in {"enabled", "enabled-runtime"}


def units_of(lines: Sequence[str]) -> Units:
    """Return what `systemctl show` printed: properties of one unit after another, each with an Id."""
    states: dict[str, dict[str, str]] = {}
    block: dict[str, str] = {}
    # `systemctl show` prints the properties in an order of its own; the first that comes twice begins the next unit.
    for line in [*lines, ""]:
        name, equals, value = line.partition("=")
        if not equals or name in block:
            # An alias (chronyd, chrony) shows up twice with one Id; both blocks say the same.
            if "Id" in block:
                states[block["Id"].removesuffix(".service")] = block
            block = {}
        if equals:
            block[name.strip()] = value.strip()
    return Units(states)
