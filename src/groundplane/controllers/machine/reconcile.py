"""Survey a Machine when it is new, when it changed, and on a schedule; pin its host key at first sight.

A Machine that cannot be reached keeps its last facts: what was observed stays observed, with its time, and its
condition says how old that is. A wrong key, password or host key is looked at again only now and then, so that nobody
is locked out by our attempts. A new value of the annotation groundplane.dev/survey asks for one survey at once, and so
does an Operation that has ended: what it did is seen at once.
"""

from __future__ import annotations

import zlib
from datetime import timedelta

import msgspec

from groundplane.api.facts import MachineFacts, changes_of
from groundplane.api.machine import Machine, MachineStatus
from groundplane.api.meta import ANNOTATION_SURVEY, find_condition
from groundplane.base.clock import Now, parse_rfc3339
from groundplane.base.errors import Denied, GroundplaneError, Refused
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.hosts.facts import machine_changes

from ..access import Access
from ..ages import last_facts
from ..assessing import Assessor
from ..objects import Objects
from ..schedule import Schedule

RETRY_UNREACHABLE = timedelta(seconds=20)
RETRY_DENIED = timedelta(minutes=5)
# Machines that were made at one moment drift apart by up to this share of the interval.
_SPREAD = 0.2


class MachineReconciler:
    """Writes Machine.status and nothing else."""

    def __init__(
        self,
        objects: Objects,
        access: Access,
        events: EventRecorder,
        *,
        schedule: Schedule,
        now: Now,
    ) -> None:
        self._objects = objects
        self._assessor = Assessor(objects, now=now)
        self._access = access
        self._events = events
        self._now = now
        self._schedule = schedule

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
            # What is known may mean something else by now: the Foundation, or the day, is another one.
            await self._write(machine, machine.status)
            return Again(wait.total_seconds())
        try:
            facts = await self._access.look(machine)
        except GroundplaneError as error:
            return await self._unreachable(machine, error)
        await self._surveyed(machine, facts)
        return Again(self.interval(machine).total_seconds())

    async def _surveyed(self, machine: Machine, facts: MachineFacts) -> None:
        conditions = self._conditions(machine)
        conditions.set("Reachable", "True", "Surveyed", f"answered as {facts.network.hostname}")
        conditions.set("Ready", "True", "Surveyed", f"{facts.os.pretty_name}, kernel {facts.kernel.release}")
        before = machine.status
        changes = machine_changes(before.facts, facts, source=f"ssh {machine.spec.address}")
        status = MachineStatus(
            observed_generation=machine.metadata.generation,
            host_key=before.host_key if machine.spec.ssh.host_key else self._access.trusted_host_key(machine),
            jump_host_key=self._jump_host_key(machine),
            facts=facts,
            survey_answered=_request(machine),
            history=changes_of(before.history, changes),
            conditions=conditions.values(),
        )
        await self._write(machine, status)
        if status.host_key and not (before.host_key and status.host_key.endswith(before.host_key)):
            await self._events.normal("Machine", machine.metadata, "HostKeyPinned", f"trusted {status.host_key}")

    async def _unreachable(self, machine: Machine, error: GroundplaneError) -> Again:
        reason = type(error).__name__
        conditions = self._conditions(machine)
        before = find_condition(machine.status.conditions, "Reachable")
        facts = machine.status.facts
        message = f"{error}; {last_facts(facts.observed_at if facts else '', self._now())}"
        conditions.set("Reachable", "False", reason, message)
        conditions.set("Ready", "False", reason, message)
        # The jump host may well have been reached, and it is pinned at first sight, whatever lies behind it.
        status = msgspec.structs.replace(
            machine.status,
            observed_generation=machine.metadata.generation,
            jump_host_key=self._jump_host_key(machine),
            survey_answered=_request(machine),
            conditions=conditions.values(),
        )
        await self._write(machine, status)
        if before is None or (before.status, before.reason) != ("False", reason):
            await self._events.warning("Machine", machine.metadata, reason, str(error))
        wait = RETRY_DENIED if isinstance(error, Denied | Refused) else RETRY_UNREACHABLE
        return Again(wait.total_seconds())

    async def _write(self, machine: Machine, status: MachineStatus) -> None:
        """Write the status with what its facts mean now."""
        await self._objects.write_status(machine, await self._assessor.assessed_machine(machine, status))

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
            or _request(machine) not in ("", status.survey_answered)
            or self._changed(machine, status.facts)
        ):
            return timedelta()
        return parse_rfc3339(status.facts.observed_at) + self.interval(machine) - self._now()

    def _changed(self, machine: Machine, facts: MachineFacts) -> bool:
        """Tell whether an Operation of its Cluster has ended since the facts were observed."""
        reference = machine.spec.cluster_ref
        cluster = ObjectKey(machine.metadata.namespace, reference.name) if reference else None
        return cluster is not None and self._schedule.changes.outdates(
            cluster, machine.metadata.name, facts.observed_at
        )

    def interval(self, machine: Machine) -> timedelta:
        """Return how long facts of this machine stay good: always the same for one machine, and seldom for two."""
        share = zlib.crc32(machine.metadata.uid.encode()) / 2**32
        return self._schedule.every * (1 - _SPREAD * share)

    def _conditions(self, machine: Machine) -> Conditions:
        return Conditions(machine.status.conditions, generation=machine.metadata.generation, now=self._now())


def _request(machine: Machine) -> str:
    """Return the value of the annotation that asks for a survey, "" when nobody asked."""
    return machine.metadata.annotations.get(ANNOTATION_SURVEY, "")
