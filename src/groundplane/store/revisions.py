"""The store: an index in memory in front of one writer; reads never wait for the disk, writes always do.

A committed change reaches index, watchers and its writer in one turn of the event loop, in revision order: who was
answered finds the write in the next read, and a watch never runs ahead of a list.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from .contract import Change, Encode, Entry, Following, Key, Numbers, Page, Watch
from .index import Index
from .watchers import Watcher, Watchers
from .writer import Compaction, Disk, Errand, Keep, State, Wish, Write, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """`keep` and `keep_bytes` bound the history that automatic compaction leaves, a tenth more in between;
    `watch_queue` is the number of unread changes at which a watcher is cut."""

    keep: int = 10_000
    keep_bytes: int = 64 << 20
    watch_queue: int = 1_000


class RevisionStore:
    """Implements store.contract.Store over any Disk. Made inside the event loop that it then belongs to."""

    def __init__(self, disk: Disk, index: Index, options: StoreOptions | None = None) -> None:
        options = options or StoreOptions()
        self._index = index
        self._probe = disk.probe
        self._watch_queue = options.watch_queue
        self._watchers = Watchers()
        self._followings: dict[str, list[Following]] = {}
        self._waiting: list[Wish] = []
        self._loop = asyncio.get_running_loop()
        state = State(index.heads(), index.revision, index.compacted, index.sizes())
        self._writer = Writer(disk, state, self._committed, keep=Keep(options.keep, options.keep_bytes))
        self._writer.start()

    async def get(self, key: Key) -> Entry:
        return self._index.get(key)

    async def list(
        self,
        resource: str,
        *,
        namespace: str | None = None,
        limit: int = 0,
        after: Key | None = None,
        revision: int = 0,
    ) -> Page:
        return self._index.page(resource, namespace=namespace, limit=limit, after=after, revision=revision)

    async def create(self, key: Key, encode: Encode) -> Entry:
        return await self._write("create", key, encode, 0)

    async def update(self, key: Key, encode: Encode, *, expected: int) -> Entry:
        return await self._write("update", key, encode, expected)

    async def delete(self, key: Key, *, expected: int, encode: Encode | None = None) -> Entry:
        return await self._write("delete", key, encode, expected)

    @asynccontextmanager
    async def watch(self, resource: str, *, namespace: str | None = None, revision: int) -> AsyncIterator[Watch]:
        backlog = self._index.changes(resource, namespace=namespace, after=revision)
        watcher = Watcher(backlog, namespace=namespace, limit=self._watch_queue)
        self._watchers.add(resource, watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(resource, watcher)

    def follow(self, resources: Iterable[str]) -> Following:
        following = Following()
        for resource in resources:
            page = self._index.page(resource, namespace=None, limit=0, after=None, revision=0)
            following.changed.update((entry.key, entry) for entry in page.entries)
            self._followings.setdefault(resource, []).append(following)
        return following

    async def compact(self, revision: int) -> None:
        done: Future[None] = Future()
        self._hand_over()
        self._writer.submit([Compaction(revision, done)])
        await asyncio.shield(asyncio.wrap_future(done))

    async def between_writes(self, work: Callable[[], T]) -> T:
        """Run `work` in the writer's thread, after what is queued now and with nothing beside it on the disk."""
        done: Future[T] = Future()
        self._hand_over()
        self._writer.submit([Errand(work, done)])
        return await asyncio.shield(asyncio.wrap_future(done))

    async def revision(self) -> int:
        return self._index.revision

    async def probe(self) -> None:
        await self.between_writes(self._probe)

    def numbers(self) -> Numbers:
        index = self._index
        return Numbers(index.revision, index.compacted, self._writer.waiting, index.counts(), self._watchers.counts())

    async def close(self) -> None:
        self._hand_over()
        self._writer.stop()
        # The news of the last commit reaches the loop before the end of the thread does.
        await asyncio.to_thread(self._writer.join)
        self._watchers.end()

    async def _write(
        self, verb: Literal["create", "update", "delete"], key: Key, encode: Encode | None, expected: int
    ) -> Entry:
        answer = _Answer(self._loop)
        # A caller that is cancelled takes nothing back: the write goes on, and others may wait with it.
        self._writer.check_open()
        if not self._waiting:
            # What is asked in one turn of the loop goes to the writer together: it is woken once, for one transaction.
            self._loop.call_soon(self._hand_over)
        self._waiting.append(Write(verb, key, encode, expected, answer))
        return await answer.future

    def _hand_over(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._writer.submit(waiting)

    def _committed(self, changes: Sequence[Change], writes: Sequence[Write], compacted: int) -> None:
        self._loop.call_soon_threadsafe(self._publish, changes, writes, compacted)

    def _publish(self, changes: Sequence[Change], writes: Sequence[Write], compacted: int) -> None:
        for change in changes:
            self._index.record(change)
            for following in self._followings.get(change.entry.key.resource, ()):
                following.changed[change.entry.key] = None if change.type == "Deleted" else change.entry
        if compacted:
            self._index.compact(compacted)
        for change, write in zip(changes, writes, strict=True):
            # Who is answered here goes on in a later turn of the loop, when watchers know of it, too.
            write.done.set_result(change.entry)
        self._watchers.publish(changes)


class _Answer:
    """One write's answer. Results are set in the loop, where the commit is published, with no hop of their own."""

    __slots__ = ("_loop", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[Entry] = loop.create_future()

    def set_result(self, result: Entry) -> None:
        """Answer; called in the loop."""
        if not self.future.done():
            self.future.set_result(result)

    def set_exception(self, exception: BaseException) -> None:
        """Answer with an error; called in the writer's thread."""
        self._loop.call_soon_threadsafe(self._fail, exception)

    def _fail(self, exception: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(exception)
