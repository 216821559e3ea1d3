"""Say how uniform the clusters of a Foundation are, keep how that was over time, and conduct what unifies them."""

from __future__ import annotations

from collections.abc import Iterator

from groundplane.api.assessment import UniformityPoint
from groundplane.api.foundation import Foundation, FoundationStatus
from groundplane.assess import next_history
from groundplane.base.clock import Now, rfc3339
from groundplane.base.words import counted
from groundplane.catalog.network import known_features
from groundplane.engine.conditions import Conditions
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey

from ..fleet import FleetIndex, FoundationSums
from ..objects import Objects
from .unify import Conductor, judge


class FoundationReconciler:
    """Writes Foundation.status."""

    def __init__(self, objects: Objects, fleet: FleetIndex, events: EventRecorder, *, now: Now) -> None:
        self._objects = objects
        self._fleet = fleet
        self._now = now
        self._conductor = Conductor(objects, events, now=now)

    async def __call__(self, key: ObjectKey) -> Again:
        """Look at one Foundation."""
        foundation = await self._objects.find(Foundation, key.namespace, key.name)
        if foundation is None:
            return Again()
        sums = self._fleet.of(key)
        generation = foundation.metadata.generation
        conditions = Conditions(foundation.status.conditions, generation=generation, now=self._now())
        message = "; ".join([f"{counted(sums.clusters, 'cluster')} on it", *_unknown_features(foundation)])
        conditions.set("Ready", "True", "Accepted", message)
        _judge(conditions, sums)
        run, again = await self._conductor.conduct(foundation)
        judge(conditions, run)
        status = FoundationStatus(
            observed_generation=generation,
            clusters=sums.clusters,
            drifting=sums.drifting,
            unassessed=sums.unassessed,
            uniformity=sums.uniformity,
            stacks=sums.stacks,
            features=sums.features,
            history=self._history(foundation, sums),
            unify=run,
            conditions=conditions.values(),
        )
        if await self._objects.write_status(foundation, status):
            await self._conductor.tell(foundation, run)
        return again

    def _history(self, foundation: Foundation, sums: FoundationSums) -> list[UniformityPoint]:
        before = foundation.status.history
        # Before the first survey there is nothing to draw.
        known = before or sums.uniformity.nodes
        return next_history(before, sums.uniformity, rfc3339(self._now())) if known else before


def _unknown_features(foundation: Foundation) -> Iterator[str]:
    """Say which wanted features cannot be decided on: a misspelt one would go unnoticed otherwise."""
    plugin = foundation.spec.network.plugin
    known = known_features(plugin)
    unknown = [name for name in foundation.spec.network.features if name not in known]
    if unknown and known:
        yield f"no feature of {plugin} is called {', '.join(unknown)}; there are {', '.join(known)}"
    elif unknown:
        yield f"{', '.join(unknown)} of {plugin or 'no plugin'} cannot be decided on: the catalog knows no such table"


def _judge(conditions: Conditions, sums: FoundationSums) -> None:
    found = sums.uniformity
    nodes, stacks = counted(found.nodes, "node"), counted(found.stacks, "distinct stack")
    message = f"{found.uniform} of {nodes} stand on it; {stacks}"
    if sums.drifting:
        conditions.set(
            "Uniform", "False", "Drift", f"{sums.drifting} of {counted(sums.clusters, 'cluster')} differ; {message}"
        )
    elif sums.unassessed:
        unknown = f"nothing is known of {sums.unassessed} of {counted(sums.clusters, 'cluster')}"
        conditions.set("Uniform", "Unknown", "FactsMissing", f"{unknown}; {message}")
    elif not sums.clusters:
        conditions.set("Uniform", "Unknown", "NoClusters", "no cluster stands on it")
    elif found.uniform < found.nodes:
        conditions.set("Uniform", "False", "Exceptions", message)
    else:
        conditions.set("Uniform", "True", "OnFoundation", message)
