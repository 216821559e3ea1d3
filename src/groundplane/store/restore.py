"""Restore: everything is checked and made ready beside the data, then put in place; never half of it.

The new files are built in `restore.staged`. Its renaming to `restore.ready` is the one moment that decides: before
it a crash leaves the old data, after it whoever opens the home next finishes the exchange, every step of which can be
done again (`finish`). What was there before is kept in a folder beside it.

A restored world goes back in time, its revisions do not: they go on above all that the lost world can have given out,
and everything below counts as compacted. So a client that knows a later state is told to list again, instead of
waiting for a revision that will come to mean something else.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from groundplane.base.errors import Denied, Refused
from groundplane.base.files import sync_folder, write_private

from . import archive, backup
from .archive import Manifest
from .contract import StoreFailed
from .keys import KeyFile, Keys
from .snapshot import facts, reading
from .sqlite import READY, lock_data, migrate

_STAGED = "restore.staged"
_ASIDE = "aside"
# What SQLite keeps beside a database belongs to it and to no other.
_DATABASE = (backup.DATABASE, f"{backup.DATABASE}-wal", f"{backup.DATABASE}-shm")


class WouldReplace(Refused):
    """There is data already."""


class NoKeys(Denied):
    """The backup holds sealed values and no key was given."""


@dataclass(frozen=True, slots=True)
class Source:
    """A backup and what opens it: its own keys under `passphrase`, else `keys`."""

    path: Path
    keys: Keys | None = None
    passphrase: bytes = b""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `revision` is where the home goes on, `aside` holds what was there before (None: nothing)."""

    manifest: Manifest
    revision: int
    aside: Path | None


def restore(source: Source, home: Path, *, replace: bool = False) -> Restored:
    """Restore a backup into a home that nobody uses; raises StoreInUse, WouldReplace, and what verify raises."""
    database = home / backup.DATABASE
    lock = lock_data(database)
    try:
        _exchange(home)
        if database.exists() and not replace:
            raise WouldReplace(
                f"cannot restore into {home}: there is data already",
                remedy="give --replace to put it aside, or name another --home",
            )
        aside = home / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        manifest, revision = _make_ready(source, home, aside.name)
        _exchange(home)
    finally:
        os.close(lock)
    return Restored(manifest, revision, aside if aside.exists() else None)


def finish(home: Path) -> None:
    """Finish a restore that was cut off after its decision. Before anything of the home is read; raises StoreInUse."""
    if not (home / READY).exists():
        return
    lock = lock_data(home / backup.DATABASE)
    try:
        _exchange(home)
    finally:
        os.close(lock)


def _make_ready(source: Source, home: Path, aside: str) -> tuple[Manifest, int]:
    staged = home / _STAGED
    if staged.exists():
        shutil.rmtree(staged)
    staged.mkdir(mode=0o700)
    try:
        with archive.opened(source.path) as opened:
            _stage(opened, source, staged)
            revision = _move_on(staged / backup.DATABASE, at_least=_newest(home / backup.DATABASE))
            manifest = opened.manifest
        write_private(staged / _ASIDE, aside.encode())
    except BaseException:
        shutil.rmtree(staged)
        raise
    staged.rename(home / READY)
    sync_folder(home)
    return manifest, revision


def _stage(opened: archive.Archive, source: Source, staged: Path) -> None:
    """Put all new files into `staged`, and read every row with the keys that the restored home will have."""
    private = backup.private_files(opened, source.passphrase)
    sealer = backup.sealer_for(opened, source.keys, private=private)
    if sealer is None and opened.manifest.keys:
        raise NoKeys(
            f"cannot restore {source.path}: it holds sealed values and there is no key to open them",
            remedy="give the key file that was in use with --seal-key, or the passphrase of the backup",
        )
    for name in (backup.DATABASE, *backup.OPEN_FILES):
        if name in opened.manifest.files:
            opened.extract(name, staged / name)
    backup.check(opened, staged / backup.DATABASE, sealer)
    if isinstance(source.keys, KeyFile) and source.keys.path != staged.parent / backup.SEAL_KEY:
        # Named by hand: it becomes the key file of the home, unless the backup has its own.
        private = {backup.SEAL_KEY: source.keys.path.read_bytes()} | private
    for name in backup.PRIVATE_FILES:
        if name in private:
            write_private(staged / name, private[name])


def _move_on(database: Path, *, at_least: int) -> int:
    """Forget the history and go on at a revision that the lost world cannot have reached."""
    db = sqlite3.connect(database, isolation_level=None)
    try:
        migrate(db, database)
        # A million writes a second since 1970: more than any world of this data can have made by now, and still below
        # 2^53, the largest number that all clients read exactly.
        revision = max(int(time.time()) * 1_000_000, facts(db).revision, at_least) + 1
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "DELETE FROM log WHERE type = 'Deleted' OR revision NOT IN"
            " (SELECT max(revision) FROM log GROUP BY resource, namespace, name)"
        )
        db.execute("UPDATE marks SET revision = ? WHERE name = 'compacted'", (revision,))
        db.execute("COMMIT")
    finally:
        db.close()
    with database.open("rb") as file:
        os.fsync(file.fileno())
    return revision


def _newest(database: Path) -> int:
    """Return the newest revision of the data that is replaced, 0 when that cannot be told."""
    if not database.exists():
        return 0
    try:
        with reading(database) as db:
            return facts(db).revision
    except (StoreFailed, Refused):
        # Broken data is what one restores for; the clock alone keeps the revisions apart then.
        return 0


def _exchange(home: Path) -> None:
    """Put what is ready in place and what was there aside. Under the lock; each line may be repeated after a crash."""
    ready = home / READY
    if not ready.exists():
        return
    if (ready / _ASIDE).exists():
        aside = home / (ready / _ASIDE).read_text()
        aside.mkdir(mode=0o700, exist_ok=True)
        for name in sorted(path.name for path in ready.iterdir() if path.name != _ASIDE):
            # As long as the new file waits in `ready`, what has its name in the home is old.
            for old in _DATABASE if name == backup.DATABASE else (name,):
                if (home / old).exists():
                    (home / old).rename(aside / old)
            sync_folder(aside)
            sync_folder(home)
            (ready / name).rename(home / name)
        sync_folder(home)
        if not any(aside.iterdir()):
            aside.rmdir()
        (ready / _ASIDE).unlink()
    ready.rmdir()
    sync_folder(home)
