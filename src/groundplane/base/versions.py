"""Versions are compared here and nowhere else.

Kubernetes builds carry a vendor's revision after the core: v1.20.6-tke.3. SemVer reads that as a pre-release and sorts
it below v1.20.6; a vendor's build is made from v1.20.6 and comes after it. So: the core first; with the same core,
alpha < beta < rc < plain < vendor revision 1 < 2 < … Two vendors of one core have no order, nor have revisions that are
not numbers (EKS's commit hashes). A suffix that is not known is refused, never guessed.

Runtime versions as programs and distributions print them ("1.6.20~ds1", "20.10.24+dfsg1") are compared by their core;
kernel releases ("6.18.44-amd64") by their leading numbers.
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
