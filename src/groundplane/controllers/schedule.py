"""When to look at machines again: by time, and when an Operation that was about them has ended.

What was seen of them before that is not true any more. It is made from the informer of Operations, so it is whole
again after a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from groundplane.client.contract import Object
from groundplane.engine.queue import ObjectKey


class LastChanges:
    """Cluster and machine to the time (RFC 3339, UTC) at which an Operation that was about it last ended."""

    def __init__(self) -> None:
        self._ended: dict[ObjectKey, dict[str, str]] = {}

    def take(self, operation: Object) -> ObjectKey | None:
        """Take an Operation in; return its Cluster when something that was seen of a machine is outdated by it."""
        ended = operation.get("status", {}).get("finishedAt", "")
        reference = operation.get("spec", {}).get("clusterRef")
        if not ended or not reference:
            return None
        cluster = ObjectKey(operation["metadata"]["namespace"], reference["name"])
        known = self._ended.setdefault(cluster, {})
        newer = {name for name in _about(operation) if ended > known.get(name, "")}
        known.update(dict.fromkeys(newer, ended))
        return cluster if newer else None

    def outdates(self, cluster: ObjectKey, machine: str, observed_at: str) -> bool:
        """Tell whether what was observed of the machine then may have been changed since."""
        return observed_at <= self._ended.get(cluster, {}).get(machine, "")


def _about(operation: Object) -> set[str]:
    """Return the machines that the plan has a step on, and those that a step of the whole cluster names."""
    steps = operation["spec"].get("plan", {}).get("steps", [])
    return {step["machine"] for step in steps if step.get("machine")} | {
        name for step in steps for name in step.get("among", [])
    }


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often machines are surveyed, and what outdates a survey before its time."""

    every: timedelta = timedelta(minutes=10)
    changes: LastChanges = field(default_factory=LastChanges)
