"""The reconcile loop: per object serial, across objects parallel, three outcomes.

A reconciler looks at everything anew each time and returns when it wants to look again. An error says the same by
its class: Unavailable → again with back-off; Refused or Denied → not until something changes, and once an hour;
anything else is a defect → logged with its trace, again with back-off. This is the one place that catches Exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.base.logs import get_logger
from groundplane.client.errors import Conflict

from .queue import ObjectKey, WorkQueue

FIRST_DELAY = 0.5
LONGEST_DELAY = 60.0
IDLE_DELAY = 3600.0

logger = get_logger()


@dataclass(frozen=True, slots=True)
class Again:
    """Look again after `seconds`; None: only when something changes."""

    seconds: float | None = None


Reconcile = Callable[[ObjectKey], Awaitable[Again]]


class Trigger(Protocol):
    """Whatever wakes a controller: an informer, mostly."""

    def __call__(self, key: ObjectKey) -> None: ...


class Controller:
    """One kind's workers. `run` ends when it is cancelled."""

    def __init__(self, name: str, reconcile: Reconcile, *, workers: int = 8) -> None:
        self.name = name
        self.queue = WorkQueue()
        self._reconcile = reconcile
        self._workers = workers
        self._failures: dict[ObjectKey, int] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.name}-worker-{number}")

    async def _work(self) -> None:
        while True:
            key = await self.queue.take()
            try:
                delay = await self._attempt(key)
            finally:
                self.queue.done(key)
            if delay is not None:
                self.queue.add(key, delay=delay)

    async def _attempt(self, key: ObjectKey) -> float | None:
        log = logger.bind(controller=self.name, namespace=key.namespace, name=key.name)
        try:
            again = await self._reconcile(key)
        except Conflict:
            log.debug("object changed meanwhile")
            return self._back_off(key)
        except Unavailable as error:
            log.warning("reconcile must wait", error=str(error))
            return self._back_off(key)
        except (Refused, Denied) as error:
            log.warning("reconcile refused", error=str(error))
            return IDLE_DELAY
        except Exception:
            log.exception("reconcile failed unexpectedly")
            return self._back_off(key)
        self._failures.pop(key, None)
        return again.seconds

    def _back_off(self, key: ObjectKey) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return float(min(FIRST_DELAY * 2 ** min(failures, 10), LONGEST_DELAY))
