"""What a fleet's API server holds: 1,000 imported Clusters of 10 nodes, Machines, Operations and two Foundations.

Statuses are made by what makes them in production: the status of a survey, the assessment, the sums of a Foundation,
and facts of Machines parsed from what a real machine printed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import yaml
from msgspec.structs import replace

from bench.assess import CLUSTERS, NODES, clusters, foundation, standard
from groundplane.api.cluster import Cluster, ClusterSpec
from groundplane.api.examples import EXAMPLES
from groundplane.api.facts import ClusterFacts, ComponentFacts, MachineFacts, NodeFacts, StackFacts
from groundplane.api.foundation import Foundation, FoundationStatus
from groundplane.api.machine import Machine, MachineSpec, MachineStatus, SSHAccess
from groundplane.api.meta import Condition, NameReference, ObjectMeta, Struct
from groundplane.api.operation import Operation, OperationStatus, StepStatus
from groundplane.assess import ClusterSubject, Fleet, assess_cluster, assess_machine
from groundplane.client.http import HttpClient
from groundplane.client.typed import RESOURCES, from_struct
from groundplane.controllers.assessing import judge
from groundplane.controllers.cluster.imported_status import surveyed
from groundplane.engine.conditions import Conditions
from groundplane.hosts.facts.parse import parse
from groundplane.hosts.facts.sections import split
from groundplane.kube.kubeconfig import Kubeconfig

MACHINES = 3000
OPERATIONS = 300
FOUNDATIONS = ("production", "edge")
NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
CAPTURED = Path(__file__).parents[2] / "tests/data/facts/captured-lab-containerd-control-plane.txt"
_AT_ONCE = 16
_GROUPS = ("apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "v1")
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kube-proxy", "coredns", "cilium")

Sums = Callable[[str], FoundationStatus]


async def fill(kubeconfig: Path) -> None:
    """Create everything, each object with its status."""
    async with HttpClient(Kubeconfig.load([kubeconfig]).access()) as client:
        fleet = Fleet()
        await _make(client, _clusters(fleet))
        await _make(client, (_foundation(name, fleet) for name in FOUNDATIONS))
        await _make(client, _machines())
        await _make(client, _operations())


async def _make(client: HttpClient, objects: Iterable[Struct]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(value: Struct) -> None:
        resource, body = RESOURCES[type(value)], from_struct(value)
        async with gate:
            made = await client.create(resource, body)
            await client.update_status(resource, {**made, "status": body["status"]})

    await asyncio.gather(*(one(value) for value in objects))


def _meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default")


def _clusters(fleet: Fleet) -> Iterator[Cluster]:
    """Yield the Clusters, each put into the sums of its Foundation."""
    held, chance = standard(), random.Random(2)
    for number, seen in enumerate(clusters(CLUSTERS)):
        name, of = f"c{number:04}", FOUNDATIONS[number % 10 == 0]
        spec = ClusterSpec(
            provider="Imported",
            kubeconfig_ref=NameReference(name=f"{name}-kubeconfig"),
            foundation_ref=NameReference(name=of),
        )
        cluster = Cluster(metadata=_meta(name), spec=spec)
        away = chance.random() < 0.05
        facts = _facts(name, seen, away=away)
        assessment = replace(assess_cluster(ClusterSubject(facts), held), foundation=of)
        fleet.put(name, of, assessment)
        status = surveyed(cluster, facts, NOW)
        conditions = Conditions(status.conditions, generation=1, now=NOW)
        judge(conditions, assessment)
        yield replace(cluster, status=replace(status, assessment=assessment, conditions=conditions.values()))


def _facts(name: str, seen: ClusterFacts, *, away: bool) -> ClusterFacts:
    """Add what else a survey finds; with `away` one node is not ready."""
    nodes = [node for stack in seen.stacks for node in _nodes(stack)]
    if away:
        nodes[0] = replace(nodes[0], ready=False)
        first, *others = seen.stacks
        seen = replace(seen, stacks=[replace(first, ready=first.ready - 1), *others])
    components = [
        ComponentFacts(
            name=each, version="v1.20.6", image=f"registry.example/{each}:v1.20.6", namespace="kube-system", count=3
        )
        for each in _COMPONENTS
    ]
    return replace(
        seen,
        source=f"https://{name}.example:6443",
        cluster_id=f"uid-{name}",
        nodes=nodes,
        components=components[:4],
        addons=components[4:],
        api_groups=list(_GROUPS),
    )


def _nodes(stack: StackFacts) -> Iterator[NodeFacts]:
    for name in stack.nodes:
        yield NodeFacts(
            name=name, ready=True, kubelet_version=stack.kubelet, runtime=stack.runtime, kernel=stack.kernel
        )


def _foundation(name: str, fleet: Fleet) -> Foundation:
    status = FoundationStatus(
        clusters=fleet.members(name),
        drifting=fleet.drifting(name),
        uniformity=fleet.uniformity(name),
        stacks=fleet.stacks(name),
        features=fleet.features(name),
    )
    return replace(foundation(), metadata=_meta(name), status=status)


def _machines() -> Iterator[Machine]:
    """Yield Machines of the first Clusters, ten each, all with the facts of one real machine."""
    facts: MachineFacts = parse(split(CAPTURED.read_bytes()), observed_at="2026-11-28T03:00:00Z", offset_seconds=0)
    ready = _conditions(("Ready", "Surveyed"), ("Reachable", "LoggedIn"))
    held = standard()
    for number in range(MACHINES):
        name = f"m{number:04}"
        mine = replace(facts, machine_id=f"{number:032x}", network=replace(facts.network, hostname=name))
        spec = MachineSpec(
            address=f"198.18.{number // 250}.{number % 250 + 1}",
            cluster_ref=NameReference(name=f"c{number // NODES:04}"),
            role="ControlPlane" if number % NODES == 0 else "Worker",
            ssh=SSHAccess(secret_ref=NameReference(name="key")),
        )
        status = MachineStatus(facts=mine, assessment=assess_machine(name, mine, held), conditions=ready)
        yield Machine(metadata=_meta(name), spec=spec, status=status)


def _operations() -> Iterator[Operation]:
    """Yield Operations as large as that of a cluster of ten nodes; all but ten have ended."""
    example = msgspec.convert(yaml.safe_load(EXAMPLES["Operation"]), Operation)
    first, second = example.spec.plan.steps
    pairs = [
        (replace(first, name=f"claim/{node}", machine=node), replace(second, name=f"runtime/{node}", machine=node))
        for node in (f"shop-{number}" for number in range(NODES))
    ]
    steps = [step for pair in pairs for step in (pair[0], replace(pair[1], after=[pair[0].name]))]
    for number in range(OPERATIONS):
        ended = number >= 10
        status = OperationStatus(
            phase="Succeeded" if ended else "Running",
            started_at="2026-11-28T03:00:00Z",
            finished_at="2026-11-28T03:10:00Z" if ended else "",
            progress=f"{len(steps) if ended else 3}/{len(steps)}",
            steps=[StepStatus(name=step.name, state="Succeeded" if ended else "Running") for step in steps],
        )
        spec = replace(example.spec, cluster_ref=NameReference(name=f"c{number:04}"), approval="Approved")
        spec = replace(spec, plan=replace(spec.plan, steps=steps))
        yield replace(example, metadata=_meta(f"c{number:04}-create-1"), spec=spec, status=status)


def _conditions(*pairs: tuple[str, str]) -> list[Condition]:
    conditions = Conditions([], generation=1, now=NOW)
    for name, reason in pairs:
        conditions.set(name, "True", reason, "it answers")
    return conditions.values()
