"""The controller of imported Clusters: survey through the API, write what was found, change nothing by itself.

    another Cluster is this cluster? stand back → due? → kubeconfig → who answers? → survey → has it Machines? match
    them, plan what is wished for → write the status once

It reads one Cluster and one Secret, however many there are, unless it has Machines. A survey is due by time, when a
person asks for one (annotation groundplane.dev/survey), when the Secret or the spec changed, and, after a failure, with
back-off. Looks run side by side: a cluster that does not answer holds a worker and nothing else. Only those that did
answer share the places for reading, so that many large clusters at once do not fill the memory; commands that log in
have places too.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import ANNOTATION_CLUSTER_ID, ANNOTATION_SURVEY, SECRET_KUBECONFIG
from groundplane.base.clock import Now
from groundplane.base.errors import GroundplaneError
from groundplane.base.settings import Settings
from groundplane.client.contract import Object
from groundplane.client.typed import from_struct
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.errors import ClusterRefused, ClusterUnavailable
from groundplane.clusters.survey import Identity, identify, survey
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.kube.kubeconfig import Access, KubeconfigInvalid

from ..assessing import Assessor
from ..objects import Objects
from . import holds, imported_status
from .adopted import Adoption, Answered
from .identities import Claim, Identities, claim_of
from .planning import RequestRefused, hindered
from .scope import ClusterScope
from .settling import SETTLE
from .status import REQUEST_REFUSED
from .trouble import AlreadyImported, ClusterReplaced, KubeconfigMissing, trouble_of

T = TypeVar("T")

DEADLINE = 30.0
# The longest that a cluster may say nothing in between.
SILENCE = 15.0
FIRST_RETRY = 20.0
# Machines that do not fit may come to: a host is started, a login is put right.
NOT_ADOPTED_RETRY = 30.0
LONGEST_RETRY = 300.0
READING_AT_ONCE = 32
PLUGINS_AT_ONCE = 8
_JITTER = 0.1
# Reasons of conditions that are False without anything being wrong.
_NO_WARNING = ("Exceptions", "Done", "InProgress", "Deleting")


@dataclass(frozen=True, slots=True)
class _Tried:
    """The last look at a Cluster: what it was made from, how many failed in a row, and when the next is due."""

    uid: str
    inputs: tuple[str, ...]
    failures: int
    due: datetime


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a Cluster; `scope` is what belongs to one that has Machines."""

    key: ObjectKey
    cluster: Cluster
    scope: ClusterScope | None = None
    inputs: tuple[str, ...] = ()


class ImportedReconciler:
    """Writes the status of Clusters with provider Imported."""

    def __init__(  # noqa: PLR0913 - the parts that looking needs
        self,
        objects: Objects,
        identities: Identities,
        adoption: Adoption,
        events: EventRecorder,
        *,
        settings: Settings,
        now: Now,
    ) -> None:
        self._objects = objects
        self._adoption = adoption
        self._assessor = Assessor(objects, now=now)
        self._identities = identities
        self._events = events
        self._every = settings.survey_every
        self._commands = settings.exec_plugins
        self._now = now
        self._tried: dict[ObjectKey, _Tried] = {}
        self._reading = asyncio.Semaphore(READING_AT_ONCE)
        self._plugins = asyncio.Semaphore(PLUGINS_AT_ONCE)

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Cluster."""
        cluster = await self._objects.find(Cluster, key.namespace, key.name)
        if cluster is None or cluster.spec.provider != "Imported":
            self._tried.pop(key, None)
            return Again()
        scope = await self._adoption.scope(cluster)
        cluster = scope.cluster if scope is not None else cluster
        if cluster.metadata.deletion_timestamp:
            self._tried.pop(key, None)
            return await self._delete(cluster, scope)
        first = self._identities.before(cluster.status.cluster_id, _claim(cluster))
        if first is not None:
            return await self._stand_back(key, cluster, first, cluster.status.cluster_id)
        secret = await self._secret(cluster)
        inputs = _inputs(cluster, secret) + (await self._adoption.inputs(scope) if scope is not None else ())
        tried = self._tried.get(key)
        if tried is not None and (tried.uid, tried.inputs) == (cluster.metadata.uid, inputs):
            wait = (tried.due - self._now()).total_seconds()
            if wait > 0:
                # What is known may mean something else by now: the Foundation, or the day, is another one.
                await self._write(cluster, cluster.status, scope)
                return Again(wait)
        return await self._look(_Look(key, cluster, scope, inputs), secret)

    async def _look(self, look: _Look, secret: Object | None) -> Again:
        key, cluster, scope = look.key, look.cluster, look.scope
        access: Access | None = None
        try:
            async with KubernetesDoor(_kubeconfig(cluster, secret), timeout=SILENCE, commands=self._commands) as door:
                access = door.access
                identity = await self._who(door, cluster)
                first = self._identities.before(identity.cluster_id, _claim(cluster))
                facts = await self._survey(door, identity) if first is None else ClusterFacts()
        except GroundplaneError as error:
            trouble = trouble_of(error, access, now=self._now())
            judge = imported_status.replaced if isinstance(error, ClusterReplaced) else imported_status.unreachable
            await self._answer(look, judge(cluster, trouble, self._now()))
            return self._again(look, failed=True)
        # What our own API may refuse from here on says nothing about the cluster.
        if first is not None:
            return await self._stand_back(key, cluster, first, identity.cluster_id)
        status = imported_status.surveyed(cluster, facts, self._now())
        if scope is None:
            await self._answer(look, imported_status.without_machines(cluster, status, self._now()))
            return self._again(look, failed=False)

        async def open_door() -> KubernetesDoor:
            return KubernetesDoor(_kubeconfig(cluster, secret), timeout=SILENCE, commands=self._commands)

        advanced = await self._adoption.advance(scope, status, Answered(facts, access.ca), open_door)
        if advanced.unprotect:
            await self._adoption.unprotect(scope)
        if advanced.unprotect or advanced.moved:
            # What was read is not the newest any more.
            return Again(0.0)
        if advanced.scope is not None:
            look = replace(look, cluster=advanced.scope.cluster, scope=advanced.scope)
        await self._answer(look, advanced.status)
        soon = SETTLE if advanced.settling else NOT_ADOPTED_RETRY if advanced.pending else 0.0
        return self._again(look, failed=False, soon=soon)

    async def _delete(self, cluster: Cluster, scope: ClusterScope | None) -> Again:
        """Forget the Cluster; one whose mark is on machines is let go first."""
        if scope is None or not holds.marked(cluster):
            return Again()
        found = await self._adoption.delete(scope)
        if found is None:
            return Again()
        await self._write(cluster, found[1], scope)
        return found[0]

    async def _who(self, door: KubernetesDoor, cluster: Cluster) -> Identity:
        """Ask who answers, and hold it against who was imported."""
        if door.access.exec_plugin is not None:
            async with self._plugins:
                await _within(DEADLINE, door.log_in(), door.server)
        identity = await _within(DEADLINE, identify(door, now=self._now), door.server)
        if not identity.cluster_id:
            raise ClusterRefused(
                f"cannot survey {door.server}: it has no namespace kube-system",
                remedy="check that its address in the kubeconfig is that of a Kubernetes API",
            )
        known = cluster.status.cluster_id or cluster.metadata.annotations.get(ANNOTATION_CLUSTER_ID, "")
        if known and known != identity.cluster_id:
            raise ClusterReplaced(
                f"cannot survey {door.server}: its kube-system namespace has the uid {identity.cluster_id}, and that of"
                f" the cluster that was imported is {known}",
                remedy="if the cluster was made anew, delete this Cluster and import it again; if not, put its own"
                " kubeconfig into the Secret",
            )
        return identity

    async def _survey(self, door: KubernetesDoor, identity: Identity) -> ClusterFacts:
        async with self._reading:
            return await _within(DEADLINE, survey(door, identity, now=self._now), door.server)

    async def _stand_back(self, key: ObjectKey, cluster: Cluster, first: Claim, cluster_id: str) -> Again:
        """Leave the cluster to another Cluster; its change or end wakes this one."""
        self._tried.pop(key, None)
        # Who may see this Cluster need not be allowed to see those of other namespaces.
        ours = first.key.namespace == key.namespace
        name = f"Cluster {key.namespace}/{first.key.name}" if ours else "a Cluster in another namespace"
        error = AlreadyImported(
            f"this cluster is {name} already: both have the kube-system uid {cluster_id}",
            remedy="delete this Cluster, or the other one if this is to stay",
        )
        trouble = trouble_of(error, None, now=self._now())
        await self._answer(_Look(key, cluster), imported_status.second(cluster, trouble, cluster_id, self._now()))
        return Again()

    def _again(self, look: _Look, *, failed: bool, soon: float = 0.0) -> Again:
        """Remember this look and say when the next is due: within `soon` seconds, unless that is 0.

        It is spread by chance, so that members drift apart.
        """
        key, cluster, inputs = look.key, look.cluster, look.inputs
        before = self._tried.get(key)
        failures = (before.failures if before and before.uid == cluster.metadata.uid else 0) + 1 if failed else 0
        delay = min(FIRST_RETRY * 2 ** min(failures - 1, 10), LONGEST_RETRY) if failed else self._every
        delay = min(delay, soon or delay)
        delay *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing
        self._tried[key] = _Tried(cluster.metadata.uid, inputs, failures, self._now() + timedelta(seconds=delay))
        return Again(delay)

    async def _secret(self, cluster: Cluster) -> Object | None:
        reference = cluster.spec.kubeconfig_ref
        return await self._objects.secret(cluster.metadata.namespace, reference.name) if reference else None

    async def _answer(self, look: _Look, status: ClusterStatus) -> None:
        """Write what a look came to, and that it is the answer to whoever asked for one."""
        asked = look.cluster.metadata.annotations.get(ANNOTATION_SURVEY, "")
        await self._write(look.cluster, msgspec.structs.replace(status, survey_answered=asked), look.scope)

    async def _write(self, cluster: Cluster, status: ClusterStatus, scope: ClusterScope | None) -> None:
        """Write the status once, with what its facts mean, and tell what became different of its conditions."""
        machines = scope.machines if scope is not None else []
        facts = {m.metadata.name: m.status.facts for m in machines if m.status.facts is not None}
        refused: list[RequestRefused] = []
        if scope is not None and not cluster.metadata.deletion_timestamp:
            refused = hindered(scope)
            status = self._adoption.working(scope, status, refused)
        status = await self._assessor.assessed(cluster, status, facts)
        if not await self._objects.write_status(cluster, status):
            return
        for error in refused:
            await self._events.warning("Cluster", cluster.metadata, REQUEST_REFUSED, str(error)[:1024])
        before = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
        for condition in status.conditions:
            if before.get(condition.type) != (condition.status, condition.reason):
                bad = condition.status == "False" and condition.reason not in _NO_WARNING
                tell = self._events.warning if bad else self._events.normal
                message = condition.message or f"{condition.type} is {condition.status}"
                await tell("Cluster", cluster.metadata, condition.reason, message[:1024])


async def _within(seconds: float, work: Awaitable[T], server: str) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise ClusterUnavailable(f"cannot survey {server}: it did not answer within {seconds:.0f} s") from error


def _claim(cluster: Cluster) -> Claim:
    return claim_of(from_struct(cluster))


def _inputs(cluster: Cluster, secret: Object | None) -> tuple[str, ...]:
    """What a person can change, and what makes a new look worth while at once."""
    return (
        str(cluster.metadata.generation),
        cluster.metadata.annotations.get(ANNOTATION_SURVEY, ""),
        str(secret["metadata"].get("resourceVersion", "")) if secret else "",
    )


def _kubeconfig(cluster: Cluster, secret: Object | None) -> bytes:
    reference = cluster.spec.kubeconfig_ref
    name = reference.name if reference else ""
    if secret is None:
        raise KubeconfigMissing(
            f"cannot survey it: there is no Secret {name}",
            remedy=f"create a Secret of type {SECRET_KUBECONFIG} with the key kubeconfig, or import the cluster again",
        )
    data = secret.get("data", {}).get("kubeconfig")
    if secret.get("type") != SECRET_KUBECONFIG or not data:
        raise KubeconfigMissing(
            f"cannot survey it: Secret {name} is not of type {SECRET_KUBECONFIG}, or has no kubeconfig",
            remedy=f"make it of type {SECRET_KUBECONFIG} with the key kubeconfig",
        )
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise KubeconfigInvalid(f"cannot survey it: the kubeconfig in Secret {name} is not base64") from error
