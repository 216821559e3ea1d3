"""Survey a Machine when it is new, when it changed, and on a schedule; pin its host key at first sight.

A Machine that cannot be reached keeps its last facts: what was observed stays observed, with its time. A wrong key,
password or host key is looked at again only now and then, so that nobody is locked out by our attempts.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from groundplane.api.machine import Machine, MachineStatus
from groundplane.api.meta import find_condition
from groundplane.base.clock import Now, parse_rfc3339
from groundplane.base.errors import Denied, GroundplaneError, Refused
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey

from ..access import Access
from ..objects import Objects

SURVEY_EVERY = timedelta(minutes=10)
RETRY_UNREACHABLE = timedelta(seconds=20)
RETRY_DENIED = timedelta(minutes=5)


class MachineReconciler:
    """Writes Machine.status and nothing else."""

    def __init__(self, objects: Objects, access: Access, events: EventRecorder, *, now: Now) -> None:
        self._objects = objects
        self._access = access
        self._events = events
        self._now = now

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Machine."""
        machine = await self._objects.find(Machine, key.namespace, key.name)
        if machine is None:
            await self._access.forget(key)
            return Again()
        if machine.metadata.deletion_timestamp:
            return Again()
        wait = self._until_due(machine)
        if wait > timedelta():
            return Again(wait.total_seconds())
        try:
            facts = await self._access.look(machine)
        except GroundplaneError as error:
            return await self._unreachable(machine, error)
        conditions = self._conditions(machine)
        conditions.set("Reachable", "True", "Surveyed", f"answered as {facts.network.hostname}")
        conditions.set("Ready", "True", "Surveyed", f"{facts.os.pretty_name}, kernel {facts.kernel.release}")
        status = MachineStatus(
            observed_generation=machine.metadata.generation,
            host_key=self._access.seen_host_key(machine) or machine.status.host_key,
            jump_host_key=self._jump_host_key(machine),
            facts=facts,
            conditions=conditions.values(),
        )
        await self._objects.write_status(machine, status)
        if not machine.status.host_key and status.host_key and not machine.spec.ssh.host_key:
            await self._events.normal("Machine", machine.metadata, "HostKeyPinned", f"trusted {status.host_key}")
        return Again(SURVEY_EVERY.total_seconds())

    async def _unreachable(self, machine: Machine, error: GroundplaneError) -> Again:
        reason = type(error).__name__
        conditions = self._conditions(machine)
        before = find_condition(machine.status.conditions, "Reachable")
        conditions.set("Reachable", "False", reason, str(error))
        conditions.set("Ready", "False", reason, str(error))
        # The jump host may well have been reached, and it is pinned at first sight, whatever lies behind it.
        status = msgspec.structs.replace(
            machine.status,
            observed_generation=machine.metadata.generation,
            jump_host_key=self._jump_host_key(machine),
            conditions=conditions.values(),
        )
        await self._objects.write_status(machine, status)
        if before is None or (before.status, before.reason) != ("False", reason):
            await self._events.warning("Machine", machine.metadata, reason, str(error))
        wait = RETRY_DENIED if isinstance(error, Denied | Refused) else RETRY_UNREACHABLE
        return Again(wait.total_seconds())

    def _jump_host_key(self, machine: Machine) -> str:
        return self._access.seen_jump_host_key(machine) or machine.status.jump_host_key

    def _until_due(self, machine: Machine) -> timedelta:
        """Return how long the last survey stays good; zero or less when a survey is due."""
        status = machine.status
        reachable = next((c for c in status.conditions if c.type == "Reachable"), None)
        if (
            status.facts is None
            or status.observed_generation != machine.metadata.generation
            or reachable is None
            or reachable.status != "True"
        ):
            return timedelta()
        return parse_rfc3339(status.facts.observed_at) + SURVEY_EVERY - self._now()

    def _conditions(self, machine: Machine) -> Conditions:
        return Conditions(machine.status.conditions, generation=machine.metadata.generation, now=self._now())
