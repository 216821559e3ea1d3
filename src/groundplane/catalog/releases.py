"""Kubernetes releases, the builds of the TKE distribution, and until when which platform supports a minor.

`support` is the one question; its answer names the policy that it rests on. Where no source says it there is no answer:
a date is never derived from another platform's, except where a row of `policies` says that a platform follows the
upstream project.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from groundplane.base import versions

from .sources import Day, Line, OptionalDay, Sourced, kept, read

Minor = tuple[int, int]
UPSTREAM = "native"


class KubernetesRelease(Sourced, frozen=True, kw_only=True):
    """A minor of Kubernetes. `maintenance`: the day on which only critical fixes are left; "" as far as not known."""

    minor: Line
    released: Day
    maintenance: OptionalDay = ""
    end_of_life: OptionalDay = ""
    newest_patch: str

    key: ClassVar[tuple[str, ...]] = ("minor",)


class TkeRelease(Sourced, frozen=True, kw_only=True):
    """A public build of the TKE Kubernetes distribution. `fixes`: what its patches add to the build before it."""

    version: str
    released: Day
    fixes: list[str]

    key: ClassVar[tuple[str, ...]] = ("version",)


class PlatformRelease(Sourced, frozen=True, kw_only=True):
    """A minor on a platform that publishes dates of its own."""

    platform: str
    minor: Line
    released: OptionalDay = ""
    ends: Day

    key: ClassVar[tuple[str, ...]] = ("platform", "minor")


class Policy(Sourced, frozen=True, kw_only=True):
    """How long a platform supports a minor. `follows`: the platform whose dates are taken, "" for dates of its own.

    `minors`: "all", or "even" for a platform that has no odd ones.
    """

    platform: str
    name: str
    basis: str
    follows: str = ""
    minors: str = "all"

    key: ClassVar[tuple[str, ...]] = ("platform",)


@dataclass(frozen=True, slots=True)
class Support:
    """Until when something is supported (YYYY-MM-DD, "" when not known), by which policy, and who says so."""

    ends: str
    basis: str
    source: str


@kept
def kubernetes_releases() -> dict[Minor, KubernetesRelease]:
    """The releases by minor, oldest first."""
    return {minor_of(row.minor): row for row in read("kubernetes", KubernetesRelease)}


@kept
def tke_releases() -> dict[str, TkeRelease]:
    """The builds by version, such as v1.20.6-tke.3, oldest first."""
    return {row.version: row for row in read("tke", TkeRelease)}


@kept
def platform_releases() -> dict[tuple[str, Minor], PlatformRelease]:
    """The dates of platforms by platform and minor."""
    return {(row.platform, minor_of(row.minor)): row for row in read("platforms", PlatformRelease)}


@kept
def policies() -> dict[str, Policy]:
    """The policies by platform."""
    return {row.platform: row for row in read("policies", Policy)}


def support(version: str, platform: str) -> Support | None:
    """Return until when the platform supports the minor of a version; None when nothing known says it.

    An unknown suffix does no harm: the core of the version is enough.
    """
    core = versions.core_of(version)
    policy = policies().get(platform)
    if core is None or policy is None:
        return None
    minor = core[:2]
    if policy.minors == "even" and minor[1] % 2:
        return None
    if policy.follows:
        return _followed(minor, policy)
    row = platform_releases().get((platform, minor))
    return None if row is None else Support(row.ends, policy.basis, row.source)


def _followed(minor: Minor, policy: Policy) -> Support | None:
    row = kubernetes_releases().get(minor)
    return None if row is None else Support(row.end_of_life, policy.basis, row.source)


def fixes_since(version: str) -> tuple[str, ...]:
    """Return what newer builds of the TKE distribution add to one of the same minor; raises UnknownVersion."""
    found = versions.parse(version)
    newer = [row for name, row in tke_releases().items() if _later(versions.parse(name), found)]
    return tuple(fix for row in newer for fix in row.fixes)


def _later(candidate: versions.KubernetesVersion, found: versions.KubernetesVersion) -> bool:
    if candidate.minor != found.minor or found.vendor not in ("", candidate.vendor):
        return False
    return found < candidate


def minor_of(text: str) -> Minor:
    """Return major and minor of "1.20"; raises UnknownVersion."""
    found = versions.loose(text)
    return found.major, found.minor
