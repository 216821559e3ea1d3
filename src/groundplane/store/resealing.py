"""Rotation of the sealing keys while everything goes on: new writes at once, old values in small batches.

Invariant: a key leaves the key file only after no value is left under it in the log, its history included, the
database has been written anew without free space, and the write-ahead log is empty. Each step can be done again, and
the two keys in the file are all that a start needs to know that it has to: a crash costs the work of one batch.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from functools import partial

from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger

from .contract import Key
from .keys import ID_SIZE, KeyFile
from .sealing import MAGIC, Sealer
from .sqlite import SqliteStore

# One batch is one transaction, and what a write may have to wait for.
_BATCH = 100
_log = get_logger(__name__)
_ID_OF = f"substr(value, {len(MAGIC) + 1}, {ID_SIZE})"


class Resealing:
    """Follows the source of the sealer's keys; `seconds` between two looks at it, a look costs one stat."""

    def __init__(self, store: SqliteStore, sealer: Sealer, *, seconds: float = 1.0, retry: float = 10.0) -> None:
        self._store = store
        self._sealer = sealer
        self._seconds = seconds
        self._retry = retry

    async def run(self) -> None:
        """Run until cancelled; what fails is logged and tried again."""
        pending = bool(self._sealer.others)
        while True:
            pause = self._seconds
            try:
                if self._sealer.changed():
                    await asyncio.to_thread(self._sealer.reload)
                    pending = True
                if pending:
                    pending = not await self.reseal()
            except GroundplaneError as error:
                _log.warning("cannot rotate the sealing keys, will be tried again", error=str(error))
                pause = self._retry
            await asyncio.sleep(pause)

    async def reseal(self) -> bool:
        """Seal every value anew that is not under the first key, then drop the others; False: there is a rest."""
        old = self._sealer.others
        if not old:
            return True
        active = self._sealer.active
        revisions = await self._store.work("re-seal", partial(_stale, active=active))
        for start in range(0, len(revisions), _BATCH):
            batch = revisions[start : start + _BATCH]
            await self._store.work("re-seal", partial(_reseal, revisions=batch, sealer=self._sealer))
        await self._store.work("clean", _rewrite)
        if not await self._store.work("clean", _empty_log):
            # Somebody, such as a backup, still reads an older state.
            return False
        await self._drop(old, active)
        return True

    async def _drop(self, old: list[bytes], active: bytes) -> None:
        if await self._store.work("re-seal", partial(_stale, active=active)):
            return
        source = self._sealer.keys
        if isinstance(source, KeyFile):
            await asyncio.to_thread(source.drop, old)
            # Our own change is no news.
            await asyncio.to_thread(self._sealer.reload)
        self._sealer.forget(old)
        ids = [one.hex() for one in old]
        _log.info("nothing is sealed under the old keys any more", active=active.hex(), old=ids, source=source.name)


def _stale(db: sqlite3.Connection, *, active: bytes) -> list[int]:
    """Return the revisions whose values are under another key."""
    rows = db.execute(f"SELECT revision FROM log WHERE sealed AND {_ID_OF} <> ?", (active,))  # noqa: S608 - constants
    return [int(row[0]) for row in rows]


def _reseal(db: sqlite3.Connection, *, revisions: Sequence[int], sealer: Sealer) -> None:
    db.execute("BEGIN IMMEDIATE")
    for revision in revisions:
        row = db.execute("SELECT resource, namespace, name, value FROM log WHERE revision = ?", (revision,)).fetchone()
        # Compacted since it was found.
        if row is not None:
            key = Key(*row[:3])
            value = sealer.seal(key, sealer.unseal(key, row[3]))
            db.execute("UPDATE log SET value = ? WHERE revision = ?", (value, revision))
    db.execute("COMMIT")


def _rewrite(db: sqlite3.Connection) -> None:
    """Write the database anew: what was deleted or replaced is in no page of it then."""
    db.execute("VACUUM")


def _empty_log(db: sqlite3.Connection) -> bool:
    """Cut the write-ahead log to nothing; False while somebody reads an older state."""
    db.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute("PRAGMA busy_timeout = 5000").fetchall()
    return not busy
