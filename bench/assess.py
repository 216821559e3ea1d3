"""Assessment of a simulated fleet: 1,000 clusters of 10 nodes each, many kinds of ground, one Foundation.

Everything is assessed from facts, as after a restart; then one cluster changes. There is no peer: nobody else does it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from statistics import median

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts, PlatformFacts, PodNetworkFacts, StackFacts
from groundplane.api.foundation import (
    Foundation,
    FoundationNetwork,
    FoundationSpec,
    Kernel,
    KubernetesChoice,
    OperatingSystem,
    OSEntry,
    RuntimeChoice,
)
from groundplane.api.meta import ObjectMeta
from groundplane.assess import ClusterSubject, Fleet, Standard, assess_cluster, resolve

from .figures import Figure

CLUSTERS = 1000
NODES = 10
ROUNDS = 5
_TODAY = "2026-11-28"

IMAGES = (
    "Debian GNU/Linux 12 (bookworm)",
    "Ubuntu 22.04.3 LTS",
    "CentOS Linux 7 (Core)",
    "TencentOS Server 3.1 (Final)",
)
KERNELS = ("4.14.105-19-0009", "5.4.119-19-0009.11", "6.1.0-18-amd64", "5.15.0-91-generic", "3.10.0-1160.el7.x86_64")
VERSIONS = ("v1.20.6-tke.3", "v1.20.6-tke.1", "v1.22.17", "v1.24.9", "v1.19.16", "v1.29.3-eks-ae9a62a")
RUNTIMES = ("docker://19.3.14", "containerd://1.6.20~ds1", "containerd://1.5.4", "containerd://1.7.11")


def foundation() -> Foundation:
    """A Foundation that wants something in every dimension."""
    spec = FoundationSpec(
        operating_system=OperatingSystem(
            recommended=[OSEntry(id="tencentos", versions=["3.1"])],
            allowed=[OSEntry(id="debian", versions=["12"])],
            kernel=Kernel(minimum="5.4.119"),
        ),
        kubernetes=KubernetesChoice(distribution="tke", version="v1.20.6-tke.3"),
        runtime=RuntimeChoice(version=">=1.6.0"),
        network=FoundationNetwork(plugin="cilium", features=["KubeProxyReplacement", "BandwidthManager"]),
    )
    return Foundation(metadata=ObjectMeta(name="production", namespace="default"), spec=spec)


def clusters(count: int, *, seed: int = 1) -> Iterator[ClusterFacts]:
    """Yield the facts of clusters of NODES nodes on one to all-different stacks."""
    chance = random.Random(seed)
    for number in range(count):
        names = [f"c{number:04}-n{node}" for node in range(NODES)]
        kinds = chance.choice((1, 2, 3, NODES))
        parts = [names[place::kinds] for place in range(kinds)]
        yield ClusterFacts(
            observed_at=f"{_TODAY}T03:00:00Z",
            reachable=True,
            version=chance.choice(VERSIONS),
            platform=PlatformFacts(name=chance.choice(("tke", "native", "eks"))),
            stacks=[_stack(chance, part) for part in parts],
            network=PodNetworkFacts(plugin="cilium", version="1.10.3", features=["KubeProxyReplacement"]),
        )


def _stack(chance: random.Random, names: list[str]) -> StackFacts:
    return StackFacts(
        os_image=chance.choice(IMAGES),
        kernel=chance.choice(KERNELS),
        architecture="amd64",
        kubelet=chance.choice(VERSIONS),
        runtime=chance.choice(RUNTIMES),
        count=len(names),
        ready=len(names),
        nodes=names,
    )


def standard() -> Standard:
    """What the clusters are held against."""
    return resolve(Cluster(), foundation(), {}, _TODAY)


def _assess_all(facts: list[ClusterFacts], held: Standard) -> tuple[Fleet, float]:
    started, fleet = time.perf_counter(), Fleet()
    for number, found in enumerate(facts):
        fleet.put(f"c{number:04}", "production", assess_cluster(ClusterSubject(found), held))
    fleet.uniformity("production")
    fleet.features("production")
    return fleet, time.perf_counter() - started


def _assess_one(fleet: Fleet, found: ClusterFacts, held: Standard) -> float:
    started = time.perf_counter()
    fleet.put("c0007", "production", assess_cluster(ClusterSubject(found), held))
    fleet.uniformity("production")
    fleet.stacks("production")
    fleet.features("production")
    return time.perf_counter() - started


def run() -> list[Figure]:
    """Measure a full assessment and one after a change, medians of several rounds."""
    facts, held = list(clusters(CLUSTERS)), standard()
    whole, single = [], []
    for turn in range(ROUNDS):
        fleet, seconds = _assess_all(facts, held)
        whole.append(seconds)
        changed = msgspec.structs.replace(next(clusters(1, seed=turn + 2)), observed_at=f"{_TODAY}T04:00:00Z")
        single.append(_assess_one(fleet, changed, held))
    return [
        Figure(f"assess {CLUSTERS} clusters of {NODES} nodes", "s", median(whole), goal=1.0),
        Figure("assess again after one change", "ms", 1000 * median(single), goal=10.0),
    ]
