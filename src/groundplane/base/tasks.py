"""Every task has an owner, a name and an end.

A `TaskOwner` is an async context manager that owns background tasks: `start` gives each a name, and leaving the
block cancels what still runs and waits until it is gone. It differs from `asyncio.TaskGroup` in two ways: leaving
the block ends the tasks instead of waiting for them, and one task may end (`stop`) while the others go on.
Where tasks are expected to finish by themselves, use `asyncio.TaskGroup`.

The first task that fails ends the owner: the block is cancelled and the error comes out of it, so that no failure
goes unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class TaskOwner:
    """Owns background tasks for the length of an `async with` block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()
        self._block: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._cancelled_block = False

    @property
    def running(self) -> list[str]:
        """Names of the tasks that have not ended."""
        return sorted(task.get_name() for task in self._tasks)

    async def __aenter__(self) -> TaskOwner:
        self._block = asyncio.current_task()
        return self

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run `work` in the background as "owner/name" and return its task."""
        if self._block is None:
            work.close()
            raise RuntimeError(f"cannot start task {name!r}: its owner {self.name!r} is not running")
        task = asyncio.create_task(work, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self, task: asyncio.Task[Any]) -> None:
        """Cancel `task` and wait until it is gone."""
        task.cancel()
        await asyncio.wait([task])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block, self._block = self._block, None
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(list(self._tasks))
            # The done callbacks run in the next turn of the loop; they are what empties the set.
            await asyncio.sleep(0)
        if self._failure is None:
            return
        ours = self._cancelled_block and block is not None and block.uncancel() == 0
        if error is None or (ours and isinstance(error, asyncio.CancelledError)):
            raise self._failure

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None or self._failure is not None:
            return
        self._failure = task.exception()
        if self._block is not None:
            self._cancelled_block = True
            self._block.cancel()
