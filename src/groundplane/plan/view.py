"""View: the wanted state beside what was observed, with the questions that the planning rules ask of both.

Two marks decide almost everything. A machine is ours when it carries this cluster's mark (`kubeadm.owner`);
one without the mark is never taken for a member. A machine is a member when it is ours, kubeadm's files are
there, and the cluster knows it: kubeadm writes those files early, so they alone do not prove that `init` or
`join` ended. What cannot be proven is planned again, and the step finds out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from groundplane.api.distribution import Artifact
from groundplane.api.facts import ClusterFacts, MachineFacts, NodeFacts, RuntimeFacts
from groundplane.api.machine import Machine, Role
from groundplane.api.meta import ANNOTATION_HOLD_BACK
from groundplane.api.target import ClusterTarget, Desired

STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
ROUTED_PLUGINS = ("bridge", "host-local", "loopback", "portmap")
CNI_ARCHIVE = "cni-plugins"
DEFAULT_API_PORT = 6443


@dataclass(frozen=True, slots=True)
class View:
    """`facts` holds every member of the target; the callers have made sure of it."""

    desired: Desired
    facts: Mapping[str, MachineFacts]
    cluster: ClusterFacts

    @property
    def target(self) -> ClusterTarget:
        return self.desired.target

    def of(self, name: str) -> MachineFacts:
        """What was observed of machine `name`."""
        return self.facts[name]

    def spec(self, name: str) -> Machine:
        """The Machine object called `name`."""
        return self.desired.machines[name]

    def role(self, name: str) -> Role:
        """What the machine is to be, or is until it has left."""
        if name in self.target.leaving:
            return self.spec(name).spec.role or "Worker"
        return "ControlPlane" if name in self.target.control_planes else "Worker"

    def ours(self, name: str) -> bool:
        """Tell whether the machine carries this cluster's mark."""
        return self.of(name).kubeadm.owner == self.target.key

    def joined(self, name: str) -> bool:
        """Tell whether kubeadm has put our kubelet there; alone no proof that it ended well."""
        return self.ours(name) and self.of(name).kubeadm.joined

    def node(self, name: str) -> NodeFacts | None:
        """The machine's Node as the cluster shows it. Machine and Node have the same name."""
        return next((node for node in self.cluster.nodes if node.name == name), None)

    @property
    def initialised(self) -> bool:
        """Tell whether `kubeadm init` is known to have ended: only then was a kubeconfig published or a Node seen.

        Once it has, nothing makes it run again: a cluster that is merely down must not be initialised a second time.
        """
        first = self.target.first
        return self.joined(first) and (self.cluster.kubeconfig_published or self.node(first) is not None)

    def member(self, name: str) -> bool:
        """Tell whether the machine is known to have ended its `init` or `join`."""
        if name == self.target.first:
            return self.initialised
        if not self.joined(name):
            return False
        if self.role(name) == "ControlPlane" and not set(STATIC_PODS) <= set(self.of(name).kubeadm.static_pods):
            return False
        return self.node(name) is not None if self.cluster.reachable else self.cluster.kubeconfig_published

    def runtime(self, name: str) -> RuntimeFacts:
        """The wanted runtime as it is on the machine."""
        return self.of(name).runtime(self.target.runtime.name)

    def artifacts(self, name: str) -> list[Artifact]:
        """The release's files for this machine's role and architecture."""
        role, architecture = self.role(name), self.of(name).os.architecture
        return [
            artifact
            for artifact in self.target.release.artifacts
            if artifact.architecture == architecture and (not artifact.roles or role in artifact.roles)
        ]

    def artifact(self, name: str, wanted: str) -> Artifact | None:
        """The file called `wanted` for this machine, or None."""
        return next((artifact for artifact in self.artifacts(name) if artifact.name == wanted), None)


def cgroup_driver(target: ClusterTarget) -> str:
    """The cgroup driver that kubelet and runtime share.

    systemd unless the Cluster says otherwise: on a host run by systemd two managers of the cgroup tree disagree
    under pressure, https://kubernetes.io/docs/setup/production-environment/container-runtimes/#cgroup-drivers.
    """
    return str(target.components.kubelet.config.get("cgroupDriver", "systemd"))


def api_port(target: ClusterTarget) -> int:
    """The port that each API server binds; an external load balancer has the endpoint's port for itself."""
    return DEFAULT_API_PORT if target.endpoint.provider == "External" else target.endpoint.port


def plain_version(text: str) -> str:
    """A version without its leading "v"."""
    return text.removeprefix("v")


def plain_image(name: str) -> str:
    """An image name without Docker Hub's implied parts: containerd prints them, Docker leaves them out."""
    name = name.removeprefix("docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def needed_plugins(target: ClusterTarget) -> tuple[str, ...]:
    """The CNI plugins that Groundplane itself brings; with another network plugin only what that expects to find."""
    return ROUTED_PLUGINS if target.network.plugin == "routed" else ("loopback",)


def held_back(view: View, name: str) -> bool:
    """Tell whether a person keeps changes away from the machine."""
    return holds_back(view.spec(name))


def holds_back(machine: Machine) -> bool:
    """The same of a Machine alone."""
    return machine.metadata.annotations.get(ANNOTATION_HOLD_BACK) == "true"
