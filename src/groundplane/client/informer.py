"""The informer: a copy of one resource that follows the server, and a word for every change of it.

List, watch from the list's version, and resume the watch where it ended, however it ended. Only when the server has
forgotten that version (Gone) is the list read anew, and then differences to the copy are told like any other change,
deletions included: a reader misses intermediate states at most, never the last one.
Errors never end it, but each is logged and tried again with a growing delay, not before the server wants it
(Retry-After, up to the longest delay); `run` ends when it is cancelled. A version that the server has not reached (it
was restored from a backup) is as good as forgotten.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.base.logs import get_logger

from .contract import Client, Object, Resource, WatchEvent
from .errors import Gone, ServerUnavailable

logger = get_logger()


class Name(NamedTuple):
    """What an object is called; equal to any other pair of namespace and name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """`old` is None when the object is new, `new` is None when it is gone (`old` is then its last known state)."""

    key: Name
    old: Object | None
    new: Object | None


Changed = Callable[[ObjectChange], None]


@dataclass(frozen=True, slots=True)
class BackOff:
    """Seconds between tries: doubling from `first` to `longest`, less up to a half by chance."""

    first: float = 0.25
    longest: float = 30.0

    def delay(self, failures: int) -> float:
        """Return how long to wait after this many failures in a row."""
        whole: float = min(self.first * 2 ** min(failures - 1, 20), self.longest)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


class Informer:
    """Follows `resource` while `run` runs. Objects that it gives out are shared: read them, never change them."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        namespace: str | None = None,
        changed: Changed | None = None,
        back_off: BackOff | None = None,
    ) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._client = client
        self._namespace = namespace
        self._changed = changed
        self._back_off = back_off or BackOff()
        self._objects: dict[Name, Object] = {}
        self._version = ""
        self._failures = 0

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object as last seen, or None."""
        return self._objects.get(Name(namespace, name))

    def list(self, namespace: str | None = None) -> list[Object]:
        """Return all objects as last seen, of one namespace or of every one, by name."""
        found = sorted(self._objects.items())
        return [document for key, document in found if namespace is None or key.namespace == namespace]

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._relist()
                await self._follow()
                continue
            except Gone:
                logger.info("watch expired, listing again", resource=self.resource.plural)
                self._version = ""
                self._failures += 1
            except (Unavailable, Denied, Refused) as error:
                self._failures += 1
                logger.warning("watch interrupted", resource=self.resource.plural, error=str(error))
                if isinstance(error, ServerUnavailable):
                    await asyncio.sleep(min(error.retry_after, self._back_off.longest))
            await asyncio.sleep(self._back_off.delay(self._failures))

    async def _relist(self) -> None:
        listed = await self._client.list(self.resource, namespace=self._namespace)
        fresh = {_name(item): item for item in listed.items}
        for key in [key for key in self._objects if key not in fresh]:
            self._take(key, None)
        for key, document in fresh.items():
            known = self._objects.get(key)
            if known is None or _version(known) != _version(document):
                self._take(key, document)
        self._version = listed.resource_version
        self.synced.set()

    async def _follow(self) -> None:
        """Watch once, from where we are to the watch's end."""
        started = asyncio.get_running_loop().time()
        heard = False
        async with self._client.watch(
            self.resource, namespace=self._namespace, resource_version=self._version
        ) as events:
            async for event in events:
                self._hear(event)
                self._failures, heard = 0, True
        if heard or asyncio.get_running_loop().time() - started > self._back_off.longest:
            return
        # A server that ends every watch at once must not be asked in a tight loop.
        self._failures += 1
        await asyncio.sleep(self._back_off.delay(self._failures))

    def _hear(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            key = _name(event.object)
            # The event has the state at the end, which may be later than ours.
            self._objects[key] = event.object
            self._take(key, None)
        elif event.type != "BOOKMARK":
            key = _name(event.object)
            known = self._objects.get(key)
            # A server may begin a resumed watch with the event that was the last one before.
            if known is None or _version(known) != _version(event.object):
                self._take(key, event.object)
        self._version = _version(event.object)

    def _take(self, key: Name, new: Object | None) -> None:
        old = self._objects.pop(key, None)
        if new is not None:
            self._objects[key] = new
        if self._changed is not None:
            self._changed(ObjectChange(key, old, new))


def _name(document: Object) -> Name:
    meta = document["metadata"]
    return Name(meta.get("namespace", ""), meta["name"])


def _version(document: Object) -> str:
    return str(document["metadata"]["resourceVersion"])
