"""Take one Operation from its approval to its end.

Nothing runs that was not approved, and nothing starts on facts that went stale since the plan was made: the machines
are surveyed again and compared with the plan's fingerprints. An Operation that had started before (Groundplane was
stopped or killed) just runs again: finished steps cost one look each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import MachineFacts
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_CANCELLED_FOR
from groundplane.api.operation import FINAL_PHASES, Operation, OperationPhase, OperationStatus
from groundplane.base.clock import Now, rfc3339
from groundplane.base.errors import Unexpected
from groundplane.base.logbook import Logbook
from groundplane.client.contract import Object
from groundplane.client.errors import NotFound
from groundplane.client.informer import ObjectChange
from groundplane.client.typed import RESOURCES
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.hosts.contract import Host
from groundplane.operations import Outcome
from groundplane.plan.fingerprint import fingerprint

from ..access import Access, NoCredentials
from ..members import Members
from ..objects import Objects
from .execution import Execution, Uploads
from .record import OperationGone, Record

LOOK_AGAIN = 20.0


class OperationReconciler:
    """Runs Operations; writes Operation.status and the kubeconfig Secret."""

    def __init__(  # noqa: PLR0913 - the parts that running needs
        self,
        objects: Objects,
        access: Access,
        members: Members,
        events: EventRecorder,
        *,
        logbook: Logbook,
        uploads: Uploads,
        now: Now,
    ) -> None:
        self._objects = objects
        self._access = access
        self._members = members
        self._events = events
        self._logbook = logbook
        self._uploads = uploads
        self._now = now
        self._cancels: dict[str, asyncio.Event] = {}

    def notice(self, change: ObjectChange) -> None:
        """Hear of a change of an Operation, so that a cancel reaches the run that is under way."""
        document = change.new or change.old or {}
        cancel = self._cancels.get(document["metadata"]["uid"])
        gone = change.new is None or "deletionTimestamp" in document["metadata"]
        if cancel is not None and (gone or document["spec"].get("cancel") == "Requested"):
            cancel.set()

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Operation; returns when it has ended or has to wait for a person."""
        operation = await self._objects.find(Operation, key.namespace, key.name)
        if operation is None or operation.status.phase in FINAL_PHASES or operation.metadata.deletion_timestamp:
            return Again()
        if operation.spec.cancel == "Requested" and not operation.status.started_at:
            why = operation.metadata.annotations.get(ANNOTATION_CANCELLED_FOR) or "it was asked to stop"
            await self._end(operation, "Cancelled", f"cancelled before it started: {why}")
            return Again()
        if operation.spec.approval == "Pending":
            await self._wait_for_approval(operation)
            return Again()
        return await self._approved(operation)

    async def _approved(self, operation: Operation) -> Again:
        """Look whether an approved Operation may start, or go on, and run it."""
        machines = await self._machines(operation)
        try:
            hosts = await self._access.hosts(machines)
        except NoCredentials as error:
            await self._wait_for_machines(operation, str(error))
            return Again(LOOK_AGAIN)
        if not operation.status.started_at:
            # Only what the plan rests on: machines that it does not touch are left in peace.
            rests_on = operation.spec.plan.fingerprints
            surveyed = await self._access.survey([m for m in machines if m.metadata.name in rests_on])
            if surveyed.errors:
                words = "; ".join(f"{name}: {error}" for name, error in sorted(surveyed.errors.items()))
                await self._wait_for_machines(operation, words)
                return Again(LOOK_AGAIN)
            if not await self._fresh(operation, surveyed.facts):
                return Again()
        cancel = self._cancels.setdefault(operation.metadata.uid, asyncio.Event())
        try:
            await self._run(operation, machines, hosts, cancel)
        except OperationGone:
            # Whoever follows the log must see its end.
            self._logbook.finish(operation.metadata.uid)
        finally:
            self._cancels.pop(operation.metadata.uid, None)
        return Again()

    async def _machines(self, operation: Operation) -> list[Machine]:
        members = {*operation.spec.target.members, *operation.spec.target.leaving}
        machines = await self._objects.all(Machine, namespace=operation.metadata.namespace)
        return [machine for machine in machines if machine.metadata.name in members]

    async def _fresh(self, operation: Operation, facts: Mapping[str, MachineFacts]) -> bool:
        """End the Operation as Stale when a machine is not what the plan was made for."""
        current = {name: fingerprint(seen) for name, seen in facts.items()}
        expected = operation.spec.plan.fingerprints
        changed = sorted(name for name in expected if current.get(name) != expected[name])
        if changed:
            why = f"changed since the plan was made: {', '.join(changed)}; a new plan is being made"
            await self._end(operation, "Stale", why)
        return not changed

    async def _run(
        self, seen: Operation, machines: list[Machine], hosts: Mapping[str, Host], cancel: asyncio.Event
    ) -> None:
        # Read again now that a cancel would be heard: one that came during the survey must not wait for the run's end.
        operation = await self._objects.find(Operation, seen.metadata.namespace, seen.metadata.name)
        cluster = await self._cluster(seen)
        if operation is None or operation.metadata.uid != seen.metadata.uid or operation.metadata.deletion_timestamp:
            return
        if cluster is None:
            await self._end(operation, "Failed", f"cluster {operation.spec.cluster_ref.name} is gone")
            return
        if operation.spec.cancel == "Requested":
            cancel.set()
        record = self._record(operation)
        again = bool(operation.status.started_at)
        await self._events.normal(
            "Operation", operation.metadata, "Resumed" if again else "Started", operation.spec.plan.summary
        )
        outcome = await self._outcome(Execution(operation, machines, cluster, record), hosts, cancel)
        await self._conclude(operation, record, outcome)

    async def _cluster(self, operation: Operation) -> Object | None:
        meta = operation.metadata
        try:
            return await self._objects.client.get(RESOURCES[Cluster], meta.namespace, operation.spec.cluster_ref.name)
        except NotFound:
            return None

    async def _outcome(self, execution: Execution, hosts: Mapping[str, Host], cancel: asyncio.Event) -> Outcome:
        try:
            return await execution.run(hosts, self._members, self._uploads, cancel)
        except ExceptionGroup as errors:
            # The steps end together when one of them finds nothing to record on.
            if errors.subgroup(OperationGone) is None:
                raise
            raise OperationGone(f"operation {execution.operation.metadata.name} was deleted while it ran") from errors
        except Unexpected as error:
            # A plan of another version of Groundplane, say: it will not run better the next time.
            return Outcome("Failed", error.message, error.remedy)

    def _record(self, operation: Operation) -> Record:
        now = rfc3339(self._now())
        status = msgspec.structs.replace(
            operation.status,
            phase="Running",
            started_at=operation.status.started_at or now,
            observed_generation=operation.metadata.generation,
        )
        return Record(self._objects, operation, status, self._logbook)

    async def _conclude(self, operation: Operation, record: Record, outcome: Outcome) -> None:
        message = f"{outcome.message} ({outcome.remedy})" if outcome.remedy else outcome.message
        await record.finish(self._final(operation, record.current(), outcome.phase, message))
        tell = self._events.normal if outcome.phase == "Succeeded" else self._events.warning
        await tell("Operation", operation.metadata, outcome.phase, message)

    async def _wait_for_approval(self, operation: Operation) -> None:
        conditions = self._conditions(operation)
        how = f"read it with: groundplane plan {operation.spec.cluster_ref.name}; "
        how += f"then: groundplane approve {operation.metadata.name}"
        conditions.set("Approved", "False", "AwaitingApproval", how)
        status = msgspec.structs.replace(
            operation.status,
            phase="AwaitingApproval",
            observed_generation=operation.metadata.generation,
            progress=operation.spec.plan.summary,
            conditions=conditions.values(),
        )
        if await self._objects.write_status(operation, status):
            await self._events.normal("Operation", operation.metadata, "AwaitingApproval", how)

    async def _wait_for_machines(self, operation: Operation, words: str) -> None:
        phase = operation.status.phase if operation.status.started_at else "Pending"
        status = msgspec.structs.replace(operation.status, phase=phase, progress=f"waiting: {words}")
        if await self._objects.write_status(operation, status):
            await self._events.warning("Operation", operation.metadata, "MachinesUnreachable", words)

    async def _end(self, operation: Operation, phase: OperationPhase, message: str) -> None:
        """End an Operation that never ran."""
        status = self._final(operation, operation.status, phase, message)
        if await self._objects.write_status(operation, status):
            self._logbook.finish(operation.metadata.uid)
            await self._events.warning("Operation", operation.metadata, phase, message)

    def _final(
        self, operation: Operation, status: OperationStatus, phase: OperationPhase, message: str
    ) -> OperationStatus:
        conditions = self._conditions(operation)
        if operation.spec.approval == "Approved":
            conditions.set("Approved", "True", "Approved")
        else:
            conditions.set("Approved", "False", "NotApproved", "it ended before anybody approved it")
        conditions.set("Complete", "True" if phase == "Succeeded" else "False", phase, message)
        return msgspec.structs.replace(
            status,
            phase=phase,
            finished_at=rfc3339(self._now()),
            observed_generation=operation.metadata.generation,
            progress=message,
            conditions=conditions.values(),
        )

    def _conditions(self, operation: Operation) -> Conditions:
        return Conditions(operation.status.conditions, generation=operation.metadata.generation, now=self._now())
