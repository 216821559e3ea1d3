"""Keys change while everything goes on; an old one is dropped only when nothing is left under it, anywhere."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from groundplane.base.tasks import TaskOwner
from groundplane.store import snapshot
from groundplane.store.keys import FixedKeys, KeyCommand, KeyCommandFailed, KeyFile, KeyFileRefused, RotationUnderWay
from groundplane.store.resealing import Resealing
from groundplane.store.sealing import MAGIC, Sealer
from groundplane.store.sqlite import SqliteStore, open_sqlite

from .worlds import PLAIN, Found, contents, fill, ids, in_a_child, opened, put, secret

TEXTS = {f"n{number}": "text" * 400 for number in range(120)}


@asynccontextmanager
async def following(home: Path) -> AsyncIterator[SqliteStore]:
    """Open a home with the task that follows its keys."""
    sealer = Sealer(home / "seal.key")
    store = await open_sqlite(home / "state.db", sealed={"secrets": sealer})
    try:
        async with TaskOwner("test") as owner:
            owner.start(Resealing(store, sealer, seconds=0.01, retry=0.01).run(), name="sealing")
            yield store
    finally:
        await store.close()


async def one_key(home: Path) -> str:
    """Wait until the key file has one key, and return its id."""
    async with asyncio.timeout(60):
        while len(found := ids(home / "seal.key")) > 1:
            await asyncio.sleep(0.01)
    return found[0]


def files_under(home: Path, key: str) -> list[str]:
    mark = MAGIC + bytes.fromhex(key)
    return sorted(path.name for path in home.iterdir() if mark in path.read_bytes())


async def test_a_rotation_seals_everything_anew_while_writes_go_on_and_leaves_no_trace_of_the_old_key(tmp_path):
    home = tmp_path / "home"
    await fill(home, TEXTS)
    (old,) = ids(home / "seal.key")
    assert files_under(home, old) == ["state.db"]
    async with following(home) as store:
        # History, free pages and the write-ahead log have values under the old key.
        for number in range(50):
            await put(store, secret("n1"), f"{PLAIN} {number}")
        before = await contents(store)
        new = KeyFile(home / "seal.key").add_first().hex()
        assert ids(home / "seal.key") == [new, old]
        revision = await put(store, secret("meanwhile"), "written")
        assert await one_key(home) == new
        assert files_under(home, old) == []
        with snapshot.reading(home / "state.db") as db:
            assert list(snapshot.keys_in_use(db)) == [new]
        after = await contents(store)
        assert after == before | {("secrets", "default", "meanwhile"): (revision, "written")}
    async with opened(home) as store:
        assert await contents(store) == after


async def test_a_rotation_that_finds_a_reader_waits_until_it_has_gone(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    async with following(home):
        reader = sqlite3.connect(home / "state.db", isolation_level=None)
        reader.execute("BEGIN")
        held = reader.execute("SELECT count(*) FROM log WHERE sealed").fetchone()
        KeyFile(home / "seal.key").add_first()
        async with asyncio.timeout(30):
            while len(_counts(home)) > 1 or ids(home / "seal.key")[0] not in _counts(home):
                await asyncio.sleep(0.01)
        # All is sealed anew; the reader still sees, and so the disk still has, the old values.
        assert len(ids(home / "seal.key")) == 2
        assert reader.execute("SELECT count(*) FROM log WHERE sealed").fetchone() == held
        reader.close()
        await one_key(home)


def _counts(home: Path) -> dict[str, int]:
    with snapshot.reading(home / "state.db") as db:
        return snapshot.keys_in_use(db)


async def test_a_store_that_was_stopped_in_the_middle_goes_on_at_the_next_start(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    (old,) = ids(home / "seal.key")
    new = KeyFile(home / "seal.key").add_first().hex()
    async with opened(home) as store:
        # New writes are under the new key, nothing else has happened.
        await put(store, secret("b"), "two")
        saved = await contents(store)
        assert _counts(home) == {old: 1, new: 1}
    async with following(home) as store:
        assert await one_key(home) == new
        assert await contents(store) == saved
    assert files_under(home, old) == []


async def _rotate(home: Path, steps: int) -> None:
    """Rotate, and be killed just before the `steps`th piece of work on the disk."""
    sealer = Sealer(home / "seal.key")
    store = await open_sqlite(home / "state.db", sealed={"secrets": sealer})
    whole = store.work

    async def counted(verb, action):
        nonlocal steps
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await whole(verb, action)

    store.work = counted
    await Resealing(store, sealer).reseal()


async def _look(home: Path) -> Found:
    async with opened(home) as store:
        return await contents(store)


def test_killed_at_any_step_of_a_rotation_every_secret_still_opens(tmp_path: Path) -> None:
    home = tmp_path / "home"
    saved = asyncio.run(fill(home, TEXTS))
    (old,) = ids(home / "seal.key")
    KeyFile(home / "seal.key").add_first()
    step, killed = 0, True
    while killed:
        step += 1
        killed = os.WIFSIGNALED(in_a_child(lambda at=step: asyncio.run(_rotate(home, at))))
        assert asyncio.run(_look(home)) == saved
    assert step > 4
    assert len(ids(home / "seal.key")) == 1
    assert files_under(home, old) == []


async def test_a_rotation_under_way_forbids_the_next_one(tmp_path):
    KeyFile(tmp_path / "seal.key").make()
    KeyFile(tmp_path / "seal.key").add_first()
    with pytest.raises(RotationUnderWay, match="2 keys"):
        KeyFile(tmp_path / "seal.key").add_first()


async def test_a_key_that_was_taken_out_of_the_file_too_early_still_opens_what_a_running_store_has_to_seal_anew(
    tmp_path,
):
    home = tmp_path / "home"
    saved = await fill(home, {"a": "one"})
    (old,) = ids(home / "seal.key")
    keyfile = KeyFile(home / "seal.key")
    async with following(home) as store:
        keyfile.path.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
        async with asyncio.timeout(30):
            while old in _counts(home):
                await asyncio.sleep(0.01)
        assert await contents(store) == saved
    async with opened(home) as store:
        assert await contents(store) == saved


async def test_a_key_file_that_turns_bad_does_not_stop_a_running_store(tmp_path):
    home = tmp_path / "home"
    await fill(home, {"a": "one"})
    good = (home / "seal.key").read_bytes()
    async with following(home) as store:
        (home / "seal.key").write_bytes(b"not a key")
        await put(store, secret("b"), "two")
        (home / "seal.key").write_bytes(good)
        new = KeyFile(home / "seal.key").add_first().hex()
        assert await one_key(home) == new
        saved = await contents(store)
    async with opened(home) as store:
        assert await contents(store) == saved


def command(folder: Path, script: str, *, patience: float = 10.0) -> KeyCommand:
    path = folder / "keys.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return KeyCommand((str(path), "an argument"), folder / "seal.request", patience)


KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]


async def test_keys_of_a_command_seal_and_rotate_when_it_is_asked_again(tmp_path):
    source = command(tmp_path, f'test "$1" = "an argument" && echo {KEYS[0]}')
    sealer = Sealer(source)
    store = await open_sqlite(tmp_path / "state.db", sealed={"secrets": sealer})
    try:
        await put(store, secret("a"), PLAIN)
        first = sealer.active
        async with TaskOwner("test") as owner:
            owner.start(Resealing(store, sealer, seconds=0.01).run(), name="sealing")
            command(tmp_path, f"echo {KEYS[1]}; echo {KEYS[0]}")
            source.ask_again()
            async with asyncio.timeout(30):
                while first.hex() in _counts(tmp_path) or files_under(tmp_path, first.hex()):
                    await asyncio.sleep(0.01)
    finally:
        await store.close()
    assert files_under(tmp_path, first.hex()) == []
    only_new = Sealer(FixedKeys("the new key", (bytes([1]) * 32,)))
    store = await open_sqlite(tmp_path / "state.db", sealed={"secrets": only_new})
    assert PLAIN.encode() in (await store.get(secret("a"))).value
    await store.close()


@pytest.mark.parametrize(
    ("script", "error", "why"),
    [
        (f"echo {KEYS[0]}; echo {KEYS[0]} >&2; exit 3", KeyCommandFailed, "ended with 3"),
        (f"echo {KEYS[0]} >&2; exec sleep 60", KeyCommandFailed, "within 0.5 s"),
        (f"echo '!{KEYS[0]}'", KeyFileRefused, "not base64"),
        (f"echo {KEYS[0][:20]}", KeyFileRefused, "32 bytes"),
        ("true", KeyFileRefused, "32 bytes"),
    ],
)
def test_a_command_that_fails_is_named_and_what_it_printed_is_not_shown(tmp_path, capfd, script, error, why):
    with pytest.raises(error, match=why) as caught:
        Sealer(command(tmp_path, script, patience=0.5))
    shown: list[str] = []
    exception: BaseException | None = caught.value
    while exception is not None:
        shown.append(repr(exception) + str(exception.__dict__))
        exception = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)
    assert "keys.sh" in shown[0]
    assert KEYS[0][:20] not in "".join(shown)
    assert KEYS[0] not in "".join(capfd.readouterr())


def test_a_command_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KeyCommandFailed, match="nowhere"):
        Sealer(KeyCommand((str(tmp_path / "nowhere"),), tmp_path / "seal.request"))
