"""Sums over many clusters, kept while single ones change: a change costs what the one cluster costs, not the fleet.

Invariant: the sums of a group are those of its members, each as it was last put in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from groundplane.api.assessment import (
    DIMENSIONS,
    Assessment,
    Dimension,
    DimensionShare,
    FeatureDecision,
    Nodes,
    StackShare,
    Uniformity,
    UniformityPoint,
    named,
    percent,
)
from groundplane.base.clock import parse_rfc3339

from .cluster import stack_keys, stack_shares

HISTORY_POINTS = 400
# Changes that come close together, such as one survey of a whole fleet, are one point.
ONE_POINT = timedelta(minutes=5)

Stack = tuple[str, str, str, str, str]
_Share = tuple[Dimension, str]


@dataclass(slots=True)
class _Group:
    """Sums of the clusters of one Foundation."""

    members: dict[str, Assessment | None] = field(default_factory=dict)
    nodes: int = 0
    uniform: int = 0
    shares: Counter[_Share] = field(default_factory=Counter)
    stacks: Counter[Stack] = field(default_factory=Counter)

    def add(self, assessment: Assessment, sign: int) -> None:
        found = assessment.uniformity
        self.nodes += sign * found.nodes
        self.uniform += sign * found.uniform
        for share in found.dimensions:
            self.shares[share.dimension, "uniform"] += sign * share.uniform
            self.shares[share.dimension, "exceptions"] += sign * share.exceptions
            self.shares[share.dimension, "unknown"] += sign * share.unknown
        for stack, nodes in stack_keys(assessment):
            self.stacks[stack] += sign * nodes
            if not self.stacks[stack]:
                del self.stacks[stack]


class Fleet:
    """Assessments by cluster, grouped by what they are held against; both are names that the caller chooses."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._group_of: dict[str, str] = {}

    def put(self, cluster: str, group: str, assessment: Assessment | None) -> None:
        """Take a cluster's newest assessment in; None: there is none yet."""
        self.remove(cluster)
        found = self._groups.setdefault(group, _Group())
        self._group_of[cluster] = group
        found.members[cluster] = assessment
        if assessment is not None:
            found.add(assessment, 1)

    def remove(self, cluster: str) -> None:
        """Forget a cluster."""
        group = self._group_of.pop(cluster, None)
        if group is None:
            return
        found = self._groups[group]
        before = found.members.pop(cluster)
        if before is not None:
            found.add(before, -1)
        if not found.members:
            del self._groups[group]

    def members(self, group: str) -> dict[str, Assessment | None]:
        """Return the clusters of a group with their assessments, by name."""
        found = self._groups.get(group)
        return dict(sorted(found.members.items())) if found else {}

    def drifting(self, group: str) -> int:
        """Return how many clusters of a group differ from what they are held against, exceptions not counted."""
        assessments = self.members(group).values()
        return sum(1 for one in assessments if one and any(drift.state == "Drift" for drift in one.drift))

    def uniformity(self, group: str) -> Uniformity:
        """Return the shares over a group."""
        found = self._groups.get(group, _Group())
        return Uniformity(
            nodes=found.nodes,
            uniform=found.uniform,
            percent=percent(found.uniform, found.nodes),
            stacks=len(found.stacks),
            dimensions=[
                DimensionShare(
                    dimension=one,
                    uniform=found.shares[one, "uniform"],
                    exceptions=found.shares[one, "exceptions"],
                    unknown=found.shares[one, "unknown"],
                    nodes=found.nodes,
                )
                for one in DIMENSIONS
            ],
        )

    def stacks(self, group: str) -> list[StackShare]:
        """Return the largest distinct stacks of a group."""
        return stack_shares(self._groups.get(group, _Group()).stacks)

    def features(self, group: str) -> list[FeatureDecision]:
        """Return each wanted feature's decision over a group: blocked where one cluster is, named cluster/node."""
        by_name: dict[str, list[tuple[str, FeatureDecision]]] = {}
        for cluster, assessment in self.members(group).items():
            for decision in assessment.features if assessment else ():
                by_name.setdefault(decision.feature, []).append((cluster, decision))
        return [_over_all(found) for _, found in sorted(by_name.items())]


def _over_all(found: list[tuple[str, FeatureDecision]]) -> FeatureDecision:
    first = found[0][1]
    blocked = [(cluster, one) for cluster, one in found if one.state == "Blocked"]
    unknown = [cluster for cluster, one in found if one.state == "Unknown"]
    names = [f"{cluster}/{node}" for cluster, one in blocked for node in one.blockers.names]
    count = sum(one.blockers.count for _, one in blocked)
    ready = len(found) - len(blocked) - len(unknown)
    message = f"{ready} of {len(found)} clusters can use it"
    if blocked:
        message += f"; {count} nodes of {len(blocked)} clusters block it: {blocked[0][1].message}"
    return FeatureDecision(
        feature=first.feature,
        state="Blocked" if blocked else "Unknown" if unknown else "Available",
        needs=first.needs,
        message=message,
        blockers=named(names, count=count) if blocked else Nodes(),
        source=first.source,
    )


def next_history(history: list[UniformityPoint], uniformity: Uniformity, time: str) -> list[UniformityPoint]:
    """Return the history with what is so at `time`: unchanged when nothing is new, thinned out when it grows long."""
    point = UniformityPoint(
        time=time,
        nodes=uniformity.nodes,
        uniform=uniformity.uniform,
        stacks=uniformity.stacks,
        dimensions={share.dimension: share.uniform for share in uniformity.dimensions},
    )
    if history and _same(history[-1], point):
        return history
    # A burst is one point, but the first of all points stays where it was.
    recent = len(history) > 1 and _age(history[-1].time, time) < ONE_POINT
    kept = [*(history[:-1] if recent else history), point]
    if len(kept) > HISTORY_POINTS:
        half = len(kept) // 2
        kept = [*kept[:half:2], *kept[half:]]
    return kept


def _same(left: UniformityPoint, right: UniformityPoint) -> bool:
    return (left.nodes, left.uniform, left.stacks, left.dimensions) == (
        right.nodes,
        right.uniform,
        right.stacks,
        right.dimensions,
    )


def _age(earlier: str, later: str) -> timedelta:
    then: datetime = parse_rfc3339(earlier)
    return parse_rfc3339(later) - then
