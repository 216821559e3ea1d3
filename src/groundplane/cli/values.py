"""Values on the command line that click has no type for."""

from __future__ import annotations

import re

import click

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90s, 5m or 1h30m."""
    if not re.fullmatch(r"(\d+[smh])+", text):
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m or 2h")
    return float(sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+)([smh])", text)))


def reference(text: str, kind: str) -> str:
    """Return NAME of "NAME" or "KIND/NAME"; any other kind is a usage error."""
    found, slash, name = text.rpartition("/")
    if not name or (slash and found.lower() not in (kind.lower(), f"{kind.lower()}s")):
        raise click.BadParameter(f"{text!r} is not NAME or {kind.lower()}/NAME")
    return name
