"""How many nodes may be away at once. Pure arithmetic, in one place."""

from __future__ import annotations

from groundplane.base.errors import Refused


def allowed(max_unavailable: int | str, nodes: int) -> int:
    """Return the count that `max_unavailable` (a count, or "25%") allows of so many nodes; never less than one.

    A share is rounded down, but to one at the least: a budget of none would be a change that never begins.
    """
    if isinstance(max_unavailable, int):
        count = max_unavailable
    elif max_unavailable.endswith("%") and max_unavailable[:-1].isdecimal():
        count = nodes * int(max_unavailable[:-1]) // 100
    elif max_unavailable.isdecimal():
        count = int(max_unavailable)
    else:
        raise Refused(
            f"cannot read change.maxUnavailable {max_unavailable!r}", remedy='write a count, or a share such as "25%"'
        )
    return max(1, min(count, nodes or 1))
