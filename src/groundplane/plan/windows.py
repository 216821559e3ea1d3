"""Maintenance windows: whether one is open at a moment, and when the next one opens. Pure; the moment is handed in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from groundplane.api.unify import Day, UnifyWindow
from groundplane.base import durations

_DAYS: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_open(windows: Sequence[UnifyWindow], now: datetime) -> bool:
    """Tell whether something may begin now; without windows it always may."""
    return not windows or any(
        opening <= now < opening + timedelta(seconds=durations.seconds(window.duration) or 0)
        for window in windows
        for opening in _openings(window, now - timedelta(days=2), 4)
    )


def next_opening(windows: Sequence[UnifyWindow], now: datetime) -> datetime | None:
    """Return when a window opens next, in UTC; None when there are none."""
    coming = [opening for window in windows for opening in _openings(window, now, 9) if opening > now]
    return min(coming, default=None)


def _openings(window: UnifyWindow, since: datetime, days: int) -> Iterator[datetime]:
    """Yield the openings of so many days. The clock of the wall counts: an opening stays at its hour over the year."""
    zone = ZoneInfo(window.time_zone)
    start = time.fromisoformat(window.start)
    first: date = since.astimezone(zone).date()
    for day in (first + timedelta(days=number) for number in range(days)):
        if not window.days or _DAYS[day.weekday()] in window.days:
            yield datetime.combine(day, start, tzinfo=zone).astimezone(UTC)
