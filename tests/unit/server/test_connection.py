"""Peers that do not keep their side, on real sockets: slow heads and bodies, slow readers, too much of anything."""

from __future__ import annotations

import asyncio
import contextlib
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


async def _answers(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """Read so many answers with a length; heads and bodies in turn."""
    found = []
    async with asyncio.timeout(PATIENCE):
        for _ in range(count):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            found += [head, await reader.readexactly(length)]
    return found


async def test_requests_sent_ahead_are_answered_in_their_order(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(at.head("/version") + at.head("/livez") + at.head("/nowhere") + at.head("/readyz"))
        answers = await _answers(reader, 4)
        assert [head.split(b" ", 2)[1] for head in answers[::2]] == [b"200", b"200", b"404", b"200"]
        assert json.loads(answers[1])["gitVersion"]
        assert (answers[3], answers[7]) == (b"ok", b"ok")
        writer.transport.abort()


async def test_a_request_that_comes_byte_by_byte_is_one_request(served: Serve) -> None:
    async with served(replace(QUICK, head=PATIENCE)) as at:
        reader, writer = await at.connect()
        body = json.dumps({"metadata": {"name": "slow"}, "data": {"k": "v"}}).encode()
        kind = ("content-type: application/json", f"content-length: {len(body)}")
        for byte in at.head("/api/v1/namespaces/default/configmaps", *kind, method="POST") + body:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        head, made = await _answers(reader, 1)
        assert head.startswith(b"HTTP/1.1 201 ")
        assert json.loads(made)["data"] == {"k": "v"}
        writer.transport.abort()


async def test_a_large_head_may_come_in_pieces(served: Serve) -> None:
    async with served(replace(QUICK, head=PATIENCE)) as at:
        reader, writer = await at.connect()
        head = at.head("/livez", *(f"x-{number}: {'y' * 1000}" for number in range(100)))
        for start in range(0, len(head), 1000):
            writer.write(head[start : start + 1000])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await _answers(reader, 1))[0].startswith(b"HTTP/1.1 200 ")
        writer.transport.abort()


async def test_a_body_that_waits_for_leave_is_asked_for(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        body = json.dumps({"metadata": {"name": "patient"}}).encode()
        kind = ("content-type: application/json", f"content-length: {len(body)}", "expect: 100-Continue")
        writer.write(at.head("/api/v1/namespaces/default/configmaps", *kind, method="POST"))
        async with asyncio.timeout(PATIENCE):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        head, _ = await _answers(reader, 1)
        assert head.startswith(b"HTTP/1.1 201 ")
        writer.transport.abort()


async def test_a_body_in_chunks_is_put_together(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        kind = ("content-type: application/json", "transfer-encoding: chunked")
        writer.write(at.head("/api/v1/namespaces/default/configmaps", *kind, method="POST"))
        for part in (b'{"metadata":', b'{"name":"parts"}}'):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")
        head, made = await _answers(reader, 1)
        assert head.startswith(b"HTTP/1.1 201 ")
        assert json.loads(made)["metadata"]["name"] == "parts"
        writer.transport.abort()


@pytest.mark.parametrize(
    ("request_line", "headers"),
    [
        ("GET /livez HTTP/1.0", ()),
        ("GET /livez HTTP/1.1", ("connection: close",)),
        ("GET /livez HTTP/1.1", ("connection: upgrade", "upgrade: websocket")),
    ],
    ids=["HTTP/1.0", "close", "upgrade"],
)
async def test_the_last_request_of_a_connection_is_answered_and_ends_it(
    served: Serve, request_line: str, headers: tuple[str, ...]
) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write("\r\n".join([request_line, "host: x", *headers, "", ""]).encode())
        answer = await _ended(reader, writer)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in answer
        assert answer.endswith(b"ok")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /liv\xe9z HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET x:/:y HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nhost: x\r\nx : y\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_the_connection_ended(served: Serve, sent: bytes) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(sent)
        answer = await _ended(reader, writer)
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == "BadRequest"


async def test_watchers_who_are_told_at_once_and_those_who_wait_see_the_same_events_in_order(served: Serve) -> None:
    """One reader stops in the middle, so that events are queued for it, and goes on before it is cut."""
    async with served(replace(QUICK, slow_reader=PATIENCE)) as at:
        watches = [await at.connect(receive_buffer=4096) for _ in range(3)]
        for _, writer in watches:
            writer.write(at.head("/api/v1/namespaces/default/configmaps?watch=true"))
        for reader, _ in watches:
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\r\n\r\n")
        stuck = watches[2][1].transport
        stuck.pause_reading()
        await _fill(at, 6)
        stuck.resume_reading()
        small = {"apiVersion": "v1", "kind": "ConfigMap"}
        for number in range(20):
            made = {**small, "metadata": {"name": f"after-{number}"}}
            assert (await at.running.http.post("/api/v1/namespaces/default/configmaps", json=made)).status_code == 201
        seen = [await _events(reader, 26) for reader, _ in watches]
        assert seen[0] == seen[1] == seen[2]
        assert [name for name in seen[0] if name.startswith("after")] == [f"after-{number}" for number in range(20)]
        for _, writer in watches:
            writer.transport.abort()


async def _events(reader: asyncio.StreamReader, count: int) -> list[str]:
    """Read the names in so many events of a chunked watch."""
    names, text = [], b""
    async with asyncio.timeout(PATIENCE):
        while len(names) < count:
            size = int(await reader.readuntil(b"\r\n"), 16)
            text += (await reader.readexactly(size + 2))[:-2]
            *lines, text = text.split(b"\n")
            names += [json.loads(line)["object"]["metadata"]["name"] for line in lines]
    return names


async def test_what_follows_a_body_in_chunks_is_no_part_of_the_head(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        writer.write(b"GET /api/v1/secrets HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(f"0\r\nauthorization: {at.running.bearer['authorization']}\r\n\r\n".encode())
        assert (await _answers(reader, 1))[0].startswith(b"HTTP/1.1 401 ")
        writer.transport.abort()


@pytest.mark.parametrize("trailer", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["many", "one without end"])
async def test_what_follows_a_body_in_chunks_without_end_is_cut(served: Serve, trailer: bytes) -> None:
    async with served(replace(QUICK, drain=PATIENCE, head_bytes=16 * 1024)) as at:
        reader, writer = await at.connect()
        writer.write(b"POST /api/v1/secrets HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ")
        async with asyncio.timeout(PATIENCE):
            await reader.readuntil(b"\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not writer.transport.is_closing():
                assert sent < 5_000_000
                writer.write(trailer)
                sent += len(trailer)
                await writer.drain()
                await asyncio.sleep(0)
        writer.transport.abort()


async def test_a_body_in_a_thousand_chunks_is_no_endless_head(served: Serve) -> None:
    # The whole time of a body: this one comes a byte a turn, which takes long on a busy machine.
    async with served(replace(QUICK, head_bytes=1024), Limits()) as at:
        reader, writer = await at.connect()
        body = json.dumps({"metadata": {"name": "crumbs"}, "data": {"k": "v" * 3000}}).encode()
        kind = ("content-type: application/json", "transfer-encoding: chunked")
        writer.write(at.head("/api/v1/namespaces/default/configmaps", *kind, method="POST"))
        for byte in body:
            writer.write(b"1\r\n%c\r\n" % byte)
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        assert (await _answers(reader, 1))[0].startswith(b"HTTP/1.1 201 ")
        writer.transport.abort()


async def test_a_request_sent_ahead_is_answered_for_as_long_as_it_takes(served: Serve) -> None:
    """Neither the clock of the next request runs while it is answered, nor that of a head that we do not read."""
    async with served(replace(QUICK, idle=0.2, head=0.2)) as at:
        for rest in (b"", b"GET /livez HTTP/1.1\r\nhost: x"):
            reader, writer = await at.connect()
            watch = at.head("/api/v1/namespaces/default/configmaps?watch=true&timeoutSeconds=1")
            writer.write(at.head("/livez") + watch + watch + rest)
            assert (await _answers(reader, 1))[1] == b"ok"
            async with asyncio.timeout(PATIENCE):
                for end in (b"\r\n\r\n" if rest else b"", b""):
                    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                    await reader.readuntil(b"0\r\n\r\n")
                    writer.write(end)
                if rest:
                    assert (await _answers(reader, 1))[1] == b"ok"
            writer.transport.abort()


async def test_a_peer_of_http_1_0_gets_a_stream_as_it_is_up_to_the_end_of_the_connection(served: Serve) -> None:
    async with served() as at:
        reader, writer = await at.connect()
        await _fill(at, 1)
        query = "watch=true&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        head = at.head(f"/api/v1/namespaces/default/configmaps?{query}&allowWatchBookmarks=true")
        writer.write(head.replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = (await _ended(reader, writer)).partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head
        first, *later = (json.loads(line)["type"] for line in body.splitlines())
        assert (first, set(later)) == ("ADDED", {"BOOKMARK"})
