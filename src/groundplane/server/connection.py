"""One connection: uvicorn's protocol with the guards that it lacks.

Whoever connects gets so long to send a head, so many bytes for it, so long to finish a body that nobody reads any
more, and so long to take what we send. What is over the limit is answered with a Status where an answer is still
possible, else the connection is cut: a peer that does not keep its side holds no memory here.

The timers exist only while something is outstanding: a request that comes in one piece and whose answer fits into the
socket's buffer starts none.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .answering import Answering
from .authn.client_certificate import read_peer
from .authn.contract import Peer
from .negotiation import encode
from .status import StatusError, too_many_requests

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds and sizes of one connection, and how many there may be.

    `head`: from the first byte of a request to the end of its headers; `drain`: for the rest of a body after the
    answer; `slow_reader`: in which a reader has to take `slow_reader_bytes` of what waits for it.
    """

    connections: int = 10_000
    handshake: float = 10.0
    head: float = 10.0
    drain: float = 5.0
    slow_reader: float = 30.0
    slow_reader_bytes: int = 64 * 1024
    url_bytes: int = 32 * 1024
    head_bytes: int = 128 * 1024
    headers: int = 128


DEFAULT_LIMITS = ConnectionLimits()


class _Transport:
    """The transport as uvicorn sees it: it knows what the reader has not taken yet, and closes after that.

    Under TLS a large write would go into the socket's buffer at once: nothing would ever pause, nobody could tell a
    stuck reader from a slow one, and closing would throw away what is left after one short time. So large writes
    wait here and are handed on in pieces as the reader takes them.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection
        self._backlog: deque[memoryview] = deque()
        self._closing = False
        self.paused = False
        transport.set_write_buffer_limits(high=_PIECE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if len(data) <= _PIECE and not self._backlog:
            self._transport.write(data)
            return
        self._backlog.append(memoryview(data))
        self.feed()

    def feed(self) -> bool:
        """Hand on what the transport takes; tell whether nothing is left here."""
        while self._backlog and not self.paused:
            piece = self._backlog[0][:_PIECE]
            self._backlog[0] = self._backlog[0][_PIECE:]
            if not self._backlog[0]:
                self._backlog.popleft()
            self._transport.write(piece)
        if not self._backlog and not self.paused and self._closing:
            self._transport.close()
        return not self._backlog and not self.paused

    @property
    def waiting(self) -> int:
        """Bytes that the reader has not taken."""
        return sum(map(len, self._backlog)) + self._transport.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        self._closing = True
        if self._backlog or self.paused:
            self._transport.pause_reading()
        else:
            self._transport.close()


class Connection(HttpToolsProtocol):
    """The protocol of one connection."""

    def __init__(self, limits: ConnectionLimits, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self._limits = limits
        self._serving = self.app
        self._peer: Peer | None = None
        self._crowded = False
        self._in_head = False
        self._head_bytes = 0
        self._reading_body = False
        self._head_timer: TimerHandle | None = None
        self._drain_timer: TimerHandle | None = None
        self._reader_timer: TimerHandle | None = None

    # What comes in

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._guarded = _Transport(transport, self)
        self.transport = cast("asyncio.Transport", self._guarded)
        self._crowded = len(self.connections) > self._limits.connections and not self._make_room()
        ssl_object = transport.get_extra_info("ssl_object")
        der = ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None
        self._peer = read_peer(der) if der else None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head_timer, self._drain_timer, self._reader_timer):
            _cancel(timer)
        # Uvicorn does this only after an orderly end; without it the timer keeps the dead connection in memory.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                self._refuse_unparsed(_head_too_large())
                return
        super().data_received(data)
        # Also line ends before a request, which begin no message: they do not keep a connection open either.
        if self._head_timer is None and self._idle:
            self._await_head()

    @property
    def _idle(self) -> bool:
        """Whether no request is being read or answered."""
        return (self.cycle is None or self.cycle.response_complete) and not self._reading_body

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        self.scope["groundplane.peer"] = self._peer  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._reading_body = True
        _cancel(self._head_timer)
        self._head_timer = None
        refusal = self._refusal()
        self.app = self._serving if refusal is None else refusal
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        super()._start_asgi_task(cycle, Answering(cycle, app))  # type: ignore[arg-type]

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading_body = False
        _cancel(self._drain_timer)
        self._drain_timer = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._reading_body and not self.transport.is_closing():
            self._drain_timer = self.loop.call_later(self._limits.drain, self.transport.close)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._limits.head, self._cut)

    def _cut(self) -> None:
        """End the connection now: what waits to be sent would wait for a peer that does not read."""
        self.transport.abort()

    # What is refused

    def _refusal(self) -> Any:
        if self._crowded:
            return _Refusal(too_many_requests())
        if len(self.url) > self._limits.url_bytes:
            return _Refusal(StatusError(414, "RequestURITooLong", "Request-URI Too Long"))
        size = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > self._limits.headers or size > self._limits.head_bytes:
            return _Refusal(_head_too_large())
        return None

    def _refuse_unparsed(self, error: StatusError) -> None:
        """Answer what is not even parsed to its end, unless an answer to an earlier request is on its way."""
        if self._idle or not self.cycle.response_started:
            body = encode(error.body())
            head = f"HTTP/1.1 {error.code} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _make_room(self) -> bool:
        """Close a connection that does nothing in favour of one that may."""
        for other in self.connections:
            if other is not self and isinstance(other, Connection) and other.unused:
                other.transport.close()
                return True
        return False

    @property
    def unused(self) -> bool:
        """Whether it has been answered and asks for nothing at present."""
        return self.cycle is not None and self._idle and not self._in_head and not self.transport.is_closing()

    # What goes out

    def pause_writing(self) -> None:
        self._guarded.paused = True
        super().pause_writing()
        if self._reader_timer is None:
            self._watch_reader()

    def resume_writing(self) -> None:
        self._guarded.paused = False
        if self._guarded.feed():
            super().resume_writing()
            _cancel(self._reader_timer)
            self._reader_timer = None

    def _watch_reader(self) -> None:
        waiting = self._guarded.waiting
        self._reader_timer = self.loop.call_later(self._limits.slow_reader, self._judge_reader, waiting)

    def _judge_reader(self, before: int) -> None:
        # While writing is paused nothing is added, so the difference is what the reader has taken.
        if before - self._guarded.waiting < self._limits.slow_reader_bytes:
            self._reader_timer = None
            self._cut()
        else:
            self._watch_reader()


class _Refusal:
    """Answers one request with a Status and ends the connection."""

    def __init__(self, error: StatusError) -> None:
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = encode(self._error.body())
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if seconds := self._error.details.get("retryAfterSeconds"):
            headers.append((b"retry-after", str(seconds).encode()))
        await send({"type": "http.response.start", "status": self._error.code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _head_too_large() -> StatusError:
    return StatusError(431, "RequestHeaderFieldsTooLarge", "Request Header Fields Too Large")


def _cancel(timer: TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def factory(limits: ConnectionLimits, **uvicorn: Any) -> Callable[[], Connection]:
    """Return what makes the protocol of each connection."""
    return lambda: Connection(limits, **uvicorn)
