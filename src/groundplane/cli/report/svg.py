"""The report's pictures, pure: a curve over time, bars, states by dimension, and the heat map.

Each is an SVG with a title and a description that says in words what it shows; every mark has its number or word beside
it, so that colour is never the only sign. Colours are classes of the style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Markup, tag

WIDTH = 1024
_LETTER = 6.6


@dataclass(frozen=True, slots=True)
class Mark:
    """One cell: the class of its colour and the word in it."""

    colour: str
    text: str
    weight: float = 1.0


def svg(name: str, title: str, description: str, height: float, *content: object) -> Markup:
    """Return a picture with what a screen reader says of it."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-t"),
        tag("desc", description, id=f"{name}-d"),
        *content,
        role="img",
        viewBox=f"0 0 {WIDTH} {_n(height)}",
        aria_labelledby=f"{name}-t {name}-d",
    )


def curve(name: str, title: str, points: Sequence[tuple[float, float]], days: Sequence[str]) -> Markup:
    """Return shares over time. `points` are (moment, percent), oldest first; `days` are the words for their moments."""
    left, right, top, bottom = 44.0, WIDTH - 64.0, 14.0, 190.0
    first, last = points[0][0], points[-1][0]
    span = (last - first) or 1.0

    def place(moment: float, share: float) -> tuple[float, float]:
        return left + (right - left) * (moment - first) / span, bottom - (bottom - top) * share / 100

    spots = [place(*point) for point in points]
    path = " ".join(f"{_n(x)},{_n(y)}" for x, y in spots)
    marks: list[object] = []
    for share in (0, 25, 50, 75, 100):
        y = place(first, share)[1]
        marks.append(tag("line", x1=_n(left), x2=_n(right), y1=_n(y), y2=_n(y), class_="grid"))
        marks.append(tag("text", f"{share}%", x=_n(left - 8), y=_n(y + 4), text_anchor="end", class_="soft number"))
    marks.append(
        tag("polygon", points=f"{_n(left)},{_n(bottom)} {path} {_n(spots[-1][0])},{_n(bottom)}", class_="area")
    )
    marks.append(tag("polyline", points=path, class_="curve"))
    x, y = spots[-1]
    marks.append(tag("circle", cx=_n(x), cy=_n(y), r=4, class_="dot"))
    marks.append(tag("text", f"{points[-1][1]:.1f}%", x=_n(x + 9), y=_n(y + 4), class_="strong number"))
    for i in sorted({0, len(points) // 2, len(points) - 1}):
        anchor = "start" if i == 0 else "end" if i == len(points) - 1 else "middle"
        marks.append(tag("text", days[i], x=_n(spots[i][0]), y=_n(bottom + 20), text_anchor=anchor, class_="soft"))
    low = min(share for _, share in points)
    said = f"From {points[0][1]:.1f}% on {days[0]} to {points[-1][1]:.1f}% on {days[-1]}; lowest {low:.1f}%."
    return svg(name, title, said, bottom + 30, *marks)


def bars(name: str, title: str, rows: Sequence[tuple[str, int]], *, whole: int) -> Markup:
    """Return a bar for each row, with its label above, and its number and share of the whole beside it."""
    most = max((count for _, count in rows), default=1) or 1
    room, step = WIDTH - 130, 38
    marks: list[object] = []
    for i, (label, count) in enumerate(rows):
        y, width = i * step, max(2.0, room * count / most)
        marks.append(tag("text", _cut(label, WIDTH - 10), x=0, y=y + 13))
        marks.append(tag("rect", x=0, y=y + 18, width=room, height=11, rx=2, class_="track"))
        marks.append(tag("rect", x=0, y=y + 18, width=_n(width), height=11, rx=2, class_="bar"))
        told = f"{count:,} ({100 * count / (whole or 1):.1f}%)"
        marks.append(tag("text", told, x=WIDTH, y=y + 28, text_anchor="end", class_="number"))
    said = "; ".join(f"{label}: {count}" for label, count in rows[:5])
    return svg(name, title, said, max(1, len(rows)) * step, *marks)


def parts(name: str, title: str, rows: Sequence[tuple[str, Sequence[Mark]]]) -> Markup:
    """Return for each row a bar of parts, each as wide as its weight, with its word in it where there is room."""
    left, step, tall = 150.0, 32, 24
    marks: list[object] = []
    for i, (label, row) in enumerate(rows):
        marks.append(tag("text", label, x=left - 10, y=i * step + 17, text_anchor="end"))
        whole, x = sum(part.weight for part in row) or 1, left
        for part in row:
            width = (WIDTH - left) * part.weight / whole
            box = tag(
                "rect", x=_n(x), y=i * step, width=_n(max(0.0, width - 1)), height=tall, class_=f"c-{part.colour}"
            )
            marks.append(tag("g", tag("title", f"{label}: {part.text}"), box))
            if len(part.text) * _LETTER + 10 < width:
                marks.append(tag("text", part.text, x=_n(x + 6), y=i * step + 17, class_=f"t-{part.colour} number"))
            x += width
    said = "; ".join(f"{label}: {', '.join(part.text for part in row)}" for label, row in rows)
    return svg(name, title, said, len(rows) * step, *marks)


def heat(name: str, title: str, heads: Sequence[str], rows: Sequence[tuple[str, str, Sequence[Mark]]]) -> Markup:
    """Return the map: a row has a name, a remark, and a mark for each head."""
    left, top, step = 356.0, 26, 24
    wide = (WIDTH - left) / len(heads)
    marks: list[object] = [
        tag("text", head, x=_n(left + wide * (i + 0.5)), y=15, text_anchor="middle", class_="soft strong")
        for i, head in enumerate(heads)
    ]
    for i, (label, remark, row) in enumerate(rows):
        y = top + i * step
        marks.append(tag("text", _cut(label, 205), x=0, y=y + 15, class_="strong"))
        marks.append(tag("text", _cut(remark, 145), x=left - 10, y=y + 15, text_anchor="end", class_="soft number"))
        for j, mark in enumerate(row):
            x = left + wide * j
            box = tag("rect", x=_n(x), y=y, width=_n(wide - 2), height=step - 2, rx=2, class_=f"c-{mark.colour}")
            word = tag(
                "text",
                mark.text,
                x=_n(x + wide / 2 - 1),
                y=y + 15,
                text_anchor="middle",
                class_=f"t-{mark.colour} number",
            )
            marks.append(tag("g", tag("title", f"{label}, {heads[j]}: {mark.text}"), box, word))
    return svg(name, title, f"{len(rows)} rows by {len(heads)} dimensions; the tables below say the same.",
               top + len(rows) * step, *marks)  # fmt: skip


def _cut(text: str, width: float) -> str:
    letters = int(width / _LETTER)
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
