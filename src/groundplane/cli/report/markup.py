"""HTML and SVG as values, pure.

Text is escaped unless it is Markup already, so nothing that a cluster says becomes a tag.

Control characters, and those that turn the direction of writing, are shown as U+FFFD: they could make a name look like
another.
"""

from __future__ import annotations

import html
import re

_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_VOID = ("meta", "br")


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """Return anything as markup: Markup as it is, all else escaped."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_HIDDEN.sub("\ufffd", str(value)), quote=True))


def joined(parts: object, between: str = "") -> Markup:
    """Return the parts one after another; None is left out."""
    items = parts if isinstance(parts, (list, tuple)) else [parts]
    return Markup(between.join(escaped(part) for part in items if part is not None))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element. A trailing _ of an attribute is dropped (class_), other _ are dashes; None leaves it out."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{joined(children)}</{name}>")


def table(caption: str, headings: list[str], rows: list[list[object]], *, numbers: tuple[int, ...] = ()) -> Markup:
    """Return a table: heads with their scope, the first cell of a row as its head, columns of numbers to the right."""
    head = tag("tr", *(tag("th", text, scope="col", class_=_side(i, numbers)) for i, text in enumerate(headings)))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row", class_=_side(0, numbers)),
            *(tag("td", cell, class_=_side(i, numbers)) for i, cell in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    return tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))


def _side(column: int, numbers: tuple[int, ...]) -> str | None:
    return "number" if column in numbers else None
