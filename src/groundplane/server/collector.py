"""What follows a deletion: owned objects go with their owners, contents with their namespace; Events go with time.

A graph of all objects (who owns whom) is fed by watches, so a deletion costs what hangs on it and not a walk over
everything. The collector writes through the same verbs as everybody else; whatever it could not finish it looks at
again with the next change, and from scratch after a restart.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from groundplane.base.clock import parse_rfc3339
from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger
from groundplane.base.tasks import TaskOwner
from groundplane.store.contract import Change, Compacted, Entry, Key, WatcherTooSlow

from . import meta
from .builtin import KEPT_NAMESPACES
from .resources import Resource
from .service import Call, Options, Service, decode
from .status import Json, StatusError
from .users import CONTROLLER
from .verbs.create import create
from .verbs.delete import delete
from .verbs.delete_options import DeleteOptions
from .verbs.update import Transform, rewrite

_log = get_logger(__name__)

# kube-apiserver keeps events for as long (--event-ttl).
EVENT_LIFE = timedelta(hours=1)
_EVENT_ROUND_SECONDS = 300.0
_RETRY_SECONDS = 5.0


# Of everything that is written, and kept of everything that is there; it leads nowhere back to itself.
class Node(msgspec.Struct, frozen=True, gc=False):
    """What the collector knows of one object."""

    key: Key
    uid: str
    owners: tuple[str, ...]
    deleting: bool
    finalizers: tuple[str, ...]


class _Owner(msgspec.Struct):
    uid: str


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str
    owner_references: list[_Owner] | None = None
    finalizers: tuple[str, ...] | None = None
    deletion_timestamp: object = msgspec.UNSET


class _Object(msgspec.Struct):
    metadata: _Metadata


def node_of(entry: Entry) -> Node:
    """Read the node from a stored object."""
    metadata = msgspec.json.decode(entry.value, type=_Object).metadata
    owners = tuple(owner.uid for owner in metadata.owner_references or ())
    deleting = metadata.deletion_timestamp is not msgspec.UNSET
    return Node(entry.key, metadata.uid, owners, deleting, metadata.finalizers or ())


@dataclass(slots=True)
class Graph:
    """All objects by key, by uid and by owner."""

    nodes: dict[Key, Node] = field(default_factory=dict)
    uids: dict[str, Key] = field(default_factory=dict)
    owned: dict[str, set[Key]] = field(default_factory=dict)

    def put(self, node: Node) -> None:
        self.drop(node.key)
        self.nodes[node.key] = node
        self.uids[node.uid] = node.key
        for owner in node.owners:
            self.owned.setdefault(owner, set()).add(node.key)

    def drop(self, key: Key) -> None:
        node = self.nodes.pop(key, None)
        if node is None:
            return
        self.uids.pop(node.uid, None)
        for owner in node.owners:
            self.owned.get(owner, set()).discard(key)

    def dependents(self, uid: str) -> list[Node]:
        return [self.nodes[key] for key in sorted(self.owned.get(uid, ()))]

    def blocking(self, owner: Node) -> list[Node]:
        """Return the dependents that the deletion of `owner` waits for: from another namespace nobody holds it up."""
        return [node for node in self.dependents(owner.uid) if owner.key.namespace in ("", node.key.namespace)]

    def orphaned(self, node: Node) -> bool:
        """Tell whether the object had owners and none of them is there any more."""
        return bool(node.owners) and not any(owner in self.uids for owner in node.owners)


class Collector:
    """Runs until cancelled; one task per resource feeds the graph, one works."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._graph = Graph()
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()
        self.listed = asyncio.Event()

    def trouble(self) -> str:
        """Tell why nothing is collected, "" when it is."""
        return "" if self.listed.is_set() else "not every resource has been listed yet"

    async def run(self) -> None:
        """Collect until cancelled."""
        async with TaskOwner("collector") as owner:
            started = []
            for resource in self._service.resources.all:
                listed = asyncio.Event()
                owner.start(self._feed(resource, listed), name=resource.stored)
                started.append(listed)
            for listed in started:
                # An owner of another kind that is not known yet must not look like one that has gone.
                await listed.wait()
            self.listed.set()
            owner.start(self._expire_events(), name="expire-events")
            await self._work()

    async def _feed(self, resource: Resource, listed: asyncio.Event) -> None:
        while True:
            page = await self._service.store.list(resource.stored)
            present = {entry.key for entry in page.entries}
            for key in [key for key in self._graph.nodes if key.resource == resource.stored and key not in present]:
                self._forget(key)
            for entry in page.entries:
                self._learn(entry)
            listed.set()
            try:
                async with self._service.store.watch(resource.stored, revision=page.revision) as changes:
                    async for change in changes:
                        self._see(change)
                    return
            except (Compacted, WatcherTooSlow):
                continue

    def _see(self, change: Change) -> None:
        if change.type == "Deleted":
            self._forget(change.entry.key)
        else:
            self._learn(change.entry)

    def _learn(self, entry: Entry) -> None:
        node = node_of(entry)
        self._graph.put(node)
        if node.deleting or node.owners:
            self._mark(node.key)

    def _forget(self, key: Key) -> None:
        node = self._graph.nodes.get(key)
        self._graph.drop(key)
        if node is None:
            return
        for dependent in self._graph.dependents(node.uid):
            self._mark(dependent.key)
            for owner in dependent.owners:
                self._mark_uid(owner)
        for owner in node.owners:
            self._mark_uid(owner)
        if node.key.namespace:
            self._mark(Key("namespaces", "", node.key.namespace))

    def _mark_uid(self, uid: str) -> None:
        if uid in self._graph.uids:
            self._mark(self._graph.uids[uid])

    def _mark(self, key: Key) -> None:
        self._dirty.add(key)
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._dirty = sorted(self._dirty), set()
            failed = [key for key in batch if not await self._try(key)]
            if failed:
                self._dirty.update(failed)
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._wake.set)

    async def _try(self, key: Key) -> bool:
        node = self._graph.nodes.get(key)
        if node is None:
            return True
        try:
            await self._handle(node)
        except StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                _log.warning("collection postponed", object="/".join(key), error=error.message)
            return error.reason == "NotFound"
        except GroundplaneError as error:
            _log.warning("collection postponed", object="/".join(key), error=error.message)
            return False
        return True

    async def _handle(self, node: Node) -> None:
        if node.deleting and meta.ORPHAN in node.finalizers:
            await self._orphan(node)
        elif node.deleting and meta.FOREGROUND in node.finalizers:
            await self._foreground(node)
        elif node.deleting and node.key.resource == "namespaces":
            await self._empty(node)
        elif not node.deleting and self._graph.orphaned(node):
            await self._delete(node)

    async def _orphan(self, node: Node) -> None:
        for dependent in self._graph.blocking(node):
            await rewrite(self._service, self._call(dependent.key), _without_owner(node.uid))
        await self._finish(node, meta.ORPHAN)

    async def _foreground(self, node: Node) -> None:
        dependents = self._graph.blocking(node)
        for dependent in dependents:
            if not dependent.deleting and not self._has_other_owner(dependent, node.uid):
                await self._delete(dependent, "Foreground")
        if not [d for d in dependents if not self._has_other_owner(d, node.uid)]:
            await self._finish(node, meta.FOREGROUND)

    def _has_other_owner(self, node: Node, uid: str) -> bool:
        return any(owner != uid and owner in self._graph.uids for owner in node.owners)

    async def _empty(self, node: Node) -> None:
        contents = [n for n in self._graph.nodes.values() if n.key.namespace == node.key.name]
        for inside in contents:
            if not inside.deleting:
                await self._delete(inside)
        if not contents:
            await self._finish_namespace(node)

    async def _finish_namespace(self, node: Node) -> None:
        entry = await self._service.store.get(node.key)
        obj = decode(entry.value)
        if not obj["metadata"].get("finalizers"):
            await self._service.store.delete(entry.key, expected=entry.revision)

    async def _finish(self, node: Node, finalizer: str) -> None:
        await rewrite(self._service, self._call(node.key), _without_finalizer(finalizer))

    async def _delete(self, node: Node, propagation: str = "Background") -> None:
        await delete(self._service, self._call(node.key), DeleteOptions(propagation, uid=node.uid))

    def _call(self, key: Key) -> Call:
        resource = self._service.resources.by_stored[key.resource]
        options = Options(field_manager="groundplane-collector", field_validation="Ignore")
        return Call(CONTROLLER, resource, key.namespace, key.name, options=options)

    async def _expire_events(self) -> None:
        while True:
            page = await self._service.store.list("events")
            limit = self._service.now() - EVENT_LIFE
            for entry in page.entries:
                if _last_seen(decode(entry.value)) < limit:
                    await self._try_delete_event(entry)
            await asyncio.sleep(_EVENT_ROUND_SECONDS)

    async def _try_delete_event(self, entry: Entry) -> None:
        try:
            await self._service.store.delete(entry.key, expected=entry.revision)
        except GroundplaneError as error:
            _log.info("event kept for now", name=entry.key.name, error=error.message)


def _last_seen(event: Json) -> datetime:
    """Return when the event was last seen, as it says itself; when it was made if it says nothing that is a time."""
    try:
        return parse_rfc3339(str(event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]))
    except ValueError:
        return parse_rfc3339(str(event["metadata"]["creationTimestamp"]))


def _without_owner(uid: str) -> Transform:
    def transform(obj: Json) -> Json:
        owners = obj["metadata"].get("ownerReferences") or []
        obj["metadata"]["ownerReferences"] = [owner for owner in owners if owner["uid"] != uid]
        return obj

    return transform


def _without_finalizer(name: str) -> Transform:
    def transform(obj: Json) -> Json:
        obj["metadata"]["finalizers"] = [found for found in obj["metadata"].get("finalizers") or [] if found != name]
        return obj

    return transform


async def create_namespaces(service: Service) -> None:
    """Create the namespaces that are always there."""
    page = await service.store.list("namespaces")
    resource = service.resources.by_stored["namespaces"]
    present = {entry.key.name for entry in page.entries}
    for name in (name for name in KEPT_NAMESPACES if name not in present):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await create(service, Call(CONTROLLER, resource, options=Options(field_manager="groundplane")), body)
