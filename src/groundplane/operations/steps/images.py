"""images: the release's images of this machine's role, in the runtime's store.

An image counts as present when the runtime has its reference with the digest that was noted after Groundplane
loaded this very artifact: another image under the same name is replaced. The tar is removed when it is loaded.
"""

from __future__ import annotations

from typing import Any

from groundplane.api.distribution import Artifact
from groundplane.api.operation import PlannedChange
from groundplane.hosts.errors import CommandFailed

from .. import ledger, room, runtimes
from ..artifact_set import needed
from ..places import STAGE, STATE
from ..runtimes import Runtime, runtime_of
from ..scope import ReadScope, Scope
from ..together import together

_AT_ONCE = 2
_NOTE = "images"


class Images:
    name = "images"
    title = "Load the images"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        return await images_missing(scope, runtime_of(scope.target))

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await load_images(scope, runtime_of(scope.target))


async def images_missing(scope: ReadScope, runtime: Runtime) -> list[PlannedChange]:
    """Return the images of the release that a runtime of the machine has not, as changes."""
    missing = await _missing(scope, runtime)
    return [PlannedChange(what=f"image {a.image}", after=f"loaded into {runtime.name}") for a in missing]


async def load_images(scope: Scope, runtime: Runtime) -> None:
    """Load what is missing of the release's images into a runtime of the machine."""
    missing = await _missing(scope, runtime)
    await _note_found(scope, runtime, missing)
    await together([_load(scope, runtime, artifact) for artifact in missing], limit=_AT_ONCE)
    await _note_loaded(scope, runtime, missing)


async def _missing(scope: ReadScope, runtime: Runtime) -> list[Artifact]:
    held = await runtimes.images(scope.host, runtime)
    noted = await _noted(scope, runtime)
    return [
        artifact
        for artifact in await needed(scope.host, scope.target, "Image")
        if held.get(artifact.image, "-") != noted.get(artifact.image, {}).get("digest")
        or noted[artifact.image]["artifact"] != artifact.sha256
    ]


async def _noted(scope: ReadScope, runtime: Runtime) -> dict[str, dict[str, Any]]:
    note = await ledger.note(scope.host, _NOTE) or {}
    images: dict[str, dict[str, Any]] = note.get(runtime.name, {})
    return images


async def _note_found(scope: Scope, runtime: Runtime, artifacts: list[Artifact]) -> None:
    """Write down which of the references were there before ours, for delete; the first note of each stays."""
    held = await runtimes.images(scope.door, runtime)
    note = await ledger.note(scope.door, _NOTE) or {}
    mine = note.setdefault(runtime.name, {})
    for artifact in artifacts:
        existed = mine.get(artifact.image, {}).get("existed", artifact.image in held)
        mine[artifact.image] = {"artifact": "", "digest": "", "existed": existed}
    await ledger.write_note(scope.door, _NOTE, note)


async def _note_loaded(scope: Scope, runtime: Runtime, artifacts: list[Artifact]) -> None:
    """Write down by which digest the runtime now has what was loaded."""
    held = await runtimes.images(scope.door, runtime)
    note = await ledger.note(scope.door, _NOTE) or {}
    mine = note.setdefault(runtime.name, {})
    for artifact in artifacts:
        mine[artifact.image] |= {"artifact": artifact.sha256, "digest": held.get(artifact.image, "")}
    await ledger.write_note(scope.door, _NOTE, note)


async def _load(scope: Scope, runtime: Runtime, artifact: Artifact) -> None:
    host, path = scope.door, f"{STAGE}/{artifact.sha256}.tar"
    try:
        await _room(scope, runtime, artifact)
        await scope.delivery.deliver(host, artifact, path, mode=0o600)
        await host.run(runtimes.load_command(runtime, path), timeout=600)
    except CommandFailed:
        await host.run(["rm", "-f", path])
        await _room(scope, runtime, artifact)
        raise
    await host.run(["rm", "-f", path])
    scope.log(f"loaded {artifact.image}")


async def _room(scope: Scope, runtime: Runtime, artifact: Artifact) -> None:
    """Raise DiskFull when the file systems have no room for the tar and what is made of it."""
    for folder in (STATE, runtime.image_root):
        await room.require(scope.door, folder, artifact.size * 2, f"load image {artifact.image}")
