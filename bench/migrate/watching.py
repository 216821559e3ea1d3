"""How long nodes and the API were away, seen from outside through the API, whoever changed them.

A node is **cordoned** from the first look that finds it unschedulable to the first that finds it schedulable again. It
is **away** until it is of use again: schedulable, Ready, and its kubelet says that it runs on the new runtime.
Kubernetes calls a node Ready for 40 s after its kubelet has stopped, so one that is uncordoned at once only looks it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundplane_lab.errors import LabError
from groundplane_lab.eyes import Eyes
from groundplane_lab.plain import node_ready
from groundplane_lab.shell import wait_until

_EVERY = 0.1
_PATIENCE = 180.0


@dataclass(slots=True)
class Seen:
    """Moments of one node on the monotonic clock; None is one that did not come."""

    cordoned: float | None = None
    uncordoned: float | None = None
    of_use: float | None = None

    def look(self, node: dict[str, Any], runtime: str, now: float) -> None:
        """Note what this look shows."""
        schedulable = not node["spec"].get("unschedulable")
        if not schedulable:
            self.cordoned = self.cordoned or now
            self.uncordoned = self.of_use = None
        elif self.cordoned is not None:
            self.uncordoned = self.uncordoned or now
            moved = node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith(f"{runtime}:")
            if moved and node_ready(node):
                self.of_use = self.of_use or now


@dataclass(slots=True)
class Watched:
    """Read it when `watching` has ended. `api_away` is in seconds, all gaps together."""

    nodes: dict[str, Seen] = field(default_factory=dict)
    api_away: float = 0.0
    ended: float = 0.0

    def cordoned(self) -> list[float]:
        """Seconds from cordon to uncordon of each node."""
        return [seen.uncordoned - seen.cordoned for seen in self.nodes.values() if seen.cordoned and seen.uncordoned]

    def away(self) -> list[float]:
        """Seconds from cordon until each node is of use again."""
        return [seen.of_use - seen.cordoned for seen in self.nodes.values() if seen.cordoned and seen.of_use]


@contextmanager
def watching(kubeconfig: Path, *, runtime: str) -> Iterator[Watched]:
    """Look until the block is over and after it until every node is of use; LabError when one never is."""
    watched, over = Watched(), threading.Event()
    thread = threading.Thread(target=_look, args=(kubeconfig, runtime, watched, over), name="watching")
    thread.start()
    try:
        yield watched
        wait_until(
            f"all nodes to be moved to {runtime}",
            lambda: (watched.nodes and all(seen.of_use for seen in watched.nodes.values())) or None,
            seconds=_PATIENCE,
        )
        watched.ended = max(seen.of_use or 0.0 for seen in watched.nodes.values())
    except LabError as exc:
        raise LabError(f"{exc}; seen: {watched.nodes}") from exc
    finally:
        over.set()
        thread.join()


def _look(kubeconfig: Path, runtime: str, watched: Watched, over: threading.Event) -> None:
    eyes, before = Eyes(kubeconfig), time.monotonic()
    while not over.wait(_EVERY):
        nodes, now = eyes.nodes(), time.monotonic()
        if nodes is None:
            watched.api_away += now - before
        for name, node in (nodes or {}).items():
            watched.nodes.setdefault(name, Seen()).look(node, runtime, now)
        before = now
    eyes.close()
