"""Work side by side, with one error out of it instead of a group of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from groundplane.base.errors import Unavailable


async def together(work: Iterable[Coroutine[Any, Any, None]], *, limit: int = 16) -> None:
    """Run all of it, at most `limit` at once; the first error cancels the rest and is raised by itself.

    When several failed, one that waiting cannot mend goes before one that it can.
    """
    slots = asyncio.Semaphore(limit)

    async def take_turn(one: Coroutine[Any, Any, None]) -> None:
        async with slots:
            await one

    waiting = list(work)
    try:
        async with asyncio.TaskGroup() as group:
            for one in waiting:
                group.create_task(take_turn(one))
    except ExceptionGroup as errors:
        leaves = _leaves(errors)
        raise next((e for e in leaves if not isinstance(e, Unavailable)), leaves[0]) from errors
    finally:
        for one in waiting:
            one.close()


def _leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    return [leaf for e in group.exceptions for leaf in (_leaves(e) if isinstance(e, ExceptionGroup) else [e])]
