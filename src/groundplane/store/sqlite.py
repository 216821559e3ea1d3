"""The revision log in SQLite: one row a write, durable when `append` returns, read once at start.

The log is all there is: current objects are its latest rows. A row names the revision it replaced (`previous`), so
compaction deletes by primary key and no further index is paid for at each write. Values of sealed resources are
sealed before SQLite sees them, so no file of the database ever holds their text, the write-ahead log included.
After a disk error the connection is opened anew and what an unanswered transaction may have left is taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from groundplane.base.errors import Refused, Unexpected

from .contract import Change, Entry, Key, StoreFailed
from .index import Index
from .revisions import RevisionStore, StoreOptions
from .sealing import CannotUnseal, Sealer

T = TypeVar("T")
# As the columns of `log`.
_Row = tuple[int, str, str, str, str, int | None, bool, bytes]

# A folder beside the data: a restore that was decided and waits to be finished (see `restore`).
READY = "restore.ready"

# Each entry is one version; its statements run in one transaction. Never edit one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE log (
            revision INTEGER PRIMARY KEY,
            type TEXT NOT NULL CHECK (type IN ('Added', 'Modified', 'Deleted')),
            resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
            previous INTEGER,
            sealed INTEGER NOT NULL,
            value BLOB NOT NULL
        )""",
        "CREATE TABLE marks (name TEXT PRIMARY KEY, revision INTEGER NOT NULL)",
        "INSERT INTO marks VALUES ('compacted', 1)",
    ),
)


class StoreInUse(Refused):
    """Another process works on this data."""


class RestoreUnfinished(Refused):
    """A restore was cut off: until it is finished the folder holds neither the old data nor the new."""


class StoreTooNew(Refused):
    """The data was written by a newer Groundplane."""


async def open_sqlite(
    path: Path, *, sealed: Mapping[str, Sealer] | None = None, options: StoreOptions | None = None
) -> SqliteStore:
    """Open or create the store at `path`; `sealed` maps resources to the sealer of their values.

    Raises StoreInUse, StoreTooNew, StoreFailed, CannotUnseal.
    """
    disk = await asyncio.to_thread(SqliteDisk, path, sealed or {})
    try:
        index = await asyncio.to_thread(disk.load)
    except BaseException:
        disk.close()
        raise
    return SqliteStore(disk, index, options)


class SqliteStore(RevisionStore):
    """A store on a disk, and work on that disk between two writes."""

    def __init__(self, disk: SqliteDisk, index: Index, options: StoreOptions | None = None) -> None:
        super().__init__(disk, index, options)
        self._disk = disk

    async def work(self, verb: str, action: Callable[[sqlite3.Connection], T]) -> T:
        """Run `action` in the writer's thread, which holds up writes; raises StoreFailed "cannot {verb} …"."""
        return await self.between_writes(lambda: self._disk.work(verb, action))


class SqliteDisk:
    """A writer.Disk. Used by one thread at a time; holds the lock on the data until `close`."""

    def __init__(self, path: Path, sealed: Mapping[str, Sealer]) -> None:
        self._path = path
        self._sealed = sealed
        self._revision: int | None = None
        self._db: sqlite3.Connection | None = None
        self._lock = lock_data(path)
        try:
            check_finished(path.parent)
            self._connect()
        except BaseException:
            self.close()
            raise

    def load(self) -> Index:
        """Return everything as an index, history included."""
        with self._work("read") as db:
            compacted = _compacted(db)
            base = [
                self._entry(row) for row in db.execute(_SELECT + " WHERE revision <= ? ORDER BY revision", (compacted,))
            ]
            index = Index(base, revision=compacted)
            heads = {entry.key: entry for entry in base}
            for row in db.execute(_SELECT + " WHERE revision > ? ORDER BY revision", (compacted,)):
                entry = self._entry(row)
                change = Change(row[1], entry, heads.pop(entry.key, None))
                if change.type != "Deleted":
                    heads[entry.key] = entry
                index.record(change)
        self._revision = index.revision
        return index

    def append(self, changes: list[Change]) -> None:
        rows = [self._row(change) for change in changes]
        with self._work("write") as db:
            if len(rows) <= _ROWS:
                # One statement is a transaction of its own. Each statement gives Python's lock away and waits for
                # the event loop to get it back, so there are as few as can be.
                _insert(db, rows)
            else:
                db.execute("BEGIN IMMEDIATE")
                for start in range(0, len(rows), _ROWS):
                    _insert(db, rows[start : start + _ROWS])
                db.execute("COMMIT")
        self._revision = changes[-1].entry.revision

    def compact(self, revision: int) -> None:
        with self._work("compact") as db:
            db.execute("BEGIN IMMEDIATE")
            span = (_compacted(db), revision)
            db.execute(
                "DELETE FROM log WHERE revision IN"
                " (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous IS NOT NULL)",
                span,
            )
            db.execute("DELETE FROM log WHERE revision > ? AND revision <= ? AND type = 'Deleted'", span)
            db.execute("UPDATE marks SET revision = ? WHERE name = 'compacted'", (revision,))
            db.execute("COMMIT")
            db.execute("PRAGMA incremental_vacuum(1000)").fetchall()

    def work(self, verb: str, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do something else with the database; `action` leaves the log's meaning as it is."""
        with self._work(verb) as db:
            return action(db)

    def probe(self) -> None:
        with self._work("write") as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE marks SET revision = revision WHERE name = 'compacted'")
            db.execute("COMMIT")

    def close(self) -> None:
        self._disconnect()
        os.close(self._lock)

    @contextmanager
    def _work(self, verb: str) -> Iterator[sqlite3.Connection]:
        """Give a connection; on an error drop it, so that the next use starts clean; raises StoreFailed for the disk's.

        A write is one statement, and a transaction that somebody left open would take it in and never end.
        """
        try:
            db = self._db or self._connect()
            yield db
            if db.in_transaction:
                raise Unexpected(f"cannot {verb} {self._path}: a transaction was left open")
        except (sqlite3.Error, OSError) as exc:
            self._disconnect()
            raise StoreFailed(
                f"cannot {verb} {self._path}: {exc}",
                remedy="make sure that the disk has room and is writable; writes go on by themselves then",
            ) from exc
        except BaseException:
            self._disconnect()
            raise

    def _connect(self) -> sqlite3.Connection:
        try:
            # SQLite gives its other files the mode of this one.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._db = db
            if not db.execute("PRAGMA page_count").fetchone()[0]:
                db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL").fetchall()
            db.execute("PRAGMA synchronous = FULL")
            migrate(db, self._path)
            if self._revision is not None:
                # A transaction that failed was answered as failed: whatever it left is not to come back.
                db.execute("DELETE FROM log WHERE revision > ?", (self._revision,))
        except (sqlite3.Error, OSError) as exc:
            self._disconnect()
            raise StoreFailed(
                f"cannot open {self._path}: {exc}",
                remedy="make sure that the directory is there, writable and has room",
            ) from exc
        return db

    def _disconnect(self) -> None:
        if self._db is not None:
            # Closing rolls back; a disk that is broken may refuse even that, and there is nothing left to save.
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _row(self, change: Change) -> _Row:
        entry = change.entry
        sealer = self._sealed.get(entry.key.resource)
        value = sealer.seal(entry.key, entry.value) if sealer else entry.value
        previous = change.previous.revision if change.previous else None
        return (entry.revision, change.type, *entry.key, previous, sealer is not None, value)

    def _entry(self, row: tuple[int, str, str, str, str, bool, bytes]) -> Entry:
        revision, _, resource, namespace, name, sealed, value = row
        key = Key(resource, namespace, name)
        if sealed:
            sealer = self._sealed.get(resource)
            if sealer is None:
                raise CannotUnseal(
                    f"cannot read {'/'.join(key)} from {self._path}: it is sealed and no key file was given",
                    remedy="start with the key file that was in use",
                )
            value = sealer.unseal(key, value)
        return Entry(key, revision, value)


def _insert(db: sqlite3.Connection, rows: list[_Row]) -> None:
    db.execute(_INSERT[len(rows) - 1], [value for row in rows for value in row])


# sqlite3 keeps 128 compiled statements by their text: there is one for each number of rows up to this.
_ROWS = 64
_ONE = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT = [_ONE + ", (?, ?, ?, ?, ?, ?, ?, ?)" * more for more in range(_ROWS)]
_SELECT = "SELECT revision, type, resource, namespace, name, sealed, value FROM log"


def _compacted(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT revision FROM marks WHERE name = 'compacted'").fetchone()[0])


def check_finished(folder: Path) -> None:
    """Raise RestoreUnfinished when a restore was cut off here."""
    if (folder / READY).exists():
        raise RestoreUnfinished(
            f"cannot use the data in {folder}: a restore was cut off there",
            remedy="start Groundplane there, which finishes it, or restore again",
        )


def lock_data(path: Path) -> int:
    """Take the lock beside the data, which the kernel gives back when the process ends in whatever way."""
    file = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreFailed(f"cannot open {file}: {exc}", remedy="make sure that the directory is writable") from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        holder = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise StoreInUse(
            f"cannot open {path}: process {holder} is working on it",
            remedy="stop that process, or use another data directory",
        ) from exc
    try:
        # Overwritten in place, so that a full disk has room for it; blanks cover a longer number.
        os.pwrite(handle, f"{os.getpid():<19}\n".encode(), 0)
    except OSError as exc:
        os.close(handle)
        raise StoreFailed(f"cannot write {file}: {exc}", remedy="make room on the disk") from exc
    return handle


def migrate(db: sqlite3.Connection, path: Path) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
    version = db.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreTooNew(
            f"cannot open {path}: its schema {version} is newer than {len(MIGRATIONS)}, the newest known here",
            remedy="use the Groundplane version that wrote it, or a newer one",
        )
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        db.execute("BEGIN IMMEDIATE")
        for statement in statements:
            db.execute(statement)
        db.execute("INSERT INTO migrations VALUES (?, ?)", (number, datetime.now(UTC).isoformat(timespec="seconds")))
        db.execute("COMMIT")
