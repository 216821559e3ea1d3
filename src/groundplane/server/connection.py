"""One connection: HTTP/1.1 as httptools parses it, with guards against peers that do not keep their side.

Whoever connects gets so long to send a head, so many bytes for it, so long to finish a body that nobody reads any
more, and so long to take what we send. What is over the limit is answered with a Status where an answer is still
possible, else the connection is cut: a peer that does not keep its side holds no memory here.

A connection has one timer, and it is set only when what is expected could come too late: a request that comes in one
piece and whose answer fits into the socket's buffer sets none.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send

from groundplane.base.keepalive import KEEPALIVE

from .authn.client_certificate import read_peer
from .authn.contract import Peer
from .exchange import Exchange
from .negotiation import encode
from .outgoing import Outgoing, ReaderLimits
from .status import StatusError, bad_request, too_many_requests

# So much of a body waits for the application before the peer is left waiting.
_MOST_WAITING = 64 * 1024
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds and sizes of one connection, and how many there may be.

    `head`: from the first byte of a request to the end of its headers; `drain`: for the rest of a body after the
    answer; `slow_reader`: in which a reader has to take `slow_reader_bytes` of what waits for it; `idle`: between
    two requests.
    """

    connections: int = 10_000
    handshake: float = 10.0
    head: float = 10.0
    idle: float = 75.0
    drain: float = 5.0
    slow_reader: float = 30.0
    slow_reader_bytes: int = 64 * 1024
    url_bytes: int = 32 * 1024
    head_bytes: int = 128 * 1024
    headers: int = 128


DEFAULT_LIMITS = ConnectionLimits()


@dataclass(slots=True)
class Site:
    """What the connections of one server share. `changed` is called when a connection or a request has ended."""

    app: ASGIApp
    limits: ConnectionLimits
    loop: asyncio.AbstractEventLoop
    connections: set[Connection] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    changed: Callable[[], None] = lambda: None

    def start(self, exchange: Exchange, app: ASGIApp) -> None:
        """Let a request be answered in a task of its own."""
        exchange.task = self.loop.create_task(exchange.run(app, self._ended), name="api-server/request")
        self.tasks.add(exchange.task)

    def _ended(self, exchange: Exchange) -> None:
        self.tasks.discard(exchange.task)
        self.changed()


class Connection(asyncio.Protocol):
    """The protocol of one connection."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._limits = site.limits
        self._loop = site.loop
        self._parser = httptools.HttpRequestParser(self)
        # What follows the last request of a connection is not looked at.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._crowded = False
        self._reading = True
        # The request that is being read: its head, then its body.
        self._in_head = False
        self._in_body = False
        self._head_bytes = self._fields_bytes = self._untold = 0
        # Whether the parser has told anything of what came last.
        self._told = False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._newest: Exchange | None = None
        self._current: Exchange | None = None
        self._queue: deque[tuple[Exchange, ASGIApp]] = deque()
        # After a request to upgrade HTTP is over: what comes is the other protocol's, and waits until it has begun.
        self._upgrading: Exchange | None = None
        self._ahead = b""
        # What has to happen by when, else `_late` is called.
        self._due = _NEVER
        self._late: Callable[[], None] = self._cut
        self._timer: TimerHandle | None = None
        self._timer_at = _NEVER

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        reader = ReaderLimits(self._limits.slow_reader, self._limits.slow_reader_bytes)
        self.out = Outgoing(self._transport, self._loop, reader)
        self._client = _address(transport, "peername")
        self._server = _address(transport, "sockname")
        ssl_object = transport.get_extra_info("ssl_object")
        self._scheme = "http" if ssl_object is None else "https"
        der = ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None
        self._peer: Peer | None = read_peer(der) if der else None
        self._site.connections.add(self)
        self._crowded = len(self._site.connections) > self._limits.connections and not self._make_room()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._site.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        for exchange in (self._current, *(waiting for waiting, _ in self._queue)):
            if exchange is not None:
                exchange.lost()
        self._queue.clear()
        self.out.lost()
        self._site.changed()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.out.pause()

    def resume_writing(self) -> None:
        self.out.resume()

    def data_received(self, data: bytes) -> None:
        if self.out.closing:
            return
        if self._upgrading is not None:
            self._beyond(self._upgrading, data)
            return
        in_head, quiet = self._in_head, self.unasked and not self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Whether there is something to upgrade to or not, the request is the last one.
            if self._newest is not None:
                self._newest.keep_alive = False
                self._upgrading = self._newest
                self._beyond(self._newest, data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse_unparsed(bad_request("this is not HTTP/1.1"))
            return
        if self._in_head:
            self._judge_head(len(data) if in_head else 0)
        elif quiet and self.unasked:
            # Line ends before a request, which begin no message: they do not keep a connection open either.
            self._await_head_once()
        elif self._in_body:
            self._judge_body(len(data))

    def _beyond(self, exchange: Exchange, data: bytes) -> None:
        """Bytes after a request to upgrade: the application's once it has agreed, else nobody's."""
        if exchange.complete or not data:
            return
        if exchange.switched:
            exchange.feed(data, more=True)
        else:
            self._ahead += data
        if max(exchange.waiting, len(self._ahead)) > _MOST_WAITING:
            self._pause_reading()

    def _judge_head(self, size: int) -> None:
        """A head is not whole yet, `size` bytes of it have come."""
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            self._refuse_unparsed(_head_too_large())
        elif self._reading:
            self._await_head_once()

    def _judge_body(self, size: int) -> None:
        """Of `size` bytes after a head the parser has told, or it keeps them, as what stands around chunks."""
        if self._told:
            self._told = False
            self._untold = 0
            return
        self._untold += size
        if self._untold > self._limits.head_bytes:
            self._cut()

    # The parser's calls

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_bytes = self._fields_bytes = self._untold = 0
        self._told = False
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields_bytes += len(name) + len(value)
        if self._in_head:
            self._headers.append((name.lower(), value))
        elif self._fields_bytes > 2 * self._limits.head_bytes:
            # What follows the chunks of a body is no part of the head that was judged, and nobody needs it.
            self._cut()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_body = True
        self._due = _NEVER
        exchange = self._exchange()
        refusal = self._refusal()
        app = self._site.app if refusal is None else refusal
        self._newest = exchange
        if self._current is None or self._current.complete:
            self._current = exchange
            self._site.start(exchange, app)
        else:
            # It waits for the answer to the one before; more is not read meanwhile.
            self._pause_reading()
            self._queue.append((exchange, app))

    def on_chunk_header(self) -> None:
        self._told = True

    def on_body(self, body: bytes) -> None:
        self._told = True
        exchange = self._newest
        if exchange is None or exchange.complete:
            return
        exchange.feed(body, more=True)
        if exchange.waiting > _MOST_WAITING:
            self._pause_reading()

    def on_message_complete(self) -> None:
        self._in_body = False
        exchange = self._newest
        if exchange is None:
            return
        if exchange.complete:
            self._await_next()
        else:
            exchange.feed(b"", more=False)

    # The exchange's calls

    def want_more(self) -> None:
        """Read on: the application waits for it."""
        if not self._reading and not self._queue and not self.out.closing:
            self._reading = True
            self._transport.resume_reading()
            if self._in_head:
                self._await_head()

    def switch(self, exchange: Exchange) -> None:
        """The application has agreed to another protocol, for as long as the connection lasts."""
        self.out.patient = True
        # It may be silent for hours, and nothing else would tell that the peer has vanished.
        for option in KEEPALIVE:
            self._transport.get_extra_info("socket").setsockopt(*option)
        ahead, self._ahead = self._ahead, b""
        self._beyond(exchange, ahead)

    def answered(self, exchange: Exchange) -> None:
        """An answer is on its way: the next one may go."""
        if self.out.closing:
            return
        if self._queue:
            following, app = self._queue.popleft()
            self._current = following
            self._site.start(following, app)
        self.want_more()
        if self._in_body:
            if exchange is self._newest:
                self._expect(self._limits.drain, self._close)
        elif self._in_head:
            if self._reading:
                self._await_head()
        elif self.unasked:
            self._await_next()

    def shut(self) -> None:
        """Close now, or with the answer that is on its way."""
        if self._current is None or self._current.complete:
            self.out.close()
        else:
            self._current.keep_alive = False

    @property
    def unasked(self) -> bool:
        """Whether no request is being read or answered."""
        return (self._current is None or self._current.complete) and not self._in_body

    @property
    def unused(self) -> bool:
        """Whether it has been answered and asks for nothing at present."""
        return self._current is not None and self.unasked and not self._in_head and not self.out.closing

    # Time

    def _await_head(self) -> None:
        self._expect(self._limits.head, self._cut)

    def _await_head_once(self) -> None:
        if self._late != self._cut or self._due == _NEVER:
            self._await_head()

    def _await_next(self) -> None:
        self._expect(self._limits.idle, self._close)

    def _expect(self, seconds: float, late: Callable[[], None]) -> None:
        """Call `late` unless something else is expected, or nothing, in so many seconds."""
        self._due = self._loop.time() + seconds
        self._late = late
        if self._due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._set_timer(seconds)

    def _set_timer(self, seconds: float) -> None:
        self._timer_at = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        left = self._due - self._loop.time()
        if left == _NEVER or self.out.closing:
            return
        if left > 0:
            self._set_timer(left)
        else:
            self._late()

    def _cut(self) -> None:
        self.out.abort()

    def _close(self) -> None:
        self.out.close()

    def _pause_reading(self) -> None:
        if self._reading and not self.out.closing:
            self._reading = False
            self._transport.pause_reading()

    # What a request is, and what is refused

    def _exchange(self) -> Exchange:
        parser, url = self._parser, self._url
        if url.startswith(b"/") and b"#" not in url:
            raw_path, _, query = url.partition(b"?")
        else:
            parsed = httptools.parse_url(url)
            raw_path, query = parsed.path, parsed.query or b""
        path = raw_path.decode("ascii")
        version = parser.get_http_version()
        # Of headers that are given twice the first one counts.
        known = dict(reversed(self._headers))
        exchange = Exchange(self, self.out, {
            "type": "http",
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "groundplane.peer": self._peer,
            "groundplane.headers": known,
        })  # fmt: skip
        exchange.keep_alive = version != "1.0" and parser.should_keep_alive()
        exchange.expects_continue = known.get(b"expect", b"").lower() == b"100-continue"
        return exchange

    def _refusal(self) -> ASGIApp | None:
        if self._crowded:
            return _Refusal(too_many_requests())
        if len(self._url) > self._limits.url_bytes:
            return _Refusal(StatusError(414, "RequestURITooLong", "Request-URI Too Long"))
        if len(self._headers) > self._limits.headers or self._fields_bytes > self._limits.head_bytes:
            return _Refusal(_head_too_large())
        return None

    def _refuse_unparsed(self, error: StatusError) -> None:
        """Answer what is not even parsed to its end, unless an answer to an earlier request is on its way."""
        if self._current is None or self._current.complete or not self._current.started:
            body = encode(error.body())
            head = f"HTTP/1.1 {error.code} \r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            self.out.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.out.close()

    def _make_room(self) -> bool:
        """Close a connection that does nothing in favour of one that may."""
        for other in self._site.connections:
            if other is not self and other.unused:
                other.out.close()
                return True
        return False


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


def _address(transport: asyncio.BaseTransport, which: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(which)
    return (str(found[0]), int(found[1])) if found else None
