"""Count the clusters that a Foundation carries. Drift and uniformity are the assessment's, not counted here."""

from __future__ import annotations

from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation, FoundationStatus
from groundplane.base.clock import Now
from groundplane.engine.conditions import Conditions
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey

from ..objects import Objects


class FoundationReconciler:
    """Writes Foundation.status."""

    def __init__(self, objects: Objects, *, now: Now) -> None:
        self._objects = objects
        self._now = now

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Foundation."""
        foundation = await self._objects.find(Foundation, key.namespace, key.name)
        if foundation is None:
            return Again()
        clusters = await self._objects.all(Cluster, namespace=key.namespace)
        count = sum(1 for c in clusters if c.spec.foundation_ref and c.spec.foundation_ref.name == key.name)
        generation = foundation.metadata.generation
        conditions = Conditions(foundation.status.conditions, generation=generation, now=self._now())
        conditions.set("Ready", "True", "Accepted", f"{count} clusters stand on it")
        status = FoundationStatus(observed_generation=generation, clusters=count, conditions=conditions.values())
        await self._objects.write_status(foundation, status)
        return Again()
