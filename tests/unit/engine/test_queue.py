"""The work queue: per key serial, nothing lost, the earliest due time counts."""

import asyncio

from groundplane.engine.queue import ObjectKey, WorkQueue

A = ObjectKey("default", "a")
B = ObjectKey("default", "b")


async def test_a_key_waits_once_however_often_it_is_added() -> None:
    queue = WorkQueue()
    queue.add(A)
    queue.add(A)
    assert await queue.take() == A
    queue.done(A)
    assert len(queue) == 0


async def test_a_key_added_while_a_worker_has_it_is_given_out_again_only_when_the_worker_is_done() -> None:
    queue = WorkQueue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    queue.add(B)
    assert await queue.take() == B
    second = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not second.done()
    queue.done(A)
    assert await second == A


async def test_the_earliest_of_two_due_times_counts() -> None:
    queue = WorkQueue()
    queue.add(A, delay=3600)
    queue.add(A)
    async with asyncio.timeout(5):
        assert await queue.take() == A


async def test_a_later_due_time_does_not_postpone_an_earlier_one() -> None:
    queue = WorkQueue()
    queue.add(A)
    queue.add(A, delay=3600)
    async with asyncio.timeout(5):
        assert await queue.take() == A


async def test_a_delayed_key_is_given_out_when_its_time_has_come() -> None:
    queue = WorkQueue()
    loop = asyncio.get_running_loop()
    before = loop.time()
    queue.add(A, delay=0.05)
    assert await queue.take() == A
    assert loop.time() - before >= 0.05


async def test_two_waiting_workers_both_get_a_key() -> None:
    queue = WorkQueue()
    workers = [asyncio.create_task(queue.take()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add(A)
    queue.add(B)
    async with asyncio.timeout(5):
        assert set(await asyncio.gather(*workers)) == {A, B}
