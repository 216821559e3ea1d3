"""A figure of a benchmark: ours, the peer's, their ratio, and whether the goal was met."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal` bounds the ratio where there is a peer, else our own value; None is a figure without a goal.

    The bound is an upper one, or a lower one where more is better (a rate)."""

    name: str
    unit: str
    ours: float
    peer: float | None = None
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's: below 1 is faster where the unit is seconds."""
        return self.ours / self.peer if self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the goal was met; None when there is none."""
        if self.goal is None:
            return None
        value = self.ratio if self.ratio is not None else self.ours
        return value >= self.goal if self.more_is_better else value <= self.goal


def compared(name: str, ours: Sequence[float], peer: Sequence[float], goal: float) -> Figure:
    """Return the figure of the medians of both."""
    return Figure(name, "s", median(ours), median(peer), goal)


def save(name: str, figures: Sequence[Figure]) -> Path:
    """Write the figures as bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    rows = [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures]
    path.write_text(json.dumps(rows, indent=2) + "\n")
    return path


def table(name: str, figures: Sequence[Figure]) -> str:
    """Return the figures as a table for people."""
    rows = [("figure", "unit", "ours", "peer", "ratio", "goal", "met")]
    for each in figures:
        rows.append(
            (
                each.name,
                each.unit,
                f"{each.ours:.2f}",
                "" if each.peer is None else f"{each.peer:.2f}",
                "" if each.ratio is None else f"{each.ratio:.2f}",
                "" if each.goal is None else f"{'≥' if each.more_is_better else '≤'} {each.goal:g}",
                {True: "yes", False: "NO", None: ""}[each.met],
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"== {name}", *lines])
