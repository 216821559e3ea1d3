"""stage-kubernetes: the programs and images of the release on the machine, beside those that run; nothing is disturbed.

Images go into the runtime that the node will have and into the one that it has: kube-proxy's changes on all nodes as
soon as the first control plane is upgraded. The programs wait in a folder of their own until the node is empty.
"""

from __future__ import annotations

from groundplane.api.distribution import Artifact
from groundplane.api.operation import PlannedChange

from .. import living, programs
from ..artifact_set import needed
from ..errors import StepRefused
from ..runtimes import CONTAINERD, DOCKER, Runtime, installed, runtime_of
from ..scope import ReadScope, Scope
from .images import images_missing, load_images


class StageKubernetes:
    name = "stage-kubernetes"
    title = "Bring the release to the machine"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        version = scope.target.version
        changes = [
            PlannedChange(what=programs.staged(version, artifact.name), after=version)
            for artifact in await _missing(scope)
        ]
        for runtime in await _runtimes(scope):
            changes += await images_missing(scope, runtime)
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, version = scope.door, scope.target.version
        for artifact in await _missing(scope):
            await scope.delivery.deliver(host, artifact, programs.staged(version, artifact.name), mode=0o755)
        for runtime in await _runtimes(scope):
            await load_images(scope, runtime)


async def released(scope: ReadScope) -> dict[str, Artifact]:
    """Return the release's programs for this machine by name; StepRefused when one is not among its files."""
    found = {a.name: a for a in await needed(scope.host, scope.target, "Binary") if a.name in programs.NAMES}
    if missing := [name for name in programs.NAMES if name not in found]:
        raise StepRefused(
            f"cannot bring {scope.target.version} to host {scope.name}: the release has no {', '.join(missing)}",
            remedy=f"add them to the artifacts of Distribution {scope.target.distribution}",
        )
    return found


async def _missing(scope: ReadScope) -> list[Artifact]:
    """Return the programs that are neither staged nor in use already."""
    missing, version = [], scope.target.version
    for name, artifact in (await released(scope)).items():
        places = [programs.staged(version, name), (await programs.program(scope.host, name)).place]
        digests = [await scope.host.digest(path) for path in places]
        if artifact.sha256 not in digests:
            missing.append(artifact)
    # kubeadm has to be staged as long as kubelet is old, for it is called from there.
    return missing


async def _runtimes(scope: ReadScope) -> list[Runtime]:
    """Return the runtimes that need the images: the wanted one where it is there, and the one that is in use."""
    now = {"containerd": CONTAINERD, "docker": DOCKER}.get(await living.runtime_of(scope.host) or "")
    wanted = [runtime_of(scope.target), now]
    found = [runtime for runtime in dict.fromkeys(wanted) if runtime is not None]
    return [runtime for runtime in found if await installed(scope.host, runtime)]
