"""A deadline that costs nothing to who does not wait.

Most requests are answered from memory, without giving the event loop away once. So the timer is set when a request
waits for the first time; what it did until then could not have been interrupted by a timer anyhow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def within(seconds: float, work: Coroutine[Any, Any, T]) -> _Within[T]:
    """Return what can be awaited for the result of `work`; raises TimeoutError like `asyncio.timeout`."""
    return _Within(seconds, work)


class _Within(Generic[T]):
    __slots__ = ("_seconds", "_work")

    def __init__(self, seconds: float, work: Coroutine[Any, Any, T]) -> None:
        self._seconds = seconds
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            awaited = self._work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        return (yield from _timed(self._seconds, _Rest(self._work, awaited)).__await__())


async def _timed(seconds: float, rest: _Rest[T]) -> T:
    async with asyncio.timeout(seconds):
        return await rest


class _Rest(Generic[T]):
    """A coroutine that has begun, from the first thing on that it waits for."""

    __slots__ = ("_awaited", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, T]:
        awaited: Any = self._awaited
        error: BaseException | None = None
        while True:
            try:
                sent = yield awaited
            except BaseException as thrown:  # noqa: BLE001 - all that is thrown in belongs to the coroutine
                sent, error = None, thrown
            try:
                awaited = self._work.send(sent) if error is None else self._work.throw(error)
            except StopIteration as done:
                result: T = done.value
                return result
            error = None
