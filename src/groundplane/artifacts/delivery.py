"""Delivery: a verified artifact reaches a machine, over the connection that is open anyway.

Nothing is sent when the machine's file has the right digest already, so an interrupted Operation sends only what
is missing. What arrived is hashed on the machine before it counts. At most as many uploads run at once, over all
machines, as there are `slots`; the local fetch is one per artifact (see sources.Depot).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from groundplane.api.distribution import Artifact, Source

from .errors import ArtifactCorrupt
from .sources import Depot

DEFAULT_UPLOADS = 8


class Stat(Protocol):
    """The permission bits of a machine's file."""

    @property
    def mode(self) -> int: ...


class Receiver(Protocol):
    """The part of a machine that a delivery needs; hosts.contract.Host has it."""

    @property
    def name(self) -> str: ...

    async def digest(self, path: str) -> str | None: ...

    async def stat(self, path: str) -> Stat | None: ...

    async def upload(self, source: str, path: str, *, mode: int = 0o644) -> None: ...

    async def run(self, argv: Sequence[str]) -> object: ...


class ArtifactDelivery:
    """Delivers the artifacts of one Distribution's sources; `slots` is shared by all deliveries of the process."""

    def __init__(self, depot: Depot, sources: Sequence[Source], *, slots: asyncio.Semaphore | None = None) -> None:
        self._depot = depot
        self._sources = sources
        self._slots = slots or asyncio.Semaphore(DEFAULT_UPLOADS)

    async def deliver(self, host: Receiver, artifact: Artifact, path: str, *, mode: int = 0o644) -> None:
        """Put the artifact's file at `path`; raises the errors of artifacts.errors and those of the host."""
        if await host.digest(path) == artifact.sha256:
            return await _set_mode(host, path, mode)
        local = await self._depot.fetch(artifact, self._sources)
        async with self._slots:
            await host.upload(str(local), path, mode=mode)
            found = await host.digest(path)
            if found != artifact.sha256:
                # A part left by another version was resumed; it is gone now, so the second try starts afresh.
                await host.upload(str(local), path, mode=mode)
                found = await host.digest(path)
        if found != artifact.sha256:
            place = f"host {host.name}, file {path}"
            raise ArtifactCorrupt(artifact.name, place, wanted=artifact.sha256, found=found or "that of no file")
        return None


async def _set_mode(host: Receiver, path: str, mode: int) -> None:
    stat = await host.stat(path)
    if stat is not None and stat.mode != mode:
        await host.run(["chmod", f"{mode:o}", path])
