"""When Python looks for garbage: seldom, and not among what a process that serves has made at its start.

Reference counts free nearly everything here; the collector only finds what refers to itself in a circle. A look through
everything takes as long as there are objects, and holds up every watcher meanwhile.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Allocations beyond what was freed until the youngest are looked through, and how often that until the older are.
_THRESHOLDS = (20_000, 20, 50)


def keep_what_is_there() -> None:
    """Leave what exists now out of all later looks; called once, when a process that serves is ready."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


@contextmanager
def not_looked_through() -> Iterator[None]:
    """Look for no garbage within the block: for a command that reads much, shows it, and ends.

    Decoding a thousand Clusters takes a quarter of the time so.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
