"""Cluster: one Kubernetes cluster, made by Groundplane or not."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .foundation import HostSettings, NetworkPlugin, RuntimeChoice
from .meta import Condition, NameReference, ObjectMeta, Struct

Provider = Literal["Machines", "Imported"]
Approval = Literal["Automatic", "Manual"]
ClusterPhase = Literal["Pending", "Creating", "Ready", "Degraded", "Failed", "Deleting"]


class KubernetesOverride(Struct, frozen=True):
    """Fields left empty come from the Foundation."""

    distribution: str = ""
    version: str = ""


class ClusterNetwork(Struct, frozen=True):
    """`plugin`: routed = CNI bridge with host routes; none = the user brings one; manifest = apply `manifest`.

    `manifest` is the YAML text of the user's own network plugin.
    """

    pod_cidr: str = msgspec.field(name="podCIDR", default="10.244.0.0/16")
    service_cidr: str = msgspec.field(name="serviceCIDR", default="10.96.0.0/16")
    dns_domain: str = msgspec.field(name="dnsDomain", default="cluster.local")
    plugin: NetworkPlugin = "routed"
    manifest: str = ""


class Endpoint(Struct, frozen=True):
    """Where clients reach the API servers. Empty `host`: the first control plane's address."""

    host: str = ""
    port: int = 6443
    provider: Literal["None", "VirtualIP", "External"] = "None"


class ControlPlane(Struct, frozen=True):
    endpoint: Endpoint = Endpoint()


class ComponentArgs(Struct, frozen=True):
    """Command-line flags without their dashes; a value given here wins over Groundplane's own."""

    args: dict[str, str] = {}


class ComponentConfig(Struct, frozen=True):
    """Fields merged into the component's configuration document."""

    config: dict[str, Any] = {}


class KubeletOverride(Struct, frozen=True):
    args: dict[str, str] = {}
    config: dict[str, Any] = {}


class Components(Struct, frozen=True):
    kubelet: KubeletOverride = KubeletOverride()
    kube_proxy: ComponentConfig = ComponentConfig()
    api_server: ComponentArgs = ComponentArgs()
    controller_manager: ComponentArgs = ComponentArgs()
    scheduler: ComponentArgs = ComponentArgs()
    etcd: ComponentArgs = ComponentArgs()


class Addons(Struct, frozen=True):
    """`dns`: None leaves CoreDNS out (the cluster then has no service names)."""

    dns: Literal["CoreDNS", "None"] = "CoreDNS"


class Kubeadm(Struct, frozen=True):
    """Escape hatches; each entry is shown as an exception of the cluster."""

    ignore_preflight_errors: list[str] = []


class Drain(Struct, frozen=True):
    timeout: str = "5m"


class Change(Struct, frozen=True):
    """How changes are made. `max_unavailable` is a count, or a percentage such as "25%"."""

    approval: Approval = "Automatic"
    max_unavailable: int | str = 1
    drain: Drain = Drain()


class ClusterSpec(Struct, frozen=True):
    provider: Provider = "Machines"
    foundation_ref: NameReference | None = None
    kubernetes: KubernetesOverride = KubernetesOverride()
    runtime: RuntimeChoice | None = None
    settings: HostSettings | None = None
    network: ClusterNetwork = ClusterNetwork()
    control_plane: ControlPlane = ControlPlane()
    components: Components = Components()
    addons: Addons = Addons()
    kubeadm: Kubeadm = Kubeadm()
    change: Change = Change()


class NodeSummary(Struct, frozen=True):
    """What is known of one member: the Machine, its Node's name, and whether the Node is Ready."""

    machine: str
    node: str = ""
    role: str = ""
    ready: bool = False
    version: str = ""
    runtime: str = ""


class ClusterStatus(Struct, frozen=True):
    observed_generation: int = 0
    phase: ClusterPhase = "Pending"
    version: str = ""
    distribution: str = ""
    runtime: str = ""
    endpoint: str = ""
    cluster_id: str = msgspec.field(name="clusterID", default="")
    kubeconfig_ref: NameReference | None = None
    operation_ref: NameReference | None = None
    machines: int = 0
    ready_nodes: int = 0
    nodes: list[NodeSummary] = []
    conditions: list[Condition] = []


class Cluster(Struct, frozen=True):
    """One Kubernetes cluster."""

    api_version: str = "groundplane.dev/v1alpha1"
    kind: str = "Cluster"
    metadata: ObjectMeta = ObjectMeta()
    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()
