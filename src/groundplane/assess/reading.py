"""Reads what the facts hold as text: versions, kernels, runtimes, operating systems. Nothing here is guessed.

A fleet repeats a few texts many times, so each is read once.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from groundplane.base import versions

_MEMORY = 4096

# What kubelets report as osImage (PRETTY_NAME of os-release), and the ID that os-release of that system has.
# https://www.freedesktop.org/software/systemd/man/latest/os-release.html
_IMAGES: tuple[tuple[str, str], ...] = (
    ("debian", r"Debian GNU/Linux (\d+)"),
    ("ubuntu", r"Ubuntu (?:Core )?(\d+\.\d+)"),
    ("rhcos", r"Red Hat Enterprise Linux CoreOS (\d+)"),
    ("rhel", r"Red Hat Enterprise Linux(?: Server)? (\d+(?:\.\d+)?)"),
    ("centos", r"CentOS (?:Linux|Stream) (\d+)"),
    ("rocky", r"Rocky Linux (\d+(?:\.\d+)?)"),
    ("almalinux", r"AlmaLinux (\d+(?:\.\d+)?)"),
    ("ol", r"Oracle Linux(?: Server)? (\d+(?:\.\d+)?)"),
    ("tencentos", r"TencentOS(?: Server| Linux)? (\d+(?:\.\d+)?)"),
    ("tlinux", r"(?i:tencent tlinux|tlinux) (\d+(?:\.\d+)?)"),
    ("opencloudos", r"OpenCloudOS(?: Server| Stream)? (\d+(?:\.\d+)?)"),
    ("openEuler", r"openEuler (\d+\.\d+)"),
    ("kylin", r"Kylin(?: Linux Advanced Server)? (V\d+)"),
    ("uos", r"(?:UnionTech OS|UOS)(?: Server)? (?:\w+ )?(\d+)"),
    ("sles", r"SUSE Linux Enterprise Server (\d+(?:\.\d+| SP\d+)?)"),
    ("opensuse-leap", r"openSUSE Leap (\d+\.\d+)"),
    ("amzn", r"Amazon Linux (\d+)"),
    ("flatcar", r"Flatcar Container Linux(?: by Kinvolk)? (\d+(?:\.\d+)*)"),
    ("talos", r"Talos \(([^\s()]+)\)"),
    ("cos", r"Container-Optimized OS from Google()"),
    ("bottlerocket", r"Bottlerocket OS (\d+(?:\.\d+)*)"),
)
_COMPILED = tuple((system, re.compile(pattern)) for system, pattern in _IMAGES)


class System(NamedTuple):
    """An operating system by ID and VERSION_ID of os-release; both empty when the text is not known."""

    id: str
    version: str


@lru_cache(_MEMORY)
def system_of(image: str) -> System:
    """Return the system that a kubelet's osImage names."""
    for system, pattern in _COMPILED:
        if match := pattern.match(image):
            return System(system.lower(), match[1].replace(" SP", "."))
    return System("", "")


@lru_cache(_MEMORY)
def kubernetes(text: str) -> versions.KubernetesVersion | None:
    """Return the version, or None when its suffix or form is not known."""
    try:
        return versions.parse(text)
    except versions.UnknownVersion:
        return None


@lru_cache(_MEMORY)
def minor(text: str) -> tuple[int, int] | None:
    """Return major and minor of a Kubernetes version, also of one whose suffix is not known."""
    core = versions.core_of(text)
    return core[:2] if core else None


@lru_cache(_MEMORY)
def runtime(text: str) -> tuple[str, str]:
    """Return name and version of a Node's runtime, such as containerd://1.6.20; an unknown form is all name."""
    name, _, version = text.partition("://")
    return name, version


@lru_cache(_MEMORY)
def constraint_met(version: str, constraint: str) -> bool | None:
    """Tell whether a runtime's version meets a constraint; None when it cannot be read."""
    try:
        return versions.satisfies(version, constraint)
    except versions.UnknownVersion:
        return None


@lru_cache(_MEMORY)
def kernel_reaches(release: str, floor: str) -> bool | None:
    """Tell whether a kernel reaches a floor; None when it cannot be read."""
    try:
        return versions.kernel_at_least(release, floor)
    except versions.UnknownVersion:
        return None


def rises(found: str, wanted: str) -> bool | None:
    """Tell whether `wanted` is an upgrade from `found`; None when the two have no order."""
    left, right = kubernetes(found), kubernetes(wanted)
    if left is None or right is None:
        return None
    try:
        return left < right
    except versions.Incomparable:
        return None
