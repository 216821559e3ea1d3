"""The conductor of unify: gives clusters their turn, approves what was planned for them, and follows it to the end.

It makes no plans: the annotation `groundplane.dev/unify` on a Cluster asks its own controller for one. Everything is
told anew from the wish, the annotations and the Operations at each look; of the status only the waves of the run, and
since when a cluster is as it is, are read again. The waves are written down before anything is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_UNIFY, LABEL_CLUSTER
from groundplane.api.operation import Operation
from groundplane.api.unify import OVER, UnifyCluster, UnifyStatus, UnifyWave
from groundplane.base.clock import Now, parse_rfc3339, rfc3339
from groundplane.client.errors import NotFound
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.plan.standing import Told, standing_of
from groundplane.plan.unify import fleet_plan, waves_of
from groundplane.plan.waves import Decision, Standing, decide

from ..objects import Objects

LOOK_AGAIN = 30.0
ACTED = 1.0
# For so long machines that do not answer are waited for, before their cluster is left as it is.
PATIENCE = timedelta(minutes=10)


class Conductor:
    """Conducts the runs of Foundations; returns Foundation.status.unify and writes no status itself."""

    def __init__(self, objects: Objects, events: EventRecorder, *, now: Now) -> None:
        self._objects = objects
        self._events = events
        self._now = now

    async def conduct(self, foundation: Foundation) -> tuple[UnifyStatus | None, Again]:
        """Do what may be done now, and say how the run stands and when to look again."""
        wish, status = foundation.spec.unify, foundation.status.unify
        if not wish.run or not wish.state:
            return status, Again()
        if status is None or status.run != wish.run:
            return await self._begun(foundation), Again(0.0)
        if status.phase in OVER:
            return status, Again()
        told = {one.name: await self._look(foundation, one) for wave in status.waves for one in wave.clusters}
        waves = [[told[one.name].standing for one in wave.clusters] for wave in status.waves]
        decision = decide(foundation.metadata.name, wish, waves, self._now())
        await self._act(foundation, told, decision)
        return self._said(status, told, decision), self._again(decision)

    async def tell(self, foundation: Foundation, status: UnifyStatus | None) -> None:
        """Say in an event that the run has come into another phase; call it when the status is written."""
        before = foundation.status.unify
        if (
            status is None
            or status.phase is None
            or (before and (before.run, before.phase) == (status.run, status.phase))
        ):
            return
        say = self._events.warning if status.phase in ("Failed", "Incomplete") else self._events.normal
        await say("Foundation", foundation.metadata, f"Unify{status.phase}", status.message)

    async def _begun(self, foundation: Foundation) -> UnifyStatus:
        """The waves of a run that begins: of the clusters that there are now, and are not on the Foundation."""
        namespace, wish = foundation.metadata.namespace, foundation.spec.unify
        machines = await self._objects.all(Machine, namespace=namespace)
        owned = {one.spec.cluster_ref.name for one in machines if one.spec.cluster_ref}
        clusters = await self._objects.all(Cluster, namespace=namespace)
        plan = fleet_plan(foundation, clusters, owned, wish.waves)
        canaries, now = set(plan.canaries), rfc3339(self._now())
        waves = [
            UnifyWave(
                number=number,
                canaries=set(names) <= canaries,
                clusters=[UnifyCluster(name=name, since=now) for name in names],
            )
            for number, names in enumerate(waves_of(plan), start=1)
        ]
        return UnifyStatus(run=wish.run, phase="Planned", message=plan.summary, started_at=now, waves=waves)

    async def _look(self, foundation: Foundation, known: UnifyCluster) -> Told:
        """Look at one cluster of the run; one that is done, or gone, is not looked at again."""
        if known.state in ("Done", "Gone"):
            return Told(Standing(known.name, known.state, turn=True), list(known.operations), known.message)
        namespace, run = foundation.metadata.namespace, foundation.spec.unify.run
        cluster = await self._objects.find(Cluster, namespace, known.name)
        if cluster is not None and not _stands_on(cluster, foundation):
            cluster = None
        found = await self._objects.all(Operation, namespace=namespace, label_selector=f"{LABEL_CLUSTER}={known.name}")
        own = [one for one in found if cluster is None or _belongs(one, cluster)]
        ordered = sorted(own, key=lambda one: (one.metadata.creation_timestamp, int(one.metadata.resource_version)))
        told = standing_of(known.name, cluster, ordered, run)
        waited = known.state == "Planning" and self._now() - parse_rfc3339(known.since) > PATIENCE
        if told.silent and (waited or known.state == "Blocked"):
            return replace(told, standing=replace(told.standing, state="Blocked"))
        return told

    async def _act(self, foundation: Foundation, told: Mapping[str, Told], decision: Decision) -> None:
        namespace, run = foundation.metadata.namespace, foundation.spec.unify.run
        for name in decision.begin:
            await self._annotate(namespace, name, run)
        for name in decision.withdraw:
            await self._annotate(namespace, name, None)
        for name in decision.cancel:
            await self._write(namespace, name, {"cancel": "Requested"})
        for name in decision.approve:
            await self._approve(namespace, name)

    async def _annotate(self, namespace: str, name: str, run: str | None) -> None:
        try:
            await self._objects.patch(Cluster, namespace, name, {"metadata": {"annotations": {ANNOTATION_UNIFY: run}}})
        except NotFound:
            return

    async def _approve(self, namespace: str, name: str) -> None:
        """Approve what a person has not cancelled: the version that was read is the one that is written."""
        operation = await self._objects.find(Operation, namespace, name)
        if operation is not None and not operation.spec.cancel:
            await self._write(namespace, name, {"approval": "Approved"}, version=operation.metadata.resource_version)

    async def _write(self, namespace: str, name: str, spec: dict[str, str], *, version: str = "") -> None:
        patch = {"spec": spec} | ({"metadata": {"resourceVersion": version}} if version else {})
        try:
            await self._objects.patch(Operation, namespace, name, patch)
        except NotFound:
            return

    def _said(self, before: UnifyStatus, told: Mapping[str, Told], decision: Decision) -> UnifyStatus:
        now = self._now()
        waves = [
            msgspec.structs.replace(wave, clusters=[_cluster(one, told[one.name], now) for one in wave.clusters])
            for wave in before.waves
        ]
        failures = sum(1 for one in told.values() if one.standing.state in ("Failed", "Cancelled"))
        return msgspec.structs.replace(
            before,
            phase=decision.phase,
            message=decision.message,
            failures=failures,
            finished_at=rfc3339(now) if decision.phase in OVER else "",
            waves=waves,
        )

    def _again(self, decision: Decision) -> Again:
        if decision.phase in OVER:
            return Again()
        if decision.begin or decision.approve or decision.cancel or decision.withdraw:
            return Again(ACTED)
        if decision.wake is not None:
            return Again(min(LOOK_AGAIN, max(ACTED, (decision.wake - self._now()).total_seconds())))
        return Again(LOOK_AGAIN)


def _cluster(before: UnifyCluster, told: Told, now: datetime) -> UnifyCluster:
    state = told.standing.state
    return UnifyCluster(
        name=before.name,
        state=state,
        operations=told.operations,
        since=before.since if before.state == state else rfc3339(now),
        message=told.message,
    )


def _stands_on(cluster: Cluster, foundation: Foundation) -> bool:
    reference = cluster.spec.foundation_ref
    return reference is not None and reference.name == foundation.metadata.name


def _belongs(operation: Operation, cluster: Cluster) -> bool:
    """Tell whether it is this Cluster's, and not one's that had its name before."""
    return any(owner.uid == cluster.metadata.uid for owner in operation.metadata.owner_references)


def judge(conditions: Conditions, status: UnifyStatus | None) -> None:
    """Say in a condition how the run stands; without a run there is none."""
    if status is None or status.phase is None:
        return
    done = status.phase == "Succeeded"
    conditions.set("Unified", "True" if done else "False", status.phase, status.message)
