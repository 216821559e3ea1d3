"""Say of a Distribution whether its local sources are there. Contents are verified when they are fetched, by sha256."""

from __future__ import annotations

import asyncio
from pathlib import Path

from groundplane.api.distribution import Distribution, DistributionStatus
from groundplane.base.clock import Now
from groundplane.engine.conditions import Conditions
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey

from ..objects import Objects

LOOK_AGAIN = 300.0


class DistributionReconciler:
    """Writes Distribution.status."""

    def __init__(self, objects: Objects, *, now: Now) -> None:
        self._objects = objects
        self._now = now

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Distribution."""
        distribution = await self._objects.find(Distribution, key.namespace, key.name)
        if distribution is None:
            return Again()
        missing = await asyncio.to_thread(_missing, distribution)
        generation = distribution.metadata.generation
        conditions = Conditions(distribution.status.conditions, generation=generation, now=self._now())
        if missing:
            conditions.set("Ready", "False", "SourceMissing", f"not there: {', '.join(missing)}")
        else:
            conditions.set("Ready", "True", "Accepted", f"{len(distribution.spec.releases)} releases")
        status = DistributionStatus(observed_generation=generation, conditions=conditions.values())
        await self._objects.write_status(distribution, status)
        return Again(LOOK_AGAIN)


def _missing(distribution: Distribution) -> list[str]:
    """Return the local sources that are not there, and the files that no source of a local-only list has."""
    local = [source for source in distribution.spec.sources if source.type != "HTTP"]
    absent = [source.path for source in local if not Path(source.path).exists()]
    if absent or not local or len(local) != len(distribution.spec.sources):
        return absent
    folders = [Path(source.path) for source in local if source.type == "Directory"]
    if len(folders) != len(local):
        return []
    return [
        f"{artifact.path} of release {release.version}"
        for release in distribution.spec.releases
        for artifact in release.artifacts
        if not any((folder / artifact.path).is_file() for folder in folders)
    ]
