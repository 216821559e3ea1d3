"""Operating systems: which family one belongs to, told from what its os-release says and from nothing else.

The family decides how packages are handled. ID is asked first, then ID_LIKE from left to right, as os-release(5) says
it is meant. A system that neither names is of no family: that is said, and nothing is guessed from its name.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from groundplane.api.facts import ARCHITECTURES, OSFacts

_LONGEST = 256

FAMILIES: Mapping[str, str] = {
    "debian": "debian",
    "ubuntu": "debian",
    "uos": "debian",
    "uniontech": "debian",
    "deepin": "debian",
    "rhel": "rhel",
    "centos": "rhel",
    "fedora": "rhel",
    "rocky": "rhel",
    "almalinux": "rhel",
    "ol": "rhel",
    "tencentos": "rhel",
    "tlinux": "rhel",
    "opencloudos": "rhel",
    "openeuler": "rhel",
    "kylin": "rhel",
    "amzn": "rhel",
    "sles": "suse",
    "suse": "suse",
    "sles_sap": "suse",
    "sled": "suse",
    "opensuse": "suse",
    "opensuse-leap": "suse",
    "opensuse-tumbleweed": "suse",
    "flatcar": "flatcar",
    "coreos": "flatcar",
    "talos": "talos",
    "alpine": "alpine",
    "anolis": "rhel",
}
# One ID for systems of two families. ID_LIKE tells which where it is given; UOS servers that are made of RPM packages
# have a PLATFORM_ID, as RHEL has from version 8 on, and those made of Debian's have none.
_EITHER = {"uos", "kylin"}


def os_facts(lines: Iterable[str], machine: str) -> OSFacts:
    """Return what os-release says; `machine` is the kernel's word for the CPU (uname -m)."""
    release = _release(lines)
    name, like = release.get("ID", "").lower(), release.get("ID_LIKE", "").lower().split()
    return OSFacts(
        id=name,
        id_like=like,
        version_id=release.get("VERSION_ID", ""),
        family=family_of(name, like, platform=release.get("PLATFORM_ID", "")),
        pretty_name=release.get("PRETTY_NAME", "") or _joined(release),
        architecture=ARCHITECTURES.get(machine, machine),
    )


def family_of(name: str, like: Iterable[str], *, platform: str = "") -> str:
    """Return the family of the system with this ID and ID_LIKE, "" when neither is known."""
    described = [FAMILIES[word] for word in like if word in FAMILIES]
    if name in _EITHER and described:
        return described[0]
    if name == "uos" and platform.startswith("platform:uel"):
        return "rhel"
    return FAMILIES.get(name, described[0] if described else "")


def _release(lines: Iterable[str]) -> dict[str, str]:
    """Return the assignments of os-release(5), the last of a name, as a shell would read them."""
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            found[name] = _plain(value)[:_LONGEST]
    return found


def _plain(value: str) -> str:
    try:
        text = " ".join(shlex.split(value[: 4 * _LONGEST]))
    except ValueError:
        # A quote that is never closed.
        text = value[: 4 * _LONGEST].strip("\"'")
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _joined(release: Mapping[str, str]) -> str:
    return " ".join(word for word in (release.get("NAME", ""), release.get("VERSION", "")) if word)
