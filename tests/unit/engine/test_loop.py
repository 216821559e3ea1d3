"""The reconcile loop: what each outcome leads to."""

import asyncio
import contextlib

import pytest

from groundplane.base.errors import Refused, Unavailable
from groundplane.engine.loop import Again, Controller
from groundplane.engine.queue import ObjectKey

KEY = ObjectKey("default", "shop")


async def run_until(controller: Controller, done: asyncio.Event) -> None:
    task = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(10):
            await done.wait()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("error", [Unavailable("host down"), ValueError("a defect")])
async def test_an_unavailable_other_side_and_a_defect_are_tried_again(error: Exception) -> None:
    seen: list[ObjectKey] = []
    done = asyncio.Event()

    async def reconcile(key: ObjectKey) -> Again:
        seen.append(key)
        if len(seen) == 1:
            raise error
        done.set()
        return Again()

    controller = Controller("test", reconcile)
    controller.queue.add(KEY)
    await run_until(controller, done)
    assert seen == [KEY, KEY]


async def test_a_refused_object_is_left_alone_until_it_changes() -> None:
    seen: list[ObjectKey] = []
    other = asyncio.Event()

    async def reconcile(key: ObjectKey) -> Again:
        seen.append(key)
        if key == KEY:
            raise Refused("wrong as it stands")
        other.set()
        return Again()

    controller = Controller("test", reconcile, workers=1)
    controller.queue.add(KEY)
    controller.queue.add(ObjectKey("default", "other"), delay=1.5)
    await run_until(controller, other)
    assert seen.count(KEY) == 1


async def test_one_object_is_never_worked_on_twice_at_once() -> None:
    busy: set[ObjectKey] = set()
    rounds = 0
    done = asyncio.Event()

    async def reconcile(key: ObjectKey) -> Again:
        nonlocal rounds
        assert key not in busy
        busy.add(key)
        controller.queue.add(key)
        await asyncio.sleep(0)
        busy.discard(key)
        rounds += 1
        if rounds == 20:
            done.set()
        return Again()

    controller = Controller("test", reconcile, workers=4)
    controller.queue.add(KEY)
    await run_until(controller, done)
    assert rounds >= 20
