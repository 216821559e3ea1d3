"""ClusterTarget: what a Cluster wants once its Foundation and all defaults are filled in. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from .cluster import Addons, Change, Cluster, ClusterNetwork, Components, Endpoint, Kubeadm
from .distribution import Distribution, Release, Source
from .foundation import Foundation, FoundationSpec, HostSettings, Kernel, OSEntry, RuntimeChoice
from .machine import Machine
from .meta import Struct, says


class ClusterTarget(Struct, frozen=True):
    """The wanted state of one cluster, complete: nothing in it is left to a default.

    `endpoint` has its host filled in (the first control plane's address when the spec names none). `control_planes`
    and `workers` are machine names in a stable order (creation by name); the first control plane runs kubeadm init.
    """

    namespace: Annotated[str, says("namespace of the Cluster")]
    name: Annotated[str, says("name of the Cluster")]
    version: Annotated[str, says("Kubernetes version")]
    distribution: Annotated[str, says("name of the Distribution")]
    release: Annotated[Release, says("the release that is installed")]
    sources: Annotated[list[Source], says("where artifacts are looked for, in order")]
    runtime: Annotated[RuntimeChoice, says("container runtime")]
    settings: Annotated[HostSettings, says("host settings")]
    kernel: Annotated[Kernel, says("kernel floor")]
    operating_systems: Annotated[list[OSEntry], says("operating systems that are accepted; empty accepts all")]
    network: Annotated[ClusterNetwork, says("pod and service network")]
    endpoint: Annotated[Endpoint, says("where clients reach the API servers")]
    components: Annotated[Components, says("arguments and configuration of the Kubernetes components")]
    addons: Annotated[Addons, says("what is installed beside Kubernetes")]
    kubeadm: Annotated[Kubeadm, says("escape hatches")]
    change: Annotated[Change, says("how changes are made")]
    control_planes: Annotated[list[str], says("Machines with the control plane; the first runs kubeadm init")]
    workers: Annotated[list[str], says("the other Machines")]
    origin: Annotated[
        Literal["Made", "Adopted"],
        says("Made: by Groundplane; Adopted: it was there, and its components and network stay its owner's"),
    ] = "Made"

    @property
    def key(self) -> str:
        """The cluster's mark on machines: namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def first(self) -> str:
        """The control plane that runs kubeadm init."""
        return self.control_planes[0]

    @property
    def members(self) -> list[str]:
        """All machines, control planes first."""
        return [*self.control_planes, *self.workers]


class Desired(Struct, frozen=True):
    """Everything that planning is told: the target and the Machines by name."""

    target: ClusterTarget
    machines: dict[str, Machine]


def resolve(
    cluster: Cluster, foundation: Foundation | None, distribution: Distribution, machines: list[Machine]
) -> ClusterTarget:
    """Fill the Cluster's gaps from its Foundation and return the complete target.

    The inputs must have passed validation: the release exists and there is a control plane.
    """
    base = foundation.spec if foundation is not None else FoundationSpec()
    spec = cluster.spec
    version = spec.kubernetes.version or base.kubernetes.version
    release = distribution.release(version)
    if release is None:
        raise LookupError(f"distribution {distribution.metadata.name} has no release {version}")
    ordered = sorted(machines, key=lambda machine: machine.metadata.name)
    control_planes = [m for m in ordered if m.spec.role == "ControlPlane"]
    wanted = spec.control_plane.endpoint
    endpoint = Endpoint(host=wanted.host or control_planes[0].spec.address, port=wanted.port, provider=wanted.provider)
    return ClusterTarget(
        namespace=cluster.metadata.namespace,
        name=cluster.metadata.name,
        version=version,
        distribution=distribution.metadata.name,
        release=release,
        sources=distribution.spec.sources,
        runtime=spec.runtime or base.runtime,
        settings=spec.settings or base.operating_system.settings,
        kernel=base.operating_system.kernel,
        operating_systems=[*base.operating_system.recommended, *base.operating_system.allowed],
        network=spec.network,
        endpoint=endpoint,
        components=spec.components,
        addons=spec.addons,
        kubeadm=spec.kubeadm,
        change=spec.change,
        control_planes=[m.metadata.name for m in control_planes],
        workers=[m.metadata.name for m in ordered if m.spec.role == "Worker"],
    )
