"""`within` does what `asyncio.timeout` does, also to coroutines that never wait or are cancelled."""

from __future__ import annotations

import asyncio

import pytest

from groundplane.server.deadline import within

LONG, SHORT = 60.0, 0.01


async def test_what_never_waits_is_done_without_a_timer() -> None:
    async def work() -> int:
        return 7

    assert await within(0.0, work()) == 7


async def test_what_waits_in_time_gives_its_result_or_its_error() -> None:
    async def work(*, fails: bool) -> str:
        for _ in range(3):
            await asyncio.sleep(0)
        if fails:
            raise KeyError("x")
        return await asyncio.to_thread(lambda: "done")

    assert await within(LONG, work(fails=False)) == "done"
    with pytest.raises(KeyError):
        await within(LONG, work(fails=True))


async def test_what_takes_too_long_is_cancelled_and_may_clean_up() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    with pytest.raises(TimeoutError):
        await within(SHORT, work())
    assert steps == ["cleaned up"]


async def test_an_error_of_what_it_waits_for_reaches_it() -> None:
    future = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await future
        except ValueError as error:
            return str(error)
        return "nothing"

    task = asyncio.create_task(_awaited(work()))
    await asyncio.sleep(0)
    future.set_exception(ValueError("from outside"))
    assert await task == "from outside"


async def test_cancelling_the_caller_cancels_the_work() -> None:
    seen: list[str] = []

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return "nothing"

    task = asyncio.create_task(_awaited(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled"]


async def test_a_timeout_inside_is_the_inner_one() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(SHORT):
                await asyncio.Event().wait()
        except TimeoutError:
            return "inner"
        return "none"

    assert await within(LONG, work()) == "inner"


async def _awaited(work: object) -> str:
    return str(await within(LONG, work))  # type: ignore[arg-type]
