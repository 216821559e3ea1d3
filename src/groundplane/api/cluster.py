"""Cluster: one Kubernetes cluster, made by Groundplane or not."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from .assessment import Assessment, Dimension
from .facts import ClusterFacts, FactChange
from .foundation import HostSettings, NetworkPlugin, RuntimeChoice
from .meta import Conditions, NameReference, ObjectMeta, Struct, says

Provider = Literal["Machines", "Imported"]
Approval = Literal["Automatic", "Manual"]
ClusterPhase = Literal["Pending", "Creating", "Changing", "Ready", "Degraded", "Failed", "Deleting"]


class KubernetesOverride(Struct, frozen=True):
    """Fields left empty come from the Foundation."""

    distribution: Annotated[str, says("name of a Distribution; empty: the Foundation's")] = ""
    version: Annotated[str, says("release, such as v1.20.2; empty: the Foundation's")] = ""


class ClusterNetwork(Struct, frozen=True):
    """`plugin`: routed = CNI bridge with host routes; none = the user brings one; manifest = apply `manifest`.

    `manifest` is the YAML text of the user's own network plugin.
    """

    pod_cidr: Annotated[str, says("addresses of pods; each node takes a part of it")] = msgspec.field(
        name="podCIDR", default="10.244.0.0/16"
    )
    service_cidr: Annotated[str, says("addresses of Services, /12 to /28")] = msgspec.field(
        name="serviceCIDR", default="10.96.0.0/16"
    )
    dns_domain: Annotated[str, says("domain of service names")] = msgspec.field(
        name="dnsDomain", default="cluster.local"
    )
    plugin: Annotated[
        NetworkPlugin,
        says(
            "routed: CNI bridge with host routes; none: the user brings one; manifest: what `manifest` holds is applied"
        ),
    ] = "routed"
    manifest: Annotated[str, says("YAML text of the user's own network plugin; only with plugin manifest")] = ""


class Endpoint(Struct, frozen=True):
    """Where clients reach the API servers. Empty `host`: the first control plane's address."""

    host: Annotated[str, says("address or DNS name; empty: the first control plane's address")] = ""
    port: Annotated[int, says("TCP port", low=1, high=65535)] = 6443
    provider: Annotated[
        Literal["None", "VirtualIP", "External"],
        says("who keeps `host` reachable: None (nobody), VirtualIP (Groundplane), External (the user)"),
    ] = "None"


class ControlPlane(Struct, frozen=True):
    endpoint: Annotated[Endpoint, says("where clients reach the API servers")] = Endpoint()


class ComponentArgs(Struct, frozen=True):
    """Command-line flags without their dashes; a value given here wins over Groundplane's own."""

    args: Annotated[
        dict[str, str], says("flags without their dashes; a value given here wins over Groundplane's own")
    ] = {}


class ComponentConfig(Struct, frozen=True):
    """Fields merged into the component's configuration document."""

    config: Annotated[dict[str, Any], says("fields merged into the component's configuration document")] = {}


class KubeletOverride(Struct, frozen=True):
    args: Annotated[
        dict[str, str], says("flags without their dashes; a value given here wins over Groundplane's own")
    ] = {}
    config: Annotated[dict[str, Any], says("fields merged into the KubeletConfiguration document")] = {}


class Components(Struct, frozen=True):
    kubelet: Annotated[KubeletOverride, says("kubelet of every node")] = KubeletOverride()
    kube_proxy: Annotated[ComponentConfig, says("kube-proxy of every node")] = ComponentConfig()
    api_server: Annotated[ComponentArgs, says("kube-apiserver")] = ComponentArgs()
    controller_manager: Annotated[ComponentArgs, says("kube-controller-manager")] = ComponentArgs()
    scheduler: Annotated[ComponentArgs, says("kube-scheduler")] = ComponentArgs()
    etcd: Annotated[ComponentArgs, says("etcd members beside the API servers")] = ComponentArgs()


class Addons(Struct, frozen=True):
    """`dns`: None leaves CoreDNS out (the cluster then has no service names)."""

    dns: Annotated[Literal["CoreDNS", "None"], says("CoreDNS, or None: the cluster then has no service names")] = (
        "CoreDNS"
    )


class Kubeadm(Struct, frozen=True):
    """Escape hatches; each entry is shown as an exception of the cluster."""

    ignore_preflight_errors: Annotated[
        list[str], says("kubeadm checks whose failure is accepted, such as NumCPU; each is shown as an exception")
    ] = []


class Drain(Struct, frozen=True):
    """Evictions respect PodDisruptionBudgets always."""

    timeout: Annotated[str, says('how long pods may take to leave a machine, such as "5m" or "1h30m"')] = "5m"
    unmanaged_pods: Annotated[
        Literal["Refuse", "Delete"],
        says("what to do about pods that nothing makes anew: Refuse the change, or Delete them for good"),
    ] = "Refuse"


class Change(Struct, frozen=True):
    """How changes are made. `max_unavailable` is a count, or a percentage such as "25%"."""

    approval: Annotated[Approval, says("Manual holds every Operation until a person approves it")] = "Automatic"
    max_unavailable: Annotated[
        int | str, says('how many nodes may be unavailable at once, as a count or a percentage such as "25%"')
    ] = 1
    drain: Annotated[Drain, says("how machines are emptied")] = Drain()
    accept: Annotated[
        list[str],
        says("checks before a change whose warning is accepted, such as DockerSocketMounts; shown as exceptions"),
    ] = []


class DeclaredException(Struct, frozen=True):
    """A difference from the Foundation that the owner of the Cluster stands by."""

    dimension: Annotated[Dimension, says("where it may differ")]
    reason: Annotated[str, says("why, for those who read the report")] = ""
    until: Annotated[str, says("last day (YYYY-MM-DD) that it holds; empty: without end")] = ""


class ClusterSpec(Struct, frozen=True):
    provider: Annotated[
        Provider, says("who makes the cluster: Machines (Groundplane, over SSH) or Imported (it exists)")
    ] = "Machines"
    kubeconfig_ref: Annotated[
        NameReference | None,
        says("Secret (type groundplane.dev/kubeconfig) with `kubeconfig`; only with provider Imported"),
    ] = None
    foundation_ref: Annotated[NameReference | None, says("the Foundation that fills what is left empty here")] = None
    kubernetes: Annotated[
        KubernetesOverride, says("Kubernetes distribution and version, in place of the Foundation's")
    ] = KubernetesOverride()
    runtime: Annotated[RuntimeChoice | None, says("container runtime, in place of the Foundation's")] = None
    settings: Annotated[HostSettings | None, says("host settings, in place of the Foundation's")] = None
    network: Annotated[ClusterNetwork, says("pod and service network")] = ClusterNetwork()
    control_plane: Annotated[ControlPlane, says("control plane")] = ControlPlane()
    components: Annotated[Components, says("arguments and configuration of the Kubernetes components")] = Components()
    addons: Annotated[Addons, says("what is installed beside Kubernetes")] = Addons()
    kubeadm: Annotated[Kubeadm, says("escape hatches")] = Kubeadm()
    change: Annotated[Change, says("how changes are made")] = Change()
    exceptions: Annotated[
        list[DeclaredException],
        says("dimensions in which the cluster may differ from its Foundation", key="dimension"),
    ] = []


class NodeSummary(Struct, frozen=True):
    """What is known of one member: the Machine, its Node's name, and whether the Node is Ready."""

    machine: Annotated[str, says("name of the Machine")]
    node: Annotated[str, says("name of its Node")] = ""
    role: Annotated[str, says("ControlPlane or Worker")] = ""
    ready: Annotated[bool, says("whether the Node is Ready")] = False
    version: Annotated[str, says("version of its kubelet")] = ""
    runtime: Annotated[str, says("its container runtime with version")] = ""


class ClusterStatus(Struct, frozen=True):
    observed_generation: Annotated[int, says("generation of the spec that this status is about")] = 0
    phase: Annotated[ClusterPhase | None, says("the state in one word")] = None
    version: Annotated[str, says("Kubernetes version that runs")] = ""
    distribution: Annotated[str, says("Distribution that runs")] = ""
    runtime: Annotated[str, says("container runtime that runs")] = ""
    endpoint: Annotated[str, says("URL of the Kubernetes API")] = ""
    cluster_id: Annotated[str, says("uid of the cluster's kube-system namespace")] = msgspec.field(
        name="clusterID", default=""
    )
    kubeconfig_ref: Annotated[NameReference | None, says("Secret with the administrator's kubeconfig")] = None
    operation_ref: Annotated[NameReference | None, says("the Operation under way, or the last one")] = None
    planned_inputs: Annotated[str, says("digest of the specs that the last plan was made from")] = ""
    machines: Annotated[int, says("how many Machines belong to the cluster")] = 0
    ready_nodes: Annotated[int, says("how many of its Nodes are Ready")] = 0
    nodes: Annotated[list[NodeSummary], says("Nodes of the cluster, by Machine", key="machine")] = []
    facts: Annotated[ClusterFacts | None, says("what the last survey that was answered found")] = None
    survey_answered: Annotated[
        str, says("value of the annotation `groundplane.dev/survey` that the last look answered, well or not")
    ] = ""
    requests: Annotated[
        dict[str, str],
        says(
            "requests that were answered without an Operation, with the value answered; by annotation, which of a"
            " rollback is followed by a colon and the Operation that it is about"
        ),
    ] = {}
    unify_answered: Annotated[
        str,
        says(
            "value of the annotation `groundplane.dev/unify` that was planned with last, or that nothing can be planned"
        ),
    ] = ""
    history: Annotated[list[FactChange], says("what surveys found to have changed, newest first; at most 64")] = []
    assessment: Annotated[Assessment | None, says("what the facts mean for its Foundation")] = None
    conditions: Conditions = []


class Cluster(Struct, frozen=True):
    """One Kubernetes cluster."""

    api_version: Annotated[str, says("group and version of the kind")] = "groundplane.dev/v1alpha1"
    kind: Annotated[str, says("the kind: Cluster")] = "Cluster"
    metadata: Annotated[ObjectMeta, says("standard object metadata")] = ObjectMeta()
    spec: Annotated[ClusterSpec, says("the wanted cluster")] = ClusterSpec()
    status: Annotated[ClusterStatus, says("what was observed; written by Groundplane")] = ClusterStatus()
