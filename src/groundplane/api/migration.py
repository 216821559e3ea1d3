"""What must be known before the container runtime of a living node is changed; no part of any kind's status.

`MigrationFacts` is one machine, read by a script of its own right before the change (`hosts.facts.migration`);
`WorkloadFacts` is what the cluster's API tells (`clusters.before_change`). `plan.before_change` judges both. Nothing
here is ever a secret: of credentials only the registries' names are kept, of proxies the URL without its user.
"""

from __future__ import annotations

from typing import Annotated

from .meta import Struct, says


class DaemonFacts(Struct, frozen=True):
    """How Docker is set up, by daemon.json and dockerd's own flags together; `unreadable` says what could not be."""

    version: Annotated[str, says("version of the daemon that runs; empty: none answers")] = ""
    data_root: Annotated[str, says("folder of images and containers")] = ""
    storage_driver: Annotated[str, says("storage driver that is set or in use")] = ""
    cgroup_driver: Annotated[str, says("systemd, cgroupfs or empty")] = ""
    log_driver: Annotated[str, says("log driver")] = ""
    log_options: Annotated[dict[str, str], says("max-size and max-file; of other options only the name")] = {}
    mirrors: Annotated[list[str], says("mirrors of Docker Hub")] = []
    insecure: Annotated[list[str], says("registries without verified TLS: hosts and address ranges")] = []
    live_restore: Annotated[bool, says("whether containers outlive the daemon")] = False
    default_runtime: Annotated[str, says("OCI runtime that containers get when they name none")] = ""
    runtimes: Annotated[list[str], says("OCI runtimes that are set up beside runc")] = []
    hosts: Annotated[list[str], says("sockets that the daemon listens on beside its own")] = []
    proxies: Annotated[dict[str, str], says("proxies of daemon.json, without user and password")] = {}
    bip: Annotated[str, says("address of Docker's own bridge")] = ""
    ulimits: Annotated[list[str], says("limits that every container gets")] = []
    ignored: Annotated[list[str], says("other settings, by name: they mean nothing to containerd")] = []
    unreadable: Annotated[str, says("why daemon.json could not be read")] = ""


class UnitFacts(Struct, frozen=True):
    name: Annotated[str, says("systemd unit")]
    known: Annotated[bool, says("whether systemd has it")] = False
    active: Annotated[bool, says("whether it runs")] = False
    enabled: Annotated[bool, says("whether it starts at boot")] = False
    needs: Annotated[list[str], says("units without which it is stopped (BindsTo, Requires, PartOf)")] = []
    files: Annotated[list[str], says("files that it is made of")] = []


class ContainerFacts(Struct, frozen=True):
    name: Annotated[str, says("name of the container")]
    image: Annotated[str, says("its image")] = ""
    running: Annotated[bool, says("whether it runs")] = False


class CredentialFacts(Struct, frozen=True):
    """A config.json of Docker's. Of what it holds only the names of registries ever leave the machine."""

    path: Annotated[str, says("file")]
    registries: Annotated[list[str], says("registries that it has credentials for")] = []
    helpers: Annotated[list[str], says("programs that it asks for credentials")] = []


class ImageFacts(Struct, frozen=True):
    names: Annotated[list[str], says("its names")]
    size: Annotated[int, says("bytes of all its layers")] = 0
    adds: Annotated[int, says("bytes of what it does not share with one before it in the list")] = 0


class ImageStoreFacts(Struct, frozen=True):
    """Docker's images. Sizes are of what is unpacked, shared layers counted once where that can be told."""

    count: Annotated[int, says("how many images there are")] = 0
    size: Annotated[int, says("bytes of all of them")] = 0
    carried: Annotated[list[ImageFacts], says("those that containers run from, or that no registry has")] = []
    local: Annotated[list[str], says("images that no registry is known for: only this machine has them")] = []


class PlaceFacts(Struct, frozen=True):
    path: Annotated[str, says("folder, or the one above that exists")]
    mount: Annotated[str, says("where its file system is mounted")] = ""
    device: Annotated[str, says("what is mounted there")] = ""
    filesystem: Annotated[str, says("type of file system")] = ""
    total: Annotated[int, says("size in bytes")] = 0
    available: Annotated[int, says("bytes that are free for use")] = 0
    fstab: Annotated[str, says("its line of /etc/fstab, without options; or its mount unit")] = ""


class ContainerdFacts(Struct, frozen=True):
    version: Annotated[str, says("version; empty: not installed")] = ""
    config: Annotated[bool, says("whether there is a config.toml")] = False
    disabled: Annotated[bool, says("whether it turns the CRI off")] = False
    root: Annotated[str, says("folder that it stores in")] = "/var/lib/containerd"
    imports: Annotated[bool, says("whether it takes settings from other files, too")] = False


class FlagFacts(Struct, frozen=True):
    path: Annotated[str, says("file")]
    names: Annotated[list[str], says("flags and fields of the container runtime that it sets")] = []


class MigrationFacts(Struct, frozen=True):
    docker: Annotated[DaemonFacts, says("Docker's settings")] = DaemonFacts()
    units: Annotated[list[UnitFacts], says("units of runtimes and kubelet")] = []
    proxies: Annotated[dict[str, str], says("proxies of docker.service, without user and password")] = {}
    credentials: Annotated[list[CredentialFacts], says("files with credentials for registries")] = []
    authorities: Annotated[list[str], says("files of /etc/docker/certs.d")] = []
    containers: Annotated[list[ContainerFacts], says("Docker's containers that are not Kubernetes'")] = []
    sandboxes: Annotated[int, says("how many pods run on Docker")] = 0
    users: Annotated[list[str], says("units and cron tables that call docker")] = []
    pullers: Annotated[list[str], says("units that bring Docker up with them")] = []
    images: Annotated[ImageStoreFacts, says("Docker's images")] = ImageStoreFacts()
    places: Annotated[list[PlaceFacts], says("Docker's folder, containerd's, and Groundplane's, in this order")] = []
    containerd: Annotated[ContainerdFacts, says("containerd")] = ContainerdFacts()
    kubelet_flags: Annotated[list[FlagFacts], says("where the kubelet's runtime is set")] = []
    cloud_provider: Annotated[str, says("cloud provider of the kubelet")] = ""
    crictl_endpoint: Annotated[str, says("socket of /etc/crictl.yaml")] = ""
    kvm: Annotated[bool, says("whether /dev/kvm is there")] = False
    virtualisation: Annotated[bool, says("whether the CPU has it (vmx, svm)")] = False
    kata: Annotated[bool, says("whether containerd-shim-kata-v2 is there")] = False
    nvidia: Annotated[bool, says("whether nvidia-container-runtime is there")] = False
    http2: Annotated[bool, says("whether curl speaks HTTP/2, with which the CRI can be asked")] = False

    def unit(self, name: str) -> UnitFacts:
        """Return the unit called `name`; one that is not known when it was not found."""
        return next((unit for unit in self.units if unit.name == name), UnitFacts(name=name))


class PodFacts(Struct, frozen=True):
    """One pod and what is remarkable about it; `owner` is like "DaemonSet/agent", empty when nothing makes it anew."""

    namespace: Annotated[str, says("namespace")]
    name: Annotated[str, says("name")]
    node: Annotated[str, says("Node that it runs on")] = ""
    owner: Annotated[str, says("kind and name of its controller")] = ""
    what: Annotated[list[str], says("what is remarkable: paths of the host, images, volumes")] = []

    @property
    def said(self) -> str:
        """The pod as people name it."""
        return f"{self.namespace}/{self.name}"


class BudgetFacts(Struct, frozen=True):
    """A PodDisruptionBudget that lets nothing go now."""

    namespace: Annotated[str, says("namespace")]
    name: Annotated[str, says("name")]
    healthy: Annotated[int, says("healthy pods")] = 0
    desired: Annotated[int, says("healthy pods that it wants")] = 0
    nodes: Annotated[list[str], says("Nodes that its pods are on")] = []


class WorkloadFacts(Struct, frozen=True):
    socket_mounts: Annotated[list[PodFacts], says("pods that mount Docker's socket or its folder")] = []
    log_mounts: Annotated[list[PodFacts], says("pods that read log files of the host")] = []
    agents: Annotated[list[PodFacts], says("DaemonSet pods of known agents for logs and monitoring")] = []
    unmanaged: Annotated[list[PodFacts], says("pods that nothing makes anew")] = []
    local_storage: Annotated[list[PodFacts], says("pods with data on the node that a drain gives up")] = []
    gpus: Annotated[list[PodFacts], says("pods that ask for GPUs")] = []
    budgets: Annotated[list[BudgetFacts], says("PodDisruptionBudgets that let no pod go now")] = []
    templates: Annotated[list[str], says("what makes new nodes: MachineDeployments, autoscalers")] = []
    troubled: Annotated[dict[str, list[str]], says("Nodes with conditions that tell of a problem")] = {}
    gaps: Annotated[list[str], says("what could not be asked, and why")] = []
