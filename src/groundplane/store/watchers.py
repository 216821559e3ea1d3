"""Watchers: each has a bounded queue of changes; one that does not keep up is cut and told so.

A cut watcher loses nothing silently: it gets WatcherTooSlow and can watch again from its last revision.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from .contract import Change, WatcherTooSlow


class Watcher(AsyncIterator[Change]):
    """An iterator over `backlog` and then what is offered; `limit` bounds what waits beyond the backlog."""

    def __init__(self, backlog: list[Change], *, namespace: str | None, limit: int) -> None:
        self._namespace = namespace
        self._queue = deque(backlog)
        self._limit = len(backlog) + limit
        self._wake = asyncio.Event()
        self._cut = False
        self._ended = False

    def offer(self, change: Change) -> None:
        """Queue a change that concerns this watcher."""
        if self._cut or (self._namespace is not None and change.entry.key.namespace != self._namespace):
            return
        if len(self._queue) >= self._limit:
            self._cut = True
            self._queue.clear()
        else:
            self._queue.append(change)
        self._wake.set()

    def end(self) -> None:
        """Let the iteration end after what is queued."""
        self._ended = True
        self._wake.set()

    async def __anext__(self) -> Change:
        while not self._queue:
            if self._cut:
                raise WatcherTooSlow("cannot go on with this watch: the reader did not keep up with the changes")
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


class Watchers:
    """All watchers, by resource."""

    def __init__(self) -> None:
        self._by_resource: dict[str, set[Watcher]] = {}

    def add(self, resource: str, watcher: Watcher) -> None:
        self._by_resource.setdefault(resource, set()).add(watcher)

    def remove(self, resource: str, watcher: Watcher) -> None:
        self._by_resource[resource].discard(watcher)

    def publish(self, changes: Iterable[Change]) -> None:
        """Offer each change to those who watch its resource, in order."""
        for change in changes:
            for watcher in self._by_resource.get(change.entry.key.resource, ()):
                watcher.offer(change)

    def end(self) -> None:
        """End every watch."""
        for watchers in self._by_resource.values():
            for watcher in watchers:
                watcher.end()
