"""Changes as watchers are told of them, made once for all who are told the same in the same turn of the loop."""

from __future__ import annotations

from collections.abc import Sequence

from groundplane.store.contract import Change

from .exchange import chunk_of
from .verbs.watching import PLAIN, EventType


def event_line(kind: EventType, value: bytes) -> bytes:
    """Return one event of a watch; `value` is its object as JSON."""
    return b'{"type":"' + kind.encode() + b'","object":' + value + b"}\n"


class Frames:
    """Remembers what it made last, for hundreds of watchers ask for it one after another."""

    def __init__(self) -> None:
        self._changes: Sequence[Change] = ()
        self._framed = b""

    def of(self, changes: Sequence[Change]) -> bytes:
        """Return the events of changes (at least one) as one chunk of a chunked body."""
        if changes is not self._changes:
            self._framed = chunk_of(b"".join(event_line(PLAIN[each.type], each.entry.value) for each in changes))
            self._changes = changes
        return self._framed
