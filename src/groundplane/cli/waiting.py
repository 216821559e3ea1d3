"""Waiting for what was asked for: Operations to end, Clusters to be Ready, objects to be gone.

While it waits it shows the Operations at work. It ends in one of four ways: all is well; an Operation failed; the
time was up; somebody cancelled. Conditions decide, never the passing of time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.meta import Condition, is_true
from groundplane.api.operation import Operation
from groundplane.base.clock import parse_rfc3339, utc_now
from groundplane.client.contract import Client, Object, Resource, WatchEvent
from groundplane.client.errors import NotFound

from . import progress
from .exits import OperationFailed, Stopped
from .follow import follow
from .kinds import CLUSTER, OPERATION, display
from .live import View, open_view, summary
from .session import Api

ClusterKey = tuple[str, str]
# What takes a Cluster away: off its machines, or, an adopted one, our mark off them.
_ENDS = ("Delete", "Release")
_NEEDED = ("SpecValid", "MachinesReachable", "PreflightPassed", "Reachable", "Imported", "Adopted")
# Times of the API are whole seconds, and the server's clock need not be ours.
_CLOCK_SLACK = timedelta(seconds=5)


@asynccontextmanager
async def patience_of(seconds: float | None, waiting_for: str) -> AsyncIterator[None]:
    """Raise Stopped when the block takes longer; None waits for ever."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise Stopped(
            f"cannot wait longer for {waiting_for}: the time was up after {progress.duration(seconds or 0)}",
            remedy="it goes on by itself; look with `groundplane get clusters` and `groundplane operation watch`",
        ) from exc


async def wait_for_operation(api: Api, name: str) -> None:
    """Show one Operation until it has ended; raises OperationFailed or Stopped when it did not succeed."""
    await api.client.get(OPERATION, api.namespace, name)
    view = open_view()
    try:
        async with aclosing(follow(api.client, OPERATION, api.namespace)) as events:
            operation = await _until_final(events, name, view)
    finally:
        view.close()
    _finish(operation)


async def wait_for_clusters(api: Api, wanted: Mapping[ClusterKey, int], *, fresh: bool, patience: float) -> None:
    """Follow the Clusters until all are Ready; `wanted` gives the least number of machines of each.

    `fresh`: something was changed just now, so a failure from before does not count. Raises OperationFailed.
    """
    if not wanted:
        return
    since = utc_now() - _CLOCK_SLACK if fresh else None
    waits = {key: _ClusterWait(key, machines, since) for key, machines in wanted.items()}
    names = ", ".join(sorted(name for _, name in wanted))
    view = open_view()
    try:
        async with patience_of(patience, f"cluster {names}"):
            await _until_settled(api.client, waits, view)
    finally:
        view.close()


async def wait_gone(client: Client, resource: Resource, namespace: str, name: str, *, patience: float) -> None:
    """Wait until the object is gone; shows the Operations of a Cluster that is being deleted."""
    view = open_view()
    try:
        async with patience_of(patience, f"{display(resource, name)} to be gone"):
            if resource == CLUSTER:
                await _until_cluster_gone(client, (namespace, name), view)
            else:
                await _until_gone(client, resource, (namespace, name), asyncio.Lock())
    finally:
        view.close()


async def _until_final(events: AsyncIterator[WatchEvent], name: str, view: View) -> Operation:
    async for event in events:
        if event.object["metadata"].get("name") != name:
            continue
        if event.type == "DELETED":
            break
        operation = msgspec.convert(event.object, Operation)
        view.show(operation)
        if progress.is_final(operation):
            return operation
    raise Stopped(f"cannot watch operation {name} any longer: it was deleted")


@dataclass(slots=True)
class _ClusterWait:
    """What is known of one Cluster while it is waited for."""

    key: ClusterKey
    machines: int
    since: datetime | None
    cluster: Cluster | None = None
    latest: Operation | None = None
    said: set[str] = field(default_factory=set)

    def see(self, item: Cluster | Operation, view: View) -> None:
        """Remember the Cluster and its newest Operation, and show what is new of them."""
        if isinstance(item, Cluster):
            self.cluster = item
        elif not self.latest or item.metadata.creation_timestamp >= self.latest.metadata.creation_timestamp:
            self.latest = item
            view.show(item)
        for line in self.news():
            view.note(line)

    def ready(self) -> bool:
        cluster = self.cluster
        if cluster is None or cluster.status.observed_generation < cluster.metadata.generation:
            return False
        if self.latest and not progress.is_final(self.latest):
            return False
        busy = is_true(cluster.status.conditions, "Progressing")
        return is_true(cluster.status.conditions, "Ready") and not busy and cluster.status.machines >= self.machines

    def failed(self) -> Operation | None:
        """Return the newest Operation if it ended badly, and not before our change."""
        operation = self.latest
        if operation is None or operation.status.phase not in ("Failed", "Cancelled"):
            return None
        return None if self.is_old(operation) else operation

    def is_old(self, operation: Operation) -> bool:
        """Tell whether the Operation ended before our change, and so is none of its doing."""
        end = operation.status.finished_at
        return bool(self.since and end and parse_rfc3339(end) < self.since)

    def news(self) -> list[str]:
        """Return what a person has to do before it can go on; each thing is said once."""
        lines = []
        if self.cluster:
            unmet = [c for c in self.cluster.status.conditions if _blocks(c)]
            lines = [f"cluster {self.key[1]} is blocked: {text}" for text in progress.unmet(unmet)]
        if self.latest and self.latest.status.phase == "AwaitingApproval":
            name = self.latest.metadata.name
            lines.append(
                f"operation {name} waits: read it with `groundplane plan {self.key[1]}`, "
                f"then `groundplane approve {name}`"
            )
        fresh = [line for line in lines if line not in self.said]
        self.said.update(fresh)
        return fresh


def _blocks(condition: Condition) -> bool:
    """Tell whether a person has to act before anything goes on."""
    if condition.type == "Progressing":
        return condition.reason in ("Refused", "DeletionBlocked")
    return condition.type in _NEEDED and condition.status == "False"


async def _until_settled(client: Client, waits: Mapping[ClusterKey, _ClusterWait], view: View) -> None:
    async with aclosing(both(client, {namespace for namespace, _ in waits})) as items:
        async for item in items:
            wait = _concerned(waits, item)
            if wait is None:
                continue
            wait.see(item, view)
            failed = wait.failed()
            if failed is not None:
                _finish(failed)
            if all(other.ready() for other in waits.values()):
                break
    for wait in waits.values():
        if wait.latest and not wait.is_old(wait.latest):
            for line in summary(wait.latest):
                view.note(line)
        view.note(f"{display(CLUSTER, wait.key[1])} is Ready")


def _concerned(waits: Mapping[ClusterKey, _ClusterWait], item: Cluster | Operation) -> _ClusterWait | None:
    name = item.metadata.name if isinstance(item, Cluster) else item.spec.cluster_ref.name
    return waits.get((item.metadata.namespace, name))


async def both(client: Client, namespaces: set[str]) -> AsyncGenerator[Cluster | Operation, None]:
    """Yield Clusters and Operations as they change, from one queue."""
    namespace = next(iter(namespaces)) if len(namespaces) == 1 else None
    queue: asyncio.Queue[Cluster | Operation] = asyncio.Queue()
    gate = asyncio.Lock()

    async def pour(resource: Resource, kind: type[Cluster] | type[Operation]) -> None:
        async with aclosing(follow(client, resource, namespace, gate=gate)) as events:
            async for event in events:
                if event.type in ("ADDED", "MODIFIED"):
                    await queue.put(msgspec.convert(event.object, kind))

    pourers = [
        asyncio.create_task(pour(OPERATION, Operation), name="follow-operations"),
        asyncio.create_task(pour(CLUSTER, Cluster), name="follow-clusters"),
    ]
    try:
        while True:
            taken = asyncio.create_task(queue.get(), name="next-change")
            try:
                await asyncio.wait([taken, *pourers], return_when=asyncio.FIRST_COMPLETED)
            finally:
                taken.cancel() if not taken.done() else None
            for pourer in pourers:
                if pourer.done():
                    pourer.result()
            yield taken.result()
    finally:
        async with gate:
            for pourer in pourers:
                pourer.cancel()
        await asyncio.gather(*pourers, return_exceptions=True)


async def _until_gone(client: Client, resource: Resource, key: ClusterKey, gate: asyncio.Lock) -> None:
    namespace, name = key
    uid = await _uid(client, resource, namespace, name)
    if not uid:
        return
    async with aclosing(follow(client, resource, namespace, gate=gate)) as events:
        async for event in events:
            # After a list, and so after a gap too, an object that went unseen is asked for by name.
            looked_again = event.type == "BOOKMARK" and await _uid(client, resource, namespace, name) != uid
            if looked_again or (event.type == "DELETED" and event.object["metadata"].get("uid") == uid):
                return


async def _until_cluster_gone(client: Client, key: ClusterKey, view: View) -> None:
    """As `_until_gone`, and the Operations at work are shown; what blocks the deletion is said."""
    gate = asyncio.Lock()
    gone = asyncio.create_task(_until_gone(client, CLUSTER, key, gate), name="until-gone")
    shower = asyncio.create_task(_show_deletion(client, key, view), name="show-deletion")
    try:
        await asyncio.wait([gone, shower], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return gone.result()
        shower.result()
    finally:
        async with gate:
            gone.cancel()
        shower.cancel()
        await asyncio.gather(gone, shower, return_exceptions=True)


async def _show_deletion(client: Client, key: ClusterKey, view: View) -> None:
    wait = _ClusterWait(key, 0, utc_now() - _CLOCK_SLACK)
    async with aclosing(both(client, {key[0]})) as items:
        async for item in items:
            if _concerned({key: wait}, item) is None:
                continue
            # Operations of the cluster's earlier life are of no interest now.
            if isinstance(item, Operation) and item.spec.plan.action not in _ENDS and progress.is_final(item):
                continue
            wait.see(item, view)
            failed = wait.failed()
            if failed is not None and failed.spec.plan.action in _ENDS:
                _finish(failed)


async def _uid(client: Client, resource: Resource, namespace: str, name: str) -> str:
    try:
        found: Object = await client.get(resource, namespace, name)
    except NotFound:
        return ""
    return str(found["metadata"].get("uid", ""))


def _finish(operation: Operation) -> None:
    """Say how long what took, and raise what the end of the Operation means."""
    import click

    for line in summary(operation):
        click.echo(line)
    name, phase = operation.metadata.name, operation.status.phase
    if phase == "Succeeded":
        return
    reasons = "; ".join(progress.trouble(operation, utc_now())) or operation.status.progress or "no reason was given"
    if phase == "Cancelled":
        raise Stopped(f"operation {name} was cancelled: {reasons}")
    raise OperationFailed(
        f"operation {name} has ended as {phase}: {reasons}",
        remedy=f"read more with `groundplane operation logs {name}`, mend the cause, then"
        f" `{progress.again(operation)}`",
    )
