"""One request and its answer: the application's view of a connection, as ASGI has it.

An answer with status 101 has no end but the connection's: its body, and what comes from then on as the request's, are
the bytes of the other protocol.

The head of an answer waits for the first of its body, so that a small answer is one write: one TLS record and one
packet; two were a third of what a small answer costs. Headers come from our own code, so they are not looked at one
by one: a line break in any of them shows in the number of lines of the head.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Scope

from groundplane.base.logs import get_logger

if TYPE_CHECKING:
    from .outgoing import Outgoing

_LARGE = 64 * 1024
_SWITCHING = 101
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_DISCONNECT: Message = {"type": "http.disconnect"}

_log = get_logger(__name__)


class HeaderRefused(Exception):
    """A header of an answer holds a line break: a defect, and nothing of the answer is sent."""


class AnswerCut(Exception):
    """Ends a connection whose answer cannot be finished; whoever raises it has told why, where there is a why."""


class Exchange:
    """A request that is being answered. `complete`: the answer is; `keep_alive`: another request may follow.

    `switched`: it was agreed to speak another protocol.
    """

    task: asyncio.Task[None]

    __slots__ = (
        "_body", "_chunked", "_fresh", "_head", "_left", "_more", "_unframed", "_waiter", "complete", "connection",
        "disconnected", "expects_continue", "keep_alive", "out", "scope", "started", "switched", "task",
    )  # fmt: skip

    def __init__(self, connection: Any, out: Outgoing, scope: Scope) -> None:
        self.connection = connection
        self.out = out
        self.scope = scope
        self.keep_alive = True
        self.expects_continue = False
        self.started = False
        self.switched = False
        self.complete = False
        self.disconnected = False
        self._body = b""
        self._more = True
        self._fresh = False
        self._waiter: asyncio.Future[None] | None = None
        self._head = b""
        self._chunked = False
        self._unframed = False
        self._left = 0

    async def run(self, app: ASGIApp, ended: Callable[[Exchange], None]) -> None:
        """Let the application answer; whatever goes wrong there ends the connection, and nothing else."""
        scope = self.scope
        scope["groundplane.push"] = self.push
        try:
            await app(scope, self.receive, self.send)
            if not self.complete and not self.disconnected:
                _log.error("request was not answered", method=scope["method"], path=scope["path"])
                self.abort()
        except AnswerCut:
            self.abort()
        except Exception:  # noqa: BLE001 - this is the task's owner: the application answers its errors by itself
            _log.exception("request failed", method=scope["method"], path=scope["path"])
            self.abort()
        finally:
            # What refers to each other in a circle would stay until a garbage collection.
            del scope["groundplane.push"]
            ended(self)

    def abort(self) -> None:
        """End the connection: the answer cannot be finished."""
        self.disconnected = True
        self.out.abort()

    # What comes in

    @property
    def waiting(self) -> int:
        """Bytes of the body that the application has not taken."""
        return len(self._body)

    def feed(self, data: bytes, *, more: bool) -> None:
        """Take a part of the body from the connection; `more`: there will be others."""
        self._body = self._body + data if self._body else data
        self._more = more
        self._fresh = True
        self._wake()

    def lost(self) -> None:
        """The connection is gone."""
        self.disconnected = not self.complete
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> Message:
        if self.expects_continue and not self.started and not self.out.closing:
            self.expects_continue = False
            self.out.write(_CONTINUE)
        while not (self._fresh or self.disconnected or self.complete):
            self.connection.want_more()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if (self.disconnected and not self._body) or self.complete:
            return _DISCONNECT
        body, self._body, self._fresh = self._body, b"", False
        return {"type": "http.request", "body": body, "more_body": self._more}

    # What goes out

    async def send(self, message: Message) -> None:
        if self.switched and not message.get("more_body", False):
            # It is over: who still does not read is a stuck reader.
            self.out.patient = False
        if self.out.paused:
            await self.out.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            if self.started:
                raise RuntimeError("an answer begins once")
            self._head = self._made(message)
            self.started = True
            return
        if not self.started or self.complete:
            raise RuntimeError("a body belongs between the beginning and the end of an answer")
        self._write(message.get("body", b""), more=message.get("more_body", False))

    def push(self, framed: bytes) -> bool:
        """Send a piece of a stream, framed as a chunk, if it can go out at once; tell whether it did."""
        out = self.out
        if out.paused or self.disconnected or self.complete or not self._chunked or self._head or out.closing:
            return False
        out.write(framed)
        return True

    def _made(self, message: Message) -> bytes:
        """Return the head; how the body's end will be known is decided here."""
        headers = message.get("headers", ())
        status: int = message["status"]
        parts = [_status_line(status), b"date: ", _date(), b"\r\n"]
        length, lines = -1, 2
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
            lines += 1
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        switching = status == _SWITCHING
        if not self.keep_alive and not switching:
            parts.append(b"connection: close\r\n")
            lines += 1
        bodyless = self.scope["method"] == "HEAD" or status in (204, 304)
        self._left = 0 if bodyless or length < 0 else length
        # HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
        self._unframed = switching or (length < 0 and not bodyless and self.scope["http_version"] == "1.0")
        if length < 0 and not bodyless and not self._unframed:
            self._chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        head = b"".join(parts)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise HeaderRefused("cannot send this answer: a header has a line break")
        if switching:
            self.switched = True
            self.connection.switch(self)
        return head + b"\r\n"

    def _write(self, body: bytes, *, more: bool) -> None:
        parts = [self._head] if self._head else []
        self._head = b""
        parts += self._framed(body, more=more)
        if len(body) > _LARGE:
            # Copying it would cost more than a write for each part.
            for part in parts:
                self.out.write(part)
        elif parts:
            self.out.write(b"".join(parts))
        if not more:
            self.complete = True
            self._wake()
            if not self.keep_alive:
                self.out.close()
            self.connection.answered(self)

    def _framed(self, body: bytes, *, more: bool) -> list[bytes]:
        if self._chunked:
            chunk = [chunk_of(body)] if body else []
            return chunk if more else [*chunk, b"0\r\n\r\n"]
        if self.scope["method"] == "HEAD":
            return []
        if self._unframed:
            return [body] if body else []
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the body is not as long as its head says")
        return [body] if body else []


def chunk_of(data: bytes) -> bytes:
    """Return data (not empty) as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@cache
def _status_line(code: int) -> bytes:
    known = {status.value: status.phrase for status in HTTPStatus}
    return f"HTTP/1.1 {code} {known.get(code, '')}\r\n".encode()


class _Clock:
    """The Date header, made once a second."""

    second = 0
    text = b""


def _date() -> bytes:
    now = int(time.time())
    if now != _Clock.second:
        _Clock.second, _Clock.text = now, formatdate(now, usegmt=True).encode()
    return _Clock.text
