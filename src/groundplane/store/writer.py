"""The one writer: a thread that turns waiting writes into one transaction and answers when it is on disk.

Invariant: `_heads` and `_revision` are what the disk holds; they change only after a commit. Preconditions are
checked here, against those and the writes ahead in the same transaction, so no update is ever lost. When the disk
refuses, every write of the transaction fails and nothing has changed.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from groundplane.base.errors import GroundplaneError, Unexpected
from groundplane.base.logs import get_logger

from .contract import AlreadyThere, Change, Encode, Entry, Key, NotThere, RevisionConflict, StoreClosed, StoreFailed

# So many writes go into one transaction, and those that were asked together with the last of them.
_ENOUGH = 512

_log = get_logger(__name__)


class Disk(Protocol):
    """Where changes are kept. Every call raises StoreFailed when the disk refuses, and then has changed nothing."""

    def append(self, changes: list[Change]) -> None:
        """Return when the changes are durable."""

    def compact(self, revision: int) -> None:
        """Drop what only the history up to `revision` needs."""

    def probe(self) -> None:
        """Make a durable write that changes nothing."""

    def close(self) -> None: ...


class Answer(Protocol):
    """Whoever waits for a write. The result comes from `committed`; the error from the writer's thread."""

    def set_result(self, result: Entry, /) -> None: ...

    def set_exception(self, exception: BaseException, /) -> None: ...


class Write(msgspec.Struct, frozen=True):
    """One asked write; `expected` is the revision that an update or deletion must find."""

    verb: Literal["create", "update", "delete"]
    key: Key
    encode: Encode | None
    expected: int
    done: Answer


@dataclass(frozen=True, slots=True)
class Compaction:
    """A wish to forget the history up to `revision`."""

    revision: int
    done: Future[None]


@dataclass(frozen=True, slots=True)
class Errand:
    """Other work on the disk, done in this thread so that nothing else happens on the disk meanwhile."""

    work: Callable[[], Any]
    done: Future[Any]


Wish = Write | Compaction | Errand


@dataclass(frozen=True, slots=True)
class State:
    """What the disk holds at start; `sizes` are revision and bytes of each kept change, oldest first."""

    heads: dict[Key, Entry]
    revision: int
    compacted: int
    sizes: list[tuple[int, int]]


class Keep(NamedTuple):
    """How much history automatic compaction leaves: both bounds hold."""

    revisions: int
    size: int


# Called in the writer's thread after each commit: the changes, their writes, and the new compaction mark (0: none).
Committed = Callable[[list[Change], list[Write], int], None]


class Writer:
    """Owns the disk from `start` until `join` returns."""

    def __init__(self, disk: Disk, state: State, committed: Committed, *, keep: Keep) -> None:
        self._disk = disk
        self._heads = state.heads
        self._revision = state.revision
        self._compacted = state.compacted
        self._committed = committed
        self._keep = keep
        self._sizes = deque(state.sizes)
        self._size = sum(size for _, size in state.sizes)
        self._queue: queue.SimpleQueue[list[Wish] | None] = queue.SimpleQueue()
        # Each is counted in one thread alone.
        self._asked = self._taken = 0
        self._closed = False
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="groundplane-store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, wishes: list[Wish]) -> None:
        """Queue wishes; each one's `done` is answered by `committed` or with the error. Not after `stop`."""
        self.check_open()
        self._asked += len(wishes)
        self._queue.put(wishes)

    def check_open(self) -> None:
        """Raise StoreFailed after `stop`."""
        if self._closed:
            raise StoreClosed("cannot write: the store is closed")

    @property
    def waiting(self) -> int:
        """How many wishes wait."""
        return self._asked - self._taken

    def stop(self) -> None:
        """Take no more wishes. In the thread that submits, so that none comes after the end."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)

    def join(self) -> None:
        """Wait until what was queued is done and the disk is released. Blocks; after `stop`."""
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            wishes, going = self._take()
            writes = [wish for wish in wishes if isinstance(wish, Write)]
            if writes:
                self._write(writes)
            for wish in wishes:
                if isinstance(wish, Compaction):
                    self._answer_compaction(wish)
                elif isinstance(wish, Errand):
                    _run_errand(wish)
            self._compact_by_itself()
        self._disk.close()

    def _take(self) -> tuple[list[Wish], bool]:
        """Wait for wishes and take all others that are there; False when the end was asked for."""
        taken: list[Wish] = []
        wishes = self._queue.get()
        while wishes is not None:
            taken += wishes
            self._taken += len(wishes)
            if len(taken) >= _ENOUGH or self._queue.empty():
                return taken, True
            wishes = self._queue.get()
        return taken, False

    def _write(self, writes: list[Write]) -> None:
        batch = _Batch()
        for write in writes:
            self._admit(write, batch)
        if batch.changes:
            try:
                self._disk.append(batch.changes)
            except GroundplaneError as exc:
                _fail(writes, exc)
                if not self._failing:
                    _log.error("the store cannot write, reads go on", error=str(exc))
                self._failing = True
                return
            except Exception as exc:  # noqa: BLE001 - this loop owns the thread: a defect must reach the callers
                _log.exception("store writer failed")
                _fail(writes, Unexpected(f"cannot write to the store: {exc!r}"))
                return
            if self._failing:
                _log.info("the store writes again")
            self._failing = False
            self._remember(batch)
            self._committed(batch.changes, batch.taken, 0)
        # Only now: a rejection may rest on a write ahead of it, which readers must be able to see by then.
        for write, error in batch.rejected:
            write.done.set_exception(error)

    def _admit(self, write: Write, batch: _Batch) -> None:
        try:
            change = self._change(write, batch.ahead, self._revision + len(batch.changes) + 1)
        except Exception as exc:  # noqa: BLE001 - preconditions and `encode` belong to the caller, who gets the error
            batch.rejected.append((write, exc))
            return
        batch.ahead[write.key] = None if change.type == "Deleted" else change.entry
        batch.changes.append(change)
        batch.taken.append(write)

    def _change(self, write: Write, ahead: dict[Key, Entry | None], revision: int) -> Change:
        old = ahead[write.key] if write.key in ahead else self._heads.get(write.key)
        if write.verb == "create":
            if old is not None:
                raise AlreadyThere(f"cannot create {_name(write.key)}: it is there already")
        elif old is None:
            raise NotThere(f"cannot {write.verb} {_name(write.key)}: it does not exist")
        elif old.revision != write.expected:
            raise RevisionConflict(
                f"cannot {write.verb} {_name(write.key)}: it is at revision {old.revision}, not {write.expected}",
                remedy="read it again and repeat the change",
            )
        value = write.encode(revision) if write.encode else _last(old)
        kind: Literal["Added", "Modified", "Deleted"] = "Deleted"
        if write.verb != "delete":
            kind = "Added" if old is None else "Modified"
        return Change(kind, Entry(write.key, revision, value), old)

    def _remember(self, batch: _Batch) -> None:
        for key, entry in batch.ahead.items():
            if entry is None:
                self._heads.pop(key, None)
            else:
                self._heads[key] = entry
        for change in batch.changes:
            self._sizes.append((change.entry.revision, len(change.entry.value)))
            self._size += len(change.entry.value)
        self._revision += len(batch.changes)

    def _answer_compaction(self, wish: Compaction) -> None:
        try:
            self._compact(min(wish.revision, self._revision))
        except StoreFailed as exc:
            wish.done.set_exception(exc)
        else:
            wish.done.set_result(None)

    def _compact_by_itself(self) -> None:
        mark = self._surplus()
        if not mark:
            return
        try:
            self._compact(mark)
        except StoreFailed as exc:
            _log.warning("store compaction failed, will be tried again", error=str(exc))

    def _surplus(self) -> int:
        """Return the revision up to which there is more history than is kept, 0 while it is not a tenth too much."""
        count, size, keep = len(self._sizes), self._size, self._keep
        # In strides, so that the cost is spread over many writes.
        if count <= keep.revisions * 1.1 and size <= keep.size * 1.1:
            return 0
        mark = 0
        for revision, length in self._sizes:
            if count <= keep.revisions and size <= keep.size:
                break
            mark, count, size = revision, count - 1, size - length
        return mark

    def _compact(self, revision: int) -> None:
        if revision <= self._compacted:
            return
        self._disk.compact(revision)
        self._compacted = revision
        while self._sizes and self._sizes[0][0] <= revision:
            self._size -= self._sizes.popleft()[1]
        self._committed([], [], revision)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Writes of one transaction: what they change, who is answered how, and `ahead`, the heads as they will be."""

    ahead: dict[Key, Entry | None] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    taken: list[Write] = field(default_factory=list)
    rejected: list[tuple[Write, Exception]] = field(default_factory=list)


def _name(key: Key) -> str:
    return "/".join(part for part in key if part)


def _last(old: Entry | None) -> bytes:
    if old is None:
        raise Unexpected("cannot write an object without a value")
    return old.value


def _run_errand(errand: Errand) -> None:
    try:
        result = errand.work()
    except Exception as exc:  # noqa: BLE001 - this loop owns the thread: whatever it was goes to who asked
        errand.done.set_exception(exc)
    else:
        errand.done.set_result(result)


def _fail(writes: list[Write], error: GroundplaneError) -> None:
    for write in writes:
        write.done.set_exception(error)
