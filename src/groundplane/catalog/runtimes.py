"""Which container runtime a Kubernetes version can run, as the projects' own tables say.

A verdict carries the reason and what to choose instead; both are sentences for people. How long the lines of runtimes
live and which security fixes they have is in `lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import semver

from groundplane.base import versions

from .lines import runtime_end_of_life
from .network import known_features
from .releases import Minor, minor_of
from .sources import Line, Sourced, kept, read

__all__ = [
    "ContainerdSupport",
    "DockerSupport",
    "Dockershim",
    "Verdict",
    "containerd_satisfiable",
    "containerd_supported",
    "containerd_table",
    "cri_versions",
    "docker_supported",
    "docker_table",
    "docker_validated",
    "dockershim",
    "known_features",
    "runtime_end_of_life",
    "runtime_verdict",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it can be; if not, why, and what to choose. `reason` beside ok: what to know of it.

    `known` is False when the catalog cannot tell: nothing speaks against it then, and nothing for it.
    """

    ok: bool
    reason: str = ""
    choose: str = ""
    known: bool = True


class ContainerdSupport(Sourced, frozen=True, kw_only=True):
    """One Kubernetes minor. `floors`: lowest release per containerd line; `below`: where support is known to end."""

    kubernetes: Line
    floors: list[str]
    below: str
    cri: list[str]

    key: ClassVar[tuple[str, ...]] = ("kubernetes",)

    @property
    def lowest(self) -> tuple[semver.Version, ...]:
        """The floors as versions, lowest line first."""
        return tuple(sorted(versions.loose(floor) for floor in self.floors))

    @property
    def choose(self) -> str:
        """What to choose, in words."""
        *lines, last = (str(floor) for floor in self.lowest)
        kept = [f"{floor} or later of its line" for floor in lines]
        return "containerd " + ", ".join([*kept, f"{last} or later below {self.below}"])

    def supports(self, found: semver.Version) -> bool:
        """Tell whether a containerd version is in the table's row."""
        line = (found.major, found.minor)
        floor = next((f for f in self.lowest if (f.major, f.minor) == line), None)
        if floor is not None:
            return found >= floor
        return self.lowest[-1] < found < versions.loose(self.below)


class DockerSupport(Sourced, frozen=True, kw_only=True):
    """A span of Kubernetes minors, and the Docker lines that kubeadm's system check was written for."""

    since: Line
    until: Line
    validated: list[str]

    key: ClassVar[tuple[str, ...]] = ("since",)


class Dockershim(Sourced, frozen=True, kw_only=True):
    """The minors that deprecated and removed the kubelet's Docker runtime."""

    deprecated: Line
    removed: Line

    key: ClassVar[tuple[str, ...]] = ()


@kept
def containerd_table() -> dict[Minor, ContainerdSupport]:
    """The rows by Kubernetes minor."""
    return {minor_of(row.kubernetes): row for row in read("containerd", ContainerdSupport)}


@kept
def docker_table() -> tuple[DockerSupport, ...]:
    """The spans, oldest first."""
    return read("docker", DockerSupport)


@kept
def dockershim() -> Dockershim:
    """When the kubelet lost its Docker runtime."""
    return read("dockershim", Dockershim)[0]


def runtime_verdict(kubernetes: str, name: str, version: str) -> Verdict:
    """Judge a runtime ("containerd", "docker", "cri-o") for a Kubernetes version; raises UnknownVersion.

    The Kubernetes version is judged by its numbers; its vendor's suffix plays no part.
    """
    core = versions.core_of(kubernetes)
    if core is None:
        raise versions.UnknownVersion(
            f'cannot read version "{kubernetes}": it is not of the form vX.Y.Z', remedy="write it like v1.20.2"
        )
    plain = ".".join(map(str, core))
    if name == "containerd":
        return containerd_supported(plain, version)
    if name == "docker":
        return _docker_verdict(plain, version)
    if name == "cri-o":
        return _crio_verdict(core[:2], version)
    return Verdict(False, f"the catalog knows no runtime {name}", "runtime containerd", known=False)


def _docker_verdict(kubernetes: str, version: str) -> Verdict:
    era = docker_supported(kubernetes)
    if not era.ok:
        return era
    lines = [minor_of(line) for line in docker_validated(kubernetes)]
    found = versions.loose(version)
    line = (found.major, found.minor)
    if line in lines or line < lines[0]:
        ok = line in lines
        reason = "" if ok else f"Docker {version} is older than what Kubernetes {kubernetes} was tested with"
        return Verdict(ok, reason, "" if ok else f"Docker {_spell(lines[-1])}")
    # Newer lines work: kubeadm warns of them and goes on.
    return Verdict(True, f"Docker {version} is newer than what Kubernetes {kubernetes} was tested with")


def _spell(line: Minor) -> str:
    return f"{line[0]}.{line[1]:02d}"


def _crio_verdict(minor: Minor, version: str) -> Verdict:
    """CRI-O is released with Kubernetes: the minor of one is that of the other."""
    found = versions.loose(version)
    if (found.major, found.minor) == minor:
        return Verdict(True)
    wanted = f"{minor[0]}.{minor[1]}"
    return Verdict(False, f"CRI-O {version} is not the line for Kubernetes {wanted}", f"CRI-O {wanted}")


def containerd_supported(kubernetes: str, containerd: str) -> Verdict:
    """Judge one containerd version for one Kubernetes version; raises UnknownVersion for malformed ones."""
    row = containerd_table().get(versions.minor(kubernetes))
    found = versions.loose(containerd)
    if row is None:
        return _unknownminor_of(kubernetes)
    if row.supports(found):
        return Verdict(True)
    return Verdict(False, f"containerd {containerd} is not supported with Kubernetes {row.kubernetes}", row.choose)


def containerd_satisfiable(kubernetes: str, constraint: str) -> Verdict:
    """Judge whether some containerd version meets the constraint and runs the Kubernetes version.

    Raises UnknownVersion for malformed ones.
    """
    rules = versions.parse_constraint(constraint)
    row = containerd_table().get(versions.minor(kubernetes))
    if row is None:
        return _unknownminor_of(kubernetes)
    for candidate in _candidates([*row.lowest, *(wanted for _, wanted in rules)]):
        if row.supports(candidate) and versions.satisfies(str(candidate), constraint):
            return Verdict(True)
    reason = f'no containerd version meets "{constraint}" and is supported with Kubernetes {row.kubernetes}'
    return Verdict(False, reason, row.choose)


def _candidates(corners: list[semver.Version]) -> Iterator[semver.Version]:
    """Versions at and beside the corners: when any version fits, one of these does.

    Fitting versions form spans between corners; "!=" takes single patch versions out, hence as many steps up.
    """
    for corner in corners:
        step = corner
        for _ in range(len(corners) + 1):
            yield step
            step = step.bump_patch()
        if corner.patch:
            yield corner.replace(patch=corner.patch - 1)
        yield from (semver.Version(corner.major, minor) for minor in range(corner.minor))


def docker_supported(kubernetes: str) -> Verdict:
    """Judge Docker as runtime of a Kubernetes version; raises UnknownVersion."""
    minor = versions.minor(kubernetes)
    shim = dockershim()
    if minor >= minor_of(shim.removed):
        reason = f"Kubernetes {minor[0]}.{minor[1]} has no Docker runtime: dockershim was removed in {shim.removed}"
        return Verdict(False, reason, f"runtime containerd, or a Kubernetes version below {shim.removed}")
    if docker_validated(kubernetes) == ():
        reason = f"the catalog knows no Docker version for Kubernetes {kubernetes}"
        return Verdict(False, reason, "runtime containerd", known=False)
    return Verdict(True)


def docker_validated(kubernetes: str) -> tuple[str, ...]:
    """Return the Docker lines (major.minor) that kubeadm's system check of that version knows; empty when none."""
    minor = versions.minor(kubernetes)
    spans = (row.validated for row in docker_table() if minor_of(row.since) <= minor <= minor_of(row.until))
    return tuple(next(spans, ()))


def cri_versions(kubernetes: str) -> tuple[str, ...]:
    """Return the CRI versions that the kubelet speaks; empty when the catalog does not know."""
    row = containerd_table().get(versions.minor(kubernetes))
    return tuple(row.cri) if row else ()


def _unknownminor_of(kubernetes: str) -> Verdict:
    known = sorted(containerd_table())
    span = f"{known[0][0]}.{known[0][1]} to {known[-1][0]}.{known[-1][1]}"
    reason = f"the catalog does not know which containerd Kubernetes {kubernetes} runs"
    return Verdict(False, reason, f"a Kubernetes version of {span}", known=False)
