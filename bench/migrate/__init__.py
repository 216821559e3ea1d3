"""Docker to containerd on a living cluster: Groundplane against the runbook that TKEStack published, as a script.

Both move a cluster that plain kubeadm made, one control plane and two workers with a replicated Service and a DaemonSet
on them, on the same machines, made fresh before each turn. Turns alternate, so that what else the machine does hits
both. Groundplane's time is that of all that a person has to do: import, adopt, wish, approve, wait; it stages and
proves containerd while Docker runs, verifies each node, and could go back. The script (`runbook.sh`) does none of that.

How long nodes and the API were away is seen from outside, the same way for both (`watching.py`). A node's time is the
mean of a turn's nodes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from tests.support.changing import Changing
from tests.support.live_workloads import agent, deploy, web

from bench.figures import Figure, compared
from groundplane_lab import Lab, LabSpec, down, ensure_artifacts, fresh_all, up
from groundplane_lab.engine import Engine
from groundplane_lab.errors import LabError
from groundplane_lab.model import state_folder
from groundplane_lab.plain import PlainCluster, plain_cluster

from .watching import Watched, watching

ROUNDS = int(os.environ.get("ROUNDS", "2"))
TOTAL_GOAL = 1.0
AWAY_GOAL = 0.5
NOTHING_GOAL = 2.0
RUNBOOK = Path(__file__).with_name("runbook.sh")
_SPEC = LabSpec(name="bench-migrate", subnet="198.18.31.0/24")
_NAME = "plain"
_AGAIN = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds of one migration: all of it, nodes cordoned and away on average, the API away."""

    total: float
    cordoned: float
    away: float
    api: float

    def __str__(self) -> str:
        nodes = f"a node cordoned {self.cordoned:.1f} s, away {self.away:.1f} s"
        return f"{self.total:.1f} s; {nodes}; API away {self.api:.1f} s"


def run() -> list[Figure]:
    """Return the figures."""
    ensure_artifacts()
    ours: list[Turn] = []
    peer: list[Turn] = []
    again: list[float] = []
    try:
        for number in range(ROUNDS):
            peer.append(_turn(_runbook))
            _progress(f"round {number + 1}: runbook {peer[-1]}")
            turn, seconds = _by_groundplane()
            ours.append(turn)
            again += seconds
            _progress(f"round {number + 1}: groundplane {ours[-1]}; nothing to do: {again[-1]:.2f} s")
    finally:
        down(_SPEC.name)

    def figure(name: str, value: Callable[[Turn], float], goal: float) -> Figure:
        return compared(name, [value(turn) for turn in ours], [value(turn) for turn in peer], goal)

    api = Figure(
        "the API of the single control plane is away",
        "s",
        median(turn.api for turn in ours),
        median(turn.api for turn in peer),
    )
    return [
        figure("migrate three nodes, all in all", lambda turn: turn.total, TOTAL_GOAL),
        figure("a node from cordon to uncordon", lambda turn: turn.cordoned, AWAY_GOAL),
        figure("a node from cordon until it is of use", lambda turn: turn.away, AWAY_GOAL),
        api,
        Figure("apply with nothing to change", "s", median(again), goal=NOTHING_GOAL),
    ]


def _by_groundplane() -> tuple[Turn, list[float]]:
    """Groundplane's turn with an engine of its own; and what it takes to find that there is nothing more to do."""
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as folder:
        engine = Engine(Path(folder) / "home")
        engine.start()
        try:
            return _turn(lambda cluster: _groundplane(engine, cluster)), _nothing_to_do(engine)
        finally:
            engine.stop()


def _turn(migrate: Callable[[PlainCluster], None]) -> Turn:
    """Make the cluster, migrate it and say how long that took."""
    cluster = plain_cluster(_fresh(), runtime="docker")
    deploy(cluster, [*web(linger=1), agent()])
    started = time.monotonic()
    with watching(cluster.kubeconfig, runtime="containerd") as watched:
        migrate(cluster)
        ended = time.monotonic()
    return _turn_of(watched, started, ended)


def _turn_of(watched: Watched, started: float, ended: float) -> Turn:
    """It is over when the command is, and all nodes are of use."""
    total = max(ended, watched.ended) - started
    return Turn(total, mean(watched.cordoned()), mean(watched.away()), watched.api_away)


def _fresh() -> Lab:
    fresh_all(up(_SPEC))
    return up(_SPEC)


def _runbook(cluster: PlainCluster) -> None:
    done = subprocess.run(
        [str(RUNBOOK), str(state_folder(cluster.lab.name) / "lab.json"), str(ensure_artifacts())],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"the runbook ended with {done.returncode}: {done.stderr[-2000:]}")


def _groundplane(engine: Engine, cluster: PlainCluster) -> None:
    changing = Changing(engine, _NAME)
    changing.adopt(cluster)
    change = changing.wish({"runtime": {"name": "containerd"}})
    if change.phase != "Succeeded":
        raise LabError(f"the migration ended {change.phase}: {change.shown[-4000:]}")


def _nothing_to_do(engine: Engine) -> list[float]:
    """Apply what is there already and wait for the answer, several times; the first only takes the fields over."""
    found = engine.get("cluster", _NAME)
    wish = {key: found[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": _NAME}}
    seconds = []
    for _ in range(1 + _AGAIN):
        started = time.monotonic()
        engine.cli("apply", "-f", "-", "--wait", "--force-conflicts", stdin=json.dumps(wish))
        seconds.append(time.monotonic() - started)
    return seconds[1:]


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
