"""Our API server against kube-apiserver v1.20.2 and etcd 3.4, on the same cores in the same run.

Both answer over TLS to a bearer token and sync every write to disk; both hold the same Machines of 1.6 KB, built in
here and by the same CustomResourceDefinition there; one load generator asks both, over HTTP/1.1 with keep-alive.
Rounds alternate between the servers, and the figures are medians. BENCH_SIZE=middle leaves out the
50,000 objects; quick is a short run to see that it runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.api_server import servers
from bench.api_server.rounds import Side
from bench.figures import Figure

CLIENTS = 16
WATCHERS = 200


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done: rounds, starts, objects at which figures are taken, and requests in each round."""

    rounds: int
    starts: int
    objects: tuple[int, ...]
    creates: int
    gets: int
    events: int


FULL = Size(rounds=5, starts=3, objects=(5_000, 50_000), creates=2_000, gets=4_000, events=60)
MIDDLE = Size(rounds=3, starts=2, objects=(5_000,), creates=1_000, gets=2_000, events=40)
QUICK = Size(rounds=1, starts=1, objects=(500,), creates=200, gets=400, events=5)

SIZES = {"full": FULL, "middle": MIDDLE, "quick": QUICK}


def run() -> list[Figure]:
    """Return the figures."""
    size = SIZES[os.environ.get("BENCH_SIZE", "full")]
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as scratch:
        folder = Path(scratch)
        figures = [_starts(folder, size.starts)]
        with ExitStack() as stack:
            peer = Side(stack.enter_context(servers.theirs(folder / "theirs")))
            mine = Side(stack.enter_context(servers.ours(folder / "ours")))
            servers.define(peer.server.target)
            for number, objects in enumerate(size.objects):
                _at(objects, size, mine, peer)
                figures += _figures(objects, mine, peer, with_goals=number == 0)
        figures.append(_restart(folder, objects))
    return figures


def _starts(folder: Path, count: int) -> Figure:
    """Time starts with empty data, each in a folder of its own; etcd is unpacked before."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(count):
        with servers.theirs(folder / f"start-theirs-{number}") as server:
            theirs.append(server.seconds)
        with servers.ours(folder / f"start-ours-{number}") as server:
            ours.append(server.seconds)
        _progress(f"start {number + 1}: ours {ours[-1]:.2f} s, theirs {theirs[-1]:.2f} s")
    return Figure("start to ready, no objects", "s", median(ours), median(theirs), 0.2)


def _restart(folder: Path, objects: int) -> Figure:
    with servers.theirs(folder / "theirs") as server:
        theirs = server.seconds
    with servers.ours(folder / "ours") as server:
        return Figure(f"start to ready, {objects} objects", "s", server.seconds, theirs)


def _at(objects: int, size: Size, mine: Side, peer: Side) -> None:
    """Fill both servers up to `objects` and measure everything there."""
    for side in (peer, mine):
        load = side.fill(max(objects, side.count))
        _progress(f"filled to {objects}: {load.rate:.0f}/s")
        side.clear()
    # Lists go first, while there are exactly as many objects as their name says.
    steps: tuple[tuple[str, int, Callable[[Side], None]], ...] = (
        ("list", min(size.rounds, 3), lambda side: side.lists(3 if objects <= 5_000 else 1)),
        ("get", size.rounds, lambda side: side.gets(size.gets)),
        ("create", size.rounds, lambda side: side.creates(size.creates)),
        ("watch", size.rounds, lambda side: side.watches(WATCHERS, size.events)),
    )
    for name, rounds, step in steps:
        for _ in range(rounds):
            step(peer)
            step(mine)
        _progress(f"{objects} objects: {name} done")
    for side in (peer, mine):
        side.memory = side.server.memory()


def _figures(objects: int, mine: Side, peer: Side, *, with_goals: bool) -> list[Figure]:
    """Return what was measured with this many objects; the goals are for the first number."""
    at = f"{objects} objects"

    def figure(name: str, unit: str, what: Callable[[Side], float], goal: float | None, *, more: bool) -> Figure:
        bound = goal if with_goals else None
        return Figure(f"{name}, {at}", unit, what(mine), what(peer), bound, more_is_better=more)

    return [
        figure(f"create, {CLIENTS} clients", "1/s", lambda side: median(side.create), 3, more=True),
        figure(f"get, {CLIENTS} clients", "1/s", lambda side: median(side.get), 3, more=True),
        figure("get, resourceVersion=0", "1/s", lambda side: median(side.cached_get), None, more=True),
        figure("list of all", "s", lambda side: median(side.whole), 0.2, more=False),
        figure("list of all, resourceVersion=0", "s", lambda side: median(side.cached_whole), None, more=False),
        figure(f"watch, {WATCHERS} watchers, p99", "s", lambda side: median(side.watch), 1, more=False),
        figure("resident memory after it", "MiB", lambda side: side.memory, 0.2, more=False),
        figure("load generator, most of a core", "share", lambda side: max(side.busy), None, more=False),
    ]


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
