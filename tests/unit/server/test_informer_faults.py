"""The informer over both ends of the client while the world between it and the server breaks.

Writes go on during each fault. Afterwards its copy equals the server's list; what it told of each object is in order,
nothing twice; and where the server forgot nothing, every single write was told.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from groundplane.client.contract import Client, Resource
from groundplane.client.http import HttpClient, HttpOptions
from groundplane.client.informer import BackOff, Informer, ObjectChange
from groundplane.kube.kubeconfig import Access
from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.local import LocalClient
from groundplane.server.run import listen, serve
from support.chaos import ChaosProxy

from .conftest import Running, Start

SECRETS = Resource("", "v1", "secrets", "Secret")
OPTIONS = HttpOptions(timeout=5, watch=30, silence=1)


@dataclass
class World:
    """A running informer, the server behind it, and what can happen between them."""

    running: Running
    informer: Informer
    client: Client
    proxy: ChaosProxy | None = None
    restart: Callable[[], Awaitable[None]] | None = None
    told: dict[str, list[ObjectChange]] = field(default_factory=lambda: defaultdict(list))
    written: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        self.following = asyncio.create_task(self.informer.run())

    async def leave(self) -> None:
        assert self.following is not None
        self.following.cancel()
        await asyncio.gather(self.following, return_exceptions=True)

    async def write(self, name: str) -> None:
        """Create, change and every second time delete one object."""
        local = LocalClient(self.running.service)
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}
        made = await local.create(SECRETS, body)
        changed = await local.patch(SECRETS, "default", name, {"metadata": {"labels": {"a": "b"}}})
        self.written[name] += [made["metadata"]["resourceVersion"], changed["metadata"]["resourceVersion"]]
        if name.endswith(("1", "3", "5", "7", "9")):
            await local.delete(SECRETS, "default", name)
            self.written[name].append("deleted")

    async def settled(self) -> None:
        """Wait until the copy is the server's list."""
        local = LocalClient(self.running.service)
        await local.create(SECRETS, {"metadata": {"name": "last", "namespace": "default"}, "apiVersion": "v1",
                                     "kind": "Secret"})  # fmt: skip
        wanted = sorted((await local.list(SECRETS)).items, key=_key)
        async with asyncio.timeout(30):
            while sorted(self.informer.list(), key=_key) != wanted:
                await asyncio.sleep(0.01)

    def in_order(self) -> None:
        """Every object's changes are later ones than those before, and begin where those ended."""
        for name, changes in self.told.items():
            versions = [_revision(change.new) for change in changes if change.new is not None]
            assert versions == sorted(set(versions)), name
            for before, after in itertools.pairwise(changes):
                assert (before.new is None) == (after.old is None), name
                if after.new is not None:
                    assert after.old == before.new, name

    def complete(self) -> None:
        """Every write was told."""
        for name, written in self.written.items():
            told = ["deleted" if c.new is None else c.new["metadata"]["resourceVersion"] for c in self.told[name]]
            assert told == written, name


def _key(document: dict[str, Any]) -> str:
    return str(document["metadata"]["name"])


def _revision(document: dict[str, Any]) -> int:
    return int(document["metadata"]["resourceVersion"])


class Serving:
    """The application on one port of loopback, over TLS, which can be stopped and started."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._running = running
        self._files = certificates.ensure(folder)
        self.ca = self._files.ca.read_bytes()
        self.port = 0

    async def start(self) -> None:
        self._running.server.stopping.clear()
        self._block = serve(
            build(self._running.server), self._files, listen("127.0.0.1", self.port), self._running.server.stopping
        )
        self.port = (await self._block.__aenter__()).port

    async def stop(self) -> None:
        await self._block.__aexit__(None, None, None)

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@asynccontextmanager
async def over_http(start: Start, folder: Path, options: HttpOptions) -> AsyncIterator[World]:
    async with start() as running:
        serving = Serving(running, folder / "home")
        await serving.start()
        token = running.bearer["authorization"].removeprefix("Bearer ")
        try:
            async with ChaosProxy(serving.port) as proxy:
                access = Access(f"https://127.0.0.1:{proxy.port}", ca=serving.ca, token=token)
                async with HttpClient(access, options) as client, followed(running, client) as world:
                    world.proxy, world.restart = proxy, serving.restart
                    yield world
        finally:
            await serving.stop()


@asynccontextmanager
async def in_process(start: Start, *_: object) -> AsyncIterator[World]:
    async with start() as running, followed(running, LocalClient(running.service)) as world:
        yield world


@asynccontextmanager
async def followed(running: Running, client: Client) -> AsyncIterator[World]:
    def changed(change: ObjectChange) -> None:
        world.told[change.key.name].append(change)

    informer = Informer(client, SECRETS, changed=changed, back_off=BackOff(first=0.01, longest=0.1))
    world = World(running, informer, client)
    world.follow()
    try:
        await asyncio.wait_for(informer.synced.wait(), 10)
        yield world
    finally:
        await world.leave()


async def nothing(_: World) -> None:
    pass


async def reset(world: World) -> None:
    assert world.proxy is not None
    world.proxy.reset()


async def silence(world: World) -> None:
    assert world.proxy is not None
    world.proxy.freeze()


async def refusal(world: World) -> None:
    assert world.proxy is not None
    world.proxy.refusing = True
    world.proxy.reset()
    await world.write(f"meanwhile{len(world.written)}")
    world.proxy.refusing = False


async def slowness(world: World) -> None:
    assert world.proxy is not None
    world.proxy.delay = 0.02


async def restart(world: World) -> None:
    assert world.restart is not None
    await world.restart()


async def stop_and_go(world: World) -> None:
    await world.leave()
    world.follow()


Fault = Callable[[World], Awaitable[None]]
FAULTS: list[tuple[Any, Fault]] = [
    *((over_http, fault) for fault in (nothing, reset, silence, refusal, slowness, restart, stop_and_go)),
    *((in_process, fault) for fault in (nothing, stop_and_go)),
]


@pytest.mark.parametrize(("end", "fault"), FAULTS, ids=lambda value: value.__name__)
async def test_no_write_is_lost_or_told_twice(start: Start, tmp_path: Path, end: Any, fault: Fault) -> None:
    async with end(start, tmp_path, OPTIONS) as world:
        for number in range(24):
            await world.write(f"s{number}")
            if number in (5, 11, 17):
                await fault(world)
        await world.settled()
        world.in_order()
        world.complete()


async def test_watches_that_the_server_ends_are_resumed_without_a_gap(start: Start, tmp_path: Path) -> None:
    async with over_http(start, tmp_path, HttpOptions(timeout=5, watch=1, silence=5)) as world:
        for number in range(8):
            await world.write(f"s{number}")
            await asyncio.sleep(0.3)
        await world.settled()
        world.in_order()
        world.complete()


@pytest.mark.parametrize("end", [over_http, in_process], ids=lambda value: value.__name__)
async def test_what_the_server_forgot_is_listed_anew(start: Start, tmp_path: Path, end: Any) -> None:
    async with end(start, tmp_path, OPTIONS) as world:
        for number in range(6):
            await world.write(f"s{number}")
        await world.settled()
        await world.leave()
        local = LocalClient(world.running.service)
        await local.delete(SECRETS, "default", "s0")
        await local.patch(SECRETS, "default", "s2", {"metadata": {"labels": {"c": "d"}}})
        for number in range(6, 10):
            await world.write(f"s{number}")
        store = world.running.service.store
        await store.compact(await store.revision())
        world.follow()
        await local.delete(SECRETS, "default", "last")
        await world.settled()
        world.in_order()
        assert world.told["s0"][-1].new is None
        changed = world.told["s2"][-1].new
        assert changed is not None
        assert changed["metadata"]["labels"] == {"a": "b", "c": "d"}
        # Born and gone while nobody looked: nothing to tell.
        assert "s7" not in world.told


@pytest.mark.parametrize("end", [over_http, in_process], ids=lambda value: value.__name__)
async def test_a_server_that_was_put_back_to_an_earlier_time_is_listed_anew(
    start: Start, tmp_path: Path, end: Any
) -> None:
    async with end(start, tmp_path, OPTIONS) as world:
        await world.write("s0")
        await world.settled()
        await world.leave()
        # As an informer that has followed a later history, which a backup took back.
        world.informer._version = "100000"
        await LocalClient(world.running.service).delete(SECRETS, "default", "last")
        world.follow()
        await world.settled()
