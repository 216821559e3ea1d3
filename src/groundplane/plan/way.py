"""The next stop on the way to a Kubernetes version: one minor at a time, by what is released, within the skew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from groundplane.base import versions
from groundplane.base.errors import Refused
from groundplane.catalog.skew import kubelet_behind

from .path import version_path


def next_stop(found: str, wanted: str, releases: Iterable[str]) -> str:
    """Return the version to go to next from `found`: `wanted` itself within one minor, else one of `releases`.

    Raises Refused for a downgrade, for a change of vendor that takes patches away, and when no release is known
    of a minor that may not be left out.
    """
    path = version_path(found, wanted)
    if path.refusal:
        raise Refused(f"cannot go from {found} to {wanted}: {path.refusal}", remedy=f"set the version back to {found}")
    if len(path.hops) <= 1:
        return wanted
    minor = versions.minor(path.hops[0].target)
    stops = [release for release in releases if versions.minor(release) == minor and _leads(release, wanted)]
    if not stops:
        name = f"{minor[0]}.{minor[1]}"
        raise Refused(
            f"cannot go from {found} to {wanted}: minor {name} may not be left out, and the"
            " distribution has no release of it",
            remedy=f"add a release of {name} to the Distribution, or choose a version of the next minor",
        )
    return max(stops, key=versions.parse)


def require_skew(target: str, kubelets: Mapping[str, str]) -> None:
    """Raise Refused, naming the nodes, when the API server would leave kubelets behind that it may not leave.

    `kubelets` are the versions of the nodes that are not upgraded before it: all of them, for API servers go first.
    """
    reasons = [
        f"{name}: {why}" for name, version in sorted(kubelets.items()) if (why := kubelet_behind(target, version))
    ]
    if reasons:
        raise Refused(
            f"cannot upgrade the control plane to {target}: {'; '.join(reasons)}",
            remedy="bring these kubelets up first: end their hold-back, and choose a version in between",
        )


def minor_above(version: str, minor: tuple[int, int]) -> bool:
    """Tell whether a version's minor is `minor` or a later one; an unreadable version is not."""
    core = versions.core_of(version)
    return core is not None and core[:2] >= minor


def _leads(release: str, wanted: str) -> bool:
    """Tell whether a release can be left again towards the wanted one: its own vendor, or none."""
    return not version_path(release, wanted).refusal
