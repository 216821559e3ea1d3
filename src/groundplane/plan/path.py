"""From one Kubernetes version to another: one minor at a time, never back, never from vendor to vendor."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from groundplane.base import versions
from groundplane.catalog.releases import kubernetes_releases, tke_releases

# Kinds of Kubernetes whose versions their provider's own service changes, and nobody else.
MANAGED = frozenset({"tke-managed", "eks", "gke", "aks", "ack", "openshift", "rke2", "k3s", "talos"})


@dataclass(frozen=True, slots=True)
class Hop:
    """One upgrade; `converts`: it also changes the kind of build, on the way to the wanted one."""

    source: str
    target: str
    converts: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """The hops in order; with `refusal` there are none, and it says why."""

    hops: tuple[Hop, ...] = ()
    refusal: str = ""


def version_path(found: str, wanted: str) -> Path:
    """Return the way from a version to the wanted one; minors between the two are passed at their newest patch."""
    try:
        source, target = versions.parse(found), versions.parse(wanted)
        if source == target:
            return Path()
        if target < source:
            return Path(refusal=f"{found} is ahead of {wanted}, and a Kubernetes is never taken back")
    except versions.UnknownVersion as problem:
        return Path(refusal=problem.message)
    except versions.Incomparable as problem:
        return Path(refusal=problem.message)
    if source.core[0] != target.core[0]:
        return Path(refusal=f"no way is known from one major version to another, {found} to {wanted}")
    if source.vendor and not target.vendor:
        return Path(refusal=f"{found} has its vendor's patches, which {wanted} would take away")
    if source.vendor not in ("", target.vendor):
        return Path(refusal=f"{found} and {wanted} are builds of different vendors")
    stops = [found, *_between(source, target), wanted]
    return Path(tuple(Hop(a, b, _converts(a, b)) for a, b in pairwise(stops)))


def _between(source: versions.KubernetesVersion, target: versions.KubernetesVersion) -> list[str]:
    """Return the versions to stop at, one for each minor between the two."""
    return [_stop((source.core[0], number), target.vendor) for number in range(source.core[1] + 1, target.core[1])]


def _stop(minor: tuple[int, int], vendor: str) -> str:
    """Return the newest known build of a minor: the vendor's where there is one."""
    if vendor == "tke":
        builds = [name for name in tke_releases() if versions.minor(name) == minor]
        if builds:
            return max(builds, key=versions.parse)
    row = kubernetes_releases().get(minor)
    return f"v{row.newest_patch}" if row else f"v{minor[0]}.{minor[1]}.0"


def _converts(source: str, target: str) -> bool:
    return versions.parse(source).vendor != versions.parse(target).vendor
