"""Time as a value that is handed in, so that tests decide what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment with its time zone, UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write a moment as Kubernetes does: whole seconds, "Z"."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def parse_rfc3339(text: str) -> datetime:
    """Read a moment as Kubernetes writes it, with or without fractions; raises ValueError, also without a zone."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"not a moment, for it has no time zone: {text!r}")
    return moment
