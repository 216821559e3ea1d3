"""Delivery: a verified artifact reaches a machine, over the connection that is open anyway.

Nothing is sent when the machine's file has the right digest already, so an interrupted Operation sends only what
is missing. What arrived is hashed on the machine before it gets its name. At most as many uploads run at once, over
all machines, as there are `slots`, those of the lowest rank first: what everybody waits for is not kept waiting.
The local fetch is one per artifact (see sources.Depot).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from groundplane.api.distribution import Artifact, Source

from .sources import Depot

DEFAULT_UPLOADS = 6


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

    async def upload(self, source: str, path: str, *, mode: int = 0o644, sha256: str = "") -> None: ...

    async def run(self, argv: Sequence[str]) -> object: ...


class Slots:
    """A semaphore that hands its places out by rank, the lowest first, and in order within a rank."""

    def __init__(self, places: int = DEFAULT_UPLOADS) -> None:
        self._free = places
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(1 for _, _, turn in self._waiting if not turn.done())

    @asynccontextmanager
    async def place(self, rank: int) -> AsyncIterator[None]:
        """Hold one place for the length of the block."""
        await self._take(rank)
        try:
            yield
        finally:
            self._free += 1
            self._wake()

    async def _take(self, rank: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (rank, self._count, turn))
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._free += 1
                self._wake()
            raise

    def _wake(self) -> None:
        while self._free and self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


class ArtifactDelivery:
    """Delivers the artifacts of one Distribution's sources; `slots` is shared by all deliveries of the process.

    `first` names the machines whose uploads go before all others.
    """

    def __init__(
        self, depot: Depot, sources: Sequence[Source], *, slots: Slots | None = None, first: Collection[str] = ()
    ) -> None:
        self._depot = depot
        self._sources = sources
        self._slots = slots or Slots()
        self._first = first

    async def deliver(self, host: Receiver, artifact: Artifact, path: str, *, mode: int = 0o644) -> None:
        """Put the artifact's file at `path`; raises the errors of artifacts.errors and those of the host."""
        if await host.digest(path) == artifact.sha256:
            return await _set_mode(host, path, mode)
        local = await self._depot.fetch(artifact, self._sources)
        async with self._slots.place(0 if host.name in self._first else 1):
            await host.upload(str(local), path, mode=mode, sha256=artifact.sha256)
        return None


async def _set_mode(host: Receiver, path: str, mode: int) -> None:
    stat = await host.stat(path)
    if stat is not None and stat.mode != mode:
        await host.run(["chmod", f"{mode:o}", path])
