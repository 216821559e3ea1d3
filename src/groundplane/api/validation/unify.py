"""Admission of a Foundation's wish to unify its clusters: sizes, windows and the name of the run make sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from groundplane.base import durations

from ..cause import Cause, invalid, required
from ..unify import Unify, UnifyWindow
from . import values

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_SHARE = re.compile(r"([1-9][0-9]?|100)%")
_DAY = 24 * 3600


def unify_causes(path: str, wish: Unify) -> Iterator[Cause]:
    """Judge the wish; without a run and a state it is the ground for one to come."""
    if wish.state and not wish.run:
        yield required(f"{path}.run", "a run has a name of its own, such as 2026-11-28")
    if wish.run and (cause := values.label_value(f"{path}.run", wish.run)):
        yield cause
    if not wish.waves:
        yield required(f"{path}.waves", 'give at least one size, such as 1 or "100%"')
    yield from size_causes(f"{path}.waves", wish.waves)
    for index, window in enumerate(wish.windows):
        yield from _window_causes(f"{path}.windows[{index}]", window)


def size_causes(path: str, sizes: Iterable[int | str]) -> Iterator[Cause]:
    """Judge the sizes of waves."""
    for index, size in enumerate(sizes):
        well = size >= 1 if isinstance(size, int) else _SHARE.fullmatch(size) is not None
        if not well:
            yield invalid(f"{path}[{index}]", str(size), 'must be a count from 1, or a share such as "10%"')


def _window_causes(path: str, window: UnifyWindow) -> Iterator[Cause]:
    if not _TIME.fullmatch(window.start):
        yield invalid(f"{path}.start", window.start, 'must be a time of day, such as "22:00"')
    length = durations.seconds(window.duration)
    if length is None or not 0 < length <= _DAY:
        yield invalid(f"{path}.duration", window.duration, 'must be a duration up to 24h, such as "4h" or "1h30m"')
    try:
        ZoneInfo(window.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield invalid(f"{path}.timeZone", window.time_zone, "must be a time zone, such as UTC or Europe/Berlin")
