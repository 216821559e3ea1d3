"""One node is added to a cluster of 10, 100 and 500: what the nodes that are there are asked, and how long it takes.

The plan is the real one, made from the facts that are known; so is the runner, with the steps that are about other
nodes than the new one, over real SSH to scripted machines that count what they are asked. The cluster's API is in
memory. The goal is one command on each node that was there; one of them, the witness, is asked to reach the new node's
test pod besides. The new node's own steps are left out: they are the same for every size.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.unit.plan.fleet import Fleet, bare, desired

from bench.figures import Figure
from bench.scripted import machines
from groundplane.api.facts import NodeFacts
from groundplane.api.operation import Plan, PlannedStep, StepStatus
from groundplane.api.target import Desired
from groundplane.hosts.readonly import ReadOnly
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.operations import CREATE, ReadScope, Runner, Scope, SystemClock
from groundplane.plan.create import plan_create

SIZES = (10, 100, 500)
_COUNTER = "127.255.255.254"
_OF_OTHERS = ("routes", "verify")
_WITNESS_GOAL = 4


@dataclass
class _Api:
    """The cluster's API, as the steps need it: Nodes, and test pods that run at once."""

    nodes: dict[str, NodeFacts]
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def get(self, path: str) -> dict[str, Any]:
        if path.startswith("/api/v1/nodes"):
            return {"items": [_node(one) for one in self.nodes.values()]}
        proxies = [] if "labelSelector" in path else [_proxy(name) for name in self.nodes]
        return {"items": [*self.pods.values(), *proxies]}

    async def apply(self, manifest: dict[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        node = name.removeprefix("groundplane-probe-")
        self.pods[name] = {**manifest, "spec": {"nodeName": node}, "status": _RUNS}

    async def patch(self, path: str, patch: dict[str, Any]) -> None:
        raise NotImplementedError(path)

    async def delete(self, path: str) -> None:
        self.pods.pop(path.rpartition("/")[2].partition("?")[0], None)

    async def evict(self, namespace: str, pod: str) -> bool:
        raise NotImplementedError(f"{namespace}/{pod}")


_READY = [{"type": "Ready", "status": "True"}]
_RUNS = {"phase": "Running", "podIP": "10.244.0.9", "conditions": _READY}


def _proxy(node: str) -> dict[str, Any]:
    meta = {"name": f"kube-proxy-{node}", "namespace": "kube-system"}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": _RUNS}


def _node(one: NodeFacts) -> dict[str, Any]:
    return {
        "metadata": {"name": one.name},
        "spec": {"podCIDR": one.pod_cidr},
        "status": {"conditions": _READY},
    }


@dataclass
class _Run:
    """Journal, recorder and scopes of one run."""

    wish: Desired
    hosts: dict[str, Any]
    api: _Api
    notes: dict[str, str] = field(default_factory=dict)

    def get(self, key: str) -> str | None:
        return self.notes.get(key)

    async def put(self, key: str, value: str) -> None:
        self.notes[key] = value

    async def step(self, status: StepStatus) -> None:
        if status.state == "Failed":
            raise RuntimeError(f"{status.name}: {status.message}")

    def log(self, step: str, line: str) -> None:
        """Nobody follows."""

    async def cluster(self) -> _Api:
        return self.api

    async def nothing(self, *_: object) -> None:
        """There is no kubeconfig to read or to publish."""

    def read(self, step: PlannedStep) -> ReadScope:
        return self.write(step)

    def write(self, step: PlannedStep) -> Scope:
        return Scope(
            target=self.wish.target,
            machine=self.wish.machines.get(step.machine),
            machines=self.wish.machines,
            hosts={name: ReadOnly(host) for name, host in self.hosts.items()},
            journal=self,
            log=lambda _: None,
            clock=SystemClock(),
            cluster=self.cluster,  # type: ignore[arg-type]
            published_kubeconfig=self.nothing,
            writable=self.hosts,
            delivery=None,  # type: ignore[arg-type]
            publish_kubeconfig=self.nothing,
            among=step.among,
        )


def _grown(size: int) -> Fleet:
    """A finished cluster of `size` nodes whose wish has one more."""
    fleet = Fleet(desired(1, size - 1), {})
    fleet.machines = {name: bare(name) for name in fleet.target.members}
    for step in plan_create(fleet.wish, fleet.machines, fleet.cluster()).steps:
        fleet.run(step)
    # The simulation names ranges by place; here there are more places than a byte has.
    cidrs = {name: f"10.{244 + place // 256}.{place % 256}.0/24" for place, name in enumerate(fleet.nodes)}
    fleet.nodes = {name: replace(node, pod_cidr=cidrs[name]) for name, node in fleet.nodes.items()}
    for name, facts in fleet.machines.items():
        routes = {node.pod_cidr: node.address for node in fleet.nodes.values() if node.name != name}
        fleet.machines[name] = replace(facts, network=replace(facts.network, routes=routes))
    if left := plan_create(fleet.wish, fleet.machines, fleet.cluster()).steps:
        raise RuntimeError(f"the cluster is not finished: {left[0]}")
    fleet.wish = desired(1, size)
    fleet.machines[_new(size)] = bare(_new(size))
    return fleet


def _new(size: int) -> str:
    return f"w-{size}"


@asynccontextmanager
async def _hosts(wish: Desired, port: int, key: bytes) -> AsyncIterator[dict[str, Any]]:
    async with HostPool() as pool:
        yield {
            name: pool.connect(_access(name, _address(place), port, key)) for place, name in enumerate(wish.machines)
        }


def _access(name: str, address: str, port: int, key: bytes) -> HostAccess:
    return HostAccess(name=name, address=address, port=port, private_keys=(key,))


def _address(place: int) -> str:
    return f"127.1.{place // 250}.{place % 250 + 1}"


async def _counts(port: int, key: bytes) -> dict[str, int]:
    async with HostPool() as pool:
        asked = await pool.connect(_access("counter", _COUNTER, port, key)).run(["counts"])
    return dict(json.loads(asked.stdout))


async def _add_one(size: int, port: int, key: bytes) -> list[Figure]:
    fleet = _grown(size)
    begun = time.perf_counter()
    plan = plan_create(fleet.wish, fleet.machines, fleet.cluster())
    planned = time.perf_counter() - begun
    old = [name for name in fleet.wish.machines if name != _new(size)]
    if any(step.machine in old for step in plan.steps) or plan.fingerprints.keys() & set(old):
        raise RuntimeError("the plan has a step on a node that was there")
    steps = [replace(step, after=[]) for step in plan.steps if step.step in _OF_OTHERS]
    fleet.nodes[_new(size)] = NodeFacts(name=_new(size), pod_cidr="10.250.0.0/24", ready=True)
    await _counts(port, key)
    async with _hosts(fleet.wish, port, key) as hosts:
        run = _Run(fleet.wish, hosts, _Api(fleet.nodes))
        begun = time.perf_counter()
        outcome = await Runner(Plan(action="Create", steps=steps), steps=CREATE, scopes=run, recorder=run).run()
        told = time.perf_counter() - begun
    if outcome.phase != "Succeeded":
        raise RuntimeError(outcome.message)
    return _figures(size, await _counts(port, key), planned, told)


def _figures(size: int, counts: dict[str, int], planned: float, told: float) -> list[Figure]:
    witness, *rest = (counts.get(_address(place), 0) for place in range(size))
    if min(rest) < 1:
        raise RuntimeError("a node that was there did not get its route")
    return [
        Figure(f"one node added to {size}: the plan", "s", planned),
        Figure(f"one node added to {size}: telling the others, new connections included", "s", told),
        Figure(f"one node added to {size}: commands on each that was there, at most", "", max(rest), goal=1),
        Figure(f"one node added to {size}: commands on the witness", "", witness, goal=_WITNESS_GOAL),
    ]


def run() -> list[Figure]:
    """Add one node to each size."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as scratch:
        folder = Path(scratch)
        with machines("bench.scale.hosts", folder, _COUNTER) as port:
            key = (folder / "client_key").read_bytes()
            for size in SIZES:
                figures += asyncio.run(_add_one(size, port, key))
    return figures
