"""Looks at a machine: one script in one exec, one pure parser, and the clock compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from groundplane.api.facts import MachineFacts
from groundplane.base.clock import Now, rfc3339

from ..contract import ReadHost
from ..errors import SurveyIncomplete
from .changes import machine_changes
from .parse import parse
from .sections import split

__all__ = ["machine_changes", "parse", "survey"]


async def survey(host: ReadHost, now: Now) -> MachineFacts:
    """Return the facts of `host`, with its clock's offset from ours; reads only.

    Raises what the door raises, and SurveyIncomplete when the machine's output was cut short.
    """
    output = await host.survey()
    moment, here = now(), time.monotonic()
    asked = moment - timedelta(seconds=here - output.asked)
    answered = moment - timedelta(seconds=here - output.answered)
    try:
        sections = split(output.stdout)
        offset = offset_of(_clock(sections.get("clock", ())), asked.timestamp(), answered.timestamp())
        return parse(sections, observed_at=rfc3339(answered), offset_seconds=offset)
    except (ValueError, SurveyIncomplete) as exc:
        raise SurveyIncomplete(f"cannot survey {host.name} ({host.address}): {exc}") from exc


def offset_of(there: tuple[float, float], asked: float, answered: float) -> float:
    """Return how far a clock is off that told its time between two moments of ours; only what is certain counts.

    A machine that was slow to answer is not late: its clock may have told the right time anywhere in between. The
    offset is the smallest one that explains what it told, `there`, which is a time between two bounds.
    """
    earliest, latest = there
    if latest < asked:
        return latest - asked
    return max(earliest - answered, 0.0)


def _clock(lines: Sequence[str]) -> tuple[float, float]:
    """Return the bounds of the time that the machine told; busybox has no fractions and prints %N as it stands."""
    whole, _, fraction = (lines[0] if lines else "").strip().partition(".")
    if not whole.isdigit():
        raise SurveyIncomplete("the machine did not tell its time")
    if not fraction.isdigit():
        return float(whole), float(whole) + 1
    exact = float(f"{whole}.{fraction}")
    return exact, exact
