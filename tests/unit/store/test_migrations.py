"""Data of every released schema opens, and a migration that fails or is cut off leaves it as it was."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from groundplane.store import backup, snapshot, sqlite
from groundplane.store.contract import Compacted, StoreFailed
from groundplane.store.keys import KeyFile
from groundplane.store.restore import Source, restore
from groundplane.store.sqlite import MIGRATIONS, StoreTooNew

from .worlds import contents, in_a_child, opened, put, thing

SCHEMAS = Path(__file__).parents[2] / "data" / "store"
NEXT = ("CREATE TABLE extra (word TEXT)", "INSERT INTO extra SELECT name FROM log")
BROKEN = (*NEXT, "INSERT INTO nowhere VALUES (1)")
WORLD = {
    ("configmaps", "default", "a"): (4, "two"),
    ("secrets", "default", "s"): (6, "sealed two"),
}


def old_home(folder: Path, schema: str) -> Path:
    """Make a home as an old release left it."""
    folder.mkdir()
    db = sqlite3.connect(folder / "state.db")
    db.executescript((SCHEMAS / schema).read_text())
    db.close()
    (folder / "seal.key").write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    (folder / "seal.key").chmod(0o600)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return old_home(tmp_path / "home", "schema-1.sql")


def migrations(monkeypatch: pytest.MonkeyPatch, *further: tuple[str, ...]) -> None:
    for module in (sqlite, snapshot):
        monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, *further))


def schema(home: Path) -> int:
    with snapshot.reading(home / "state.db") as db:
        return int(db.execute("SELECT max(version) FROM migrations").fetchone()[0])


async def _look(home: Path):
    async with opened(home) as store:
        return await contents(store)


@pytest.mark.parametrize("old", sorted(path.name for path in SCHEMAS.glob("schema-*.sql")))
async def test_data_of_every_schema_opens_with_its_history_and_takes_writes(tmp_path, old):
    home = old_home(tmp_path / "old", old)
    async with opened(home) as store:
        assert await contents(store) == WORLD
        assert await store.revision() == 7
        async with store.watch("configmaps", revision=3) as changes:
            assert [(await anext(changes)).type for _ in range(3)] == ["Modified", "Added", "Deleted"]
        with pytest.raises(Compacted):
            await store.list("configmaps", revision=2)
        assert await put(store, thing("new"), "text") == 8
    assert schema(home) == len(MIGRATIONS)


def test_every_schema_that_was_released_has_its_data_here() -> None:
    assert len(list(SCHEMAS.glob("schema-*.sql"))) == len(MIGRATIONS)


async def test_a_migration_that_fails_says_so_and_leaves_the_data_as_it_was(home, monkeypatch):
    with monkeypatch.context() as patched:
        migrations(patched, BROKEN)
        with pytest.raises(StoreFailed, match="no such table: nowhere"):
            async with opened(home):
                pass
    assert schema(home) == 1
    assert await _look(home) == WORLD
    # And the mended one goes through.
    migrations(monkeypatch, NEXT)
    assert await _look(home) == WORLD
    assert schema(home) == 2


def test_a_migration_that_is_killed_leaves_the_data_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(tuple):
        def __iter__(self):
            yield from tuple.__iter__(self)
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patched:
        migrations(patched, Dying(NEXT))
        assert os.WIFSIGNALED(in_a_child(lambda: asyncio.run(_look(home))))
    assert schema(home) == 1
    assert asyncio.run(_look(home)) == WORLD


async def test_an_old_backup_is_restored_into_the_present_schema_and_newer_data_refused(home, tmp_path, monkeypatch):
    backup.create(home, tmp_path / "b")
    with monkeypatch.context() as patched:
        migrations(patched, NEXT)
        done = restore(Source(tmp_path / "b", KeyFile(home / "seal.key")), tmp_path / "fresh")
        assert done.manifest.schema == 1
        assert await _look(tmp_path / "fresh") == WORLD
        assert schema(tmp_path / "fresh") == 2
        backup.create(tmp_path / "fresh", tmp_path / "newer")
    for work in (
        lambda: backup.verify(tmp_path / "newer"),
        lambda: restore(Source(tmp_path / "newer", KeyFile(home / "seal.key")), home, replace=True),
        lambda: asyncio.run(_look(tmp_path / "fresh")),
    ):
        with pytest.raises(StoreTooNew, match="schema 2"):
            await asyncio.to_thread(work)
    assert await _look(home) == WORLD
