"""The report's tables, pure: equal findings and equal drift of many clusters are one row, gravest first."""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.assessment import (
    DIMENSIONS,
    SEVERITIES,
    Drift,
    FeatureDecision,
    Finding,
    Remedy,
    Severity,
    percent,
)
from groundplane.cli.fleet.matrix import age, count
from groundplane.cli.fleet.matrix import findings as counted
from groundplane.cli.fleet.rows import Row

from .markup import Markup, joined, table, tag

_NAMES_SHOWN = 6
_ROWS_SHOWN = 120


def findings(rows: list[Row]) -> Markup:
    """Return the findings of all clusters by severity."""
    groups: dict[tuple[Severity, str, str, str], list[tuple[Row, Finding]]] = {}
    for row in rows:
        for each in row.assessment.findings:
            groups.setdefault((each.severity, each.type, each.subject, each.message), []).append((row, each))
    order = sorted(groups.items(), key=lambda item: (SEVERITIES.index(item[0][0]), -len(item[1]), item[0][1:]))
    lines: list[list[object]] = [
        [
            _severity(severity),
            joined([tag("strong", kind), f" {message}"]),
            _names(row for row, _ in members),
            f"{sum(each.nodes.count for _, each in members):,}",
            _remedy(members[0][1].remedy),
        ]
        for (severity, kind, _, message), members in order[:_ROWS_SHOWN]
    ]
    if not lines:
        return tag("p", "There are no findings.")
    told = f"{count(len(order), 'different finding')}{_cut(len(order))}"
    return table(told, ["Severity", "Finding", "Clusters", "Nodes", "Remedy"], lines, numbers=(3,))


def drift(rows: list[Row]) -> Markup:
    """Return what differs, by dimension, found and wanted, with what it costs."""
    groups: dict[tuple[str, str, str, str], list[tuple[Row, Drift]]] = {}
    for row in rows:
        for each in row.assessment.drift:
            if each.state == "Drift":
                groups.setdefault((each.dimension, each.subject, each.found, each.wanted), []).append((row, each))
    names = [str(dimension) for dimension in DIMENSIONS]
    order = sorted(groups.items(), key=lambda item: (names.index(item[0][0]), -_nodes(item[1])))
    lines: list[list[object]] = [
        [
            f"{dimension} {subject}".strip(),
            found or "nothing",
            wanted or "nothing",
            _names(row for row, _ in members),
            f"{_nodes(members):,}",
            joined(
                [members[0][1].cost or None, tag("br") if members[0][1].cost else None, _remedy(members[0][1].remedy)]
            ),
        ]
        for (dimension, subject, found, wanted), members in order[:_ROWS_SHOWN]
    ]
    if not lines:
        return tag("p", "Nothing drifts.")
    told = f"{count(len(order), 'different drift')}{_cut(len(order))}"
    heads = ["Dimension", "Found", "Wanted", "Clusters", "Nodes", "Costs, remedy"]
    return table(told, heads, lines, numbers=(4,))


def _nodes(members: list[tuple[Row, Drift]]) -> int:
    return sum(each.nodes.count for _, each in members)


def features(rows: list[Row]) -> Markup:
    """Return which features can be had where, and what would unlock them."""
    groups: dict[str, list[tuple[Row, FeatureDecision]]] = {}
    for row in rows:
        for each in row.assessment.features:
            groups.setdefault(each.feature, []).append((row, each))
    lines: list[list[object]] = []
    for name, members in sorted(groups.items()):
        blocked = [(row, each) for row, each in members if each.state == "Blocked"]
        unlocks = sorted({each.unlocked_by for _, each in blocked if each.unlocked_by})
        lines.append(
            [
                name,
                next((each.needs for _, each in members if each.needs), "-"),
                f"{sum(each.state == 'Available' for _, each in members):,} of {len(members):,}",
                _names(row for row, _ in blocked),
                f"{sum(each.blockers.count for _, each in blocked):,}",
                f"kernel {', '.join(unlocks)}" if unlocks else "-",
            ]
        )
    if not lines:
        return tag("p", "No Foundation wants a network feature.")
    heads = ["Feature", "Needs", "Could be on in", "Blocked in", "Nodes that block", "Unlocked by"]
    return table("Decisions on wanted network features, from the nodes' kernels", heads, lines, numbers=(4,))


def exceptions(rows: list[Row]) -> Markup | None:
    """Return what clusters declare."""
    lines: list[list[object]] = [
        [
            row.name,
            each.dimension,
            each.found,
            each.wanted,
            each.reason or "no reason given",
            _until(row, each),
            f"{each.nodes.count:,}",
        ]
        for row in rows
        for each in row.assessment.drift
        if each.state == "Exception"
    ]
    if not lines:
        return None
    told = f"{count(len(lines), 'difference')} that the owners of clusters declared{_cut(len(lines))}"
    heads = ["Cluster", "Dimension", "Found", "Wanted", "Reason", "Until", "Nodes"]
    return table(told, heads, lines[:_ROWS_SHOWN], numbers=(6,))


def _until(row: Row, drift: Drift) -> str:
    declared = {each.dimension: each.until for each in row.cluster.spec.exceptions}
    return declared.get(drift.dimension) or "without end"


def unreachable(rows: list[Row]) -> Markup | None:
    """Return the clusters that do not answer, with the reason and what was known last."""
    lines: list[list[object]] = [
        [
            row.name,
            row.reason,
            row.message,
            "never" if row.facts_age is None else f"{age(row.facts_age)} ago",
            row.version,
        ]
        for row in rows
        if row.reachable is not True
    ]
    if not lines:
        return None
    told = f"{count(len(lines), 'cluster')}; what is shown of them elsewhere is what was known last{_cut(len(lines))}"
    return table(told, ["Cluster", "Reason", "Message", "Last facts", "Version"], lines[:_ROWS_SHOWN])


def clusters(rows: list[Row]) -> Markup:
    """Return the clusters that differ, least uniform first; the others are counted."""
    differing = [
        row for row in rows if row.dimensions("drift") or row.dimensions("exception") or any(row.counts.values())
    ]
    differing.sort(key=lambda row: (row.share, -row.nodes, row.name))
    if not differing:
        return tag("p", "Every cluster that was assessed stands on its Foundation.")
    lines: list[list[object]] = [
        [
            row.name,
            f"{row.platform} {row.version}".strip(),
            f"{row.nodes:,}",
            percent(row.uniform, row.assessed) or "-",
            "; ".join(
                f"{d} {row.cells[d].words}" for d in DIMENSIONS if row.cells[d].state in ("drift", "exception")
            ) or "-",
            counted(row),
        ]
        for row in differing[:_ROWS_SHOWN]
    ]  # fmt: skip
    told = f"{len(differing):,} of {len(rows):,} clusters differ{_cut(len(differing))}"
    heads = ["Cluster", "Platform", "Nodes", "Uniform", "Where", "Findings"]
    return table(told, heads, lines, numbers=(2, 3))


def _severity(severity: Severity) -> Markup:
    return tag("span", severity, class_=f"sev sev-{severity}")


def _remedy(remedy: Remedy) -> str:
    return remedy.text or (remedy.action if remedy.action != "None" else "-")


def _names(rows: Iterable[Row]) -> str:
    names = sorted({row.name for row in rows})
    more = len(names) - _NAMES_SHOWN
    shown = ", ".join(names[:_NAMES_SHOWN]) or "-"
    return f"{len(names):,}: {shown} and {more:,} more" if more > 0 else shown


def _cut(count: int) -> str:
    return f"; the first {_ROWS_SHOWN} are shown, groundplane fleet -o csv has all" if count > _ROWS_SHOWN else ""
