"""Lists of JSON values as sets: compared by their JSON, for comparing each with each takes minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

# The text of a value, by which equal ones are found.
identity = msgspec.json.encode


def union(items: Iterable[Any], more: Iterable[Any]) -> list[Any]:
    """Return `items`, and behind them those of `more` that are not among them."""
    there = [*items]
    known = {identity(value) for value in there}
    return [*there, *(value for value in more if identity(value) not in known)]


def places(values: Iterable[Any]) -> dict[bytes, int]:
    """Return where each value stands first."""
    found: dict[bytes, int] = {}
    for place, value in enumerate(values):
        found.setdefault(identity(value), place)
    return found
