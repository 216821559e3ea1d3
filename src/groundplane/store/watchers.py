"""Watchers: each has a bounded queue of changes; one that does not keep up is cut and told so.

A cut watcher loses nothing silently: it gets WatcherTooSlow and can watch again from its last revision.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence

from .contract import Change, Sink, WatcherTooSlow


class Watcher(AsyncIterator[Change]):
    """A contract.Watch over `backlog` and then what is offered; `limit` bounds what waits beyond the backlog.

    One reader at a time waits, on a future that the next change completes: with hundreds of watchers, what is done
    for each of them at each change is what counts.
    """

    def __init__(self, backlog: list[Change], *, namespace: str | None, limit: int) -> None:
        self.namespace = namespace
        self._queue = deque(backlog)
        self._limit = len(backlog) + limit
        self._reader: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._cut = False
        self._ended = False

    def offer(self, changes: Sequence[Change]) -> None:
        """Hand on or queue changes that concern this watcher."""
        if self._cut:
            return
        if self._sink is not None and self._idle and self._sink(changes):
            return
        if len(self._queue) + len(changes) > self._limit:
            self._cut = True
            self._queue.clear()
        else:
            self._queue.extend(changes)
        self.wake()

    def hand_to(self, sink: Sink) -> None:
        self._sink = sink

    @property
    def _idle(self) -> bool:
        """Whether all that came before was read, and its reader waits for more."""
        return self._reader is not None and not self._reader.done() and not self._queue

    def end(self) -> None:
        """Let the iteration end after what is queued."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    @property
    def over(self) -> bool:
        return self._ended and not self._queue

    async def take(self, seconds: float) -> list[Change]:
        if not self._queue and not self._ended and not self._cut:
            await self._wait(seconds)
        self._check()
        taken = list(self._queue)
        self._queue.clear()
        return taken

    async def __anext__(self) -> Change:
        while not self._queue:
            self._check()
            if self._ended:
                raise StopAsyncIteration
            await self._wait(None)
        return self._queue.popleft()

    def _check(self) -> None:
        if self._cut:
            raise WatcherTooSlow("cannot go on with this watch: the reader did not keep up with the changes")

    async def _wait(self, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._reader = loop.create_future()
        timer = None if seconds is None else loop.call_later(seconds, self.wake)
        try:
            await self._reader
        finally:
            self._reader = None
            if timer is not None:
                timer.cancel()


class Watchers:
    """All watchers, by resource."""

    def __init__(self) -> None:
        self._by_resource: dict[str, set[Watcher]] = {}

    def add(self, resource: str, watcher: Watcher) -> None:
        self._by_resource.setdefault(resource, set()).add(watcher)

    def remove(self, resource: str, watcher: Watcher) -> None:
        self._by_resource[resource].discard(watcher)

    def publish(self, changes: Iterable[Change]) -> None:
        """Offer changes to those who watch their resource, in order."""
        by_resource: dict[str, list[Change]] = {}
        for change in changes:
            by_resource.setdefault(change.entry.key.resource, []).append(change)
        for resource, found in by_resource.items():
            by_namespace: dict[str | None, list[Change]] = {None: found}
            for watcher in self._by_resource.get(resource, ()):
                concerned = by_namespace.get(watcher.namespace)
                if concerned is None:
                    concerned = [each for each in found if each.entry.key.namespace == watcher.namespace]
                    by_namespace[watcher.namespace] = concerned
                if concerned:
                    watcher.offer(concerned)

    def counts(self) -> dict[str, int]:
        """Return how many watch each resource."""
        return {resource: len(watchers) for resource, watchers in self._by_resource.items()}

    def end(self) -> None:
        """End every watch."""
        for watchers in self._by_resource.values():
            for watcher in watchers:
                watcher.end()
