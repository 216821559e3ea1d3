"""The record of a run: Operation.status in the API, the log in the logbook, the journal on disk before the deed.

Status writes are gathered: one writer task writes the newest state, and again when it changed meanwhile, so that
thirty steps that finish together cost a few writes. `put` of the journal returns only when its write is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from groundplane.api.operation import Operation, OperationStatus, PlannedStep, StepStatus
from groundplane.base.errors import Refused, Unavailable
from groundplane.base.logbook import Logbook, LogbookFailed
from groundplane.base.logs import get_logger
from groundplane.client.errors import Conflict

from ..objects import Objects

_DONE = frozenset({"Succeeded", "Unchanged"})
_PAUSE = 1.0

logger = get_logger()


class OperationGone(Refused):
    """The Operation was deleted while it ran; there is nothing left to record on."""


class Record:
    """Recorder and Journal of one run (operations.runner.Recorder, operations.scope.Journal)."""

    def __init__(self, objects: Objects, operation: Operation, status: OperationStatus, logbook: Logbook) -> None:
        self._objects = objects
        self._meta = operation.metadata
        self._planned: Mapping[str, PlannedStep] = {step.name: step for step in operation.spec.plan.steps}
        self._order = [step.name for step in operation.spec.plan.steps]
        self._steps = {name: StepStatus(name=name, state="Pending") for name in self._order}
        self._steps.update({step.name: step for step in status.steps if step.name in self._steps})
        self._status = status
        self._logbook = logbook
        self._lock = asyncio.Lock()
        self._version = 0
        self._written = 0

    @property
    def steps(self) -> Mapping[str, StepStatus]:
        """The steps' states as last recorded, by name."""
        return self._steps

    async def step(self, status: StepStatus) -> None:
        """Take over a step's new state and have it written."""
        self._steps[status.name] = status
        await self._write()

    def log(self, step: str, line: str) -> None:
        """Add a line to the log of a step. A line that the disk does not take must not stop the work it tells of."""
        try:
            self._logbook.append(self._meta.uid, step, line)
        except LogbookFailed as error:
            logger.warning("log line lost", operation=self._meta.name, step=step, error=str(error))

    def get(self, key: str) -> str | None:
        """Read a note of the journal."""
        return self._status.journal.get(key)

    async def put(self, key: str, value: str) -> None:
        """Write a note of the journal; returns when it is on disk."""
        self._status = msgspec.structs.replace(self._status, journal={**self._status.journal, key: value})
        await self._write()

    async def finish(self, status: OperationStatus) -> None:
        """Write the final status; `status` needs no steps and no journal."""
        self._status = msgspec.structs.replace(status, journal=self._status.journal)
        await self._write()
        self._logbook.finish(self._meta.uid)

    def current(self) -> OperationStatus:
        """Return the status as it is now."""
        steps = [self._steps[name] for name in self._order]
        progress = self._status.progress if self._status.finished_at else self._progress()
        return msgspec.structs.replace(self._status, steps=steps, progress=progress)

    def _progress(self) -> str:
        done = sum(step.state in _DONE for step in self._steps.values())
        running = [self._planned[name].title for name, step in self._steps.items() if step.state == "Running"]
        waiting = next((s.message for s in self._steps.values() if s.message.startswith("waiting: ")), "")
        doing = waiting or ", ".join(dict.fromkeys(running))
        return f"{done}/{len(self._steps)} steps done" + (f"; {doing}" if doing else "")

    async def _write(self) -> None:
        self._version += 1
        mine = self._version
        async with self._lock:
            while self._written < mine:
                version = self._version
                await self._write_now()
                self._written = version

    async def _write_now(self) -> None:
        """Write until it is written: the work goes on whether or not the API can be reached just now."""
        while True:
            operation = await self._objects.find(Operation, self._meta.namespace, self._meta.name)
            if operation is None or operation.metadata.uid != self._meta.uid:
                raise OperationGone(f"cannot record operation {self._meta.name}: it is gone")
            try:
                await self._objects.write_status(operation, self.current())
            except Conflict:
                continue
            except Unavailable as error:
                logger.warning("operation status not written", operation=self._meta.name, error=str(error))
                await asyncio.sleep(_PAUSE)
                continue
            return
