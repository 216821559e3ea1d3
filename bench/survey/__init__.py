"""The survey of many machines against bare SSH, Ansible and pyinfra, on the same machines in the same run.

Fifty sshd processes on this host are the machines. Each is asked by ours and by the peers in turn, over connections
that are new every time; figures are medians of the rounds. All "machines" share this host's CPUs, so what they spend on
a survey counts in full: programs that one machine starts are started fifty times here. The machines of the first rows
have no container runtime; the rows "with Docker and containerd" show what their version commands cost.

Then 1,000 and 5,000 scripted machines, which are one process of asyncssh's own server, are surveyed by ours alone.
BENCH_SIZE=quick is a short run to see that it runs.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.figures import Figure
from bench.survey import peers
from bench.survey.targets import RUNTIMES, Target, asked, crowd, machines


@dataclass(frozen=True, slots=True)
class Size:
    """How many machines, rounds against each peer, and scripted machines."""

    machines: int
    rounds: int
    slow_rounds: int
    crowds: tuple[int, int]


SIZES = {
    "full": Size(machines=50, rounds=9, slow_rounds=3, crowds=(1_000, 5_000)),
    "quick": Size(machines=10, rounds=1, slow_rounds=1, crowds=(50, 100)),
}
BARE_GOAL, ANSIBLE_GOAL, PYINFRA_GOAL = 1.5, 0.1, 1 / 3
CROWD_SECONDS, CROWD_MEMORY = 15.0, 150.0
LINEAR_GOAL = 1.15


def run() -> list[Figure]:
    """Return the figures."""
    size = SIZES[os.environ.get("BENCH_SIZE", "full")]
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as scratch:
        folder = Path(scratch)
        figures = _against_peers(folder / "plain", size)
        figures.append(_with_runtimes(folder / "runtimes", size))
        return figures + _crowds(folder, size)


def _against_peers(folder: Path, size: Size) -> list[Figure]:
    tools = peers.ensure()
    with machines(folder, size.machines, without=RUNTIMES) as targets:
        ours, bare = _turns(size.rounds, targets, "ours", "bare")
        count = f"{size.machines} machines"
        figures = [Figure(f"{count}, against `true` over bare asyncssh", "s", median(ours), median(bare), BARE_GOAL)]
        for name, goal, ask in (
            ("the command ansible -m setup, 50 forks", ANSIBLE_GOAL, tools.ansible),
            ("pyinfra, the same facts", PYINFRA_GOAL, tools.pyinfra),
        ):
            mine, theirs = _turns_with(size.slow_rounds, targets, folder, ask)
            figures.append(Figure(f"{count}, against {name}", "s", median(mine), median(theirs), goal))
    return figures


def _with_runtimes(folder: Path, size: Size) -> Figure:
    with machines(folder, size.machines, without=()) as targets:
        ours, bare = _turns(size.slow_rounds, targets, "ours", "bare")
    return Figure("the first row, with Docker and containerd", "s", median(ours), median(bare))


def _turns(rounds: int, targets: list[Target], *ways: str) -> list[list[float]]:
    """Return the seconds of each way, by round; only the asking is timed, in a process of its own."""
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(rounds):
        for way, found in zip(ways, seconds, strict=True):
            found.append(asked(way, targets).seconds)
        _progress(f"round {number + 1}: " + ", ".join(f"{w} {s[-1]:.2f} s" for w, s in zip(ways, seconds, strict=True)))
    return seconds


def _turns_with(
    rounds: int, targets: list[Target], folder: Path, ask: Callable[[list[Target], Path], float]
) -> tuple[list[float], list[float]]:
    """Return the seconds of ours and of a peer. Ansible is a command, and its start is part of what it takes."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(asked("ours", targets).seconds)
        theirs.append(ask(targets, folder))
        _progress(f"round {number + 1}: ours {ours[-1]:.2f} s, peer {theirs[-1]:.2f} s")
    return ours, theirs


def _crowds(folder: Path, size: Size) -> list[Figure]:
    few, many = size.crowds
    with crowd(folder / "crowd") as found:
        small = [asked("ours", found.targets(few)) for _ in range(size.slow_rounds)]
        large = asked("ours", found.targets(many))
    seconds = median(answer.seconds for answer in small)
    _progress(f"{few} scripted machines: {seconds:.2f} s; {many}: {large.seconds:.2f} s")
    return [
        Figure(f"{few} scripted machines", "s", seconds, goal=CROWD_SECONDS),
        Figure(f"memory of the process that asked {few}", "MiB", max(a.memory for a in small), goal=CROWD_MEMORY),
        Figure(f"{many} scripted machines", "s", large.seconds),
        Figure(
            f"our CPU for each of {many}, against each of {few}",
            "ms",
            large.cpu / many * 1000,
            median(answer.cpu for answer in small) / few * 1000,
            LINEAR_GOAL,
        ),
        Figure(f"memory of the process that asked {many}", "MiB", large.memory),
    ]


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
