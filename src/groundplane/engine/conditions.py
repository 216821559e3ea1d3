"""Conditions as values: set one, keep the rest, move the time only when the status changes."""

from __future__ import annotations

from datetime import datetime

from groundplane.api.meta import Condition, ConditionStatus, find_condition
from groundplane.base.clock import rfc3339


class Conditions:
    """A list of conditions under change, for one write of one status."""

    def __init__(self, before: list[Condition], *, generation: int, now: datetime) -> None:
        self._all = {condition.type: condition for condition in before}
        self._generation = generation
        self._now = now

    def set(self, kind: str, status: ConditionStatus, reason: str, message: str = "") -> None:
        """Set condition `kind`; its transition time stays when the status does not change."""
        old = self._all.get(kind)
        unchanged = old is not None and old.status == status
        self._all[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            last_transition_time=old.last_transition_time if old and unchanged else rfc3339(self._now),
            observed_generation=self._generation,
        )

    def drop(self, kind: str) -> None:
        """Remove condition `kind` when it has no meaning any more."""
        self._all.pop(kind, None)

    def get(self, kind: str) -> Condition | None:
        """Return condition `kind`, or None."""
        return find_condition(self.values(), kind)

    def values(self) -> list[Condition]:
        """Return all conditions in a stable order: by type, Ready first."""
        return sorted(self._all.values(), key=lambda condition: (condition.type != "Ready", condition.type))
