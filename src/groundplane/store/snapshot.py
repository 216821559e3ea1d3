"""A database at rest: what it holds, and whether every row of it can be used.

Works on a copy that nobody else has open: that of a backup, or one that is about to be restored. `take` makes such a
copy of a database in use: SQLite's backup in one step reads one snapshot while the owner writes on, needs no lock of
ours, and cannot change what it reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from groundplane.base.errors import Refused

from .contract import Key, StoreFailed
from .sealing import MAGIC, Sealer, sealed_under
from .sqlite import MIGRATIONS, StoreTooNew, migrate


class DataDamaged(Refused):
    """A row cannot be used."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a database holds; `keys`: number of sealed values, history included, by id of their key."""

    schema: int
    revision: int
    objects: int
    keys: dict[str, int]


class _Metadata(msgspec.Struct):
    name: str
    resourceVersion: str  # noqa: N815 - as in the objects
    namespace: str = ""


class _Object(msgspec.Struct):
    metadata: _Metadata
    kind: str = ""


_OBJECT = msgspec.json.Decoder(_Object)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading alone, in use or not."""
    if not path.exists():
        raise Refused(f"cannot read {path}: there is no such file", remedy="name the home that Groundplane runs in")
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            yield db
        finally:
            db.close()
    except sqlite3.Error as exc:
        raise StoreFailed(f"cannot read {path}: {exc}") from exc


def take(path: Path, copy: Path) -> None:
    """Copy the database at one revision into one file without a log beside it."""
    with reading(path) as source:
        target = sqlite3.connect(copy, isolation_level=None)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE").fetchall()
        finally:
            target.close()


def facts(db: sqlite3.Connection) -> Facts:
    """Read what a database holds; raises StoreTooNew."""
    schema = int(db.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0])
    if schema > len(MIGRATIONS):
        raise StoreTooNew(
            f"cannot use this data: its schema {schema} is newer than {len(MIGRATIONS)}, the newest known here",
            remedy="use the Groundplane version that wrote it, or a newer one",
        )
    newest = db.execute(
        "SELECT max(coalesce((SELECT max(revision) FROM log), 0), (SELECT revision FROM marks WHERE name='compacted'))"
    ).fetchone()[0]
    return Facts(schema, int(newest), len(_heads(db)), keys_in_use(db))


def keys_in_use(db: sqlite3.Connection) -> dict[str, int]:
    """Count sealed values, history included, by the id of their key."""
    start, size = len(MAGIC) + 1, len(sealed_under(bytes(64)))
    rows = db.execute(f"SELECT hex(substr(value, {start}, {size})), count(*) FROM log WHERE sealed GROUP BY 1")  # noqa: S608
    return {str(used).lower(): int(count) for used, count in rows}


def check(path: Path, sealer: Sealer | None) -> Facts:
    """Read every row of a copy, migrating the copy first; raises DataDamaged, CannotUnseal, StoreTooNew.

    Without a sealer, sealed values are taken as they are.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        found = facts(db)
        migrate(db, path)
        problems = [row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        if problems:
            raise DataDamaged(f"cannot use {path.name}: {problems[0]}", remedy="use another backup")
        for row in db.execute(
            "SELECT revision, type, resource, namespace, name, sealed, value FROM log ORDER BY revision"
        ):
            _check_row(row, sealer)
    except sqlite3.Error as exc:
        raise DataDamaged(f"cannot use {path.name}: {exc}", remedy="use another backup") from exc
    finally:
        db.close()
    return found


def _heads(db: sqlite3.Connection) -> list[tuple[int]]:
    return db.execute(
        "SELECT max(revision) FROM log GROUP BY resource, namespace, name HAVING type <> 'Deleted'"
    ).fetchall()


def _check_row(row: tuple[int, str, str, str, str, bool, bytes], sealer: Sealer | None) -> None:
    revision, kind, resource, namespace, name, sealed, value = row
    key = Key(resource, namespace, name)
    if sealed:
        if sealer is None:
            return
        value = sealer.unseal(key, value)
    what = f"{'/'.join(part for part in key if part)} at revision {revision}"
    try:
        found = _OBJECT.decode(value).metadata
    except msgspec.DecodeError as exc:
        # Without the cause when it was sealed: an error of the decoder may show what it read.
        raise DataDamaged(f"cannot use {what}: it is no object") from (None if sealed else exc)
    if (found.name, found.namespace) != (name, namespace):
        raise DataDamaged(f"cannot use {what}: it holds another object")
    if kind != "Deleted" and found.resourceVersion != str(revision):
        raise DataDamaged(f"cannot use {what}: it holds resourceVersion {found.resourceVersion}")
