"""How an answer goes out: its head waits for the first of its body, so that a small answer is one write.

One write is one TLS record and one packet; two were a third of what a small answer costs. Headers come from our own
code, so they are not looked at one by one: a line break in any of them shows in the number of lines of the head.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_LARGE = 64 * 1024


class HeaderRefused(Exception):
    """A header of an answer holds a line break: a defect, and nothing of the answer is sent."""


class Answering:
    """Runs the application on one request of uvicorn's, and writes what it sends."""

    def __init__(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:
        self._cycle = cycle
        self._app = app
        self._head = b""
        self._chunked = False
        self._left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, self._send)

    async def _send(self, message: Message) -> None:
        cycle = self._cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        if message["type"] == "http.response.start":
            if cycle.response_started:
                raise RuntimeError("an answer begins once")
            self._head = self._made(message)
            cycle.response_started = True
            cycle.waiting_for_100_continue = False
            return
        if not cycle.response_started or cycle.response_complete:
            raise RuntimeError("a body belongs between the beginning and the end of an answer")
        self._write(message.get("body", b""), more=message.get("more_body", False))

    def _made(self, message: Message) -> bytes:
        """Return the head; how the body's end will be known is decided here."""
        cycle = self._cycle
        headers = [*cycle.default_headers, *message.get("headers", ())]
        parts = [STATUS_LINE[message["status"]], *(b"%b: %b\r\n" % header for header in headers)]
        given = {name: value for name, value in headers if name in (b"content-length", b"connection")}
        lines = len(parts)
        if given.get(b"connection") == b"close":
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
            lines += 1
        bodyless = cycle.scope["method"] == "HEAD" or message["status"] in (204, 304)
        length = given.get(b"content-length")
        self._left = 0 if bodyless or length is None else int(length)
        if length is None and not bodyless:
            self._chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
            lines += 1
        head = b"".join(parts)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise HeaderRefused("cannot send this answer: a header has a line break")
        return head + b"\r\n"

    def _write(self, body: bytes, *, more: bool) -> None:
        cycle = self._cycle
        parts = [self._head] if self._head else []
        self._head = b""
        parts += self._framed(body, more=more)
        if len(body) > _LARGE:
            # Copying it would cost more than a write for each part.
            for part in parts:
                cycle.transport.write(part)
        elif parts:
            cycle.transport.write(b"".join(parts))
        if not more:
            cycle.response_complete = True
            cycle.message_event.set()
            if not cycle.keep_alive:
                cycle.transport.close()
            cycle.on_response()

    def _framed(self, body: bytes, *, more: bool) -> list[bytes]:
        if self._chunked:
            chunk = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            return chunk if more else [*chunk, b"0\r\n\r\n"]
        if self._cycle.scope["method"] == "HEAD":
            return []
        self._left -= len(body)
        if self._left < 0 or (self._left and not more):
            raise RuntimeError("the body is not as long as its head says")
        return [body] if body else []
