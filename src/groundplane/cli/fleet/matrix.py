"""The matrix as lines of text, pure: at most 120 columns in the narrow form, words in every cell, colour on top.

Narrow cells: ok, 3/10 (nodes that drift), exc (a declared exception), ? (not known), - (nothing asked).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from groundplane.api.assessment import DIMENSIONS, SEVERITIES, Dimension, percent

from .choose import Chosen, readable
from .rows import Cell, Row, State, Totals, attention

WIDTH = 120
# What a narrow column may shrink to when the line is too long, in this order: version, name.
_LEAST = {"K8S": 13, "NAME": 20}
_NARROW_HEADINGS: dict[Dimension, str] = {
    "OperatingSystem": "OS",
    "Kernel": "KERNEL",
    "Settings": "SET",
    "Distribution": "DIST",
    "Version": "VER",
    "Runtime": "RUN",
    "Network": "NET",
}
_SHORT: dict[State, str] = {"ok": "ok", "drift": "drift", "exception": "exc", "unknown": "?", "unasked": "-"}
_COLOURS: dict[State, str] = {"ok": "green", "drift": "red", "exception": "yellow", "unknown": "magenta", "unasked": ""}
LEGEND = (
    "cells: ok | 3/10 = nodes that drift | exc = declared exception | ? = not known | - = the Foundation asks nothing"
)

Paint = Callable[[str, str], str]


def plain(text: str, colour: str) -> str:
    """Paint nothing."""
    return text


def age(seconds: float | None) -> str:
    """Return an age in its two largest units at most: 40s, 5m, 3h, 2d; "never" when nothing was observed."""
    if seconds is None:
        return "never"
    for size, unit, least in ((86400, "d", 2 * 86400), (3600, "h", 2 * 3600), (60, "m", 120)):
        if seconds >= least:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def narrow(cell: Cell) -> str:
    """Return the cell as short as can be read."""
    return f"{cell.count}/{cell.nodes}" if cell.state == "drift" and cell.nodes else _SHORT[cell.state]


def full(cell: Cell) -> str:
    """Return the cell with what was found."""
    return f"{cell.words} ({cell.found})" if cell.found else cell.words


def version(row: Row) -> str:
    """Return the version, marked when it cannot be read."""
    return row.version if readable(row.version) else f"{row.version or 'unknown'} (?)" if row.version else "unknown"


def findings(row: Row) -> str:
    """Return the findings by severity: 1H 2M 3L."""
    return " ".join(f"{row.counts[each]}{each[0]}" for each in SEVERITIES if row.counts[each]) or "none"


def lines(rows: list[Row], *, wide: bool, everywhere: bool, paint: Paint = plain) -> list[str]:
    """Return heading and rows."""
    headings = [*(["NAMESPACE"] if everywhere else []), "NAME", "PLATFORM", "K8S", "NODES"]
    first = len(headings)
    gaps = [
        1 if not wide and first <= i < first + len(DIMENSIONS) - 1 else 2 for i in range(first + len(DIMENSIONS) + 3)
    ]
    headings += [dimension.upper() if wide else _NARROW_HEADINGS[dimension] for dimension in DIMENSIONS]
    headings += ["UNIFORM", "FINDINGS", "FACTS"]
    table = [_texts(row, wide=wide, everywhere=everywhere) for row in rows]
    widths = [max(len(cells[i]) for cells in (headings, *table)) for i in range(len(headings))]
    if not wide:
        widths = _fitted(headings, widths, WIDTH - sum(gaps[:-1]))
    form = _Form(widths, gaps, 0 if wide else WIDTH)
    result = [form.line(headings)]
    for row, cells in zip(rows, table, strict=True):
        colours = _colours(row, first, len(cells))
        short = [*map(shortened, cells[:-1], widths), cells[-1]]
        short[first - 2] = _cut(cells[first - 2], widths[first - 2])
        result.append(form.line(short, colours=colours, paint=paint))
    return result


def _fitted(headings: Sequence[str], widths: list[int], room: int) -> list[int]:
    """Shrink the columns that may be cut until the line fits."""
    fitted = list(widths)
    for heading, least in _LEAST.items():
        i = headings.index(heading)
        excess = sum(fitted) - room
        fitted[i] = min(fitted[i], max(least, fitted[i] - max(0, excess)))
    return fitted


def _texts(row: Row, *, wide: bool, everywhere: bool) -> list[str]:
    share = percent(row.uniform, row.assessed) or "-"
    facts = f"{age(row.facts_age)} {row.reason}".strip()
    return [
        *([row.namespace] if everywhere else []),
        row.name,
        row.platform,
        version(row),
        f"{row.ready}/{row.nodes}" if row.ready != row.nodes else str(row.nodes),
        *((full if wide else narrow)(row.cells[dimension]) for dimension in DIMENSIONS),
        share,
        findings(row),
        f"{facts}: {row.message}" if wide and row.message else facts,
    ]


def shortened(text: str, width: int) -> str:
    """Return the text in at most so many columns, the middle left out: both ends of a name tell most."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _colours(row: Row, first: int, count: int) -> list[str]:
    colours = [""] * count
    for i, dimension in enumerate(DIMENSIONS):
        colours[first + i] = _COLOURS[row.cells[dimension].state]
    colours[-2] = "red" if row.counts["High"] else "yellow" if row.counts["Medium"] else ""
    colours[-1] = "red" if row.reachable is False else "yellow" if row.reason else ""
    return colours


@dataclass(frozen=True, slots=True)
class _Form:
    """How cells become a line: widths, what stands between, and the most columns of a line (0: without end)."""

    widths: Sequence[int]
    gaps: Sequence[int]
    limit: int

    def line(self, cells: Sequence[str], *, colours: Sequence[str] = (), paint: Paint = plain) -> str:
        """Return one line. The last cell is not padded, and is cut where the line has to end."""
        text, used = "", 0
        for i, cell in enumerate(cells):
            last = i == len(cells) - 1
            shown = _cut(cell, self.limit - used) if last and self.limit else cell
            width = self.widths[i] + self.gaps[i]
            text += paint(shown, colours[i] if colours else "") + ("" if last else " " * (width - len(shown)))
            used += width
        return text.rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def footer(chosen: Chosen, totals: Totals, *, home: str) -> list[str]:
    """Return what it adds up to, what needs a person first, and the command to type next.

    `home` is the namespace that a command without -n means.
    """
    share = percent(totals.uniform, totals.assessed) or "nothing assessed"
    result = [
        "",
        f"{count(totals.clusters, 'cluster')}, {count(totals.nodes, 'node')}, uniform {share},"
        f" {count(len(totals.stacks), 'distinct stack')}, {totals.unreachable} unreachable,"
        f" {totals.unseen} not surveyed yet",
    ]
    if totals.drift:
        result.append("drift: " + ", ".join(f"{dimension} in {n}" for dimension, n in totals.drift.items()))
    if any(totals.findings.values()):
        found = ", ".join(f"{count} {severity.lower()}" for severity, count in totals.findings.items() if count)
        result.append(f"findings: {found}")
    if chosen.unreadable:
        names = ", ".join(row.name for row in chosen.unreadable[:5])
        result.append(f"shown whatever the filter says, for the version cannot be compared: {names}")
    first = attention(chosen.rows, 3)
    if not first:
        result.append("nothing here needs a person")
    else:
        result += ["", "look first at:"]
        result += [_cut(f"  {why(row)}", WIDTH) for row in first]
        flag = f" -n {first[0].namespace}" if home != first[0].namespace else ""
        result.append(f"next: groundplane{flag} explain cluster/{first[0].name}   (reads only; changes nothing)")
    return result


def why(row: Row) -> str:
    """Return in one line why a cluster needs a person."""
    parts = []
    high = [finding.type for finding in row.assessment.findings if finding.severity == "High"]
    if high:
        parts.append(f"{count(len(high), 'high finding')} ({', '.join(dict.fromkeys(high))})")
    if row.reachable is False:
        parts.append(f"unreachable ({row.reason}; last facts {_ago(row.facts_age)})")
    drift = row.dimensions("drift")
    if drift:
        parts.append(f"drift in {', '.join(drift) if len(drift) <= 3 else f'{len(drift)} dimensions'}")
    return f"{row.name}: {'; '.join(parts) or findings(row)}"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{age(seconds)} ago"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular for one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
