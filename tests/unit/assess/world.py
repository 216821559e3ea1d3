"""Facts and Foundations for tests, each with one thing to change."""

from __future__ import annotations

from typing import Any

import msgspec

from groundplane.api.cluster import Cluster, ClusterSpec
from groundplane.api.facts import (
    ClusterFacts,
    HandlerFacts,
    KernelFacts,
    KubeletFacts,
    MachineFacts,
    OSFacts,
    PlatformFacts,
    PodNetworkFacts,
    RuntimeFacts,
    StackFacts,
    TimeFacts,
)
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
from groundplane.assess import Standard, resolve

TODAY = "2026-11-28"
MODULES = ["overlay", "br_netfilter"]
SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}
SPEC = FoundationSpec(
    operating_system=OperatingSystem(
        recommended=[OSEntry(id="tencentos", versions=["3.1"])],
        allowed=[OSEntry(id="debian", versions=["12"])],
        kernel=Kernel(minimum="5.4.119"),
    ),
    kubernetes=KubernetesChoice(distribution="tke", version="v1.20.6-tke.3"),
    runtime=RuntimeChoice(name="containerd", version=">=1.6.0"),
    network=FoundationNetwork(plugin="cilium", features=["KubeProxyReplacement"]),
)
UNIFORM = StackFacts(
    os_image="TencentOS Server 3.1 (Final)",
    kernel="5.4.119-19-0009.11",
    architecture="amd64",
    kubelet="v1.20.6-tke.3",
    runtime="containerd://1.6.36",
    count=2,
    ready=2,
    nodes=["a-1", "a-2"],
)
CILIUM = PodNetworkFacts(plugin="cilium", version="1.10.3", features=["KubeProxyReplacement"])


def standard(spec: FoundationSpec = SPEC, *, today: str = TODAY, **cluster: Any) -> Standard:
    """Return the standard of a Cluster with these fields of its spec."""
    foundation = Foundation(metadata=ObjectMeta(name="production"), spec=spec)
    return resolve(Cluster(spec=ClusterSpec(**cluster)), foundation, {}, today)


def facts(*stacks: StackFacts, **fields: Any) -> ClusterFacts:
    """Return the facts of a uniform cluster of these stacks, but for the fields."""
    return msgspec.structs.replace(
        ClusterFacts(
            observed_at="2026-11-28T03:00:00Z",
            reachable=True,
            version="v1.20.6-tke.3",
            platform=PlatformFacts(name="tke"),
            stacks=list(stacks or [UNIFORM]),
            network=CILIUM,
        ),
        **fields,
    )


def stack(**fields: Any) -> StackFacts:
    """Return one node b-1 that stands on the Foundation, but for the fields."""
    return msgspec.structs.replace(UNIFORM, **{"count": 1, "nodes": ["b-1"], **fields})


def machine(**fields: Any) -> MachineFacts:
    """Return a host that stands on the Foundation, but for the fields."""
    return msgspec.structs.replace(
        MachineFacts(
            observed_at="2026-11-28T03:00:00Z",
            os=OSFacts(id="tencentos", version_id="3.1", pretty_name="TencentOS Server 3.1 (Final)"),
            kernel=KernelFacts(release="5.4.119-19-0009.11", modules=MODULES, sysctls=SYSCTLS),
            time=TimeFacts(service="chronyd"),
            runtimes=[RuntimeFacts(name="containerd", version="1.6.36", installed=True, active=True)],
            handlers=[HandlerFacts(name="runc", version="1.1.12")],
            kubelet=KubeletFacts(installed=True, version="1.20.6-tke.3", active=True, runtime="containerd"),
        ),
        **fields,
    )
