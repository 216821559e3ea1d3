"""Durations as people write them in manifests, settings and flags: 90s, 5m, 1h30m."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")


def seconds(text: str) -> int | None:
    """Return a duration of h, m and s, in this order, in seconds; None when it is malformed."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest


def written(total: int) -> str:
    """Write whole seconds as `seconds` reads them."""
    minutes, rest = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if count]
    return "".join(parts) or "0s"
