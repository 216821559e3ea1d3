"""The store's contract, in domain words. One conformance suite holds for every implementation.

A key is (resource, namespace, name); a value is an object as JSON bytes, encoded once, already carrying its
metadata.resourceVersion. Each write has a revision, one higher than the last; a write is answered only when it is
on disk; a watch misses nothing or says Compacted; a slow watcher is cut.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import msgspec

from groundplane.base.errors import Refused, Unavailable


class Key(NamedTuple):
    """`resource` is "plural.group" or, in the core group, "plural"; `namespace` is "" when there is none."""

    resource: str
    namespace: str
    name: str


# Entries and changes are kept by the thousand and lead nowhere back to themselves, so the garbage collector has no
# business with them.
class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored object: the JSON bytes as served, and the revision of its last write."""

    key: Key
    revision: int
    value: bytes


class Change(msgspec.Struct, frozen=True, gc=False):
    """One write as watchers see it. For Deleted, `entry` holds the last value at the deletion's revision."""

    type: Literal["Added", "Modified", "Deleted"]
    entry: Entry
    previous: Entry | None


@dataclass(frozen=True, slots=True)
class Page:
    """A consistent answer: `revision` is that of the snapshot, `after` the key after which the next page starts.

    `remaining` counts the entries of the snapshot that come after this page.
    """

    entries: list[Entry]
    revision: int
    after: Key | None = None
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a store tells of itself: revisions, writes that wait, and objects and watches by resource."""

    revision: int
    compacted: int
    queued: int
    objects: dict[str, int]
    watchers: dict[str, int]


@dataclass(slots=True)
class Following:
    """What is new with some resources since it was last taken: each changed object as it is now, None when it is gone.

    A change is in `changed` before its write is answered. So whoever takes first and then looks knows every
    acknowledged write, without a task of its own and without waiting.
    """

    changed: dict[Key, Entry | None] = field(default_factory=dict)

    def take(self) -> dict[Key, Entry | None]:
        """Return what is new and begin anew."""
        taken, self.changed = self.changed, {}
        return taken


class NotThere(Refused):
    """No object under this key."""


class AlreadyThere(Refused):
    """The key is taken."""


class RevisionConflict(Refused):
    """The object is not at the expected revision any more: read it again."""


class Compacted(Refused):
    """The asked revision is older than what is kept: list again."""


class WatcherTooSlow(Unavailable):
    """The watcher did not keep up and was cut: resume from its last revision."""


class StoreFailed(Unavailable):
    """The disk did not take the write (full, read-only, broken); nothing was changed."""


class StoreClosed(StoreFailed):
    """The store is being closed and takes no writes any more; another start of it will."""


class Watch(Protocol):
    """An open watch, read by one reader: change by change, or all that waits at once."""

    def __aiter__(self) -> AsyncIterator[Change]: ...

    async def __anext__(self) -> Change: ...

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""

    async def take(self, seconds: float) -> list[Change]:
        """Return what waits, in order; waits for it so long, and then, or when woken, returns nothing."""

    def wake(self) -> None:
        """Let a reader that waits in `take` go on with nothing."""

    def hand_to(self, sink: Sink) -> None:
        """Give later changes to `sink` in the turn of the loop in which they are published, while the reader waits in
        `take` and nothing is queued. What it does not take is queued, with all that follows."""


# Given changes in order, tells whether it took them all; it takes all or none. Changes that concern several watches
# in the same way come as the same object, so that what is made of them is made once.
Sink = Callable[[Sequence[Change]], bool]

# Given the revision that the write gets, returns the bytes to store.
Encode = Callable[[int], bytes]


class Store(Protocol):
    """See the module's words. `resource` scopes list and watch; namespace None means all namespaces."""

    async def get(self, key: Key) -> Entry:
        """Return the entry; raises NotThere."""

    async def list(
        self,
        resource: str,
        *,
        namespace: str | None = None,
        limit: int = 0,
        after: Key | None = None,
        revision: int = 0,
    ) -> Page:
        """Return entries in key order, at `revision` when given (raises Compacted), else at the newest."""

    async def create(self, key: Key, encode: Encode) -> Entry:
        """Raises AlreadyThere."""

    async def update(self, key: Key, encode: Encode, *, expected: int) -> Entry:
        """Raises NotThere, RevisionConflict."""

    async def delete(self, key: Key, *, expected: int, encode: Encode | None = None) -> Entry:
        """Remove and return the last value; `encode` gives the bytes that watchers see. NotThere, RevisionConflict."""

    def watch(
        self, resource: str, *, namespace: str | None = None, revision: int
    ) -> AbstractAsyncContextManager[Watch]:
        """Yield every change after `revision`, in order. Raises Compacted, WatcherTooSlow."""

    def follow(self, resources: Iterable[str]) -> Following:
        """Return the present objects of the resources as news, to which all later changes are added. Has no end."""

    async def compact(self, revision: int) -> None:
        """Forget history up to `revision`; current objects stay."""

    async def revision(self) -> int:
        """Return the newest revision."""

    async def probe(self) -> None:
        """Make a durable write that changes nothing; raises StoreFailed when the disk does not take it."""

    def numbers(self) -> Numbers:
        """Return how much of what there is now."""

    async def close(self) -> None:
        """Finish writes under way and release the disk."""
