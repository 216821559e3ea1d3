"""What only a store on a real disk promises: restarts, kills, full and read-only disks, one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.base.errors import Unexpected
from groundplane.store.contract import Compacted, Key, NotThere, StoreFailed
from groundplane.store.revisions import StoreOptions
from groundplane.store.sqlite import StoreInUse, StoreTooNew, open_sqlite

WRITER = """
import asyncio, os, sys
from pathlib import Path
from groundplane.store.contract import Key
from groundplane.store.sqlite import open_sqlite

async def main():
    store = await open_sqlite(Path(sys.argv[1]))
    async def write(lane):
        number = 0
        while True:
            entry = await store.create(
                Key("things", "default", f"{lane}-{number}"),
                lambda revision: f"{lane}-{number}@{revision} ".encode() * 200,
            )
            os.write(1, f"{lane}-{number} {entry.revision}\\n".encode())
            number += 1
    await asyncio.gather(*(write(lane) for lane in range(8)))

asyncio.run(main())
"""


def key(name: str) -> Key:
    return Key("things", "default", name)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of our own; needs root, as the whole lab does."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount a small disk: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


async def test_a_restart_restores_objects_revision_and_history_exactly(tmp_path):
    path = tmp_path / "state.db"
    store = await open_sqlite(path)
    start = await store.revision()
    first = await store.create(key("a"), lambda r: b"one")
    await store.create(key("b"), lambda r: b"one")
    await store.update(key("a"), lambda r: b"two", expected=first.revision)
    await store.delete(key("b"), expected=first.revision + 1, encode=lambda r: b"last")
    async with store.watch("things", revision=start) as changes:
        before = [await anext(changes) for _ in range(4)]
    listed = await store.list("things")
    await store.close()

    again = await open_sqlite(path)
    try:
        assert await again.list("things") == listed
        async with again.watch("things", revision=start) as changes:
            assert [await anext(changes) for _ in range(4)] == before
        assert (await again.create(key("c"), lambda r: b"x")).revision == listed.revision + 1
    finally:
        await again.close()


async def test_a_restart_after_compaction_keeps_objects_and_revision_and_frees_the_disk(tmp_path):
    path = tmp_path / "state.db"
    store = await open_sqlite(path)
    entry = await store.create(key("a"), lambda r: b"x")
    doomed = await store.create(key("doomed"), lambda r: b"x")
    for n in range(50):
        entry = await store.update(key("a"), lambda r, n=n: b"%d" % n, expected=entry.revision)
    await store.delete(key("doomed"), expected=doomed.revision)
    newest = await store.revision()
    await store.compact(newest)
    await store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name, value FROM log").fetchall() == [("a", b"49")]
    db.close()

    again = await open_sqlite(path)
    try:
        assert await again.revision() == newest
        assert await again.get(key("a")) == entry
        with pytest.raises(NotThere):
            await again.get(key("doomed"))
        with pytest.raises(Compacted):
            await again.list("things", revision=newest - 1)
    finally:
        await again.close()


@pytest.mark.parametrize("acknowledged", [1, 40, 200])
async def test_every_acknowledged_write_survives_sigkill_and_none_is_half_there(tmp_path, acknowledged):
    path = tmp_path / "state.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    assert process.stdout is not None
    lines = [await asyncio.wait_for(process.stdout.readline(), 30) for _ in range(acknowledged)]
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    assert await process.wait() == -signal.SIGKILL
    lines += [line + b"\n" for line in rest.split(b"\n")[:-1]]

    store = await open_sqlite(path)
    try:
        for line in lines:
            name, revision = line.decode().split()
            entry = await store.get(key(name))
            assert entry.revision == int(revision)
            assert entry.value == f"{name}@{revision} ".encode() * 200
        entries = (await store.list("things")).entries
        # One revision a write, without gaps, each whole.
        assert sorted(entry.revision for entry in entries) == list(range(2, len(entries) + 2))
        assert all(entry.value == f"{entry.key.name}@{entry.revision} ".encode() * 200 for entry in entries)
    finally:
        await store.close()


async def test_a_full_disk_fails_the_write_changes_nothing_and_recovers_by_itself(small_disk):
    store = await open_sqlite(small_disk / "state.db")
    try:
        ballast = small_disk / "ballast"
        entry = await store.create(key("a"), lambda r: b"one")
        fill(ballast)
        async with store.watch("things", revision=entry.revision) as changes:
            with pytest.raises(StoreFailed, match=r"cannot write .*state\.db"):
                await store.create(key("b"), lambda r: b"y" * 300_000)
            assert await store.revision() == entry.revision
            with pytest.raises(NotThere):
                await store.get(key("b"))
            assert await store.get(key("a")) == entry

            ballast.unlink()
            after = await store.create(key("c"), lambda r: b"z" * 300_000)
            assert after.revision == entry.revision + 1
            assert (await anext(changes)).entry == after
    finally:
        await store.close()

    again = await open_sqlite(small_disk / "state.db")
    try:
        assert [e.key.name for e in (await again.list("things")).entries] == ["a", "c"]
    finally:
        await again.close()


async def test_a_disk_that_turns_read_only_fails_writes_still_reads_and_recovers_by_itself(small_disk):
    store = await open_sqlite(small_disk / "state.db")
    try:
        ballast = small_disk / "ballast"
        entry = await store.create(key("a"), lambda r: b"one")
        fill(ballast)
        with pytest.raises(StoreFailed):
            await store.create(key("b"), lambda r: b"y" * 300_000)
        ballast.unlink()
        # Files that are open for writing forbid to remount in place, so a read-only view is laid over.
        subprocess.run(["mount", "--bind", small_disk, small_disk], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", small_disk], check=True)
        try:
            with pytest.raises(StoreFailed, match=r"state\.db.*[Rr]ead-only"):
                await store.create(key("b"), lambda r: b"two")
            assert await store.get(key("a")) == entry
        finally:
            subprocess.run(["umount", small_disk], check=True)
        after = await store.create(key("c"), lambda r: b"three")
        assert after.revision == entry.revision + 1
    finally:
        await store.close()


async def test_what_a_failed_transaction_left_on_disk_does_not_come_back(tmp_path):
    path = tmp_path / "state.db"
    store = await open_sqlite(path)
    try:
        entry = await store.create(key("a"), lambda r: b"one")
        # A commit that was answered as failed although the disk took it.
        with sqlite3.connect(path) as db:
            db.execute("INSERT INTO log VALUES (?, 'Added', 'things', 'default', 'ghost', NULL, 0, x'00')", (3,))
        with pytest.raises(StoreFailed):
            await store.create(key("b"), lambda r: b"two")
        db.close()
        assert (await store.create(key("b"), lambda r: b"two")).revision == entry.revision + 1
    finally:
        await store.close()
    again = await open_sqlite(path)
    try:
        assert [e.key.name for e in (await again.list("things")).entries] == ["a", "b"]
    finally:
        await again.close()


@pytest.mark.parametrize("many", [1, 63, 64, 65, 200])
async def test_writes_of_one_turn_are_all_there_after_a_restart_in_the_order_in_which_they_were_asked(tmp_path, many):
    names = [str(number) for number in range(many)]
    store = await open_sqlite(tmp_path / "state.db")
    await asyncio.gather(*(store.create(key(name), lambda revision: b"%d" % revision) for name in names))
    written = [(await store.get(key(name))).revision for name in names]
    assert written == sorted(written)
    await store.close()
    store = await open_sqlite(tmp_path / "state.db")
    found = [await store.get(key(name)) for name in names]
    assert [(entry.revision, entry.value) for entry in found] == [(number, b"%d" % number) for number in written]
    await store.close()


async def test_a_second_process_on_the_same_data_is_refused_and_told_which_one_has_it(tmp_path):
    path = tmp_path / "state.db"
    store = await open_sqlite(path)
    try:
        with pytest.raises(StoreInUse, match=f"process {os.getpid()} "):
            await open_sqlite(path)
        other = subprocess.run(
            [sys.executable, "-c", WRITER, str(path)], capture_output=True, text=True, check=False, timeout=30
        )
        assert "StoreInUse" in other.stderr
        await store.create(key("a"), lambda r: b"still ours")
    finally:
        await store.close()
    await (await open_sqlite(path)).close()


async def test_data_of_a_newer_schema_is_refused_untouched(tmp_path):
    path = tmp_path / "state.db"
    await (await open_sqlite(path)).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migrations VALUES (99, 'tomorrow')")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="schema 99"):
        await open_sqlite(path)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(b"these are my holiday pictures" * 100)
    with pytest.raises(StoreFailed, match=r"state\.db"):
        await open_sqlite(path)


async def test_the_files_are_for_their_owner_only(tmp_path):
    store = await open_sqlite(tmp_path / "state.db", options=StoreOptions())
    try:
        await store.create(key("a"), lambda r: b"x")
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    finally:
        await store.close()


@pytest.mark.parametrize("fails", [True, False], ids=["that fails", "that forgets to commit"])
async def test_work_that_leaves_a_transaction_open_takes_no_later_write_with_it(tmp_path: Path, fails: bool) -> None:
    def work(db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        if fails:
            raise LookupError("not the disk's")

    store = await open_sqlite(tmp_path / "state.db")
    with pytest.raises(LookupError if fails else Unexpected):
        await store.work("try", work)
    await store.create(Key("things", "default", "a"), lambda revision: b"kept")
    with contextlib.closing(sqlite3.connect(tmp_path / "state.db")) as other:
        assert other.execute("SELECT value FROM log").fetchall() == [(b"kept",)]
    await store.close()
