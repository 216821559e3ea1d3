"""Images from one runtime's store to the other's, on one machine: what the node's pods run on, and what only it has.

An image that was never pulled (it has no digest of a registry) cannot be had anywhere else. It and every image that a
container here runs on are carried over, so that no pod waits for a registry while the node is away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from groundplane.hosts.contract import Host
from groundplane.plan.view import plain_image

from . import cri
from .places import STAGE
from .room import require
from .scope import Scope

_TAR = f"{STAGE}/images.tar"


@dataclass(frozen=True, slots=True)
class Held:
    """An image of Docker's: its names, the digest of its configuration, its size, and whether a registry has it."""

    names: tuple[str, ...]
    id: str
    size: int
    pulled: bool


async def missing_in_containerd(host: Host) -> list[Held]:
    """Return Docker's images that have to be carried over to containerd."""
    held = await _docker_images(host)
    used = set((await host.run(["docker", "ps", "--no-trunc", "--format", "{{.ID}}"])).text.split())
    used_images = set()
    if used:
        looked = await host.run(["docker", "inspect", "--format", "{{.Image}}", *sorted(used)], check=False)
        used_images = set(looked.text.split())
    there = {image.id: image.tags for image in await (await cri.connect(host)).images()}
    return [
        image
        for image in held
        if image.names
        and (not image.pulled or image.id in used_images)
        and not {plain_image(name) for name in image.names} <= {plain_image(tag) for tag in there.get(image.id, ())}
    ]


async def carry_to_containerd(scope: Scope, images: list[Held]) -> None:
    """Bring images over; the tar between the two is gone afterwards."""
    host = scope.door
    await host.run(["mkdir", "-p", "-m", "700", STAGE])
    try:
        for image in images:
            await require(host, STAGE, image.size, f"carry image {image.names[0]} over")
            scope.log(f"carrying {', '.join(image.names)} over to containerd")
            await host.run(["docker", "save", "--output", _TAR, *image.names], timeout=1800)
            await host.run(["ctr", "-n", "k8s.io", "images", "import", _TAR], timeout=1800)
    finally:
        await host.run(["rm", "-f", _TAR])


async def _docker_images(host: Host) -> list[Held]:
    ids = sorted(set((await host.run(["docker", "image", "ls", "--quiet", "--no-trunc"])).text.split()))
    if not ids:
        return []
    shown = '{"id":{{json .Id}},"names":{{json .RepoTags}},"digests":{{json .RepoDigests}},"size":{{json .Size}}}'
    rows = (await host.run(["docker", "image", "inspect", "--format", shown, *ids])).text.splitlines()
    parsed = [json.loads(row) for row in rows]
    return [Held(tuple(row["names"] or ()), str(row["id"]), int(row["size"]), bool(row["digests"])) for row in parsed]
