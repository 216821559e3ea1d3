"""When to look at machines again: by time, and when an Operation of their Cluster has ended.

What was seen of them before that is not true any more. It is made from the informer of Operations, so it is whole
again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from groundplane.client.contract import Object
from groundplane.engine.queue import ObjectKey


class LastChanges:
    """Cluster to the time (RFC 3339, UTC) at which an Operation of it last ended."""

    def __init__(self) -> None:
        self._ended: dict[ObjectKey, str] = {}

    def take(self, operation: Object) -> ObjectKey | None:
        """Take an Operation in; return its Cluster when it has ended later than any other of it."""
        ended = operation.get("status", {}).get("finishedAt", "")
        reference = operation.get("spec", {}).get("clusterRef")
        if not ended or not reference:
            return None
        cluster = ObjectKey(operation["metadata"]["namespace"], reference["name"])
        if ended <= self._ended.get(cluster, ""):
            return None
        self._ended[cluster] = ended
        return cluster

    def outdates(self, cluster: ObjectKey, observed_at: str) -> bool:
        """Tell whether what was observed then may have been changed since."""
        return observed_at <= self._ended.get(cluster, "")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often machines are surveyed, and what outdates a survey before its time."""

    every: timedelta = timedelta(minutes=10)
    changes: LastChanges = field(default_factory=LastChanges)
