"""Fleets made by hand: Clusters and Foundations with the statuses that surveys and assessments leave."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from groundplane.api.assessment import (
    DIMENSIONS,
    Assessment,
    DimensionShare,
    Drift,
    FeatureDecision,
    Finding,
    Nodes,
    Remedy,
    StackShare,
    Uniformity,
    UniformityPoint,
    drifting,
    named,
    percent,
    risks,
)
from groundplane.api.cluster import Cluster, ClusterSpec, ClusterStatus, DeclaredException
from groundplane.api.facts import (
    CertificateFacts,
    ClusterFacts,
    ComponentFacts,
    FactChange,
    KernelFacts,
    MachineFacts,
    OSFacts,
    PlatformFacts,
    PodNetworkFacts,
    StackFacts,
)
from groundplane.api.foundation import Foundation, FoundationNetwork, FoundationSpec, FoundationStatus, KubernetesChoice
from groundplane.api.machine import Machine, MachineSpec, MachineStatus
from groundplane.api.meta import Condition, NameReference, ObjectMeta
from groundplane.base.clock import rfc3339
from groundplane.client.contract import Client
from groundplane.client.typed import RESOURCES, from_struct

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
SYSTEMS = [
    ("TencentOS Server 3.1", "5.4.119-19.0009", "tke", "v1.20.6-tke.3", "containerd://1.6.20"),
    ("Debian GNU/Linux 12", "6.1.0-18-amd64", "native", "v1.20.15", "containerd://1.6.20"),
    ("CentOS Linux 7", "3.10.0-1160.el7", "native", "v1.18.20", "docker://19.3.15"),
    ("Ubuntu 22.04", "4.14.105", "eks", "v1.23.17-eks-a5565ad", "containerd://1.6.6"),
]


def condition(kind: str, status: Any, reason: str, message: str = "") -> Condition:
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=rfc3339(NOW),
        observed_generation=1,
    )


def stack_facts(number: int, nodes: list[str]) -> StackFacts:
    system, kernel, _, kubelet, runtime = SYSTEMS[number]
    return StackFacts(
        os_image=system, kernel=kernel, architecture="amd64", kubelet=kubelet, runtime=runtime,
        count=len(nodes), ready=len(nodes), nodes=nodes,
    )  # fmt: skip


def stack(number: int, nodes: int) -> StackShare:
    system, kernel, distribution, version, runtime = SYSTEMS[number]
    return StackShare(
        operating_system=system, kernel=kernel, distribution=distribution, version=version, runtime=runtime, nodes=nodes
    )


def kernel_drift(names: list[str], *, state: Any = "Drift") -> Drift:
    return Drift(
        dimension="Kernel",
        found="4.14.105",
        wanted=">= 5.4.119",
        severity="Medium",
        state=state,
        reason="new hardware comes in March" if state == "Exception" else "",
        evidence="ssh, uname -r",
        cost="BandwidthManager stays off; one more kernel to patch",
        nodes=named(names),
        remedy=Remedy(action="UpgradeKernel", text="upgrade the kernel to 5.4.119 or later"),
    )


def end_of_life(version: str, names: list[str]) -> Finding:
    return Finding(
        type="EndOfLife",
        subject=f"Kubernetes {version}",
        message=f"Kubernetes {version} gets no security fixes since 2022-02-28",
        severity="High",
        evidence="version of the API server; kubernetes.io/releases",
        nodes=named(names),
        remedy=Remedy(action="UpgradeKubernetes", text="upgrade to a supported minor release"),
    )


def bandwidth(names: list[str]) -> FeatureDecision:
    if not names:
        return FeatureDecision(
            feature="BandwidthManager", state="Available", needs="kernel 5.1", message="every node can carry it"
        )
    return FeatureDecision(
        feature="BandwidthManager",
        state="Blocked",
        needs="kernel 5.1",
        message=f"BandwidthManager needs kernel 5.1; {names[0]} has 4.14.105; {len(names)} nodes block it",
        blockers=named(names),
        unlocked_by="5.1",
        source="https://docs.cilium.io/en/stable/operations/system_requirements/",
    )


def assessment(
    nodes: list[str], *, stacks: list[StackShare], drift: list[Drift], findings: list[Finding]
) -> Assessment:
    """Return an assessment whose shares and texts are those of its drift."""
    shares = []
    worst = 0
    for dimension in DIMENSIONS:
        of = {state: max((d.nodes.count for d in drift if d.dimension == dimension and d.state == state), default=0)
              for state in ("Drift", "Exception")}  # fmt: skip
        worst = max(worst, *of.values())
        shares.append(
            DimensionShare(
                dimension=dimension, uniform=len(nodes) - sum(of.values()), exceptions=of["Exception"], nodes=len(nodes)
            )
        )
    uniform = len(nodes) - worst
    blocked = next((d.nodes.names for d in drift if d.dimension == "Kernel"), [])
    return Assessment(
        foundation="production",
        facts_at=rfc3339(NOW - timedelta(minutes=3)),
        summary=f"{uniform} of {len(nodes)} nodes stand on the Foundation",
        drifting=drifting(drift),
        risks=risks(findings),
        drift=drift,
        findings=findings,
        features=[bandwidth(blocked)],
        uniformity=Uniformity(
            nodes=len(nodes),
            uniform=uniform,
            percent=percent(uniform, len(nodes)),
            stacks=len(stacks),
            dimensions=shares,
        ),
        stacks=stacks,
    )


def facts(name: str, stacks: list[StackFacts], *, platform: Any, version: str, at: datetime) -> ClusterFacts:
    images = ("coredns", "kube-proxy", "kube-apiserver", "kube-scheduler", "kube-controller-manager", "etcd")
    return ClusterFacts(
        observed_at=rfc3339(at),
        source=f"https://{name}.clusters.example:6443",
        reachable=True,
        cluster_id=f"6c1c6f0e-{name}",
        version=version,
        platform=PlatformFacts(name=platform, evidence=[f"gitVersion {version}"]),
        stacks=stacks,
        components=[
            ComponentFacts(name=image, version="1.20.2", image=f"registry.example/{image}:v1.20.2", count=3)
            for image in images
        ],
        addons=[ComponentFacts(name=f"addon-{n}", image=f"registry.example/addon-{n}:v1", count=1) for n in range(6)],
        network=PodNetworkFacts(plugin="cilium", version="1.12.1", kube_proxy="iptables", evidence="DaemonSet cilium"),
        api_groups=["v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "policy/v1", "rbac.authorization.k8s.io/v1"],
        certificates=[
            CertificateFacts(path=f"https://{name}:6443", subject="kube-apiserver", not_after="2027-03-01T00:00:00Z")
        ],
    )


def cluster(name: str, *, namespace: str = "default", number: int = 0, size: int = 10, worse: int = 0) -> Cluster:
    """Return cluster `name` on system `number` with `size` nodes, of which the last `worse` have an old kernel."""
    nodes = [f"{name}-{n}" for n in range(1, size + 1)]
    _, _, platform, version, runtime = SYSTEMS[number]
    old = nodes[size - worse :]
    drift = [kernel_drift(old)] if old else []
    if number == 2:
        drift.insert(0, Drift(
            dimension="Version", found=version, wanted="v1.20.6-tke.3", severity="High", nodes=named(nodes),
            cost="no security fixes", remedy=Remedy(action="UpgradeKubernetes", text="upgrade to v1.20.6-tke.3"),
        ))  # fmt: skip
    findings = [end_of_life(version, nodes)] if number == 2 else []
    parts = [(number, nodes[: size - worse]), (3, old)]
    groups = [stack_facts(kind, names) for kind, names in parts if names]
    shares = [stack(kind, len(names)) for kind, names in parts if names]
    at = NOW - timedelta(minutes=3)
    return Cluster(
        metadata=ObjectMeta(name=name, namespace=namespace, labels={"team": "a" if number % 2 else "b"}),
        spec=ClusterSpec(provider="Machines", foundation_ref=NameReference(name="production")),
        status=ClusterStatus(
            observed_generation=1,
            phase="Ready",
            version=version,
            distribution=platform,
            runtime=runtime.partition(":")[0],
            machines=size,
            ready_nodes=size,
            facts=facts(name, groups, platform=platform, version=version, at=at),
            history=[FactChange(time=rfc3339(at), source="api", what="kernel", before="4.9", after="4.14.105")],
            assessment=assessment(nodes, stacks=shares, drift=drift, findings=findings),
            conditions=[condition("Reachable", "True", "Surveyed"), condition("Ready", "True", "AllNodesReady")],
        ),
    )


def machine(name: str, *, namespace: str = "default", of: str = "legacy", address: str = "198.18.7.7") -> Machine:
    """Return a machine of a cluster, with an old kernel."""
    return Machine(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=MachineSpec(address=address, cluster_ref=NameReference(name=of), role="Worker"),
        status=MachineStatus(
            observed_generation=1,
            facts=MachineFacts(
                observed_at=rfc3339(NOW - timedelta(minutes=3)),
                os=OSFacts(pretty_name="CentOS Linux 7", id="centos", version_id="7"),
                kernel=KernelFacts(release="4.14.105"),
            ),
            assessment=assessment([name], stacks=[stack(3, 1)], drift=[kernel_drift([name])], findings=[]),
            conditions=[condition("Reachable", "True", "Surveyed"), condition("Ready", "True", "Surveyed")],
        ),
    )


def unreachable(name: str, *, namespace: str = "default") -> Cluster:
    """Return a cluster that answered two days ago and does not now."""
    import msgspec

    known = cluster(name, namespace=namespace, size=3)
    old = msgspec.structs.replace(known.status.facts, observed_at=rfc3339(NOW - timedelta(days=2)))  # type: ignore[type-var]
    why = "no answer from https://10.0.0.9:6443 within 10 s"
    conditions = [
        condition("Reachable", "False", "Unreachable", why),
        condition("Ready", "Unknown", "Unreachable", why),
    ]
    status = msgspec.structs.replace(known.status, facts=old, conditions=conditions)
    return msgspec.structs.replace(known, status=status)


def never_seen(name: str, *, namespace: str = "default") -> Cluster:
    """Return a cluster that has just been made: there is nothing to show but that."""
    return Cluster(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=ClusterSpec(foundation_ref=NameReference(name="production")),
    )


def excepted(name: str, *, namespace: str = "default") -> Cluster:
    """Return a cluster that declares its kernel as an exception."""
    import msgspec

    base = cluster(name, namespace=namespace, size=4)
    nodes = [f"{name}-{n}" for n in range(1, 5)]
    held = assessment(nodes, stacks=[stack(3, 4)], drift=[kernel_drift(nodes, state="Exception")], findings=[])
    declared = [DeclaredException(dimension="Kernel", reason="new hardware comes in March", until="2027-03-31")]
    return msgspec.structs.replace(
        base,
        spec=msgspec.structs.replace(base.spec, exceptions=declared),
        status=msgspec.structs.replace(base.status, assessment=held),
    )


def foundation(*, namespace: str = "default", points: int = 90) -> Foundation:
    """Return the Foundation of all of them, with a history of so many days."""
    history = [
        UniformityPoint(
            time=rfc3339(NOW - timedelta(days=points - n)),
            nodes=100,
            uniform=40 + (n * 45) // max(points, 1),
            stacks=9 - n // 20,
        )
        for n in range(points)
    ]
    return Foundation(
        metadata=ObjectMeta(name="production", namespace=namespace),
        spec=FoundationSpec(
            kubernetes=KubernetesChoice(distribution="tke", version="v1.20.6-tke.3"),
            network=FoundationNetwork(plugin="cilium", features=["BandwidthManager", "KubeProxyReplacement"]),
        ),
        status=FoundationStatus(
            observed_generation=1, clusters=6, drifting=2, unassessed=1, history=history,
            uniformity=Uniformity(nodes=37, uniform=20, percent="54.0%", stacks=4), stacks=[stack(0, 20), stack(3, 7)],
        ),
    )  # fmt: skip


async def put(client: Client, *objects: Any) -> None:
    """Create each object and write its status, as its controller would."""
    for each in objects:
        resource = RESOURCES[type(each)]
        document = from_struct(each)
        made = await client.create(resource, {key: value for key, value in document.items() if key != "status"})
        if "status" in document:
            await client.update_status(resource, document | {"metadata": made["metadata"]})


__all__ = ["NOW", "Nodes", "assessment", "cluster", "excepted", "foundation", "never_seen", "put", "unreachable"]
