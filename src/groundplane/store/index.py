"""The store in memory: current objects in key order, and the history that watches and older snapshots need.

Invariant: the changes of `history` after `compacted`, undone from the newest back, lead from the current objects to
the state at any revision that is still kept. Belongs to one thread, the event loop's; knows no disk.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from .contract import Change, Compacted, Entry, Key, NotThere, Page

# As in etcd, an empty store is at revision 1: clients take resourceVersion "0" to mean "any".
FIRST_REVISION = 1

_revision_of = attrgetter("entry.revision")


@dataclass(slots=True)
class _Table:
    """One resource: `keys` is sorted and holds the keys of `entries`."""

    keys: list[Key] = field(default_factory=list)
    entries: dict[Key, Entry] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)


class Index:
    """Holds bytes as they are served. `revision` is the newest, `compacted` the oldest that can be looked at."""

    def __init__(self, entries: Iterable[Entry] = (), *, revision: int = FIRST_REVISION) -> None:
        self.revision = revision
        self.compacted = revision
        self._tables: dict[str, _Table] = {}
        for entry in sorted(entries, key=attrgetter("key")):
            table = self._table(entry.key.resource)
            table.keys.append(entry.key)
            table.entries[entry.key] = entry

    def record(self, change: Change) -> None:
        """Take in the next change."""
        key = change.entry.key
        table = self._table(key.resource)
        if change.type == "Deleted":
            del table.keys[bisect_left(table.keys, key)]
            del table.entries[key]
        else:
            if change.type == "Added":
                insort(table.keys, key)
            table.entries[key] = change.entry
        table.history.append(change)
        self.revision = change.entry.revision

    def get(self, key: Key) -> Entry:
        """Return the current entry; raises NotThere."""
        entry = self._table(key.resource).entries.get(key)
        if entry is None:
            raise NotThere(f"cannot find {'/'.join(part for part in key if part)}: it does not exist")
        return entry

    def heads(self) -> dict[Key, Entry]:
        """Return a copy of all current entries by key."""
        return {key: entry for table in self._tables.values() for key, entry in table.entries.items()}

    def sizes(self) -> list[tuple[int, int]]:
        """Return revision and size of every kept change, oldest first."""
        kept = (change.entry for table in self._tables.values() for change in table.history)
        return sorted((entry.revision, len(entry.value)) for entry in kept)

    def page(self, resource: str, *, namespace: str | None, limit: int, after: Key | None, revision: int) -> Page:
        """Return one page at `revision` (0: the newest); raises Compacted."""
        revision = revision or self.revision
        self._check_kept(revision)
        keys, entries = self._snapshot(self._table(resource), revision)
        start, end = _span(keys, resource, namespace)
        if after is not None:
            start = max(start, bisect_right(keys, after))
        stop = min(end, start + limit) if limit else end
        chosen = [entries[key] for key in keys[start:stop]]
        return Page(chosen, revision, after=chosen[-1].key if chosen and stop < end else None, remaining=end - stop)

    def changes(self, resource: str, *, namespace: str | None, after: int) -> list[Change]:
        """Return the kept changes later than revision `after`, oldest first; raises Compacted."""
        self._check_kept(after)
        history = self._table(resource).history
        later = history[bisect_right(history, after, key=_revision_of) :]
        return later if namespace is None else [change for change in later if change.entry.key.namespace == namespace]

    def counts(self) -> dict[str, int]:
        """Return how many current objects each resource has."""
        return {resource: len(table.entries) for resource, table in self._tables.items()}

    def compact(self, revision: int) -> None:
        """Forget the changes up to `revision`."""
        for table in self._tables.values():
            del table.history[: bisect_right(table.history, revision, key=_revision_of)]
        self.compacted = max(self.compacted, revision)

    def _table(self, resource: str) -> _Table:
        table = self._tables.get(resource)
        if table is None:
            table = self._tables[resource] = _Table()
        return table

    def _check_kept(self, revision: int) -> None:
        # A revision from the future comes from a client that knew another life of this store: it must list again too.
        if not self.compacted <= revision <= self.revision:
            raise Compacted(
                f"cannot look at revision {revision}: revisions {self.compacted} to {self.revision} are kept",
                remedy="list again and go on from the revision of that list",
            )

    @staticmethod
    def _snapshot(table: _Table, revision: int) -> tuple[list[Key], dict[Key, Entry]]:
        later = table.history[bisect_right(table.history, revision, key=_revision_of) :]
        if not later:
            return table.keys, table.entries
        entries = dict(table.entries)
        for change in reversed(later):
            if change.previous is None:
                del entries[change.entry.key]
            else:
                entries[change.entry.key] = change.previous
        return sorted(entries), entries


def _span(keys: list[Key], resource: str, namespace: str | None) -> tuple[int, int]:
    if namespace is None:
        return 0, len(keys)
    # No name sorts before "", and no namespace lies between "x" and "x\0".
    return bisect_left(keys, Key(resource, namespace, "")), bisect_left(keys, Key(resource, namespace + "\0", ""))
