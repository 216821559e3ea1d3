"""ClusterTarget: what a Cluster wants once its Foundation and all defaults are filled in. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from groundplane.base import versions
from groundplane.base.errors import Refused

from .cluster import Addons, Change, Cluster, ClusterNetwork, Components, Endpoint, Kubeadm, KubeletOverride
from .distribution import Distribution, Release, Source
from .facts import ClusterFacts, MachineFacts
from .foundation import Foundation, FoundationSpec, HostSettings, Kernel, OSEntry, RuntimeChoice, RuntimeName
from .machine import Machine
from .meta import ANNOTATION_UPDATE, Struct, says

# Host settings of which nothing is wanted: no step changes a host because of them.
LEFT_ALONE = HostSettings(swap="Ignored", time_sync="Ignored", modules=[], sysctls={})
_API_PORT = 6443
_DNS = ("coredns", "kube-dns")


class ClusterTarget(Struct, frozen=True):
    """The wanted state of one cluster, complete: nothing in it is left to a default.

    `endpoint` has its host filled in (the first control plane's address when the spec names none). `control_planes`
    and `workers` are machine names in a stable order, by name. The first control plane runs kubeadm init; of a cluster
    that lives it is one that lives (plan.planes.rooted), and new members stem from it.
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
    control_planes: Annotated[
        list[str], says("Machines with the control plane; the first runs kubeadm init, or lives already")
    ]
    workers: Annotated[list[str], says("the other Machines")]
    update_packages: Annotated[
        str, says("value of the annotation `groundplane.dev/update-packages`: each new one updates packages once")
    ] = ""
    origin: Annotated[
        Literal["Made", "Adopted"],
        says("Made: by Groundplane; Adopted: it was there, and its components and network stay its owner's"),
    ] = "Made"
    leaving: Annotated[list[str], says("Machines that are taken out of the cluster; they are no members any more")] = []

    @property
    def key(self) -> str:
        """The cluster's mark on machines: namespace/name."""
        return f"{self.namespace}/{self.name}"

    @property
    def first(self) -> str:
        """The control plane that the others stem from: it runs kubeadm init, or did, or joined long ago."""
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
        update_packages=cluster.metadata.annotations.get(ANNOTATION_UPDATE, ""),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What was observed of an adopted cluster: its Machines over SSH, by name, and the cluster through its API.

    `any_runtime`: nothing is done to the nodes for which it mattered that they have different ones.
    """

    machines: Mapping[str, MachineFacts]
    cluster: ClusterFacts
    any_runtime: bool = False


def wishes(cluster: Cluster) -> bool:
    """Tell whether the spec of an adopted Cluster asks for anything else than what runs."""
    spec, update = cluster.spec, cluster.metadata.annotations.get(ANNOTATION_UPDATE, "")
    return bool(spec.runtime or spec.settings or spec.kubernetes.version or spec.kubernetes.distribution or update)


def resolve_adopted(
    cluster: Cluster,
    foundation: Foundation | None,
    distribution: Distribution | None,
    machines: Sequence[Machine],
    found: Found,
) -> ClusterTarget:
    """Return the target of a cluster that was there before: what runs is wanted, but for what the spec asks for.

    With a `foundation`, what the spec leaves open is taken from it; None leaves it as it is. Components, add-ons and
    network stay the owner's. There is a control plane among the machines. Raises Refused when the wish cannot be made
    out, as of nodes with different runtimes.
    """
    spec, base = cluster.spec, foundation.spec if foundation is not None else None
    version = spec.kubernetes.version or (base.kubernetes.version if base else "")
    release = _release(cluster, distribution, version) if version else Release(version=running_version(found.cluster))
    ordered = sorted(machines, key=lambda machine: machine.metadata.name)
    control_planes = [machine for machine in ordered if machine.spec.role == "ControlPlane"]
    system = base.operating_system if base else None
    return ClusterTarget(
        namespace=cluster.metadata.namespace,
        name=cluster.metadata.name,
        version=release.version,
        distribution=distribution.metadata.name if distribution else found.cluster.platform.name,
        release=release,
        sources=distribution.spec.sources if distribution else [],
        runtime=spec.runtime or (base.runtime if base else _running_runtime(cluster, found)),
        settings=spec.settings or (system.settings if system else LEFT_ALONE),
        kernel=system.kernel if system else Kernel(),
        operating_systems=[*system.recommended, *system.allowed] if system else [],
        network=ClusterNetwork(plugin="none"),
        endpoint=_endpoint(ordered, found),
        components=Components(),
        addons=Addons(),
        kubeadm=spec.kubeadm,
        change=spec.change,
        control_planes=[machine.metadata.name for machine in control_planes],
        workers=[machine.metadata.name for machine in ordered if machine.spec.role != "ControlPlane"],
        origin="Adopted",
        update_packages=cluster.metadata.annotations.get(ANNOTATION_UPDATE, ""),
    )


def resolve_grown(
    cluster: Cluster,
    foundation: Foundation | None,
    distribution: Distribution | None,
    machines: Sequence[Machine],
    found: Found,
) -> ClusterTarget:
    """Return the target by which new machines join a cluster that was there before.

    They come with the version that its API serves, and with the runtime and host settings of the spec, or else of the
    Foundation; where there is none, with the runtime that runs. Raises Refused when there is no such release.
    """
    spec = cluster.spec
    kubernetes = msgspec.structs.replace(spec.kubernetes, version=found.cluster.version)
    # A new machine is not left as it is found.
    settings = spec.settings or (HostSettings() if foundation is None else None)
    wanted = msgspec.structs.replace(spec, kubernetes=kubernetes, settings=settings)
    target = resolve_adopted(msgspec.structs.replace(cluster, spec=wanted), foundation, distribution, machines, found)
    return msgspec.structs.replace(
        target,
        components=Components(kubelet=KubeletOverride(config=_cgroups(found))),
        addons=Addons(dns="CoreDNS" if any(one.name in _DNS for one in found.cluster.addons) else "None"),
    )


def _cgroups(found: Found) -> dict[str, str]:
    """Return the kubelets' cgroup driver, which a new machine's runtime has to share; nothing where none tells."""
    nodes = [facts.kubelet for facts in found.machines.values() if facts.kubeadm.joined]
    counts = Counter(kubelet.cgroup_driver for kubelet in nodes if kubelet.cgroup_driver)
    return {"cgroupDriver": counts.most_common(1)[0][0]} if counts else {}


def _release(cluster: Cluster, distribution: Distribution | None, version: str) -> Release:
    release = distribution.release(version) if distribution is not None else None
    if release is not None:
        return release
    name = cluster.metadata.name
    if distribution is None:
        raise Refused(
            f"cannot plan cluster {name}: there is no Distribution that has {version}",
            remedy="create one with this release, or name another with spec.kubernetes.distribution",
        )
    known = ", ".join(one.version for one in distribution.spec.releases) or "none"
    raise Refused(
        f"cannot plan cluster {name}: Distribution {distribution.metadata.name} has no release {version}",
        remedy=f"choose one of its releases ({known}), or another Distribution with spec.kubernetes.distribution",
    )


def running_version(cluster: ClusterFacts) -> str:
    """Return the oldest version that runs, API server and kubelets: held against it, no node is behind."""
    running = [cluster.version, *(node.kubelet_version for node in cluster.nodes if node.kubelet_version)]
    try:
        return min(running, key=versions.parse)
    except (versions.UnknownVersion, versions.Incomparable):
        return cluster.version


def _running_runtime(cluster: Cluster, found: Found) -> RuntimeChoice:
    """Return the runtime that most nodes run; nobody is migrated to what the others have without being asked."""
    known: tuple[RuntimeName, ...] = ("containerd", "docker")
    counts = Counter(name for node in found.cluster.nodes for name in known if node.runtime.startswith(f"{name}:"))
    if len(counts) > 1 and not found.any_runtime:
        said = ", ".join(f"{name} on {count}" for name, count in sorted(counts.items()))
        raise Refused(
            f"cannot plan cluster {cluster.metadata.name}: its nodes run different runtimes ({said})",
            remedy="say which one is wanted with spec.runtime.name",
        )
    return RuntimeChoice(name=next((name for name, _ in counts.most_common(1)), "containerd"))


def _endpoint(ordered: Sequence[Machine], found: Found) -> Endpoint:
    """Return where the nodes reach the API: what a kubelet was told, or else the first of the control planes.

    Workers are believed first: kubeadm v1.33 has a control plane's kubelet ask its own API server.
    """
    own = _addresses(ordered, found)
    for machine in sorted(ordered, key=lambda one: one.spec.role == "ControlPlane"):
        server = urlsplit(found.machines.get(machine.metadata.name, MachineFacts()).kubeadm.server)
        if server.hostname:
            provider: Literal["None", "External"] = "None" if server.hostname in own else "External"
            return Endpoint(host=server.hostname, port=server.port or _API_PORT, provider=provider)
    return Endpoint(host=next(one.spec.address for one in ordered if one.spec.role == "ControlPlane"))


def _addresses(machines: Sequence[Machine], found: Found) -> set[str]:
    """Return addresses and names of single machines; one alone in its network is none, for a virtual IP is such."""
    own = {machine.spec.address for machine in machines} | {node.address for node in found.cluster.nodes}
    for facts in found.machines.values():
        parted = (address.partition("/") for address in facts.network.addresses)
        own |= {address for address, _, size in parted if size not in ("32", "128")}
        own.add(facts.network.hostname)
    return own - {""}
