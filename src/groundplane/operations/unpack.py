"""Archives on a machine: delivered, recorded file by file, unpacked. What was unpacked is noted with digests."""

from __future__ import annotations

import hashlib
from shlex import quote

from groundplane.api.distribution import Artifact
from groundplane.hosts.contract import ReadHost
from groundplane.hosts.errors import CommandFailed

from . import ledger, room
from .places import STAGE
from .scope import Scope

_UNPACK = """set -eu
mkdir -p {folder}
tar -xzf {archive} -C {folder} --no-same-owner
"""


async def unpacked(host: ReadHost, artifact: Artifact) -> bool:
    """Tell whether all files of this very archive are in place, unchanged."""
    noted = await ledger.note(host, _key(artifact))
    if noted is None or noted["sha256"] != artifact.sha256:
        return False
    files: dict[str, str] = noted["files"]
    return await _digests(host, list(files)) == files


async def unpack(scope: Scope, artifact: Artifact, folder: str) -> None:
    """Unpack the archive into `folder`; every file that it holds is on record before it is written."""
    host = scope.door
    archive = f"{STAGE}/{artifact.sha256}.tar.gz"
    await scope.delivery.deliver(host, artifact, archive)
    listed = (await host.run(["tar", "-tzf", archive])).text.splitlines()
    paths = [f"{folder}/{name.removeprefix('./')}" for name in listed if not name.endswith("/")]
    for path in paths:
        await ledger.record(host, path)
    try:
        await host.script(_UNPACK.format(folder=quote(folder), archive=quote(archive)), timeout=300)
    except CommandFailed:
        await room.require(host, folder, artifact.size, f"unpack {artifact.name}")
        raise
    note = {"sha256": artifact.sha256, "files": await _digests(host, paths)}
    await ledger.write_note(host, _key(artifact), note)
    await host.run(["rm", "-f", archive])


def _key(artifact: Artifact) -> str:
    return f"archive-{hashlib.sha256(artifact.name.encode()).hexdigest()[:16]}"


async def _digests(host: ReadHost, paths: list[str]) -> dict[str, str]:
    found = await host.query(["sha256sum", "--", *paths], timeout=60)
    return {line[66:]: line[:64] for line in found.text.splitlines()}
