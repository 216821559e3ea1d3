"""Waiting until a person has said everything: the objects of one apply come one by one."""

from __future__ import annotations

from datetime import datetime

from groundplane.base.clock import Now

from .scope import ClusterScope

SETTLE = 1.0


class Settling:
    """Since when each Cluster's inputs are what they are."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._since: dict[str, tuple[str, datetime]] = {}

    def settled(self, scope: ClusterScope) -> bool:
        """Tell whether the inputs have been the same for SETTLE seconds."""
        uid, inputs, now = scope.cluster.metadata.uid, scope.inputs(), self._now()
        known = self._since.get(uid)
        if known is None or known[0] != inputs:
            self._since[uid] = (inputs, now)
            return False
        return (now - known[1]).total_seconds() >= SETTLE

    def forget(self, scope: ClusterScope) -> None:
        """The Cluster is gone, or what it waited for has begun."""
        self._since.pop(scope.cluster.metadata.uid, None)
