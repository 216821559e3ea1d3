"""The logbook: what was written is read, live and afterwards."""

import asyncio
import json
from pathlib import Path

import pytest

from groundplane.base.logbook import Logbook


async def lines(logbook: Logbook, *, step: str = "", follow: bool = False) -> list[str]:
    return [json.loads(line)["line"] async for line in logbook.read("uid-1", step=step, follow=follow)]


async def test_a_reader_gets_the_lines_of_one_step_only(tmp_path: Path) -> None:
    logbook = Logbook(tmp_path)
    logbook.append("uid-1", "init/a", "one")
    logbook.append("uid-1", "join/b", "two")
    assert await lines(logbook) == ["one", "two"]
    assert await lines(logbook, step="join/b") == ["two"]


async def test_two_followers_get_every_line_until_the_log_is_finished(tmp_path: Path) -> None:
    logbook = Logbook(tmp_path)
    logbook.append("uid-1", "init/a", "before")
    followers = [asyncio.create_task(lines(logbook, follow=True)) for _ in range(2)]
    for word in ("during", "unicode: 集群"):
        await asyncio.sleep(0)
        logbook.append("uid-1", "init/a", word)
    logbook.finish("uid-1")
    async with asyncio.timeout(5):
        assert await asyncio.gather(*followers) == [["before", "during", "unicode: 集群"]] * 2


async def test_a_slow_follower_is_woken_by_lines_that_another_follower_has_read_already(tmp_path: Path) -> None:
    logbook = Logbook(tmp_path)
    logbook.append("uid-1", "init/a", "one")
    slow = logbook.read("uid-1", follow=True)
    assert b"one" in await anext(slow)
    quick = asyncio.create_task(lines(logbook, follow=True))
    await asyncio.sleep(0)
    logbook.append("uid-1", "init/a", "two")
    for _ in range(3):
        await asyncio.sleep(0)
    logbook.finish("uid-1")
    await quick
    async with asyncio.timeout(5):
        assert [json.loads(line)["line"] async for line in slow] == ["two"]


async def test_a_log_outlives_the_process_that_wrote_it(tmp_path: Path) -> None:
    Logbook(tmp_path).append("uid-1", "init/a", "kept")
    assert await lines(Logbook(tmp_path)) == ["kept"]


@pytest.mark.parametrize("uid", ["", "../x", ".hidden"])
async def test_a_name_that_leaves_the_directory_is_refused(tmp_path: Path, uid: str) -> None:
    with pytest.raises(ValueError, match="not a uid"):
        Logbook(tmp_path).append(uid, "s", "x")
