"""Unify: bringing all clusters of a Foundation to it, in waves. The wish is in its spec, the progress in its status.

Whoever asks writes `run` (a name of its own for each time) and `state`; everything else about a run is the
controller's. The waves of a run are made when it begins and stay; `windows`, `maxClusters`, `maxFailures` and the
approvals are read anew at every look.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from .meta import Struct, says

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
# Succeeded: every cluster of the run is done. Incomplete: it is over, and some were blocked, failed or were cancelled.
UnifyPhase = Literal[
    "Planned", "AwaitingApproval", "Running", "Waiting", "Paused", "Failed", "Succeeded", "Incomplete", "Cancelled"
]
# Waiting: not its turn yet, or another's Operation is under way. Planned: its plan waits for approval. Blocked: it
# cannot be done, and its message says why.
UnifyState = Literal["Waiting", "Planning", "Planned", "Running", "Done", "Blocked", "Failed", "Cancelled", "Gone"]
# A run that has failed is not over: it goes on when what failed is retried.
OVER: frozenset[UnifyPhase] = frozenset({"Succeeded", "Incomplete", "Cancelled"})
SETTLED: frozenset[UnifyState] = frozenset({"Done", "Blocked", "Failed", "Cancelled", "Gone"})


class UnifyWindow(Struct, frozen=True):
    """A time in which Operations may begin; one that runs when it closes goes on to its end."""

    days: Annotated[list[Day], says("days on which it opens: Mon, Tue, Wed, Thu, Fri, Sat, Sun; empty: every day")] = []
    start: Annotated[str, says('time of day at which it opens, such as "22:00"')] = "22:00"
    duration: Annotated[str, says('how long it is open, such as "4h"; at most 24h')] = "4h"
    time_zone: Annotated[str, says("time zone of `start`, such as Europe/Berlin")] = "UTC"


class Unify(Struct, frozen=True):
    run: Annotated[str, says("name of the run; another name is another run, which begins from the start")] = ""
    state: Annotated[
        Literal["", "Running", "Paused", "Cancelled"],
        says("Running conducts the run; Paused begins nothing more; Cancelled ends it for good; empty: there is none"),
    ] = ""
    approval: Annotated[
        Literal["Once", "PerWave"],
        says(
            "Once: who starts the run approves all of it; PerWave: each wave is planned, shown and approved by itself"
        ),
    ] = "Once"
    approved_wave: Annotated[int, says("with approval PerWave: the waves up to this one are approved", low=0)] = 0
    waves: Annotated[
        list[int | str],
        says(
            'how many clusters each wave has, as counts or shares of all such as "10%"; canaries are the first wave'
            " whatever their number, and the last wave takes what is left"
        ),
    ] = msgspec.field(default_factory=lambda: [1, "10%", "100%"])
    max_clusters: Annotated[int, says("how many clusters are changed at once", low=1)] = 5
    max_failures: Annotated[int, says("how many clusters may fail before nothing more begins; 0: none", low=0)] = 0
    windows: Annotated[list[UnifyWindow], says("when Operations may begin; empty: at any time")] = []
    cancel_operations: Annotated[
        bool,
        says("with state Cancelled: cancel the run's Operations that are under way, too; else they end as they do"),
    ] = False


class UnifyCluster(Struct, frozen=True):
    name: Annotated[str, says("name of the Cluster")]
    state: Annotated[UnifyState, says("the state in one word")] = "Waiting"
    operations: Annotated[list[str], says("the run's Operations of it, oldest first")] = []
    since: Annotated[str, says("when it came into this state")] = ""
    message: Annotated[str, says("how it goes, or why it does not")] = ""


class UnifyWave(Struct, frozen=True):
    number: Annotated[int, says("place of the wave, from 1")]
    canaries: Annotated[bool, says("whether it is the wave of the canaries")] = False
    clusters: Annotated[list[UnifyCluster], says("its clusters", key="name")] = []


class UnifyStatus(Struct, frozen=True):
    run: Annotated[str, says("name of the run that this is about")] = ""
    phase: Annotated[UnifyPhase | None, says("the state in one word")] = None
    message: Annotated[str, says("what happens next, and what to type")] = ""
    failures: Annotated[int, says("how many clusters failed, or were cancelled by a person")] = 0
    started_at: Annotated[str, says("when the run began")] = ""
    finished_at: Annotated[str, says("when it ended")] = ""
    waves: Annotated[list[UnifyWave], says("waves in their order", key="number")] = []
