"""The fleet as one value: the assessments of all Clusters as the API server has them, summed up by Foundation.

It follows the informer of Clusters, so that one changed Cluster costs one Cluster, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from groundplane.api.assessment import Assessment
from groundplane.assess import Fleet
from groundplane.client.contract import Object
from groundplane.client.informer import ObjectChange
from groundplane.engine.queue import ObjectKey


class FleetIndex:
    """Keeps the sums. `notice` is told every change of a Cluster, and says which Foundations it concerns."""

    def __init__(self) -> None:
        self._fleet = Fleet()

    def notice(self, change: ObjectChange) -> Iterable[ObjectKey]:
        """Take a change in; return the Foundations whose sums it may have changed."""
        before, after = _foundation(change.old), _foundation(change.new)
        concerned = {key for key in (before, after) if key is not None}
        name = f"{change.key.namespace}/{change.key.name}"
        if after is None or change.new is None:
            self._fleet.remove(name)
            return concerned
        if before == after and _assessment(change.old) == _assessment(change.new):
            return set()
        found = _assessment(change.new)
        self._fleet.put(name, _group(after), msgspec.convert(found, Assessment) if found else None)
        return concerned

    def of(self, foundation: ObjectKey) -> FoundationSums:
        """Return the sums of one Foundation."""
        return FoundationSums(self._fleet, _group(foundation))


class FoundationSums:
    """What the clusters of one Foundation come to."""

    def __init__(self, fleet: Fleet, group: str) -> None:
        self.clusters = fleet.members(group)
        self.unassessed = fleet.unassessed(group)
        self.drifting = fleet.drifting(group)
        self.uniformity = fleet.uniformity(group)
        self.stacks = fleet.stacks(group)
        self.features = fleet.features(group)


def _foundation(document: Object | None) -> ObjectKey | None:
    if document is None:
        return None
    reference = document.get("spec", {}).get("foundationRef")
    return ObjectKey(document["metadata"]["namespace"], reference["name"]) if reference else None


def _assessment(document: Object | None) -> object:
    """Return the assessment; none that was made against another Foundation than the Cluster's of now."""
    found, wanted = (document or {}).get("status", {}).get("assessment"), _foundation(document)
    return found if found and wanted is not None and found.get("foundation") == wanted.name else None


def _group(foundation: ObjectKey) -> str:
    return f"{foundation.namespace}/{foundation.name}"
