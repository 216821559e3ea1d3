"""Looks at a machine: one script, one pure parser, and the clock compared."""

from __future__ import annotations

from groundplane.api.facts import MachineFacts
from groundplane.base.clock import Now, rfc3339

from ..contract import ReadHost
from ..errors import SurveyIncomplete
from .parse import parse

__all__ = ["parse", "survey"]


async def survey(host: ReadHost, now: Now) -> MachineFacts:
    """Return the facts of `host`, with its clock's offset from ours; reads only.

    Raises what the door raises, and SurveyIncomplete when the machine's output was cut short.
    """
    output = await host.survey()
    # The clock is asked once the connection is open, so that connecting does not count as the machine being late.
    before = now()
    answer = await host.query(["date", "-u", "+%s.%N"])
    middle = before + (now() - before) / 2
    try:
        # busybox prints %N as it stands; whole seconds are what it has.
        there = float(answer.text.partition(".N")[0].removesuffix(".%N"))
        facts = parse(output.stdout, observed_at=rfc3339(middle), offset_seconds=there - middle.timestamp())
    except (ValueError, SurveyIncomplete) as exc:
        raise SurveyIncomplete(f"cannot survey {host.name} ({host.address}): its output cannot be read") from exc
    return facts
