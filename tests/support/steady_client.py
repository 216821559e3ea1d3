"""A client that requests a Service without pause while its cluster is changed, and remembers every failure.

It asks from outside, through the NodePort that every node has open, with a new connection each time and no second try.
Two things are measured, and kept apart:

- **balanced**: what a user of the Service sees. Users come through a load balancer that has the nodes as its targets,
  as those of clouds do: it checks the health port of kube-proxy on each node and sends requests only to nodes that
  are in rotation: healthy, Ready, and not cordoned. Requests go one after another to the nodes in rotation in turn.
  The claim "no failed request" is about these.
- **by node**: every node's port asked by itself, in rotation or not. A node that is being changed may be unable to
  answer (its kube-proxy stops, or all of it restarts); these failures say when, and are no failures of the Service.

No balancer takes a node out at the very moment that it dies: it goes by checks. What is done to a node must therefore
leave its port working until a balancer had time to notice the cordon; that is part of what is measured.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles

from groundplane_lab.eyes import Eyes
from groundplane_lab.plain import node_ready

_TIMEOUT = 5.0
_BALANCED_EVERY = 0.01
_NODE_EVERY = 0.1
_CHECK_EVERY = 0.5
_HEALTH_PORT = 10256
BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `at` is seconds since the client started; `error` is "" when it was answered."""

    at: float
    node: str
    seconds: float
    error: str


@dataclass(slots=True)
class Record:
    """The requests of one way, in order, and who answered them."""

    count: int = 0
    failures: list[Request] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    answered_by: set[str] = field(default_factory=set)

    def add(self, request: Request, answer: str) -> None:
        """Count a request in."""
        self.count += 1
        if request.error:
            self.failures.append(request)
        else:
            self.latencies.append(request.seconds)
            self.answered_by.add(answer)

    def __str__(self) -> str:
        # The first cut point of 2 is the median, the last of 100 the 99th percentile.
        enough = len(self.latencies) > 1
        middle, late = (quantiles(self.latencies, n=n)[-1] * 1000 if enough else 0.0 for n in (2, 100))
        slowest = max(self.latencies, default=0.0) * 1000
        lines = [
            f"{self.count} requests, {len(self.failures)} failed; "
            f"median {middle:.1f} ms, 99 % within {late:.1f} ms, slowest {slowest:.0f} ms"
        ]
        lines += [f"  at {each.at:.1f} s by {each.node}: {each.error}" for each in self.failures[:10]]
        return "\n".join(lines)


class SteadyClient:
    """Threads that ask until the end of the `with` block. Read `balanced`, `by_node` and `api_away` (s) after it."""

    def __init__(self, kubeconfig: Path, addresses: Mapping[str, str], *, port: int) -> None:
        """`addresses` are those of the nodes by name; `port` is the NodePort."""
        self._kubeconfig = kubeconfig
        self._addresses = dict(addresses)
        self._port = port
        self._usable = frozenset(addresses)
        self.rotation = tuple(addresses)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._began = time.monotonic()
        self.api_away = 0.0
        self.balanced = Record()
        self.by_node = {name: Record() for name in addresses}

    def __enter__(self) -> SteadyClient:
        self._began = time.monotonic()
        works = [self._balance, self._check_health, self._watch_nodes]
        self._threads = [threading.Thread(target=work, name=f"steady-{work.__name__}") for work in works]
        self._threads += [
            threading.Thread(target=self._ask_node, args=(name,), name=f"steady-{name}") for name in self._addresses
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def report(self) -> str:
        """What happened, for people."""
        rows = [f"{BALANCED}: {self.balanced}", f"the API was away for {self.api_away:.1f} s"]
        return "\n".join([*rows, *(f"only {name}: {record}" for name, record in self.by_node.items())])

    def _balance(self) -> None:
        turn = 0
        while not self._over.wait(_BALANCED_EVERY):
            rotation = self.rotation
            if not rotation:
                self.balanced.add(Request(self._now(), "none", 0.0, "no node is in rotation"), "")
                continue
            turn += 1
            self.balanced.add(*self._ask(rotation[turn % len(rotation)]))

    def _ask_node(self, name: str) -> None:
        while not self._over.wait(_NODE_EVERY):
            self.by_node[name].add(*self._ask(name))

    def _ask(self, node: str) -> tuple[Request, str]:
        started = self._now()
        status, said = _get(self._addresses[node], self._port)
        error = "" if status == 200 else said
        return Request(started, node, self._now() - started, error), said

    def _check_health(self) -> None:
        while not self._over.wait(_CHECK_EVERY):
            healthy = [
                name
                for name, address in self._addresses.items()
                if _get(address, _HEALTH_PORT, path="/healthz", timeout=1.0)[0] == 200
            ]
            self.rotation = tuple(name for name in healthy if name in self._usable)

    def _watch_nodes(self) -> None:
        """Keep who is Ready and not cordoned; while the API is away, what was last known counts."""
        eyes, before = Eyes(self._kubeconfig), self._now()
        while not self._over.wait(_CHECK_EVERY):
            found, now = eyes.nodes(), self._now()
            if found is None:
                self.api_away += now - before
            else:
                self._usable = frozenset(
                    name for name, node in found.items() if node_ready(node) and not node["spec"].get("unschedulable")
                )
            before = now
        eyes.close()

    def _now(self) -> float:
        return time.monotonic() - self._began


def _get(address: str, port: int, *, path: str = "/", timeout: float = _TIMEOUT) -> tuple[int, str]:
    """Return the status and the body, or 0 and why there is none; one new connection, one try."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as exc:
        return 0, f"{type(exc).__name__}: {exc}"
    finally:
        connection.close()
