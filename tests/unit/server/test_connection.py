"""Peers that do not keep their side, on real sockets: slow heads and bodies, slow readers, too much of anything."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.connection import ConnectionLimits
from groundplane.server.http import Limits
from groundplane.server.inflight import InFlightLimits
from groundplane.server.run import listen, serve

from .conftest import Running, Start

QUICK = ConnectionLimits(head=0.3, handshake=0.3, drain=0.3, slow_reader=0.4)
PATIENCE = 10.0


@dataclass
class Served:
    """A server on a socket."""

    running: Running
    port: int
    trust: ssl.SSLContext

    async def connect(self, *, receive_buffer: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection over TLS; a small buffer lets little wait on our side."""
        plain = socket.socket()
        plain.setblocking(False)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.port))
        return await asyncio.open_connection(sock=plain, ssl=self.trust, server_hostname="localhost", limit=1 << 16)

    def head(self, path: str, *headers: str, method: str = "GET") -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            "host: localhost",
            f"authorization: {self.running.bearer['authorization']}",
        ]
        return "\r\n".join([*lines, *headers, "", ""]).encode()


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def served(start: Start, tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def run(limits: ConnectionLimits = QUICK, requests: Limits | None = None) -> AsyncIterator[Served]:
        files = certificates.ensure(tmp_path / "home")
        async with start() as running:
            server = replace(running.server, limits=requests or running.server.limits)
            app, stopping = build(server), server.stopping
            async with serve(app, files, listen("127.0.0.1", 0), stopping, limits=limits) as listening:
                yield Served(running, listening.port, ssl.create_default_context(cafile=str(files.ca)))

    return run


async def _ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read until the server ends the connection; what it sent before."""
    found = b""
    async with asyncio.timeout(PATIENCE):
        try:
            while block := await reader.read(1 << 16):
                found += block
        except ConnectionError:
            pass
    writer.transport.abort()
    return found


async def _dribble(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "piece"),
    [(b"", b"\r\n"), (b"GET /livez HTTP/1.1\r\n", b"x: y\r\n"), (b"GET /", b"a"), (b"GET / HTTP/1.1\r\nx: ", b"y")],
    ids=["line ends", "headers", "url", "one header"],
)
async def test_a_head_that_comes_drop_by_drop_is_cut(served: Serve, first: bytes, piece: bytes) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(first)
        dribbling = asyncio.create_task(_dribble(writer, piece))
        assert await _ended(reader, writer) == b""
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)


async def test_whoever_says_nothing_is_cut(served: Serve) -> None:
    async with served() as at:
        assert await _ended(*await at.connect()) == b""


async def test_after_an_answer_the_next_head_has_to_come_in_time_too(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(at.head("/livez"))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"ok")
        dribbling = asyncio.create_task(_dribble(writer, b"\r\n"))
        assert await _ended(reader, writer) == b""
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)


async def test_a_handshake_that_is_not_done_is_cut(served: Serve) -> None:
    async with served() as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        assert await _ended(reader, writer) == b""


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/livez?" + "a" * 40_000, (), 414),
        ("/livez", tuple(f"x-{number}: y" for number in range(200)), 431),
        ("/livez", ("x: " + "y" * 140_000,), 431),
        ("/livez", ("x: " + "y" * 900_000,), 431),
    ],
    ids=["url", "headers", "long header", "endless header"],
)
async def test_too_large_a_head_is_answered_with_a_status(
    served: Serve, path: str, headers: tuple[str, ...], code: int
) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(at.head(path, *headers))
        answer = await _ended(reader, writer)
        assert answer.startswith(f"HTTP/1.1 {code} ".encode()), answer[:200]
        status = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (status["kind"], status["code"]) == ("Status", code)


async def test_a_body_that_nobody_reads_any_more_does_not_hold_the_connection(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(b"POST /api/v1/secrets HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\n")
        dribbling = asyncio.create_task(_dribble(writer, b"x"))
        assert (await _ended(reader, writer)).startswith(b"HTTP/1.1 401 ")
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)


async def test_a_body_that_comes_too_slowly_is_answered_504(served: Serve) -> None:
    async with served(requests=Limits(body=0.3)) as at:
        reader, writer = await at.connect()
        kind = "content-type: application/json"
        writer.write(at.head("/api/v1/namespaces/default/secrets", "content-length: 100", kind, method="POST"))
        dribbling = asyncio.create_task(_dribble(writer, b" "))
        answer = await _ended(reader, writer)
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == "Timeout"
        dribbling.cancel()
        await asyncio.gather(dribbling, return_exceptions=True)


async def _fill(at: Served, count: int) -> None:
    for number in range(count):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"c{number}"},
            "data": {"k": "x" * 900_000},
        }
        assert (await at.running.http.post("/api/v1/namespaces/default/configmaps", json=body)).status_code == 201


async def test_a_reader_that_takes_nothing_is_cut_and_one_that_takes_slowly_is_not(served: Serve) -> None:
    async with served(replace(QUICK, slow_reader_bytes=16 * 1024)) as at:
        await _fill(at, 8)
        stuck, stuck_writer = await at.connect(receive_buffer=4096)
        slow, slow_writer = await at.connect(receive_buffer=4096)
        for writer in (stuck_writer, slow_writer):
            writer.write(at.head("/api/v1/configmaps", "connection: close"))
        got = b""
        async with asyncio.timeout(60):
            while block := await slow.read(1 << 16):
                got += block
                await asyncio.sleep(0.01)
        slow_writer.transport.abort()
        assert len(json.loads(got.partition(b"\r\n\r\n")[2])["items"]) == 8
        assert len(await _ended(stuck, stuck_writer)) < len(got) / 2


async def test_a_watcher_that_takes_nothing_is_cut(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect(receive_buffer=4096)
        writer.write(at.head("/api/v1/configmaps?watch=true"))
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        await _fill(at, 8)
        await asyncio.sleep(3 * QUICK.slow_reader)
        writer.transport.resume_reading()
        assert len(await _ended(reader, writer)) < 4_000_000


async def test_beyond_the_most_connections_an_unused_one_makes_room_else_the_new_one_is_told(served: Serve) -> None:
    async with served(replace(QUICK, connections=1, head=PATIENCE)) as at:
        first = await at.connect()
        first[1].write(at.head("/livez"))
        async with asyncio.timeout(PATIENCE):
            await first[0].readuntil(b"ok")
        second = await at.connect()
        second[1].write(at.head("/api/v1/configmaps?watch=true"))
        async with asyncio.timeout(PATIENCE):
            assert b"HTTP/1.1 200 " in await second[0].readuntil(b"\r\n\r\n")
        assert await _ended(*first) == b""
        third = await at.connect()
        third[1].write(at.head("/livez"))
        answer = await _ended(*third)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"retry-after: 1" in answer
        second[1].transport.abort()


async def test_more_requests_in_flight_than_allowed_are_told_to_come_again(served: Serve) -> None:
    none = Limits(in_flight=InFlightLimits(reading=0, mutating=0))
    async with served(requests=none) as at:
        nobody = at.running.tokens.issue_token("nobody", (), timedelta(hours=1))
        for token, code in ((nobody, 429), (None, 200)):
            reader, writer = await at.connect()
            head = at.head("/livez", "connection: close")
            if token:
                head = head.replace(at.running.bearer["authorization"].encode(), f"Bearer {token}".encode())
            writer.write(head)
            answer = await _ended(reader, writer)
            assert answer.startswith(f"HTTP/1.1 {code} ".encode())
            assert (b"retry-after: 1" in answer) == (code == 429)
