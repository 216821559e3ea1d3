"""Events: what happened, for people who `kubectl describe` an object.

The same event again within an hour raises the count of the first instead of making another. An event that cannot
be written is logged and dropped: it must never stop the work that it tells of.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from groundplane.api.meta import API_VERSION, ObjectMeta
from groundplane.base.clock import Now, rfc3339
from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger
from groundplane.client.contract import Client, Object
from groundplane.client.errors import NotFound
from groundplane.client.typed import EVENTS

COMPONENT = "groundplane"
REPEAT = timedelta(hours=1)

logger = get_logger()


class _Seen(NamedTuple):
    name: str
    times: int
    first: datetime


class EventRecorder:
    """Writes v1 Events about our objects."""

    def __init__(self, client: Client, *, now: Now) -> None:
        self._client = client
        self._now = now
        self._seen: dict[tuple[str, str, str], _Seen] = {}

    async def normal(self, kind: str, meta: ObjectMeta, reason: str, message: str) -> None:
        """Record something expected. `reason` is a CamelCase word, `message` a sentence."""
        await self._record("Normal", kind, meta, (reason, message))

    async def warning(self, kind: str, meta: ObjectMeta, reason: str, message: str) -> None:
        """Record something that a person should look at."""
        await self._record("Warning", kind, meta, (reason, message))

    async def _record(
        self, level: Literal["Normal", "Warning"], kind: str, meta: ObjectMeta, what: tuple[str, str]
    ) -> None:
        self._forget_old()
        try:
            if not await self._repeat((meta.uid, *what), meta):
                await self._create(level, kind, meta, what)
        except GroundplaneError as error:
            logger.warning("event not written", kind=kind, name=meta.name, reason=what[0], error=str(error))

    async def _repeat(self, key: tuple[str, str, str], meta: ObjectMeta) -> bool:
        """Raise the count of the same event; False when there is none, or not any more."""
        seen = self._seen.get(key)
        if seen is None:
            return False
        again = self._seen[key] = seen._replace(times=seen.times + 1)
        patch: Object = {"count": again.times, "lastTimestamp": rfc3339(self._now())}
        try:
            await self._client.patch(EVENTS, meta.namespace, seen.name, patch)
        except NotFound:
            return False
        return True

    def _forget_old(self) -> None:
        limit = self._now() - REPEAT
        # In the order of their first time, so the old ones are in front.
        while self._seen and next(iter(self._seen.values())).first <= limit:
            del self._seen[next(iter(self._seen))]

    async def _create(self, level: str, kind: str, meta: ObjectMeta, what: tuple[str, str]) -> None:
        now = self._now()
        reason, message = what
        body: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta.name}.", "namespace": meta.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": kind,
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
            },
            "type": level,
            "reason": reason,
            "message": message,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "firstTimestamp": rfc3339(now),
            "lastTimestamp": rfc3339(now),
            "count": 1,
        }
        created = await self._client.create(EVENTS, body)
        self._seen.pop((meta.uid, reason, message), None)
        self._seen[(meta.uid, reason, message)] = _Seen(str(created["metadata"]["name"]), 1, now)
