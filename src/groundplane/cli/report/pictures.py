"""From rows and Foundations to the report's pictures, pure. Many clusters are shown in groups, not one by one."""

from __future__ import annotations

from collections import Counter

from groundplane.api.assessment import DIMENSIONS, Dimension, StackShare, UniformityPoint
from groundplane.base.clock import parse_rfc3339
from groundplane.base.versions import core_of
from groundplane.cli.fleet.matrix import count, narrow
from groundplane.cli.fleet.rows import Cell, Row, State, Totals
from groundplane.cli.fleet.wire import FleetFoundation

from . import svg
from .markup import Markup, joined, tag
from .svg import Mark

ROWS_SHOWN = 45
_STACKS_SHOWN = 12
_STATES: tuple[State, ...] = ("ok", "drift", "exception", "unknown", "unasked")
_HEADS: dict[Dimension, str] = {dimension: dimension for dimension in DIMENSIONS} | {"OperatingSystem": "OS"}


def uniformity(foundations: list[FleetFoundation]) -> Markup:
    """Return a curve for each Foundation that has a history of two points or more."""
    found = []
    for number, foundation in enumerate(foundations):
        points = [each for each in foundation.status.history if each.nodes and _moment(each) is not None]
        if len(points) < 2:
            continue
        name = foundation.metadata.name
        shares = [(_moment(each) or 0.0, 100 * each.uniform / each.nodes) for each in points]
        picture = svg.curve(
            f"time{number}", f"Uniform nodes of Foundation {name}", shares, [p.time[:10] for p in points]
        )
        last = points[-1]
        words = f"Foundation {name}: {last.uniform:,} of {last.nodes:,} nodes uniform, {last.stacks} stacks"
        found.append(tag("figure", picture, tag("figcaption", f"{words}; share of all its nodes over time.")))
    return joined(found) if found else tag("p", "There is no history yet: it grows with every survey.", class_="soft")


def _moment(point: UniformityPoint) -> float | None:
    try:
        return parse_rfc3339(point.time).timestamp()
    except ValueError:
        return None


def stack_name(stack: StackShare) -> str:
    """Return a stack in one line."""
    release = f"{stack.distribution} {stack.version}".strip()
    return (
        "  ·  ".join(part for part in (stack.operating_system, stack.kernel, release, stack.runtime) if part)
        or "unknown"
    )


def stacks(totals: Totals) -> Markup:
    """Return the largest stacks as bars; of the rest it says how many there are."""
    if not totals.stacks:
        return tag("p", "Nothing was assessed yet.", class_="soft")
    shown, rest = totals.stacks[:_STACKS_SHOWN], totals.stacks[_STACKS_SHOWN:]
    whole, left = sum(stack.nodes for stack in totals.stacks), sum(stack.nodes for stack in rest)
    picture = svg.bars("stacks", "Nodes by stack", [(stack_name(each), each.nodes) for each in shown], whole=whole)
    told = f"{count(len(totals.stacks), 'distinct stack')}: nodes, and share of all nodes."
    if rest:
        told += f" Shown are the {len(shown)} largest; {count(len(rest), 'other')} hold {count(left, 'node')}."
    return tag("figure", picture, tag("figcaption", told))


def states(rows: list[Row]) -> Markup:
    """Return for each dimension how many clusters are in each state."""
    shown = []
    for dimension in DIMENSIONS:
        counts = Counter(row.cells[dimension].state for row in rows)
        marks = [Mark(state, f"{counts[state]:,} {state}", counts[state]) for state in _STATES if counts[state]]
        shown.append((dimension, marks))
    picture = svg.parts("states", "Clusters by state in each dimension", shown)
    return tag(
        "figure", picture, tag("figcaption", "Clusters by what is the gravest there is to say of each dimension.")
    )


def heat(rows: list[Row]) -> Markup:
    """Return the map of clusters by dimension; of many clusters, of groups of one platform and minor version."""
    heads = list(_HEADS.values())
    if len(rows) <= ROWS_SHOWN:
        lines = [(row.name, f"{row.nodes} nodes", [_mark(row.cells[d]) for d in DIMENSIONS]) for row in rows]
        words = "ok; 3/10: nodes that drift; exc: declared exception; ?: not known; -: nothing asked."
        return _map("Clusters by dimension", heads, lines, words)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        core = core_of(row.version)
        release = f"{core[0]}.{core[1]}" if core else row.version or "version unknown"
        groups.setdefault(f"{row.platform} {release}", []).append(row)
    order = sorted(groups.items(), key=lambda item: -sum(row.nodes for row in item[1]))
    if len(order) > ROWS_SHOWN:
        rest = [row for _, members in order[ROWS_SHOWN - 1 :] for row in members]
        order = [*order[: ROWS_SHOWN - 1], (count(len(order) - ROWS_SHOWN + 1, "other"), rest)]
    lines = [(name, _size(members), [_share(members, d) for d in DIMENSIONS]) for name, members in order]
    words = "Clusters of one platform and minor version together: share of nodes on the Foundation; ?: not known."
    return _map("Groups of clusters by dimension", heads, lines, words)


def _map(title: str, heads: list[str], lines: list[tuple[str, str, list[Mark]]], words: str) -> Markup:
    return tag("figure", svg.heat("heat", title, heads, lines), tag("figcaption", words), class_="wide")


def _size(rows: list[Row]) -> str:
    return f"{len(rows):,} cl., {sum(row.nodes for row in rows):,} nodes"


def _mark(cell: Cell) -> Mark:
    deep = cell.state == "drift" and 2 * cell.count >= cell.nodes
    return Mark("deep" if deep else cell.state, narrow(cell))


def _share(rows: list[Row], dimension: Dimension) -> Mark:
    shares = [share for row in rows for share in row.assessment.uniformity.dimensions if share.dimension == dimension]
    nodes, uniform = sum(share.nodes for share in shares), sum(share.uniform for share in shares)
    if nodes == sum(share.unknown for share in shares):
        return Mark("unknown", "?")
    percent = 100 * uniform // nodes
    return Mark(
        "ok" if uniform == nodes else "exception" if percent >= 75 else "drift" if percent >= 40 else "deep",
        f"{percent}%",
    )
