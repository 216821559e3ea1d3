"""Words that people read: counts with their noun."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return "1 node", "2 nodes"; `plural` where an s does not make one."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names for a sentence: all of a few, the first of many."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
