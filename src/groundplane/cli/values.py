"""Values on the command line that click has no type for."""

from __future__ import annotations

import click

from groundplane.base import durations


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90s, 5m or 1h30m."""
    found = durations.seconds(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m or 2h")
    return float(found)


def reference(text: str, kind: str) -> str:
    """Return NAME of "NAME" or "KIND/NAME"; any other kind is a usage error."""
    found, slash, name = text.rpartition("/")
    if not name or (slash and found.lower() not in (kind.lower(), f"{kind.lower()}s")):
        raise click.BadParameter(f"{text!r} is not NAME or {kind.lower()}/NAME")
    return name
