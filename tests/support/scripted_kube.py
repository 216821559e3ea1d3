"""A Kubernetes API that follows a script, byte by byte: what a real one does only on bad days.

It speaks HTTP over a plain socket, so that a test can cut a connection in the middle of a line or fall silent.
Semantics are not its business; those are tested against a real kube-apiserver.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply:
    """What a script does to one connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.keep_alive = True
        self.gone = asyncio.Event()

    async def json(self, body: Any, code: int = 200, headers: str = "") -> None:
        await self.text(json.dumps(body), code, f"Content-Type: application/json\r\n{headers}")

    async def text(self, body: str, code: int = 200, headers: str = "") -> None:
        data = body.encode()
        await self.raw(f"HTTP/1.1 {code} Said\r\n{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    async def stream(self) -> None:
        await self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def event(self, kind: str, body: Any) -> None:
        await self.chunk(json.dumps({"type": kind, "object": body}).encode() + b"\n")

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")

    def cut(self) -> None:
        self._writer.transport.abort()
        self.keep_alive = False

    async def silence(self) -> None:
        """Say nothing until the client or the test goes away."""
        self.keep_alive = False
        await self.gone.wait()

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


Script = Callable[[Request, Reply], Awaitable[None]]


class ScriptedKube:
    """Serves while entered. `answer` decides what happens to each request; `requests` are all that came."""

    def __init__(self, answer: Script, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self._answer = answer
        self._tls = tls
        self._port = port
        self._connections: set[asyncio.Task[None]] = set()
        self.requests: list[Request] = []

    async def __aenter__(self) -> ScriptedKube:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read(reader)
        self.requests.append(request)
        reply = Reply(writer)
        watch = asyncio.create_task(_until_gone(reader, reply)) if "watch" in request.params else None
        try:
            await self._answer(request, reply)
        finally:
            if watch is not None:
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
        return reply.keep_alive


async def _until_gone(reader: asyncio.StreamReader, reply: Reply) -> None:
    # A client that watches says nothing more; the next thing to be read is its end.
    while not reader.at_eof():
        await reader.read(1)
    reply.gone.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), headers, body)
