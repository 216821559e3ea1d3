"""Waiting for a condition, with time handed in: nobody sleeps and hopes.

`wait_until` polls because the things that it waits for (a node, a unit, an API) send no message over a shell.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from groundplane.base.clock import utc_now

from .errors import NotReached


class Clock(Protocol):
    """The time of day, a time that only goes forward (seconds), and a way to let it pass."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return utc_now()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def wait_until(
    missing: Callable[[], Awaitable[str]], *, what: str, seconds: float, clock: Clock, interval: float = 1.0
) -> None:
    """Return once `missing` answers "" (nothing is missing any more).

    After `seconds` it raises NotReached with `what` and the last answer, which says what was still missing.
    """
    deadline = clock.monotonic() + seconds
    while answer := await missing():
        if clock.monotonic() >= deadline:
            raise NotReached(f"cannot see {what} within {seconds:.0f} s: {answer}")
        await clock.sleep(interval)
