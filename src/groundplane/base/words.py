"""Words that people read: counts with their noun."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return "1 node", "2 nodes"; `plural` where an s does not make one."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
