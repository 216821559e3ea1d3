"""A server is killed under write load, again and again: what it acknowledged is there, and a watch misses nothing.

GROUNDPLANE_TEST_KILLS sets the number of rounds (200 is the whole promise; a normal run does fewer). The same is done
on a disk that fills up: then writes are refused, the server is killed with the disk full, and nothing refused shows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.server_forks import Forks, server_forks
from tests.support.small_disk import SmallDisk, small_disk

from .ledger import Film, Ledger
from .load import Lane, connect, follow, read, write_one

_LANES = 6
_KILLS = int(os.environ.get("GROUNDPLANE_TEST_KILLS", "30"))
# A machine that is busy with other things takes seconds for a life.
_PATIENCE = 300 + 20 * _KILLS
_MARKER = "marker"
_log = logging.getLogger(__name__)


@dataclass
class World:
    """All that goes on over the lives of the server."""

    home: Path
    forks: Forks
    chance: random.Random = field(default_factory=lambda: random.Random(os.urandom(8)))
    ledger: Ledger = field(default_factory=Ledger)
    film: Film | None = None
    lanes: list[Lane] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lanes = [Lane(number, self.ledger, self.chance) for number in range(_LANES)]

    async def life(self, enough: Callable[[int], bool]) -> None:
        """Start the server, check what it holds, let all lanes write until `enough`, and kill it."""
        server = await asyncio.to_thread(self.forks.start, self.home)
        found, revision = await read(server.access)
        self.ledger.settle(found, revision)
        film = self.film = self.film or Film(revision, dict(found))
        seen, over = asyncio.Event(), asyncio.Event()

        def answered(code: int) -> None:
            if enough(code):
                over.set()

        async with _together() as group:
            group.create_task(follow(server.access, film, seen))
            await self._watched_up_to_now(server.access, film, seen)
            lanes = [group.create_task(lane.run(server.access, answered)) for lane in self.lanes]
            ended = group.create_task(over.wait())
            done, _ = await asyncio.wait({ended, *lanes}, return_when=asyncio.FIRST_COMPLETED)
            assert done == {ended}, "the server ended by itself"
            status = await asyncio.to_thread(self.forks.kill, server)
        assert status == signal.SIGKILL

    async def check(self) -> None:
        """Start the server once more and compare everything with what was told."""
        server = await asyncio.to_thread(self.forks.start, self.home)
        found, revision = await read(server.access)
        self.ledger.settle(found, revision)
        assert self.film is not None
        seen = asyncio.Event()
        async with _together() as group:
            group.create_task(follow(server.access, self.film, seen))
            await self._watched_up_to_now(server.access, self.film, seen)
            self.film.agree(self.ledger, (await read(server.access))[0])
            await asyncio.to_thread(self.forks.kill, server)

    async def _watched_up_to_now(self, access, film: Film, seen: asyncio.Event) -> None:
        """Write a marker and wait until the watch, which went on from the last life, shows it."""
        async with connect(access) as http:
            code = await write_one(http, self.ledger, _MARKER, f"marker {self.ledger.acknowledged}")
        assert code in (200, 201)
        async with asyncio.timeout(60):
            while film.revision < self.ledger.objects[_MARKER].revision:
                seen.clear()
                await seen.wait()


@asynccontextmanager
async def _together():
    """A TaskGroup whose one error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* AssertionError as errors:
        raise errors.exceptions[0] from None


@pytest.mark.timeout(_PATIENCE)
async def test_killed_under_load_a_server_keeps_what_it_acknowledged_and_a_watch_goes_on_without_a_gap(tmp_path):
    with server_forks(tmp_path / "log") as forks:
        world = World(tmp_path / "home", forks)
        for _ in range(_KILLS):
            left = world.chance.randrange(1, 120)

            def enough(code: int) -> bool:
                nonlocal left
                left -= 1
                return left <= 0

            await world.life(enough)
        await world.check()
    assert world.ledger.refused == 0
    assert world.ledger.acknowledged > 20 * _KILLS
    _log.info("%d kills, %d writes acknowledged", _KILLS, world.ledger.acknowledged)


@pytest.mark.timeout(_PATIENCE)
async def test_killed_on_a_full_disk_a_server_keeps_what_it_acknowledged_and_nothing_that_it_refused(tmp_path):
    rounds = max(_KILLS // 3, 2)
    with small_disk(tmp_path / "disk", "24m") as disk, server_forks(disk.folder / "log") as forks:
        # The log is on the same disk: losing its lines must stop nothing.
        world = World(disk.folder / "home", forks)
        for turn in range(rounds):
            await world.life(_Filling(disk, again=turn % 2 == 0, chance=world.chance))
            disk.free()
        await world.check()
    assert world.ledger.refused >= 5 * rounds
    _log.info("%d kills, %d acknowledged, %d refused", rounds, world.ledger.acknowledged, world.ledger.refused)


class _Filling:
    """Fill the disk after some writes; end the life when some were refused, or `again` some were taken after that."""

    def __init__(self, disk: SmallDisk, *, again: bool, chance: random.Random) -> None:
        self._disk = disk
        self._again = again
        self._before = chance.randrange(1, 40)
        self._refused = chance.randrange(5, 30)
        self._after = chance.randrange(1, 40)

    def __call__(self, code: int) -> bool:
        if self._before > 0:
            self._before -= 1
            if self._before == 0:
                self._disk.fill()
        elif self._refused > 0:
            # The log has room left inside itself for a while: only a refusal counts.
            self._refused -= code == 500
            if self._refused > 0:
                self._disk.fill()
            elif self._again:
                self._disk.free()
            else:
                # Killed while the disk is full.
                return True
        elif code != 500:
            self._after -= 1
        return self._refused <= 0 and self._after <= 0
