"""Room on a machine's disks for what a step makes there. Of what it writes or uploads, the door knows by itself.

A command that found no room says so in words, which nobody may match: after it failed, the room is measured.
"""

from __future__ import annotations

from groundplane.base.sizes import mib
from groundplane.hosts.contract import ReadHost

from .errors import DiskFull


async def require(host: ReadHost, folder: str, needed: int, doing: str) -> None:
    """Raise DiskFull when the file system of `folder` has fewer than `needed` bytes free; unknown room is enough."""
    shown = await host.query(["df", "-Pk", folder])
    cells = shown.text.splitlines()[-1].split() if shown.ok else []
    free = int(cells[3]) * 1024 if len(cells) >= 4 and cells[3].isdigit() else None
    if free is not None and free < needed:
        raise DiskFull(
            f"cannot {doing} on host {host.name}: {folder} has {mib(free)} MiB free, "
            f"and {mib(needed, up=True)} MiB are needed",
            remedy=f"free {mib(needed - free, up=True)} MiB on the file system of {folder}, or enlarge it; "
            "it goes on by itself",
        )
