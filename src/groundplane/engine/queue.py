"""The work queue: keys waiting for a worker.

Invariant: a key is with at most one worker at a time, and is never lost: a key added while a worker has it is
given out again when that worker is done. A key waits in the queue once, however often it is added; the earliest of
its due times counts.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import NamedTuple


class ObjectKey(NamedTuple):
    """The name of an object; reconcilers read everything else themselves."""

    namespace: str
    name: str


class WorkQueue:
    """Hands out keys when they are due. Uses the running loop's clock."""

    def __init__(self) -> None:
        self._due: dict[ObjectKey, float] = {}
        self._heap: list[tuple[float, ObjectKey]] = []
        self._working: set[ObjectKey] = set()
        self._changed = asyncio.Event()

    def add(self, key: ObjectKey, *, delay: float = 0.0) -> None:
        """Ask for `key` to be worked on after `delay` seconds at the latest."""
        due = asyncio.get_running_loop().time() + delay
        known = self._due.get(key)
        if known is not None and known <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        self._changed.set()

    async def take(self) -> ObjectKey:
        """Wait for a due key that no worker has, and return it. Call `done` with it afterwards."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            key, wait = self._pop_due(loop.time())
            if key is not None:
                return key
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: ObjectKey) -> None:
        """Give `key` back; it is handed out again if it was added meanwhile."""
        self._working.discard(key)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))
        self._changed.set()

    def __len__(self) -> int:
        return len(self._due)

    def _pop_due(self, now: float) -> tuple[ObjectKey | None, float | None]:
        """Return a due key, or the seconds until the next one (None: nothing waits)."""
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) != due or key in self._working:
                heapq.heappop(self._heap)
                continue
            if due > now:
                return None, due - now
            heapq.heappop(self._heap)
            del self._due[key]
            self._working.add(key)
            # Another worker may be waiting for the next key.
            self._changed.set()
            return key, None
        return None, None
