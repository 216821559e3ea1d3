"""How old facts are, in words that seldom change: a status with a message of its own each time is a write each time."""

from __future__ import annotations

from datetime import datetime

from groundplane.base.clock import parse_rfc3339


def last_facts(observed_at: str, now: datetime) -> str:
    """Say how old the last good facts are; an empty time: there are none."""
    if not observed_at:
        return "no facts yet"
    hours = int((now - parse_rfc3339(observed_at)).total_seconds() // 3600)
    if hours < 1:
        return "last facts: less than 1 h ago"
    return f"last facts: {hours} h ago" if hours < 48 else f"last facts: {hours // 24} days ago"
