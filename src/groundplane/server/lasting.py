"""Answers that last: they have no deadline, and end when their source does, the caller leaves or the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive, Scope, Send


class Lasting:
    """An answer that has ends of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as an ASGI application."""
        raise NotImplementedError


async def first_of(*works: Coroutine[Any, Any, object]) -> list[bool]:
    """Work side by side until one has ended, and cancel the rest; return which have ended, or raise their error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = [task.done() for task in tasks]
        for task in tasks:
            if task.done():
                task.result()
        return ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def left(receive: Receive) -> None:
    """Return when the caller is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
