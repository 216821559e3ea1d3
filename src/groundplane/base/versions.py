"""Versions are compared here and nowhere else.

Kubernetes builds carry a vendor's revision after the core: v1.20.6-tke.3. SemVer reads that as a pre-release and sorts
it below v1.20.6; a vendor's build is made from v1.20.6 and comes after it. So: the core first; with the same core,
alpha < beta < rc < plain < vendor revision 1 < 2 < … Two vendors of one core have no order, nor have revisions that are
not numbers (EKS's commit hashes). A suffix that is not known is refused, never guessed.

Who needs only the numbers of a build with an unknown suffix asks `core_of`, which orders nothing.

Runtime versions as programs and distributions print them ("1.6.20~ds1", "20.10.24+dfsg1") are compared by their core;
kernel releases ("6.18.44-amd64") by their leading numbers, and against rules with back-port points by `KernelRule`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Literal

import semver

from .errors import Refused

Vendor = Literal["", "tke", "eks", "gke", "aliyun", "vke", "rke2r", "k3s"]
Core = tuple[int, int, int]

_KUBERNETES = re.compile(r"v?([0-9]+)\.([0-9]+)\.([0-9]+)(?P<suffix>[-+].+)?")
_PRERELEASE = re.compile(r"-((?:alpha|beta|rc)\.[0-9]+)")
_VENDORS: dict[Vendor, re.Pattern[str]] = {
    "tke": re.compile(r"-tke\.([0-9]+)"),
    "eks": re.compile(r"-eks[.-]([0-9A-Za-z]+)"),
    "gke": re.compile(r"-gke\.([0-9]+)"),
    "aliyun": re.compile(r"-aliyun\.([0-9]+)"),
    "vke": re.compile(r"-vke\.([0-9]+)"),
    "rke2r": re.compile(r"\+rke2r([0-9]+)"),
    "k3s": re.compile(r"\+k3s([0-9]+)"),
}
_LOOSE = re.compile(r"v?(?:[0-9]+:)?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?P<rest>[-+~.].*)?")
_LOOSE_PRERELEASE = re.compile(r"[-~](alpha|beta|rc)[.~]?([0-9]+)")
_EKS_DISTRO = re.compile(r"v?([0-9]+)-([0-9]+)-eks-([0-9]+)")
_RULE = re.compile(r"(>=|<=|!=|==|=|>|<)?\s*(v?[0-9]+(?:\.[0-9]+){0,2}(?:-(?:alpha|beta|rc)\.[0-9]+)?)")


class UnknownVersion(Refused):
    """The text is no version that Groundplane knows how to order."""


class Incomparable(Refused):
    """Two versions have no order: different vendors, or revisions that are not numbers."""


@total_ordering
@dataclass(frozen=True, slots=True)
class KubernetesVersion:
    """One Kubernetes build. `revision` and `vendor` are empty for the plain build.

    Ordering raises Incomparable where there is no order.
    """

    core: Core
    prerelease: str = ""
    vendor: Vendor = ""
    revision: str = ""

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor, such as (1, 20)."""
        return self.core[:2]

    def __str__(self) -> str:
        plain = "v" + ".".join(map(str, self.core))
        if self.prerelease:
            return f"{plain}-{self.prerelease}"
        if not self.vendor:
            return plain
        joined = {"eks": "-eks-", "rke2r": "+rke2r", "k3s": "+k3s"}.get(self.vendor, f"-{self.vendor}.")
        return f"{plain}{joined}{self.revision}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, KubernetesVersion):
            return NotImplemented
        if self.core != other.core:
            return self.core < other.core
        if self.prerelease or other.prerelease:
            return _semver(self) < _semver(other)
        if self.vendor and other.vendor:
            return _revision(self, other) < _revision(other, self)
        return not self.vendor and bool(other.vendor)


def _semver(version: KubernetesVersion) -> semver.Version:
    """The version without its vendor, which comes after every pre-release of the core as the plain build does."""
    return semver.Version(*version.core, prerelease=version.prerelease or None)


def _revision(version: KubernetesVersion, other: KubernetesVersion) -> int:
    if version.vendor != other.vendor:
        raise Incomparable(
            f"cannot compare {version} with {other}: builds of one core by different vendors have no order",
            remedy="compare versions of one vendor",
        )
    if version.revision == other.revision:
        return 0
    if version.vendor == "eks":
        raise Incomparable(
            f"cannot compare {version} with {other}: EKS revisions are commit hashes",
            remedy="look up the vendor's release dates",
        )
    return int(version.revision)


def parse(text: str) -> KubernetesVersion:
    """Read a Kubernetes version, with or without the leading "v"; raises UnknownVersion."""
    match = _KUBERNETES.fullmatch(text)
    if match is None:
        raise UnknownVersion(
            f'cannot read version "{text}": it is not of the form vX.Y.Z', remedy="write it like v1.20.2"
        )
    core = (int(match[1]), int(match[2]), int(match[3]))
    suffix = match["suffix"] or ""
    if not suffix:
        return KubernetesVersion(core)
    if early := _PRERELEASE.fullmatch(suffix):
        return KubernetesVersion(core, prerelease=early[1])
    for vendor, pattern in _VENDORS.items():
        if found := pattern.fullmatch(suffix):
            return KubernetesVersion(core, vendor=vendor, revision=_normal(found[1]))
    raise UnknownVersion(
        f'cannot read version "{text}": its suffix "{suffix}" is of no known vendor',
        remedy="known are -tke.N, -eks-X, -gke.N, -aliyun.N, -vke.N, +rke2rN, +k3sN, -alpha.N, -beta.N, -rc.N",
    )


def core_of(text: str) -> Core | None:
    """Return the numbers of a Kubernetes version whatever its suffix says, None when it does not begin with three.

    For what depends on the numbers alone (skew, end of support); two builds of one core are not ordered by it.
    """
    match = _KUBERNETES.fullmatch(text.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


@dataclass(frozen=True, slots=True, order=True)
class EksDistro:
    """A release of EKS Distro, named like v1-36-eks-7: the seventh of minor 1.36, whatever its patch is."""

    minor: tuple[int, int]
    number: int

    def __str__(self) -> str:
        return f"v{self.minor[0]}-{self.minor[1]}-eks-{self.number}"


def parse_eks_distro(text: str) -> EksDistro:
    """Read the name of an EKS Distro release; raises UnknownVersion."""
    match = _EKS_DISTRO.fullmatch(text)
    if match is None:
        raise UnknownVersion(f'cannot read EKS Distro release "{text}"', remedy="write it like v1-36-eks-7")
    return EksDistro((int(match[1]), int(match[2])), int(match[3]))


def _normal(revision: str) -> str:
    return revision.lstrip("0") or "0" if revision.isdigit() else revision


def minor(version: str | KubernetesVersion) -> tuple[int, int]:
    """Return major and minor of a Kubernetes version; raises UnknownVersion."""
    return (parse(version) if isinstance(version, str) else version).minor


def loose(text: str) -> semver.Version:
    """Read a program's version, missing numbers as 0; raises UnknownVersion.

    What a distribution appends (~ds1, +dfsg1, -0ubuntu1) says how it was built, not which version it is; only
    alpha, beta and rc count.
    """
    match = _LOOSE.fullmatch(text.strip())
    if match is None:
        raise UnknownVersion(
            f'cannot read version "{text}": it is not of the form X.Y.Z', remedy="write it like 1.6.20"
        )
    early = _LOOSE_PRERELEASE.match(match["rest"] or "")
    prerelease = f"{early[1]}.{int(early[2])}" if early else None
    return semver.Version(int(match[1]), int(match[2] or 0), int(match[3] or 0), prerelease=prerelease)


def parse_constraint(text: str) -> tuple[tuple[str, semver.Version], ...]:
    """Read rules that must all hold, such as ">=1.6.0,<2.0.0"; "" has none. A bare version means exactly it.

    Raises UnknownVersion.
    """
    rules = []
    for part in text.split(",") if text.strip() else ():
        match = _RULE.fullmatch(part.strip())
        if match is None:
            raise UnknownVersion(
                f'cannot read constraint "{text}": "{part.strip()}" is no rule', remedy="write it like >=1.6.0,<2.0.0"
            )
        operator = match[1] or "=="
        rules.append(("==" if operator == "=" else operator, loose(match[2])))
    return tuple(rules)


def satisfies(version: str, constraint: str) -> bool:
    """Tell whether a program's version meets every rule of the constraint; raises UnknownVersion."""
    found = loose(version)
    return all(found.match(f"{operator}{wanted}") for operator, wanted in parse_constraint(constraint))


def kernel_release(text: str) -> Core:
    """Return the leading numbers of `uname -r`; raises UnknownVersion."""
    found = loose(text)
    return found.major, found.minor, found.patch


def kernel_at_least(release: str, minimum: str) -> bool:
    """Tell whether a kernel release reaches the floor; an empty floor is reached by every one."""
    return not minimum or kernel_release(release) >= kernel_release(minimum)


# Enterprise Linux keeps the number of the kernel that a major began with and takes features back into it. The minor is
# in the release (el8_6), except in the first builds of a minor, which say el8 only and are told by their build number
# (https://access.redhat.com/articles/3078, 2025-11-12; the rebuilds take the same numbers).
_EL_RELEASE = re.compile(r"-([0-9]+)(?:\.(?:rt)?[0-9]+)*\.el([0-9]+)(?:_([0-9]+))?(?:\.[a-z0-9_]+)*(?:\+[a-z0-9-]+)?")
_EL_CORES: dict[int, Core] = {7: (3, 10, 0), 8: (4, 18, 0), 9: (5, 14, 0), 10: (6, 12, 0)}
_EL_BUILDS: dict[int, tuple[int, ...]] = {
    7: (123, 229, 327, 514, 693, 862, 957, 1062, 1127, 1160),
    8: (80, 147, 193, 240, 305, 348, 372, 425, 477, 513, 553),
    9: (70, 162, 284, 362, 427, 503, 570, 611),
    10: (55, 124),
}
# Debian's release names the builds of a line by a number of their own, whatever their patch is: from the sixth on,
# "4.19.0-6-amd64" is 4.19.67 or later (https://tracker.debian.org/pkg/linux, changelog of 4.19.67-1, 2019-08-20).
_DEBIAN_4_19 = re.compile(r"4\.19\.0-(?:0\.bpo\.)?([0-9]+)-(?:cloud-|rt-)?(?:amd64|arm64)")
_DEBIAN_BUILD = 6
_DEBIAN_CORE: Core = (4, 19, 67)
_EL_ITEM = re.compile(r"el([0-9]+)_([0-9]+)")
_POINT = re.compile(r"[0-9]+\.[0-9]+(?:\.[0-9]+)?")


def enterprise_minor(release: str) -> tuple[int, int] | None:
    """Return major and minor of Enterprise Linux whose own kernel this release is; None for every other kernel.

    Kernels that others build for it (elrepo, Oracle's uek) are judged by their numbers as any other is.
    """
    head, dash, rest = release.partition("-")
    match = _EL_RELEASE.fullmatch(dash + rest)
    if match is None:
        return None
    build, major = int(match[1]), int(match[2])
    core = _EL_CORES.get(major)
    if core is None or head != ".".join(map(str, core)):
        return None
    if match[3]:
        return major, int(match[3])
    minor = sum(1 for first in _EL_BUILDS[major] if first <= build) - 1
    return (major, minor) if minor >= 0 else None


@dataclass(frozen=True, slots=True)
class KernelRule:
    """Kernels that have a feature: "4.19.57, 5.1.16, 5.2, el8_6, <7.0".

    Every point but the highest is a back-port: it counts within its own line only, so that 4.20 has not what 4.19.57
    has. From the highest on all have it. `el8_6` adds the own kernels of Enterprise Linux 8 from 8.6 on, whatever their
    number; `<7.0` takes away what is not below it. The empty rule is met by every kernel. Debian's 4.19 is read as the
    patch that its build number stands for.
    """

    points: tuple[Core, ...] = ()
    rebuilds: tuple[tuple[int, int], ...] = ()
    below: Core | None = None

    @classmethod
    def parse(cls, text: str) -> KernelRule:
        """Read a rule; raises UnknownVersion."""
        points: list[Core] = []
        rebuilds: list[tuple[int, int]] = []
        below: list[Core] = []
        for item in filter(None, (part.strip() for part in text.split(","))):
            number = item.removeprefix("<")
            if _POINT.fullmatch(number):
                (points if number == item else below).append(kernel_release(number))
            elif found := _EL_ITEM.fullmatch(item):
                rebuilds.append((int(found[1]), int(found[2])))
            else:
                raise UnknownVersion(
                    f'cannot read kernel rule "{text}": "{item}" is no part of one',
                    remedy="write it like 4.19.57, 5.1.16, 5.2, el8_6",
                )
        return cls(tuple(sorted(set(points))), tuple(sorted(set(rebuilds))), min(below, default=None))

    def met_by(self, release: str) -> bool:
        """Tell whether a kernel, as `uname -r` names it, has the feature; raises UnknownVersion."""
        found = _patched(release)
        if self.below is not None and found >= self.below:
            return False
        minor = enterprise_minor(release) if self.rebuilds else None
        if minor is not None and any(minor[0] == major and minor[1] >= least for major, least in self.rebuilds):
            return True
        if not self.points:
            return not self.rebuilds
        return found >= self.points[-1] or any(found[:2] == p[:2] and found >= p for p in self.points)

    @property
    def lowest(self) -> Core:
        """The lowest kernel by number that meets the points."""
        return self.points[0] if self.points else (0, 0, 0)

    def __str__(self) -> str:
        rebuilds = [f"el{major}_{least}" for major, least in self.rebuilds]
        below = [] if self.below is None else [f"<{_short(self.below)}"]
        return ", ".join([*map(_short, self.points), *rebuilds, *below])


def _patched(release: str) -> Core:
    """Return the numbers of a kernel, with the patch that Debian's release for 4.19 does not tell."""
    debian = _DEBIAN_4_19.fullmatch(release)
    if debian is not None and int(debian[1]) >= _DEBIAN_BUILD:
        return _DEBIAN_CORE
    return kernel_release(release)


def _short(core: Core) -> str:
    return ".".join(map(str, core if core[2] else core[:2]))
