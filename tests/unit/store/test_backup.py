"""A backup is one moment of a store that goes on, holds no key in the clear, and says when it is not whole."""

from __future__ import annotations

import asyncio
import sqlite3
import tarfile
from pathlib import Path

import pytest

from groundplane.base.errors import Refused
from groundplane.store import archive, backup
from groundplane.store.archive import BackupDamaged, WrongPassphrase
from groundplane.store.contract import Key
from groundplane.store.keys import KeyFile
from groundplane.store.sealing import CannotUnseal
from groundplane.store.snapshot import DataDamaged
from groundplane.store.sqlite import StoreTooNew

from .worlds import PLAIN, encode, fill, ids, opened, put, thing

PASSPHRASE = b"eight or more words would be better"


async def test_a_backup_of_a_store_under_load_is_one_revision_and_writes_go_on(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    async with opened(home) as store:
        done = asyncio.Event()
        written: list[int] = []

        async def write() -> None:
            # Two objects in one step of the world: a backup has both steps or the first alone.
            number = 0
            while not done.is_set():
                written.append(await put(store, thing("left"), str(number)))
                written.append(await put(store, thing("right"), str(number)))
                number += 1

        writing = asyncio.create_task(write())
        for turn in range(5):
            before = await store.revision()
            manifest = await asyncio.to_thread(backup.create, home, tmp_path / f"{turn}.backup")
            assert before <= manifest.revision <= await store.revision()
            assert await store.revision() > before
        done.set()
        await writing
    for turn in range(5):
        path = tmp_path / f"{turn}.backup"
        found = backup.verify(path, keys=KeyFile(home / "seal.key"))
        assert found.unsealed
        with archive.opened(path) as opened_backup:
            opened_backup.extract("state.db", tmp_path / f"{turn}.db")
        with sqlite3.connect(tmp_path / f"{turn}.db") as db:
            revisions = [row[0] for row in db.execute("SELECT revision FROM log ORDER BY 1")]
            # Every write up to the manifest's revision and none after it.
            assert revisions == list(range(2, found.manifest.revision + 1))
        db.close()


async def test_a_backup_of_a_store_that_was_killed_has_what_was_in_its_log(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    db = sqlite3.connect(home / "state.db", isolation_level=None)
    value = encode(thing("late"), "late")(99)
    db.execute("INSERT INTO log VALUES (99, 'Added', 'configmaps', 'default', 'late', NULL, 0, ?)", (value,))
    assert (home / "state.db-wal").stat().st_size > 0
    assert backup.create(home, tmp_path / "b").revision == 99
    db.close()


async def test_no_key_and_no_secret_is_in_a_backup_in_the_clear(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    (home / "ca.key").write_bytes(b"PRIVATE KEY of the authority")
    key = (home / "seal.key").read_bytes().strip()
    for passphrase in (b"", PASSPHRASE):
        backup.create(home, tmp_path / "b", passphrase=passphrase)
        content = (tmp_path / "b").read_bytes()
        assert content.count(b"tokens.json") >= 1
        for word in (key, PLAIN.encode(), b"PRIVATE KEY", PASSPHRASE):
            assert word not in content
        assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "home"]


async def test_under_the_passphrase_a_backup_opens_with_nothing_else(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    manifest = backup.create(home, tmp_path / "b", passphrase=PASSPHRASE)
    assert manifest.private == ["seal.key"]
    assert list(manifest.keys) == ids(home / "seal.key")
    assert backup.verify(tmp_path / "b", passphrase=PASSPHRASE).unsealed
    assert not backup.verify(tmp_path / "b").unsealed
    with pytest.raises(WrongPassphrase):
        backup.verify(tmp_path / "b", passphrase=b"another passphrase")
    backup.create(home, tmp_path / "without")
    with pytest.raises(Refused, match="no private files"):
        backup.verify(tmp_path / "without", passphrase=PASSPHRASE)


async def test_a_sites_catalog_rows_are_in_a_backup(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    (home / "catalog.yaml").write_text("{}")
    backup.create(home, tmp_path / "b")
    with tarfile.open(tmp_path / "b") as tar:
        assert tar.getnames() == ["manifest.json", "state.db", "tokens.json", "catalog.yaml"]


async def test_any_changed_byte_and_any_cut_is_noticed(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    backup.create(home, tmp_path / "b")
    whole = (tmp_path / "b").read_bytes()
    with tarfile.open(tmp_path / "b") as tar:
        assert tar.getnames() == ["manifest.json", "state.db", "tokens.json"]
    broken = tmp_path / "broken"
    for place in (*range(0, len(whole), len(whole) // 60), len(whole) - 1, len(whole) - 490):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        broken.write_bytes(damaged)
        with pytest.raises(BackupDamaged):
            backup.verify(broken)
    for cut in (0, 1, 511, 512, 513, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:cut])
        with pytest.raises(BackupDamaged):
            backup.verify(broken)


async def test_a_backup_under_a_lost_key_is_refused_by_name(tmp_path):
    home, other = tmp_path / "home", tmp_path / "other"
    await fill(home, {"a": "one"})
    await fill(other, {})
    backup.create(home, tmp_path / "b")
    with pytest.raises(CannotUnseal, match=r"secrets/default/a.*other/seal\.key"):
        backup.verify(tmp_path / "b", keys=KeyFile(other / "seal.key"))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("UPDATE log SET value = x'00' WHERE name = 'a' AND NOT sealed", "no object"),
        ("UPDATE log SET name = 'b' WHERE name = 'a' AND NOT sealed", "another object"),
        ("UPDATE log SET revision = 77 WHERE name = 'a' AND NOT sealed", "holds resourceVersion 2"),
    ],
)
async def test_a_row_that_cannot_be_used_is_named(tmp_path, damage, why):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    with sqlite3.connect(home / "state.db") as db:
        db.execute(damage)
    db.close()
    backup.create(home, tmp_path / "b")
    with pytest.raises(DataDamaged, match=why):
        backup.verify(tmp_path / "b", keys=KeyFile(home / "seal.key"))


async def test_a_backup_of_a_newer_schema_is_refused(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    with sqlite3.connect(home / "state.db") as db:
        db.execute("INSERT INTO migrations VALUES (99, 'tomorrow')")
    db.close()
    with pytest.raises(StoreTooNew, match="schema 99"):
        backup.create(home, tmp_path / "b")
    assert list(tmp_path.iterdir()) == [home]


def test_a_home_without_data_and_a_backup_that_is_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"state\.db"):
        backup.create(tmp_path, tmp_path / "b")
    with pytest.raises(BackupDamaged, match="nowhere"):
        backup.verify(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


async def test_what_is_sealed_in_a_backup_is_counted_by_key(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one", "b": "two"})
    async with opened(home) as store:
        await put(store, Key("secrets", "default", "a"), "new text")
    # History counts: a Secret that was changed is there twice until it is compacted.
    assert backup.create(home, tmp_path / "b").keys == {ids(home / "seal.key")[0]: 3}
