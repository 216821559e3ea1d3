"""What people ask of an object: an annotation with a new value, which the answer repeats."""

from __future__ import annotations

from groundplane.base.clock import utc_now
from groundplane.client.contract import Object


def request(annotation: str, words: str = "") -> tuple[str, Object]:
    """Return a value that no request had before, with `words` in front of it, and the patch that asks with it."""
    # With fractions of a second: a second request right after the first has to differ from it.
    now = utc_now().isoformat()
    value = f"{words}@{now}" if words else now
    return value, {"metadata": {"annotations": {annotation: value}}}
