"""A restore is checked first, whole or not at all wherever it is cut off, and goes on above every old revision."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from groundplane.base.errors import Refused
from groundplane.store import backup
from groundplane.store.contract import Compacted, RevisionConflict
from groundplane.store.keys import KeyFile
from groundplane.store.restore import NoKeys, Source, WouldReplace, finish, restore
from groundplane.store.sealing import CannotUnseal
from groundplane.store.sqlite import RestoreUnfinished, StoreInUse

from .worlds import contents, encode, fill, ids, in_a_child, opened, put, thing

PASSPHRASE = b"eight or more words would be better"
OLD, NEW = {"a": "one", "b": "two"}, {"a": "newer", "c": "three"}


def own(home: Path, path: Path) -> Source:
    return Source(path, KeyFile(home / "seal.key"))


async def test_a_restored_home_has_the_objects_of_the_backup_and_the_rest_is_kept_aside(tmp_path):
    home = tmp_path / "home"
    saved = await fill(home, OLD)
    tokens = (home / "tokens.json").read_bytes()
    backup.create(home, tmp_path / "b")
    later = await fill(home, NEW)
    done = restore(own(home, tmp_path / "b"), home, replace=True)
    async with opened(home) as store:
        assert await contents(store) == saved
    assert (home / "tokens.json").read_bytes() == tokens
    assert done.aside is not None
    shutil.copy(home / "seal.key", done.aside)
    async with opened(done.aside) as store:
        assert await contents(store) == later
    assert not [path.name for path in home.iterdir() if path.name.startswith("restore")]


async def test_an_empty_home_elsewhere_needs_the_passphrase_or_the_key_file(tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    saved = await fill(home, OLD)
    (home / "ca.crt").write_bytes(b"certificate")
    (home / "ca.key").write_bytes(b"key")
    backup.create(home, tmp_path / "b", passphrase=PASSPHRASE)
    with pytest.raises(NoKeys, match="no key to open them"):
        restore(Source(tmp_path / "b"), elsewhere)
    restore(Source(tmp_path / "b", passphrase=PASSPHRASE), elsewhere)
    for name in ("ca.crt", "ca.key", "seal.key"):
        assert (elsewhere / name).read_bytes() == (home / name).read_bytes()
        assert (elsewhere / name).stat().st_mode & 0o777 == 0o600
    async with opened(elsewhere) as store:
        assert await contents(store) == saved

    third = tmp_path / "third"
    assert restore(own(home, tmp_path / "b"), third).aside is None
    assert ids(third / "seal.key") == ids(home / "seal.key")
    async with opened(third) as store:
        assert await contents(store) == saved


async def test_data_that_is_there_or_in_use_is_not_replaced(tmp_path):
    home = tmp_path / "home"
    saved = await fill(home, OLD)
    backup.create(home, tmp_path / "b")
    with pytest.raises(WouldReplace, match="--replace"):
        restore(own(home, tmp_path / "b"), home)
    async with opened(home) as store:
        with pytest.raises(StoreInUse, match=f"process {os.getpid()} "):
            restore(own(home, tmp_path / "b"), home, replace=True)
        assert await contents(store) == saved


async def test_a_backup_that_cannot_be_used_changes_nothing(tmp_path):
    home, other = tmp_path / "home", tmp_path / "other"
    await fill(other, NEW)
    saved = await fill(home, OLD)
    backup.create(other, tmp_path / "b")
    (tmp_path / "cut").write_bytes((tmp_path / "b").read_bytes()[:-700])
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    # The key of this home does not open the Secrets of the other one.
    for path, kind in (("b", CannotUnseal), ("cut", Refused)):
        with pytest.raises(kind):
            restore(own(home, tmp_path / path), home, replace=True)
        names = {path.name: path.read_bytes() for path in home.iterdir()}
        assert names | {"state.db.lock": b""} == before | {"state.db.lock": b""}
    async with opened(home) as store:
        assert await contents(store) == saved


async def test_revisions_go_on_above_all_that_the_lost_world_gave_out(tmp_path):
    home = tmp_path / "home"
    await fill(home, OLD)
    backup.create(home, tmp_path / "b")
    async with opened(home) as store:
        for number in range(20):
            lost = await put(store, thing("a"), f"lost {number}")
    restore(own(home, tmp_path / "b"), home, replace=True)
    async with opened(home) as store:
        start = await store.revision()
        assert lost < start < 1 << 53
        for known in (2, lost, start - 1):
            with pytest.raises(Compacted):
                async with store.watch("configmaps", revision=known):
                    pass
        # Who saw the lost state does not overwrite the restored one unseen.
        with pytest.raises(RevisionConflict):
            await store.update(thing("a"), encode(thing("a"), "x"), expected=lost)
        assert await put(store, thing("a"), "after") == start + 1
    # The same backup again, in a home that knows nothing of this world, is above it too.
    shutil.copy(home / "seal.key", tmp_path / "seal.key")
    again = restore(Source(tmp_path / "b", KeyFile(tmp_path / "seal.key")), tmp_path / "fresh")
    assert again.revision >= start
    assert restore(own(home, tmp_path / "b"), home, replace=True).revision > start + 1


def _kill_at(count: int, work: Callable[[], object]) -> Callable[[], None]:
    """Return `work` that is killed just before its `count`th step that the disk can see."""
    left = count

    def dying(function):
        def step(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return step

    def run() -> None:
        for name in ("rename", "replace", "unlink", "mkdir", "rmdir", "fsync"):
            setattr(os, name, dying(getattr(os, name)))
        work()

    return run


def test_killed_at_any_step_a_restore_leaves_the_old_world_or_the_new(tmp_path: Path) -> None:
    pristine, home = tmp_path / "pristine", tmp_path / "home"
    saved = asyncio.run(fill(pristine, OLD))
    backup.create(pristine, tmp_path / "b")
    later = asyncio.run(fill(pristine, NEW))
    seen, step, killed = [], 0, True
    while killed:
        step += 1
        if home.exists():
            shutil.rmtree(home)
        shutil.copytree(pristine, home)
        status = in_a_child(_kill_at(step, lambda: restore(own(home, tmp_path / "b"), home, replace=True)))
        killed = os.WIFSIGNALED(status)
        # The finishing may be killed too: it is asked again until it comes through.
        second = 1
        while (home / "restore.ready").exists():
            with pytest.raises(RestoreUnfinished):
                asyncio.run(_look(home))
            in_a_child(_kill_at(second, lambda: finish(home)))
            second += 1
        found = asyncio.run(_look(home))
        assert found in (saved, later)
        tokens = (home / "tokens.json").read_text()
        assert ("'b'" in tokens) == (found == saved)
        seen.append("new" if found == saved else "old")
    # First always the old, from one step on always the new.
    assert seen == sorted(seen, reverse=True)
    assert seen.count("old") > 5
    assert seen.count("new") > 5


async def _look(home: Path):
    async with opened(home) as store:
        return await contents(store)
