"""Sums over many clusters, kept while single ones change: a change costs what the one cluster costs, not the fleet.

Invariant: the sums of a group are those of its members, each as it was last put in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from groundplane.api.assessment import (
    NAMES_SHOWN,
    Assessment,
    Dimension,
    FeatureDecision,
    Nodes,
    StackShare,
    Uniformity,
    UniformityPoint,
    named,
)
from groundplane.base.clock import parse_rfc3339
from groundplane.base.words import counted

from .cluster import stack_keys, stack_shares, uniformity_of

HISTORY_POINTS = 400
# Changes that come close together, such as one survey of a whole fleet, are one point.
ONE_POINT = timedelta(minutes=5)

Stack = tuple[str, str, str, str, str]
_Share = tuple[Dimension, str]


@dataclass(slots=True)
class _Group:
    """Sums of the clusters of one Foundation. `decisions` are by feature, then by cluster."""

    members: dict[str, Assessment | None] = field(default_factory=dict)
    nodes: int = 0
    uniform: int = 0
    drifting: int = 0
    unassessed: int = 0
    shares: Counter[_Share] = field(default_factory=Counter)
    stacks: Counter[Stack] = field(default_factory=Counter)
    decisions: dict[str, dict[str, FeatureDecision]] = field(default_factory=dict)

    def take(self, cluster: str, assessment: Assessment | None) -> None:
        self.members[cluster] = assessment
        self._count(assessment, 1)
        for decision in assessment.features if assessment else ():
            self.decisions.setdefault(decision.feature, {})[cluster] = decision

    def drop(self, cluster: str) -> None:
        assessment = self.members.pop(cluster)
        self._count(assessment, -1)
        for decision in assessment.features if assessment else ():
            of_feature = self.decisions[decision.feature]
            del of_feature[cluster]
            if not of_feature:
                del self.decisions[decision.feature]

    def _count(self, assessment: Assessment | None, sign: int) -> None:
        if assessment is None:
            self.unassessed += sign
            return
        found = assessment.uniformity
        self.nodes += sign * found.nodes
        self.uniform += sign * found.uniform
        self.drifting += sign * bool(assessment.drifting)
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
        self._group_of[cluster] = group
        self._groups.setdefault(group, _Group()).take(cluster, assessment)

    def remove(self, cluster: str) -> None:
        """Forget a cluster."""
        group = self._group_of.pop(cluster, None)
        if group is None:
            return
        self._groups[group].drop(cluster)
        if not self._groups[group].members:
            del self._groups[group]

    def members(self, group: str) -> int:
        """Return how many clusters are in a group."""
        return len(self._of(group).members)

    def unassessed(self, group: str) -> int:
        """Return how many clusters of a group have no assessment yet."""
        return self._of(group).unassessed

    def drifting(self, group: str) -> int:
        """Return how many clusters of a group differ from what they are held against, exceptions not counted."""
        return self._of(group).drifting

    def uniformity(self, group: str) -> Uniformity:
        """Return the shares over a group."""
        found = self._of(group)
        return uniformity_of(found.nodes, found.uniform, len(found.stacks), found.shares)

    def stacks(self, group: str) -> list[StackShare]:
        """Return the largest distinct stacks of a group."""
        return stack_shares(self._of(group).stacks)

    def features(self, group: str) -> list[FeatureDecision]:
        """Return each wanted feature's decision over a group: blocked where one cluster is, named cluster/node."""
        return [_over_all(found) for _, found in sorted(self._of(group).decisions.items())]

    def _of(self, group: str) -> _Group:
        return self._groups.get(group) or _Group()


def _over_all(found: dict[str, FeatureDecision]) -> FeatureDecision:
    blocked = {cluster: found[cluster] for cluster in sorted(found) if found[cluster].state == "Blocked"}
    unknown = sum(1 for one in found.values() if one.state == "Unknown")
    count = sum(one.blockers.count for one in blocked.values())
    first = found[min(found)]
    message = f"{len(found) - len(blocked) - unknown} of {counted(len(found), 'cluster')} can use it"
    if blocked:
        example = next(iter(blocked.values()))
        message += f"; {counted(count, 'node')} of {counted(len(blocked), 'cluster')} in the way: {example.message}"
    return FeatureDecision(
        feature=first.feature,
        state="Blocked" if blocked else "Unknown" if unknown else "Available",
        needs=first.needs,
        message=message,
        blockers=_blockers(blocked, count),
        source=first.source,
    )


def _blockers(blocked: dict[str, FeatureDecision], count: int) -> Nodes:
    names: list[str] = []
    for cluster, one in blocked.items():
        if len(names) >= NAMES_SHOWN:
            break
        names += [f"{cluster}/{node}" for node in one.blockers.names]
    return named(names, count=count)


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
    # A burst is one point, at the time that it began at; but the first of all points stays what it was.
    recent = len(history) > 1 and _age(history[-1].time, time) < ONE_POINT
    began = min(history[-1].time, time) if recent else time
    kept = [*(history[:-1] if recent else history), msgspec.structs.replace(point, time=began)]
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
