"""What clients were told, and whether a server that comes back says the same.

Every lane owns its names and waits for each answer, so of one name at most the last write is in doubt: it was sent and
no answer came. A write that was answered with an error is not in doubt: it must never show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class State(NamedTuple):
    """What an object is: its revision and its text."""

    revision: int
    text: str


class Doubt(NamedTuple):
    """A write without an answer: the text it would leave, None for a deletion."""

    text: str | None


@dataclass
class Ledger:
    """`objects`: the last acknowledged state; `told`: what each revision did, as far as a client was told."""

    objects: dict[str, State] = field(default_factory=dict)
    doubts: dict[str, Doubt] = field(default_factory=dict)
    told: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    unsure: set[tuple[str, str | None]] = field(default_factory=set)
    acknowledged: int = 0
    refused: int = 0

    def wrote(self, name: str, state: State) -> None:
        """A create or update was acknowledged."""
        known = self.objects.get(name)
        assert known is None or state.revision > known.revision
        assert state.revision not in self.told, f"revision {state.revision} was given out twice"
        self.objects[name] = state
        self.told[state.revision] = (name, state.text)
        self.acknowledged += 1

    def deleted(self, name: str) -> None:
        """A deletion was acknowledged; the answer does not tell its revision."""
        del self.objects[name]
        self.unsure.add((name, None))
        self.acknowledged += 1

    def lost_sight(self, name: str, text: str | None) -> None:
        """A write was sent and the connection ended without an answer."""
        self.doubts[name] = Doubt(text)
        self.unsure.add((name, text))

    def settle(self, found: dict[str, State], revision: int) -> None:
        """Compare with what the server holds at `revision` after its restart, and take that over."""
        assert revision >= max(self.told, default=0), "the server's revision went back"
        for name in {*self.objects, *self.doubts, *found}:
            acknowledged, there = self.objects.get(name), found.get(name)
            if there == acknowledged:
                continue
            doubt = self.doubts.get(name)
            assert doubt is not None, f"{name} was acknowledged as {acknowledged} and is {there}"
            assert (there.text if there else None) == doubt.text, f"{name} is half there: {there}"
            assert there is None or acknowledged is None or there.revision > acknowledged.revision
        self.objects, self.doubts = dict(found), {}


@dataclass
class Film:
    """What a watch has shown over all lives of the server, in order."""

    revision: int
    objects: dict[str, State] = field(default_factory=dict)
    events: dict[int, tuple[str, str | None]] = field(default_factory=dict)

    def take(self, kind: str, name: str, state: State) -> None:
        """Take in one event, which must be later than all before it."""
        assert state.revision > self.revision, f"revision {state.revision} came after {self.revision}"
        self.revision = state.revision
        if kind == "DELETED":
            assert name in self.objects
            del self.objects[name]
            self.events[state.revision] = (name, None)
        else:
            assert (name in self.objects) == (kind == "MODIFIED")
            self.objects[name] = state
            self.events[state.revision] = (name, state.text)

    def agree(self, ledger: Ledger, found: dict[str, State]) -> None:
        """No event is missing and none is made up: all that was told was shown, and nothing was shown beyond that."""
        assert self.objects == found
        missing = {revision: what for revision, what in ledger.told.items() if self.events.get(revision) != what}
        assert not missing
        made_up = {r: what for r, what in self.events.items() if r not in ledger.told and what not in ledger.unsure}
        assert not made_up
