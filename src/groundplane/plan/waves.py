"""Conducting a fleet: which clusters go in which wave, and what may begin now. Pure.

The canaries go first, then ever larger waves; a wave begins when every cluster of the one before it is settled. What
may begin is decided from what is there, every time anew: states of the clusters, the wish, and the time. So nothing is
lost when the conductor is killed, and what a person does meanwhile counts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from groundplane.api.unify import SETTLED, Unify, UnifyPhase, UnifyState
from groundplane.base.clock import rfc3339
from groundplane.base.words import counted

from .windows import is_open, next_opening

_FAILED: frozenset[UnifyState] = frozenset({"Failed", "Cancelled"})


@dataclass(frozen=True, slots=True)
class Standing:
    """How one cluster stands in a run.

    `turn`: it was told that it is its turn. `begun`: an Operation of the run was approved for it before.
    `operation`: the run's Operation that is not finished. `hindered`: why it cannot have its turn now.
    """

    name: str
    state: UnifyState = "Waiting"
    turn: bool = False
    begun: bool = False
    operation: str = ""
    hindered: str = ""

    @property
    def settled(self) -> bool:
        return self.state in SETTLED


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now: clusters to tell that it is their turn, Operations to approve and to cancel.

    `withdraw`: clusters whose turn is taken back before anything was done to them.
    `message` says what happens next and what to type; `wake` is when a window opens, if that is waited for.
    """

    phase: UnifyPhase
    message: str
    begin: list[str] = field(default_factory=list)
    approve: list[str] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    withdraw: list[str] = field(default_factory=list)
    wake: datetime | None = None


def cut(ordered: Sequence[str], canaries: Sequence[str], sizes: Sequence[int | str]) -> list[list[str]]:
    """Cut clusters, in their order, into waves: canaries first, then by the sizes, and what is left.

    Canaries are the first wave whatever the first size is. A share is one of all clusters, rounded up.
    """
    first = [name for name in ordered if name in set(canaries)]
    left = [name for name in ordered if name not in set(canaries)]
    waves = [first] if first else []
    for size in sizes[1:] if first else sizes:
        count = size if isinstance(size, int) else -(-len(ordered) * int(size.removesuffix("%")) // 100)
        taken, left = left[: max(1, count)], left[max(1, count) :]
        waves += [taken] if taken else []
    return [*waves, left] if left else waves


@dataclass(frozen=True, slots=True)
class _Run:
    """One look at a run; `foundation` is for what to type."""

    foundation: str
    wish: Unify
    waves: Sequence[Sequence[Standing]]
    now: datetime

    @property
    def all(self) -> list[Standing]:
        return [one for wave in self.waves for one in wave]

    @property
    def failed(self) -> list[str]:
        return [one.name for one in self.all if one.state in _FAILED]

    @property
    def stopped(self) -> bool:
        return len(self.failed) > self.wish.max_failures

    @property
    def under_way(self) -> list[Standing]:
        """The clusters that count: something runs there, or has run there and is not done."""
        return [one for one in self.all if self.counts(one)]

    def counts(self, one: Standing) -> bool:
        """Tell whether a cluster takes one of the places of those that are changed at once."""
        if one.settled:
            return False
        return one.state == "Running" or one.begun or (one.turn and self.wish.approval == "Once")

    @property
    def current(self) -> int:
        """The wave that it is at, from 1; one more than there are when all is settled."""
        waves = enumerate(self.waves, start=1)
        return next((number for number, wave in waves if not all(one.settled for one in wave)), len(self.waves) + 1)

    @property
    def approved(self) -> bool:
        return self.wish.approval == "Once" or self.wish.approved_wave >= self.current

    def command(self, flag: str) -> str:
        return f"groundplane unify --foundation {self.foundation} {flag}"


def decide(foundation: str, wish: Unify, waves: Sequence[Sequence[Standing]], now: datetime) -> Decision:
    """Say what to do now in a run whose waves are these."""
    run = _Run(foundation, wish, waves, now)
    if wish.state == "Cancelled":
        return _cancelled(run)
    if run.current > len(run.waves):
        return _over(run)
    if wish.state == "Paused":
        running = [one.name for one in run.all if one.state == "Running"]
        rest = f"; what runs ends as it does: {_names(running)}" if running else ""
        return Decision("Paused", f"nothing more begins{rest}; to go on: {run.command('--resume')}")
    if run.stopped:
        return _stopped(run)
    if not run.approved:
        return _asking(run)
    if not is_open(wish.windows, now):
        return _waiting(run)
    return _going(run)


def _going(run: _Run) -> Decision:
    """Begin what there are places for: what is begun goes on first."""
    wave = run.waves[run.current - 1]
    places = run.wish.max_clusters - len(run.under_way)
    begin, approve = [], []
    for one in sorted(wave, key=lambda one: not run.counts(one)):
        taken = run.counts(one)
        if one.settled or one.hindered or (not taken and places <= 0):
            continue
        if one.state == "Planned" and one.operation:
            approve.append(one.operation)
        elif not one.turn:
            begin.append(one.name)
        else:
            continue
        places -= not taken
    return Decision("Running", _progress(run), begin=begin, approve=approve)


def _asking(run: _Run) -> Decision:
    """A wave of its own approval: its clusters are planned all at once, for a plan only reads."""
    number, wave = run.current, run.waves[run.current - 1]
    begin = [one.name for one in wave if not one.turn and not one.settled and not one.hindered]
    planned = [one.name for one in wave if one.state == "Planned"]
    left = [one.name for one in wave if one.state in ("Waiting", "Planning")]
    if left:
        return Decision("Running", f"wave {number}: plans are being made for {_names(left)}{_hindered(wave)}", begin)
    how = run.command(f"--approve-wave {number}")
    read = f"read the plans (groundplane plan {planned[0]}), then: " if planned else ""
    return Decision("AwaitingApproval", f"wave {number} of {len(run.waves)}, {_names(planned)}: {read}{how}", begin)


def _waiting(run: _Run) -> Decision:
    wake = next_opening(run.wish.windows, run.now)
    running = [one.name for one in run.all if one.state == "Running"]
    rest = f"; still running: {_names(running)}" if running else ""
    when = f"at {rfc3339(wake)}" if wake else "never: no window opens"
    phase: UnifyPhase = "Running" if running else "Waiting"
    return Decision(
        phase, f"wave {run.current} goes on when the next maintenance window opens, {when}{rest}", wake=wake
    )


def _stopped(run: _Run) -> Decision:
    """More clusters failed than may: nothing begins, and what runs ends as it does."""
    running = [one.name for one in run.all if one.state == "Running"]
    first = run.failed[0]
    words = f"{_names(run.failed)} failed, and {counted(run.wish.max_failures, 'failure')} may be; nothing more begins"
    if running:
        return Decision("Running", f"{words}; what runs ends as it does: {_names(running)}")
    how = f"groundplane explain cluster/{first} shows why; mend it, then: groundplane retry {first}"
    return Decision("Failed", f"{words}. {how}; or give it up: {run.command('--cancel')}")


def _cancelled(run: _Run) -> Decision:
    """Nothing begins. What waits for approval would wait for ever; what runs is cancelled when that is wished."""
    cancel = [
        one.operation
        for one in run.all
        if one.operation and (one.state == "Planned" or (one.state == "Running" and run.wish.cancel_operations))
    ]
    withdraw = [one.name for one in run.all if one.turn and not one.settled and one.state != "Running"]
    running = [one.name for one in run.all if one.state == "Running"]
    done = sum(1 for one in run.all if one.state == "Done")
    words = f"cancelled; {done} of {counted(len(run.all), 'cluster')} are done"
    if running:
        return Decision(
            "Running", f"{words}; what runs ends first: {_names(running)}", cancel=cancel, withdraw=withdraw
        )
    # What is taken back now is looked at once more before the run is over.
    phase: UnifyPhase = "Running" if cancel or withdraw else "Cancelled"
    return Decision(phase, words, cancel=cancel, withdraw=withdraw)


def _over(run: _Run) -> Decision:
    if run.stopped:
        return _stopped(run)
    done = sum(1 for one in run.all if one.state == "Done")
    words = [f"{done} of {counted(len(run.all), 'cluster')} are done"]
    for state in ("Blocked", "Failed", "Cancelled", "Gone"):
        if names := [one.name for one in run.all if one.state == state]:
            words.append(f"{state.lower()}: {_names(names)}")
    whole = all(one.state in ("Done", "Gone") for one in run.all)
    return Decision("Succeeded" if whole else "Incomplete", "; ".join(words))


def _progress(run: _Run) -> str:
    done = sum(1 for one in run.all if one.settled)
    wave = run.waves[run.current - 1]
    doing = [one.name for one in run.under_way]
    at = f"; at work: {_names(doing)}" if doing else ""
    count = counted(len(run.all), "cluster")
    return f"wave {run.current} of {len(run.waves)}; {done} of {count} settled{at}{_hindered(wave)}"


def _hindered(wave: Sequence[Standing]) -> str:
    found = [f"{one.name}: {one.hindered}" for one in wave if one.hindered and not one.settled]
    return f"; waits for {'; '.join(found)}" if found else ""


def _names(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


__all__ = ["Decision", "Standing", "cut", "decide"]
