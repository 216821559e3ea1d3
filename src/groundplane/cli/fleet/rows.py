"""From Clusters as read to rows of the matrix, pure: what each cell says, how fresh it is, what it adds up to.

Every Cluster is a row: one that was never reached with the reason, one that cannot be reached now also with what was
last known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from groundplane.api.assessment import (
    DIMENSIONS,
    SEVERITIES,
    Assessment,
    Dimension,
    DimensionShare,
    Drift,
    Severity,
    StackShare,
)
from groundplane.api.meta import Condition, find_condition
from groundplane.base.clock import parse_rfc3339

from .wire import FleetCluster

State = Literal["ok", "drift", "exception", "unknown", "unasked"]
STALE_SECONDS = 24 * 3600
# Conditions that say whether what is shown is fresh, the most telling first.
_FRESHNESS = ("Reachable", "Imported", "MachinesReachable", "Ready")

_SILENT = ("Ready", "Unreachable")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cluster in one dimension: `count` of `nodes` are in `state`; "unasked": the Foundation asks nothing."""

    state: State
    count: int = 0
    nodes: int = 0
    found: str = ""

    @property
    def words(self) -> str:
        """The cell in words: "3/10 drift", "exception", "ok"."""
        share = f"{self.count}/{self.nodes} " if self.state == "drift" and self.nodes else ""
        return f"{share}{self.state}"


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster. `facts_age` is in seconds, None: never observed; `reason` is empty when all is fresh and well.

    `reachable` is None when nobody has tried yet.
    """

    cluster: FleetCluster
    platform: str
    version: str
    nodes: int
    ready: int
    cells: dict[Dimension, Cell]
    counts: dict[Severity, int]
    reachable: bool | None
    reason: str = ""
    message: str = ""
    facts_age: float | None = None

    @property
    def name(self) -> str:
        return self.cluster.metadata.name

    @property
    def namespace(self) -> str:
        return self.cluster.metadata.namespace

    @property
    def foundation(self) -> str:
        """The Foundation that the cluster refers to, else the one that it was held against."""
        reference = self.cluster.spec.foundation_ref
        return reference.name if reference else self.assessment.foundation

    @property
    def assessment(self) -> Assessment:
        return self.cluster.status.assessment or _NONE

    @property
    def uniform(self) -> int:
        return self.assessment.uniformity.uniform

    @property
    def assessed(self) -> int:
        """The nodes that were held against a Foundation: none where no dimension is asked for."""
        asked = any(cell.state != "unasked" for cell in self.cells.values())
        return self.assessment.uniformity.nodes if asked else 0

    @property
    def share(self) -> float:
        """Uniform nodes as a part of 1; -1 when nothing was assessed, so that it sorts first."""
        return self.uniform / self.assessed if self.assessed else -1.0

    def dimensions(self, state: State) -> list[Dimension]:
        """Return the dimensions whose cell is in this state."""
        return [dimension for dimension, cell in self.cells.items() if cell.state == state]


_NONE = Assessment()


@dataclass(frozen=True, slots=True)
class Totals:
    """What the rows add up to."""

    clusters: int = 0
    nodes: int = 0
    assessed: int = 0
    uniform: int = 0
    stacks: list[StackShare] = field(default_factory=list)
    unreachable: int = 0
    unseen: int = 0
    drift: dict[Dimension, int] = field(default_factory=dict)
    findings: dict[Severity, int] = field(default_factory=dict)


def row(cluster: FleetCluster, now: datetime) -> Row:
    """Return the row of one cluster."""
    status = cluster.status
    facts, assessment = status.facts, status.assessment or _NONE
    stacks = facts.stacks if facts else []
    trouble = _trouble(status.conditions)
    age = _age(facts.observed_at, now) if facts else None
    reason, message = (_reason(trouble), trouble.message) if trouble else ("", "")
    if not reason and age is None:
        reason = "NotSurveyed"
    elif not reason and age is not None and age > STALE_SECONDS:
        reason = "Stale"
    return Row(
        cluster=cluster,
        platform=_platform(cluster),
        version=status.version or (facts.version if facts else ""),
        nodes=assessment.uniformity.nodes or sum(s.count for s in stacks) or status.machines,
        ready=sum(s.ready for s in stacks) or status.ready_nodes,
        cells=cells(status.assessment),
        counts={severity: sum(f.severity == severity for f in assessment.findings) for severity in SEVERITIES},
        reachable=_reachable(trouble, known=facts is not None),
        reason=reason,
        message=message,
        facts_age=age,
    )


def cells(assessment: Assessment | None) -> dict[Dimension, Cell]:
    """Return the cell of every dimension; of what was never assessed nothing is known."""
    if assessment is None:
        return {dimension: Cell("unknown") for dimension in DIMENSIONS}
    shares = {share.dimension: share for share in assessment.uniformity.dimensions}
    drift: dict[Dimension, list[Drift]] = {}
    for each in assessment.drift:
        drift.setdefault(each.dimension, []).append(each)
    return {dimension: _cell(shares.get(dimension), drift.get(dimension, [])) for dimension in DIMENSIONS}


def _cell(share: DimensionShare | None, drift: list[Drift]) -> Cell:
    """Drift counts before exceptions, and both before what is not known: the gravest is what one has to see."""
    nodes = share.nodes if share else 0
    for state, wanted in (("drift", "Drift"), ("exception", "Exception")):
        these = [each for each in drift if each.state == wanted]
        if these:
            count = _differing(share, state) or max(each.nodes.count for each in these)
            found = "; ".join(dict.fromkeys(_found(each) for each in these))
            return Cell("drift" if state == "drift" else "exception", count, nodes, found)
    if share is None:
        return Cell("unasked")
    if share.exceptions:
        return Cell("exception", share.exceptions, nodes)
    if share.unknown:
        return Cell("unknown", share.unknown, nodes)
    differing = _differing(share, "drift")
    return Cell("drift", differing, nodes) if differing > 0 else Cell("ok", share.uniform, nodes)


def _differing(share: DimensionShare | None, state: str) -> int:
    if share is None:
        return 0
    return share.exceptions if state == "exception" else share.nodes - share.uniform - share.exceptions - share.unknown


def _found(drift: Drift) -> str:
    return f"{drift.subject} {drift.found}".strip() or "nothing"


def _platform(cluster: FleetCluster) -> str:
    facts = cluster.status.facts
    known = facts.platform.name if facts else "unknown"
    return known if known != "unknown" else cluster.status.distribution or known


def _trouble(conditions: list[Condition]) -> Condition | None:
    """Return the first condition that is not True; that of Ready counts only once it is judged False."""
    for kind in _FRESHNESS:
        found = find_condition(conditions, kind)
        if found is not None and (found.status == "False" or (found.status == "Unknown" and kind != "Ready")):
            return found
    return None


def _reachable(trouble: Condition | None, *, known: bool) -> bool | None:
    """Tell whether its API answers. Where another Cluster is it, or another cluster answers, nobody knows."""
    if trouble is not None and (trouble.type == "Reachable" or (trouble.type, trouble.reason) == _SILENT):
        return False
    return None if trouble is not None and trouble.type == "Imported" else True if known else None


def _reason(trouble: Condition) -> str:
    return "MachinesUnreachable" if trouble.type == "MachinesReachable" else trouble.reason


def _age(moment: str, now: datetime) -> float | None:
    try:
        return max(0.0, (now - parse_rfc3339(moment)).total_seconds())
    except ValueError:
        return None


def total(rows: list[Row]) -> Totals:
    """Add up the rows."""
    stacks: dict[tuple[str, ...], StackShare] = {}
    drift: dict[Dimension, int] = {}
    for each in rows:
        for stack in each.assessment.stacks:
            key = (stack.operating_system, stack.kernel, stack.distribution, stack.version, stack.runtime)
            before = stacks[key].nodes if key in stacks else 0
            stacks[key] = StackShare(
                operating_system=key[0], kernel=key[1], distribution=key[2], version=key[3], runtime=key[4],
                nodes=before + stack.nodes,
            )  # fmt: skip
        for dimension in each.dimensions("drift"):
            drift[dimension] = drift.get(dimension, 0) + 1
    return Totals(
        clusters=len(rows),
        nodes=sum(each.nodes for each in rows),
        assessed=sum(each.assessed for each in rows),
        uniform=sum(each.uniform for each in rows),
        stacks=sorted(stacks.values(), key=lambda stack: -stack.nodes),
        unreachable=sum(each.reachable is False for each in rows),
        unseen=sum(each.reachable is None for each in rows),
        drift={dimension: drift[dimension] for dimension in DIMENSIONS if dimension in drift},
        findings={severity: sum(each.counts[severity] for each in rows) for severity in SEVERITIES},
    )


def attention(rows: list[Row], count: int) -> list[Row]:
    """Return the clusters that need a person first: high findings, then unreachable, then the most nodes that drift.

    Where some cannot be reached, one of them is always among these.
    """

    def weight(each: Row) -> tuple[int, int, int, int]:
        worst = max((cell.count for cell in each.cells.values() if cell.state == "drift"), default=0)
        return each.counts["High"], int(each.reachable is False), each.counts["Medium"], worst

    urgent = [each for each in rows if any(weight(each))]
    ordered = sorted(urgent, key=weight, reverse=True)
    silent = next((each for each in ordered if each.reachable is False), None)
    first = ordered[:count]
    return first if silent is None or silent in first else [*first[: count - 1], silent]
