"""A lean HTTP/1.1 client over TLS for load: one thread, one epoll, no event loop, no objects per request.

Responses are not parsed beyond their status and their end. What it costs is a figure of the benchmark itself, so that
a reader sees whether the server or the load was measured.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK = 1 << 18
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Target:
    """A server: where it is, whom it trusts, and the administrator's token."""

    url: str
    ca: bytes
    token: str

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the bytes of a request."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\n"
        head += f"Authorization: Bearer {self.token}\r\nUser-Agent: bench/1\r\nAccept: application/json\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    def connect(self) -> ssl.SSLSocket:
        """Return a connection; raises OSError while nobody listens."""
        parts = urlsplit(self.url)
        context = ssl.create_default_context(cadata=self.ca.decode())
        plain = socket.create_connection((parts.hostname or "", parts.port or 443), timeout=_PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=parts.hostname)


class BadAnswer(Exception):
    """The server refused a request of the load, so that its time means nothing."""


def _length(head: bytes) -> int | None:
    """Return the body's length, None when it comes in chunks."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return None
    return int(lower[at + 17 :].split(b"\r\n", 1)[0])


def finished(data: bytes | bytearray) -> bool:
    """Tell whether `data` is a whole response; JSON holds no bare CRLF, so the end of chunks is unmistakable."""
    end = data.find(b"\r\n\r\n", 0, 16384)
    if end < 0:
        return False
    length = _length(bytes(data[:end]))
    if length is None:
        return data.endswith(b"\r\n0\r\n\r\n")
    return len(data) >= end + 4 + length


def check(data: bytes | bytearray) -> None:
    """Raise when the response is not a success."""
    if not data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise BadAnswer(f"the server answered {bytes(data[:600])!r}")


def ask(connection: ssl.SSLSocket, request: bytes) -> bytes:
    """Send one request and return its whole response."""
    connection.sendall(request)
    data = bytearray()
    while True:
        part = connection.recv(_CHUNK)
        if not part:
            raise BadAnswer(f"the server closed the connection after {bytes(data[:600])!r}")
        data += part
        if len(part) < 16384 and finished(data):
            return bytes(data)


def body(response: bytes) -> bytes:
    """Return the body of a response with a length."""
    return response.partition(b"\r\n\r\n")[2]


@contextmanager
def connected(target: Target) -> Iterator[ssl.SSLSocket]:
    """Give a connection for the length of the block."""
    connection = target.connect()
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Load:
    """What a round of load came to; `busy` is the load generator's own share of one core."""

    seconds: float
    count: int
    busy: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.count / self.seconds


def hammer(target: Target, clients: int, requests: Iterator[bytes]) -> Load:
    """Send `requests` over `clients` connections, each with one under way, until there are no more."""
    connections = [target.connect() for _ in range(clients)]
    try:
        return _hammer({each.fileno(): each for each in connections}, requests)
    finally:
        for each in connections:
            each.close()


def _hammer(connections: dict[int, ssl.SSLSocket], requests: Iterator[bytes]) -> Load:
    poll = select.epoll()
    pending: dict[int, bytearray] = {}
    sent: dict[int, float] = {}
    latencies: list[float] = []
    clock, used = time.perf_counter(), time.process_time()

    def send(number: int) -> None:
        request = next(requests, None)
        if request is None:
            return
        pending[number] = bytearray()
        sent[number] = time.perf_counter()
        connections[number].send(request)

    for number, connection in connections.items():
        connection.setblocking(False)
        poll.register(number, select.EPOLLIN)
        send(number)
    while pending:
        for number, _ in _polled(poll):
            if number in pending and _read(connections[number], pending[number]):
                latencies.append(time.perf_counter() - sent[number])
                check(pending.pop(number))
                send(number)
    seconds = time.perf_counter() - clock
    poll.close()
    return Load(seconds, len(latencies), (time.process_time() - used) / seconds, latencies)


def _polled(poll: select.epoll) -> list[tuple[int, int]]:
    events = poll.poll(_PATIENCE)
    if not events:
        raise BadAnswer(f"the server did not answer within {_PATIENCE:.0f} s")
    return events


def _read(connection: ssl.SSLSocket, data: bytearray) -> bool:
    """Read what is there; tell whether the response is whole."""
    while True:
        try:
            part = connection.recv(_CHUNK)
        except ssl.SSLWantReadError:
            return False
        if not part:
            raise BadAnswer(f"the server closed the connection after {bytes(data[:600])!r}")
        data += part
        if finished(data):
            return True


@dataclass(slots=True)
class _Watch:
    connection: ssl.SSLSocket
    seen: int = 0
    last: bytes = b""

    def read(self) -> int:
        """Return how many events have come; each ends with the only newline that follows a brace."""
        fresh = 0
        while True:
            try:
                part = self.connection.recv(_CHUNK)
            except ssl.SSLWantReadError:
                return fresh
            if not part:
                raise BadAnswer("the server ended a watch")
            fresh += (self.last + part).count(b"}\n")
            self.last = part[-1:]


def fan_out(target: Target, path: str, watchers: int, writes: list[bytes], interval: float) -> Load:
    """Watch `path` with many connections and send `writes` at a steady pace; latencies are from write to each event."""
    request = target.request("GET", path)
    watches = [_open(target, request) for _ in range(watchers)]
    writer = target.connect()
    try:
        return _fan_out({each.connection.fileno(): each for each in watches}, writer, writes, interval)
    finally:
        for each in (*(watch.connection for watch in watches), writer):
            each.close()


def _open(target: Target, request: bytes) -> _Watch:
    connection = target.connect()
    connection.sendall(request)
    head = bytearray()
    while b"\r\n\r\n" not in head:
        head += connection.recv(_CHUNK)
    check(head)
    connection.setblocking(False)
    return _Watch(connection)


def _fan_out(watches: dict[int, _Watch], writer: ssl.SSLSocket, writes: list[bytes], interval: float) -> Load:
    poll = select.epoll()
    for number in watches:
        poll.register(number, select.EPOLLIN)
    writer.setblocking(False)
    poll.register(writer.fileno(), select.EPOLLIN)
    sent: list[float] = []
    latencies: list[float] = []
    answer = bytearray()
    clock, used = time.perf_counter(), time.process_time()
    wanted = len(writes) * len(watches)
    while len(latencies) < wanted:
        due = clock + len(sent) * interval
        now = time.perf_counter()
        if len(sent) < len(writes) and now >= due:
            sent.append(time.perf_counter())
            writer.send(writes[len(sent) - 1])
            continue
        left = max(0.0, due - now) if len(sent) < len(writes) else _PATIENCE
        for number, _ in poll.poll(left):
            if number in watches:
                _take(watches[number], sent, latencies)
            elif _read(writer, answer):
                check(answer)
                answer.clear()
    seconds = time.perf_counter() - clock
    poll.close()
    return Load(seconds, len(latencies), (time.process_time() - used) / seconds, latencies)


def _take(watch: _Watch, sent: list[float], latencies: list[float]) -> None:
    fresh = watch.read()
    now = time.perf_counter()
    latencies.extend(now - sent[watch.seen + offset] for offset in range(fresh))
    watch.seen += fresh


def until(probe: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Ask until the answer is yes; a server that is not there yet is a no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if probe():
                return
        except (OSError, BadAnswer):
            pass
        if time.monotonic() > deadline:
            raise BadAnswer(f"gave up waiting until {what}")
        time.sleep(0.005)
