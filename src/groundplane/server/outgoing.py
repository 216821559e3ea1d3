"""What a connection sends: it knows what the reader has not taken yet, and cuts one that takes nothing.

Under TLS a large write would go into the socket's buffer at once: nothing would ever pause, nobody could tell a stuck
reader from a slow one, and closing would throw away what is left after one short time. So large writes wait here and
are handed on in pieces as the reader takes them.
"""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle
from collections import deque
from dataclasses import dataclass

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """The seconds in which a reader has to take this many bytes of what waits for it."""

    seconds: float
    taken: int


class Outgoing:
    """The way out of one connection. `paused` while what was sent waits for the reader.

    `patient`: it may wait as long as it likes, for a terminal that its user has stopped is no stuck reader.
    """

    __slots__ = ("_backlog", "_closing", "_limits", "_loop", "_timer", "_transport", "_writable", "patient", "paused")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, limits: ReaderLimits) -> None:
        self._transport = transport
        self._loop = loop
        self._limits = limits
        self._backlog: deque[memoryview] = deque()
        self._writable: asyncio.Future[None] | None = None
        self._timer: TimerHandle | None = None
        self._closing = False
        self.paused = False
        self.patient = False
        transport.set_write_buffer_limits(high=_PIECE)

    def write(self, data: bytes) -> None:
        """Send, or keep until the reader has taken what is ahead."""
        if len(data) <= _PIECE and not self._backlog:
            self._transport.write(data)
            return
        self._backlog.append(memoryview(data))
        self._feed()

    async def drain(self) -> None:
        """Return when everything was handed on; also when the connection is lost."""
        while self.paused:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await asyncio.shield(self._writable)

    @property
    def waiting(self) -> int:
        """Bytes that the reader has not taken."""
        return sum(map(len, self._backlog)) + self._transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Close when everything was handed on."""
        self._closing = True
        if self._backlog or self.paused:
            self._transport.pause_reading()
        else:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now: what waits to be sent would wait for a peer that does not read."""
        self._transport.abort()

    # What the transport tells

    def pause(self) -> None:
        self.paused = True
        if self._timer is None:
            self._watch_reader()

    def resume(self) -> None:
        self.paused = False
        self._feed()
        if not self.paused:
            self._calm()

    def lost(self) -> None:
        """The connection is gone: nobody waits for the reader any more."""
        self.paused = False
        self._backlog.clear()
        self._calm()

    def _calm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    def _feed(self) -> None:
        while self._backlog and not self.paused:
            piece = self._backlog[0][:_PIECE]
            self._backlog[0] = self._backlog[0][_PIECE:]
            if not self._backlog[0]:
                self._backlog.popleft()
            self._transport.write(piece)
        if not self._backlog and not self.paused and self._closing:
            self._transport.close()

    def _watch_reader(self) -> None:
        self._timer = self._loop.call_later(self._limits.seconds, self._judge_reader, self.waiting)

    def _judge_reader(self, before: int) -> None:
        # While writing is paused nothing is added, so the difference is what the reader has taken.
        if before - self.waiting < self._limits.taken and not self.patient:
            self._timer = None
            self.abort()
        else:
            self._watch_reader()
