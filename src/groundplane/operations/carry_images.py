"""Images from one runtime's store to the other's, on one machine: what the node's pods run on, and what only it has.

An image that was never pulled (it has no digest of a registry) cannot be had anywhere else. It and every image that a
container here runs on are carried over, so that no pod waits for a registry while the node is away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from shlex import quote

from groundplane.hosts.contract import Host, ReadHost
from groundplane.plan.view import plain_image

from . import cri, runtimes
from .places import STAGE
from .retire import other
from .room import require
from .runtimes import CONTAINERD, DOCKER, Runtime
from .scope import Scope

_TAR = f"{STAGE}/images.tar"
_STORE = "/var/lib/containerd/io.containerd.content.v1.content"
# What it keeps as it came, and what it unpacks from that.
_COPIES = 2
# What `docker save` said counts, too: a stream that was cut off may look whole to whoever reads it.
_PIPE = """set -eu
said=$( {{ {{ docker save {names} || echo failed >&3; }} | {into} >&2; }} 3>&1 )
[ -z "$said" ]
"""


@dataclass(frozen=True, slots=True)
class Held:
    """An image of Docker's: its names, the digest of its configuration, its size, and whether a registry has it."""

    names: tuple[str, ...]
    id: str
    size: int
    pulled: bool


async def missing_in_containerd(host: Host) -> list[Held]:
    """Return Docker's images that have to be carried over to containerd, or are another image there."""
    there = {image.id: image.tags for image in await (await cri.connect(host)).images()}
    return [
        image
        for image in await _needed(host)
        if not {plain_image(name) for name in image.names} <= {plain_image(tag) for tag in there.get(image.id, ())}
    ]


async def lacking(host: ReadHost, runtime: Runtime) -> list[str]:
    """Return the names of images that have to be carried over to `runtime` and that it does not show. Reads only."""
    if not await runtimes.answers(host, other(runtime)) or not await runtimes.answers(host, runtime):
        return []
    there = {plain_image(name) for name in await runtimes.images(host, runtime)}
    if runtime is CONTAINERD:
        names = [name for image in await _needed(host) for name in image.names]
    else:
        names = [name for name in await runtimes.images(host, CONTAINERD) if ":" in name and "@" not in name]
    return sorted(name for name in names if not name.startswith("sha256:") and plain_image(name) not in there)


async def carry_to_containerd(scope: Scope, images: list[Held]) -> None:
    """Bring images over, from one to the other without a tar in between."""
    host = scope.door
    for image in images:
        await require(host, _STORE, _COPIES * image.size, f"carry image {image.names[0]} over")
        scope.log(f"carrying {', '.join(image.names)} over to containerd")
        names = " ".join(quote(name) for name in image.names)
        into = " ".join(quote(word) for word in runtimes.load_command(CONTAINERD, "-"))
        await host.script(_PIPE.format(names=names, into=into), timeout=1800)


async def carry_to_docker(scope: Scope) -> None:
    """Bring containerd's images over that Docker has not by name; the tar between the two is gone afterwards."""
    host = scope.door
    await host.run(["mkdir", "-p", "-m", "700", STAGE])
    for reference in sorted(await runtimes.images(host, CONTAINERD)):
        if reference.startswith("sha256:") or "@" in reference:
            continue
        if (await host.run(["docker", "image", "inspect", "--format", "{{.Id}}", reference], check=False)).ok:
            continue
        try:
            await host.run(["ctr", "-n", "k8s.io", "images", "export", _TAR, reference], timeout=1800)
            await host.run(runtimes.load_command(DOCKER, _TAR), timeout=1800)
            scope.log(f"carried {reference} over to Docker")
        finally:
            await host.run(["rm", "-f", _TAR])


async def _needed(host: ReadHost) -> list[Held]:
    """Return Docker's images that no registry has, and those that a container runs on."""
    used = set((await host.query(["docker", "ps", "--no-trunc", "--format", "{{.ID}}"], timeout=60)).text.split())
    running = set[str]()
    if used:
        looked = await host.query(["docker", "inspect", "--format", "{{.Image}}", *sorted(used)], timeout=60)
        running = set(looked.text.split())
    return [image for image in await _held(host) if image.names and (not image.pulled or image.id in running)]


async def _held(host: ReadHost) -> list[Held]:
    listed = await host.query(["docker", "image", "ls", "--quiet", "--no-trunc"], timeout=60)
    ids = sorted(set(listed.text.split()))
    if not ids:
        return []
    shown = '{"id":{{json .Id}},"names":{{json .RepoTags}},"digests":{{json .RepoDigests}},"size":{{json .Size}}}'
    rows = (await host.query(["docker", "image", "inspect", "--format", shown, *ids], timeout=60)).text.splitlines()
    parsed = [json.loads(row) for row in rows]
    return [Held(tuple(row["names"] or ()), str(row["id"]), int(row["size"]), bool(row["digests"])) for row in parsed]
