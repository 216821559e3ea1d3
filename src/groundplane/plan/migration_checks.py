"""The checks of one machine before its container runtime is changed: each yields what stands against it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from groundplane.api.facts import MachineFacts
from groundplane.api.migration import ContainerFacts, MigrationFacts, PlaceFacts
from groundplane.base.sizes import MIB, mib
from groundplane.base.versions import UnknownVersion, satisfies
from groundplane.base.words import counted, listed
from groundplane.catalog.runtimes import containerd_supported, docker_supported

from .deltas import Delta
from .preflight import Problem
from .view import View, plain_image

# An image that is carried over is stored as the tar that it came in, and unpacked.
COPIES = 2
# What a runtime needs for itself, and kubelet before it starts to evict.
SPARE = 1024 * MIB
KUBELET_FLAGS = "/var/lib/kubelet/kubeadm-flags.env"
_RUNTIME_FLAGS = frozenset(
    {
        "container-runtime",
        "container-runtime-endpoint",
        "containerRuntimeEndpoint",
        "network-plugin",
        "cni-conf-dir",
        "cni-bin-dir",
        "docker",
        "docker-endpoint",
        "image-pull-progress-deadline",
    }
)
_KUBERNETES = frozenset({"kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"})
_FILE_LOGS = frozenset({"json-file", "local"})


@dataclass(frozen=True, slots=True)
class Node:
    """One machine that is changed: what is wanted, what is different, what was found."""

    view: View
    delta: Delta
    facts: MigrationFacts

    @property
    def survey(self) -> MachineFacts:
        return self.view.of(self.delta.name)

    def error(self, check: str, message: str, remedy: str) -> Problem:
        name = self.delta.name
        return Problem(name, check, f"machine {name}: {message}", remedy)

    def warning(self, check: str, message: str, remedy: str) -> Problem:
        name = self.delta.name
        return Problem(name, check, f"machine {name}: {message}", remedy, "Warning")


Check = Callable[[Node], Iterator[Problem]]


def containerd_version(node: Node) -> Iterator[Problem]:
    """The containerd that is there must run the Kubernetes that is there, and the one that is wanted."""
    view, name = node.view, node.delta.name
    found = node.facts.containerd.version or node.survey.runtime("containerd").version
    if not found:
        if view.artifact(name, "containerd") is None:
            yield node.warning(
                "ContainerdVersion",
                f"containerd is not installed and release {view.target.version} brings none",
                "install it first, unless the machine's package manager can reach a repository that has it",
            )
        return
    try:
        fits = satisfies(found, view.target.runtime.version)
        verdicts = [containerd_supported(version, found) for version in _kubernetes_versions(node)]
    except UnknownVersion as problem:
        yield node.error("ContainerdVersion", problem.message, "install containerd in a released version")
        return
    if not fits:
        yield node.error(
            "ContainerdVersion",
            f"containerd {found} is installed and {view.target.runtime.version} is wanted",
            f"install containerd {view.target.runtime.version}, or change the runtime's version constraint",
        )
    for verdict in verdicts:
        if not verdict.ok and verdict.known:
            yield node.error("ContainerdVersion", verdict.reason, f"install {verdict.choose}")
        elif not verdict.ok:
            yield node.warning("KubernetesVersion", verdict.reason, "see that this version runs on containerd")


def _kubernetes_versions(node: Node) -> list[str]:
    """Return what runs and what is wanted, once each."""
    return list(dict.fromkeys(filter(None, (node.delta.version_now, node.view.target.version))))


def docker_gone(node: Node) -> Iterator[Problem]:
    """The way back to Docker: kubelet lost it in 1.24."""
    for kubernetes in _kubernetes_versions(node):
        verdict = docker_supported(kubernetes)
        if not verdict.ok and verdict.known:
            yield node.error("DockershimGone", verdict.reason, "stay with containerd")
            return


def in_docker(node: Node) -> Iterator[Problem]:
    """etcd or Kubernetes itself as plain containers, as Kubespray and RKE1 set them up: they would end with Docker."""
    for one in node.facts.containers:
        if _part_of(one) == "etcd":
            yield node.error(
                "EtcdInDocker",
                f"etcd runs in container {one.name} of Docker, outside Kubernetes: it would stop with Docker",
                "move etcd to a systemd unit or a static pod first, one member after another",
            )
        elif _part_of(one):
            yield node.error(
                "KubernetesInDocker",
                f"container {one.name} of Docker is a part of Kubernetes that no pod stands for",
                "its installer (such as RKE1) has to move it: Groundplane changes nodes of kubeadm",
            )


def outside(node: Node) -> Iterator[Problem]:
    """Containers that nothing starts again once Docker is off."""
    others = [one.name for one in node.facts.containers if one.running and not _part_of(one)]
    if others:
        yield node.error(
            "ContainersOutsideKubernetes",
            f"{counted(len(others), 'container')} of Docker that Kubernetes does not know would stop: {listed(others)}",
            "move them to Kubernetes or to a systemd unit, or accept that they stop",
        )


def _part_of(one: ContainerFacts) -> str:
    """Return "etcd" or a component of Kubernetes when a container that runs is one; "" for any other."""
    if not one.running:
        return ""
    if one.name.startswith("etcd") or one.image.rpartition("/")[2].startswith("etcd"):
        return "etcd"
    return one.name if one.name in _KUBERNETES else ""


def room(node: Node) -> Iterator[Problem]:
    """Room for a second image store, where containerd will have it, and for the tar on the way."""
    places = {place.path: place for place in node.facts.places}
    store, way = places.get(node.facts.containerd.root), places.get("/var/lib/groundplane")
    if store is None:
        return
    # What an earlier try has carried over needs no more room.
    there = {plain_image(name) for name in node.survey.runtime("containerd").images}
    images = [one for one in node.facts.images.carried if not {plain_image(name) for name in one.names} <= there]
    need = COPIES * sum(one.adds for one in images) + SPARE
    largest = max((one.size for one in images), default=0)
    if way is not None and _same(store, way):
        need += largest
    elif way is not None and way.available < largest:
        yield _lacks(node, way, largest, "the largest image on its way to containerd")
    if store.available < need:
        yield _lacks(node, store, need, "the images that are carried over")


def _lacks(node: Node, place: PlaceFacts, need: int, why: str) -> Problem:
    lack = mib(need - place.available, up=True)
    return node.error(
        "RoomForImages",
        f"{place.path} (on {place.mount or '/'}) has {mib(place.available)} MiB free and {mib(need, up=True)} MiB are"
        f" needed for {why}",
        f"free {lack} MiB (`docker image prune`, `docker container prune`), enlarge the file system, or set root in"
        " /etc/containerd/config.toml to a folder with room, which is kept",
    )


def _same(one: PlaceFacts, other: PlaceFacts) -> bool:
    return (one.mount, one.device) == (other.mount, other.device)


def docker_disk(node: Node) -> Iterator[Problem]:
    """A disk for Docker alone is of no use to containerd, which would fill another one."""
    places = {place.path: place for place in node.facts.places}
    docker, store = places.get(node.facts.docker.data_root), places.get(node.facts.containerd.root)
    if docker is None or store is None:
        return
    if store.path.startswith(f"{docker.path.rstrip('/')}/"):
        yield node.error(
            "DockerDisk",
            f"containerd stores in {store.path}, inside Docker's folder {docker.path}, which clean-up removes",
            "set root in /etc/containerd/config.toml to a folder beside it",
        )
    elif docker.mount not in ("", "/") and not _same(docker, store):
        listed = f" ({docker.fstab})" if docker.fstab else ""
        yield node.warning(
            "DockerDisk",
            f"Docker has a file system of its own, {docker.mount}{listed} with {mib(docker.total)} MiB; containerd will"
            f" store in {store.path}, on {store.mount} with {mib(store.available)} MiB free",
            f"to use that disk, set root in /etc/containerd/config.toml to a folder on {docker.mount} outside"
            f" {docker.path}, or mount it at {store.path} after clean-up",
        )


def registries(node: Node) -> Iterator[Problem]:
    """What of mirrors, credentials and certificates cannot be carried over as it is."""
    docker = node.facts.docker
    if docker.unreadable:
        yield node.error(
            "RegistryConfiguration",
            f"/etc/docker/daemon.json cannot be read: {docker.unreadable}",
            "mend it: what it says of registries is carried over to containerd",
        )
    ranges = [
        entry for entry in docker.insecure if "/" in entry and "://" not in entry and not entry.startswith("127.")
    ]
    if ranges:
        yield node.error(
            "RegistryConfiguration",
            f"registries without TLS are given as a range of addresses, {listed(ranges)}: containerd knows no ranges",
            "add each registry of the range to insecure-registries by name and port, or give it TLS",
        )
    helpers = sorted({f"{one.path} ({name})" for one in node.facts.credentials for name in one.helpers})
    if helpers:
        yield node.warning(
            "RegistryConfiguration",
            f"credentials come from a helper program, which kubelet does not run: {listed(helpers)}",
            "put them into /var/lib/kubelet/config.json, or use image pull secrets",
        )
    if node.facts.containerd.imports:
        yield node.warning(
            "RegistryConfiguration",
            "/etc/containerd/config.toml takes settings from other files (imports), which are not looked into",
            "see that they do not set mirrors in the old way (registry.mirrors)",
        )


def logs(node: Node) -> Iterator[Problem]:
    """Whoever reads logs finds them elsewhere, in another form; other drivers than files are gone."""
    docker = node.facts.docker
    if docker.log_driver not in _FILE_LOGS:
        yield node.error(
            "LogDriver",
            f"Docker sends logs by its driver {docker.log_driver}, which kubelet does not have",
            "collect logs from /var/log/pods with an agent, then accept LogDriver",
        )
    elif lost := sorted(set(docker.log_options) - {"max-size", "max-file", "compress", "mode"}):
        yield node.warning(
            "LogDriver",
            f"log options that kubelet does not have: {', '.join(lost)}",
            "add what they say in the agent that collects the logs",
        )


def cgroups(node: Node) -> Iterator[Problem]:
    """containerd takes kubelet's driver, so that none of both changes it meanwhile."""
    kubelet, docker = node.survey.kubelet.cgroup_driver or "cgroupfs", node.facts.docker.cgroup_driver
    if docker and docker != kubelet:
        yield node.warning(
            "CgroupDriver",
            f"kubelet's cgroup driver is {kubelet} and Docker's is {docker}: kubelet would not start again on Docker",
            "set one of them right first, or there is no way back",
        )
    if kubelet == "cgroupfs" and node.survey.systemd:
        yield node.warning(
            "CgroupDriver",
            "kubelet's cgroup driver is cgroupfs and containerd will use it, too, on a machine that systemd runs",
            "change the driver of kubelet and runtime later, as an operation of its own",
        )


def activation(node: Node) -> Iterator[Problem]:
    """Who brings Docker up again, or calls it, while it is to be off."""
    facts = node.facts
    own = [path for path in facts.pullers if "/kubelet.service" in path]
    if own:
        yield node.error(
            "KubeletUnit",
            f"kubelet's unit brings Docker up with it ({listed(own)}), so that it would run again after the change",
            "take docker out of Requires, Wants and BindsTo with `systemctl edit --full kubelet.service`",
        )
    others = [path for path in facts.pullers if path not in own]
    if others:
        yield node.error(
            "SocketActivation",
            f"units that start Docker with them would bring it up again: {listed(others)}",
            "take Requires, Wants or BindsTo of docker out of them, or accept that they fail",
        )
    if facts.users:
        yield node.error(
            "DockerUsers",
            f"programs of the machine call Docker: {listed(facts.users)}",
            "change them to crictl or nerdctl, or accept that they fail",
        )
    if "containerd.service" in facts.unit("docker.service").needs and facts.unit("containerd.service").active:
        yield node.error(
            "BoundToContainerd",
            "docker.service is bound to containerd.service (BindsTo, Requires or PartOf): a restart of containerd for"
            " its new configuration would stop Docker's containers before the node is drained",
            "take the bond out with `systemctl edit --full docker.service` (a drop-in cannot), keep Wants",
        )
    tcp = [host for host in facts.docker.hosts if host.startswith("tcp://")]
    if tcp:
        yield node.warning(
            "DockerUsers",
            f"Docker's API is served on {listed(tcp)}: whoever uses it from outside will find nothing",
            "see who does, and close it",
        )


def live_restore(node: Node) -> Iterator[Problem]:
    """Containers would live on without their daemon; the switch stops them one by one."""
    if node.facts.docker.live_restore:
        yield node.warning(
            "LiveRestore",
            "live-restore keeps Docker's containers running when Docker stops; those of Kubernetes are stopped one by"
            " one before, those outside go on without a daemon",
            "stop containers outside Kubernetes yourself",
        )


def gpus(node: Node) -> Iterator[Problem]:
    """The NVIDIA runtime of daemon.json becomes one of containerd's, when its program is there."""
    docker = node.facts.docker
    named = [name for name in {*docker.runtimes, docker.default_runtime} if "nvidia" in name]
    if named and not node.facts.nvidia:
        yield node.error(
            "GpuRuntime",
            "Docker is set up with the nvidia runtime, and nvidia-container-runtime is not found",
            "install nvidia-container-toolkit, or accept that pods with GPUs do not start",
        )
    elif named:
        yield node.warning(
            "GpuRuntime",
            "the nvidia runtime is carried over to containerd; the device plugin has to be one that knows containerd",
            "see that the device plugin is 0.9 or newer, and try a pod with a GPU on the first node",
        )


def kubelet_flags(node: Node) -> Iterator[Problem]:
    """Flags are switched in kubeadm's file alone: those of another file would win, or be left."""
    places = {one.path: sorted(_RUNTIME_FLAGS & set(one.names)) for one in node.facts.kubelet_flags}
    other = {path: names for path, names in places.items() if names and path != KUBELET_FLAGS}
    other = {path: names for path, names in other.items() if not path.endswith("/instance-config.yaml")}
    for path, names in sorted(other.items()):
        yield node.error(
            "KubeletFlags",
            f"{path} sets {', '.join(names)} for kubelet, and would win over {KUBELET_FLAGS}",
            f"move these flags to KUBELET_KUBEADM_ARGS in {KUBELET_FLAGS} and restart kubelet",
        )
    if not node.survey.kubelet.installed or not node.survey.kubeadm.joined:
        yield node.error(
            "KubeletFlags",
            "no kubelet that kubeadm set up was found",
            "only nodes of kubeadm can be changed",
        )


def cri_dockerd(node: Node) -> Iterator[Problem]:
    """kubelet on Docker through an adapter of its own: another way than dockershim, which is the one that is known."""
    endpoint = node.survey.kubelet.flags.get("container-runtime-endpoint", "")
    if "cri-dockerd" in endpoint or node.facts.unit("cri-docker.service").active:
        yield node.error(
            "CriDockerd",
            "kubelet speaks to Docker through cri-dockerd, which is not changed yet",
            "move this node by hand, or replace it with a new one",
        )


def cloud(node: Node) -> Iterator[Problem]:
    """The cloud's controller may take the addresses of a node away that registers anew."""
    if node.facts.cloud_provider:
        yield node.warning(
            "CloudProvider",
            f"kubelet runs with cloud provider {node.facts.cloud_provider}: its controller has to keep the node's"
            " addresses and network condition while kubelet is away",
            "see that the cloud controller manager runs, and watch the first node",
        )


def kata(node: Node) -> Iterator[Problem]:
    """Kata runs pods in virtual machines: the machine has to be able to."""
    wanted = [name for name in node.view.target.runtime.handlers if name.startswith("kata")]
    if not wanted:
        return
    if not node.facts.kvm:
        why = (
            "the CPU has it, but /dev/kvm is not there" if node.facts.virtualisation else "its CPU shows no vmx or svm"
        )
        yield node.error(
            "KataVirtualisation",
            f"runtime handler {wanted[0]} is wanted, and the machine has no virtualisation: {why}",
            "switch it on in the firmware or the hypervisor (nested) and load kvm_intel or kvm_amd, or take"
            f" {wanted[0]} out of runtime.handlers",
        )
    elif not node.facts.kata:
        yield node.error(
            "KataInstalled",
            f"runtime handler {wanted[0]} is wanted, and containerd-shim-kata-v2 is not installed",
            "install Kata Containers on the machine",
        )


def curl(node: Node) -> Iterator[Problem]:
    """containerd is proven by its CRI, which is spoken to with HTTP/2."""
    if not node.facts.http2:
        yield node.error(
            "CriClient",
            "curl with HTTP/2 is not found, with which containerd is proven before the node is drained",
            "install curl (Debian, Enterprise Linux 8 and newer bring one with HTTP/2)",
        )


def settings(node: Node) -> Iterator[Problem]:
    """What every container of Docker had and none of containerd will have."""
    docker = node.facts.docker
    if docker.ulimits:
        yield node.warning(
            "DockerSettings",
            f"limits that Docker gives every container: {', '.join(docker.ulimits)}; containerd gives its own",
            "set them as LimitNOFILE and the like in a drop-in of containerd.service",
        )


TO_CONTAINERD: tuple[Check, ...] = (
    containerd_version,
    cri_dockerd,
    kubelet_flags,
    in_docker,
    outside,
    room,
    docker_disk,
    registries,
    logs,
    cgroups,
    activation,
    live_restore,
    gpus,
    kata,
    curl,
    cloud,
    settings,
)
TO_DOCKER: tuple[Check, ...] = (docker_gone, kubelet_flags, cgroups, cloud)
