"""A task owner ends what it started and lets no failure go unseen."""

from __future__ import annotations

import asyncio

import pytest

from groundplane.base.tasks import TaskOwner


async def test_leaving_the_block_ends_every_task_and_waits_for_its_cleanup() -> None:
    cleaned: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    async with TaskOwner("engine") as owner:
        owner.start(work("a"), name="a")
        owner.start(work("b"), name="b")
        await asyncio.sleep(0)
        assert owner.running == ["engine/a", "engine/b"]
    assert sorted(cleaned) == ["a", "b"]
    assert owner.running == []


async def test_a_failing_task_ends_the_block_with_its_error() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with TaskOwner("engine") as owner:
            owner.start(fail(), name="fail")
            await asyncio.Event().wait()


async def test_a_failure_that_ends_together_with_the_block_is_not_lost() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with TaskOwner("engine") as owner:
            await asyncio.wait([owner.start(fail(), name="fail")])
            await asyncio.sleep(0)


async def test_cancelling_the_block_from_outside_stays_a_cancellation() -> None:
    entered = asyncio.Event()

    async def block() -> None:
        async with TaskOwner("engine") as owner:
            owner.start(asyncio.Event().wait(), name="wait")
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_block_itself_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with TaskOwner("engine") as owner:
            owner.start(asyncio.Event().wait(), name="wait")
            raise KeyError("own")


async def test_one_task_is_stopped_while_the_others_go_on() -> None:
    async with TaskOwner("engine") as owner:
        first = owner.start(asyncio.Event().wait(), name="first")
        second = owner.start(asyncio.Event().wait(), name="second")
        await owner.stop(first)
        assert first.cancelled()
        assert not second.done()
        await asyncio.sleep(0)
        assert owner.running == ["engine/second"]


async def test_nothing_starts_under_an_owner_that_has_ended() -> None:
    async with TaskOwner("engine") as owner:
        pass
    with pytest.raises(RuntimeError, match="not running"):
        owner.start(asyncio.Event().wait(), name="late")
