"""Which of a release's files a machine needs. Pure, but for asking the machine for its architecture."""

from __future__ import annotations

from typing import get_args

from groundplane.api.distribution import Architecture, Artifact, ArtifactType
from groundplane.api.facts import ARCHITECTURES
from groundplane.api.target import ClusterTarget
from groundplane.hosts.contract import ReadHost

from .errors import StepRefused
from .nodes import machine_of

RUNTIME_ARTIFACTS = frozenset({"containerd", "runc"})


async def architecture(host: ReadHost) -> str:
    """Return the machine's architecture by the name that artifacts use."""
    machine = (await host.query(["uname", "-m"])).text
    known = ARCHITECTURES.get(machine)
    if known not in get_args(Architecture):
        raise StepRefused(f"cannot choose artifacts for host {host.name}: architecture {machine} is not supported")
    return str(known)


async def needed(host: ReadHost, target: ClusterTarget, kind: ArtifactType) -> list[Artifact]:
    """Return the release's artifacts of one type for this machine's role and architecture, by name."""
    role = "ControlPlane" if machine_of(host) in target.control_planes else "Worker"
    arch = await architecture(host)
    return sorted(
        (
            artifact
            for artifact in target.release.artifacts
            if artifact.type == kind
            and artifact.architecture == arch
            and (not artifact.roles or role in artifact.roles)
        ),
        key=lambda artifact: artifact.name,
    )


def sandbox_image_of(target: ClusterTarget) -> str:
    """Return the reference of the release's pause image, or "" when the release names none."""
    images = (artifact.image for artifact in target.release.artifacts if artifact.type == "Image")
    return next((image for image in images if image.rpartition("/")[2].split(":")[0].split("@")[0] == "pause"), "")
