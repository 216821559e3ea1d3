"""Facts: what was observed of one machine, typed. Parsed by `hosts.facts`, read by `assess` and `plan`.

Sizes are bytes, times RFC 3339 in UTC, versions as the program printed them without a leading "v"
unless said otherwise. An empty value means "not found", never "not looked".
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from .meta import Struct, says

# The kernel's names (uname -m) in Kubernetes' words, which are Go's.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


# What a survey reads of /proc/sys. Of any other kernel parameter it is not known how a machine has it set.
_SURVEYED_SYSCTLS = (
    "net.bridge.bridge-nf-call-ip*tables",
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.ip_local_*",
    "net.ipv4.neigh.default.gc_thresh*",
    "net.ipv4.tcp_*",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.all.disable_ipv6",
    "net.core.*",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_*",
    "vm.*",
    "kernel.panic*",
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.unprivileged_bpf_disabled",
    "kernel.keys.root_max*",
    "kernel.stats_isolated",
    "kernel.sched_bt_*",
    "fs.inotify.*",
    "fs.file-max",
    "fs.nr_open",
    "user.max_user_namespaces",
)


def sysctl_surveyed(name: str) -> bool:
    """Tell whether a survey reads this kernel parameter: then one that is not in the facts is not there."""
    return any(fnmatchcase(name, pattern) for pattern in _SURVEYED_SYSCTLS)


class CertificateFacts(Struct, frozen=True):
    """One X.509 certificate. Nothing of its key is ever read."""

    path: Annotated[str, says("file, or the endpoint that showed it")]
    subject: Annotated[str, says("common name of the subject")] = ""
    not_before: Annotated[str, says("when its validity begins")] = ""
    not_after: Annotated[str, says("when its validity ends")] = ""
    authority: Annotated[bool, says("whether it is a certificate authority")] = False


class AbilityFacts(Struct, frozen=True):
    """One ability of the operating system, as it was detected: an unknown one was not looked for with success."""

    name: Annotated[str, says("ability, such as ContainerMeminfo")]
    state: Annotated[Literal["Present", "Absent", "Unknown"], says("whether the machine has it")] = "Unknown"
    evidence: Annotated[str, says("what was seen, such as a file and its value")] = ""


class HandlerFacts(Struct, frozen=True):
    name: Annotated[str, says("OCI runtime, such as runc or kata")]
    version: Annotated[str, says("version as the program printed it")] = ""


class OSFacts(Struct, frozen=True):
    id: Annotated[str, says("ID of os-release")] = ""
    id_like: Annotated[list[str], says("ID_LIKE of os-release")] = []
    version_id: Annotated[str, says("VERSION_ID of os-release")] = ""
    family: Annotated[str, says("family that decides how packages are handled: debian, rhel, suse, …")] = ""
    pretty_name: Annotated[str, says("PRETTY_NAME of os-release")] = ""
    architecture: Annotated[str, says("CPU architecture in Kubernetes' words: amd64, arm64")] = ""


class KernelFacts(Struct, frozen=True):
    """`config` holds only the options that the catalog asks about: name -> "y", "m" or a value."""

    release: Annotated[str, says("uname -r")] = ""
    config: Annotated[dict[str, str], says("kernel options that the catalog asks about: y, m or a value")] = {}
    config_source: Annotated[str, says("file that the options were read from")] = ""
    modules: Annotated[list[str], says("modules that are loaded")] = []
    sysctls: Annotated[dict[str, str], says("kernel parameters that were asked for")] = {}
    cgroup_version: Annotated[Literal[0, 1, 2], says("version of control groups; 0: not known")] = 0


class DiskFacts(Struct, frozen=True):
    path: Annotated[str, says("mount point or directory that was measured")]
    filesystem: Annotated[str, says("type of file system")] = ""
    total: Annotated[int, says("size in bytes")] = 0
    available: Annotated[int, says("bytes that are free for use")] = 0
    device: Annotated[str, says("number of its device: paths of one file system share it, and its room")] = ""


class TimeFacts(Struct, frozen=True):
    """`offset_seconds`: the host's clock minus ours at the survey; positive = host is ahead."""

    synchronized: Annotated[bool, says("whether a time service says that the clock is synchronised")] = False
    service: Annotated[str, says("time service that runs")] = ""
    offset_seconds: Annotated[float, says("the host's clock minus ours; positive: the host is ahead")] = 0.0


class KdumpFacts(Struct, frozen=True):
    """Crash dumps of the kernel. `reserved` is about the boot that runs, `configured` about the next one."""

    installed: Annotated[bool, says("whether its service is there")] = False
    enabled: Annotated[bool, says("whether its service starts at boot")] = False
    active: Annotated[bool, says("whether its service has loaded a crash kernel")] = False
    reserved: Annotated[str, says("crashkernel= of the running kernel's command line")] = ""
    configured: Annotated[bool, says("whether the boot loader has crashkernel= for the next boot")] = False


class SecurityFacts(Struct, frozen=True):
    selinux: Annotated[str, says("Enforcing, Permissive or Disabled")] = ""
    apparmor: Annotated[str, says("whether AppArmor is on")] = ""
    firewall: Annotated[str, says("host firewall that is active")] = ""


class ListenFacts(Struct, frozen=True):
    port: Annotated[int, says("port number")]
    protocol: Annotated[str, says("tcp or udp")] = "tcp"
    address: Annotated[str, says("address it is bound to")] = ""
    process: Annotated[str, says("program that holds it")] = ""


class RuntimeFacts(Struct, frozen=True):
    """`cri_enabled` is about containerd's config; `cgroup_driver` is systemd, cgroupfs or empty."""

    name: Annotated[str, says("container runtime")]
    version: Annotated[str, says("version as the program printed it")] = ""
    socket: Annotated[str, says("path of its socket")] = ""
    installed: Annotated[bool, says("whether its program is there")] = False
    active: Annotated[bool, says("whether its service runs")] = False
    enabled: Annotated[bool, says("whether its service starts at boot")] = False
    cri_enabled: Annotated[bool, says("whether containerd's config has CRI on")] = False
    cgroup_driver: Annotated[str, says("systemd, cgroupfs or empty")] = ""
    sandbox_image: Annotated[str, says("pause image of its configuration")] = ""
    images: Annotated[list[str], says("images that it holds")] = []


class KubeletFacts(Struct, frozen=True):
    installed: Annotated[bool, says("whether its program is there")] = False
    version: Annotated[str, says("version as the program printed it")] = ""
    active: Annotated[bool, says("whether its service runs")] = False
    enabled: Annotated[bool, says("whether its service starts at boot")] = False
    flags: Annotated[dict[str, str], says("flags that it runs with")] = {}
    cgroup_driver: Annotated[str, says("systemd, cgroupfs or empty")] = ""
    runtime: Annotated[str, says("container runtime that it talks to")] = ""
    node_name: Annotated[str, says("name of its Node")] = ""


class KubeadmFacts(Struct, frozen=True):
    """State left by kubeadm: which files are there and which cluster they point to.

    `server` is the API endpoint of kubelet.conf; `ca_hash` the sha256 of /etc/kubernetes/pki/ca.crt.
    `static_pods` are manifest names such as kube-apiserver. `owner` is the cluster (namespace/name) whose
    Groundplane mark is on the machine, empty when Groundplane did not put a cluster there.
    """

    installed_version: Annotated[str, says("version as the program printed it")] = ""
    joined: Annotated[bool, says("whether the machine is part of a cluster")] = False
    server: Annotated[str, says("API endpoint of kubelet.conf")] = ""
    ca_hash: Annotated[str, says("sha256 of the cluster's CA certificate file")] = ""
    static_pods: Annotated[list[str], says("static pod manifests that are there")] = []
    admin_conf: Annotated[bool, says("whether admin.conf is there")] = False
    etcd_data: Annotated[bool, says("whether etcd has data")] = False
    owner: Annotated[str, says("Cluster (namespace/name) whose mark is on the machine")] = ""
    unfinished: Annotated[bool, says("whether Groundplane began an init or join there that has not ended")] = False

    @property
    def present(self) -> bool:
        """Whether there is anything that an init or join leaves."""
        return self.joined or self.admin_conf or bool(self.static_pods) or self.etcd_data


class NetworkFacts(Struct, frozen=True):
    """`routes` maps destination CIDR to next hop for routes via a gateway; `addresses` are CIDR notations."""

    hostname: Annotated[str, says("host name")] = ""
    interfaces: Annotated[int, says("how many network interfaces there are")] = 0
    addresses: Annotated[list[str], says("addresses of its interfaces, in CIDR notation; at most 256")] = []
    default_route: Annotated[bool, says("whether there is a default route")] = False
    routes: Annotated[dict[str, str], says("destination CIDR to next hop")] = {}
    cni_configs: Annotated[list[str], says("files of /etc/cni/net.d")] = []
    cni_plugins: Annotated[list[str], says("programs of /opt/cni/bin")] = []


class VirtualIPFacts(Struct, frozen=True):
    """The machine's part in the virtual IP of control planes, as Groundplane set it up."""

    address: Annotated[str, says("the virtual IP; empty: it has no part in one")] = ""
    peers: Annotated[list[str], says("addresses of the other control planes that it tells about itself")] = []
    active: Annotated[bool, says("whether keepalived runs")] = False


class MachineFacts(Struct, frozen=True):
    observed_at: Annotated[str, says("when the survey was made")] = ""
    machine_id: Annotated[str, says("/etc/machine-id")] = ""
    boot_id: Annotated[str, says("identity of the present boot")] = ""
    product_uuid: Annotated[str, says("UUID of the hardware")] = ""
    os: Annotated[OSFacts, says("operating system")] = OSFacts()
    kernel: Annotated[KernelFacts, says("kernel")] = KernelFacts()
    cpus: Annotated[int, says("number of CPUs")] = 0
    memory: Annotated[int, says("memory in bytes")] = 0
    swap: Annotated[int, says("active swap in bytes")] = 0
    disks: Annotated[list[DiskFacts], says("file systems that matter")] = []
    time: Annotated[TimeFacts, says("clock")] = TimeFacts()
    kdump: Annotated[KdumpFacts, says("crash dumps of the kernel")] = KdumpFacts()
    container: Annotated[str, says("kind of container that the machine is; empty: none")] = ""
    updates: Annotated[list[str], says("requests for an update of packages that it has answered")] = []
    security: Annotated[SecurityFacts, says("security modules and firewall")] = SecurityFacts()
    listening: Annotated[list[ListenFacts], says("ports in use")] = []
    runtimes: Annotated[list[RuntimeFacts], says("container runtimes")] = []
    handlers: Annotated[list[HandlerFacts], says("OCI runtimes that are installed")] = []
    certificates: Annotated[list[CertificateFacts], says("certificates of Kubernetes on the machine")] = []
    abilities: Annotated[list[AbilityFacts], says("abilities of the operating system that were looked for")] = []
    kubelet: Annotated[KubeletFacts, says("kubelet")] = KubeletFacts()
    kubeadm: Annotated[KubeadmFacts, says("what kubeadm left")] = KubeadmFacts()
    network: Annotated[NetworkFacts, says("addresses and routes")] = NetworkFacts()
    virtual_ip: Annotated[VirtualIPFacts, says("part in a virtual IP")] = msgspec.field(
        name="virtualIP", default=VirtualIPFacts()
    )
    commands: Annotated[list[str], says("programs that were looked for and found")] = []
    systemd: Annotated[bool, says("whether systemd runs the machine")] = False
    kvm: Annotated[bool, says("whether it can run virtual machines (/dev/kvm)")] = False

    def runtime(self, name: str) -> RuntimeFacts:
        """Return the facts of runtime `name`; a value with `installed=False` when it was not found."""
        return next((r for r in self.runtimes if r.name == name), RuntimeFacts(name=name))


class NodeFacts(Struct, frozen=True):
    """One Node as the cluster's API shows it. `runtime` is like "containerd://1.6.20"."""

    name: Annotated[str, says("name of the Node")]
    ready: Annotated[bool, says("whether it is Ready")] = False
    unschedulable: Annotated[bool, says("whether it is cordoned")] = False
    cordoned_by: Annotated[
        str, says("Cluster (namespace/name) whose Operation cordoned it; empty: nobody's of ours")
    ] = ""
    address: Annotated[str, says("internal address")] = ""
    pod_cidr: Annotated[str, says("addresses of its pods")] = msgspec.field(name="podCIDR", default="")
    kubelet_version: Annotated[str, says("version of its kubelet")] = ""
    runtime: Annotated[str, says("container runtime with version")] = ""
    os_image: Annotated[str, says("operating system")] = ""
    kernel: Annotated[str, says("kernel release")] = ""
    architecture: Annotated[str, says("CPU architecture: amd64, arm64")] = ""
    machine_id: Annotated[str, says("/etc/machine-id")] = msgspec.field(name="machineID", default="")
    labels: Annotated[dict[str, str], says("labels")] = {}
    taints: Annotated[list[str], says("taints as key=value:effect")] = []
    managed_labels: Annotated[list[str], says("keys of the labels that its Machine gave it")] = []
    managed_taints: Annotated[list[str], says("taints that its Machine gave it, as key:effect")] = []


Platform = Literal[
    "native", "tke", "tke-managed", "eks", "gke", "aks", "ack", "openshift", "rke2", "k3s", "talos", "unknown"
]


class PlatformFacts(Struct, frozen=True):
    """Which kind of Kubernetes it is, told from what was seen; `unknown` is an answer of its own."""

    name: Annotated[Platform, says("kind of Kubernetes")] = "unknown"
    evidence: Annotated[list[str], says("what it was told from")] = []


class StackFacts(Struct, frozen=True):
    """Nodes that stand on exactly the same ground."""

    os_image: Annotated[str, says("operating system, as the kubelet reports it")] = ""
    kernel: Annotated[str, says("kernel release")] = ""
    architecture: Annotated[str, says("CPU architecture: amd64, arm64")] = ""
    kubelet: Annotated[str, says("version of the kubelet")] = ""
    runtime: Annotated[str, says("container runtime with version, such as containerd://1.6.20")] = ""
    count: Annotated[int, says("how many Nodes")] = 0
    ready: Annotated[int, says("how many of them are Ready")] = 0
    nodes: Annotated[list[str], says("their names")] = []


class ComponentFacts(Struct, frozen=True):
    """A component of the control plane, kube-proxy or an add-on, by the image that runs."""

    name: Annotated[str, says("component, such as kube-controller-manager")]
    version: Annotated[str, says("version, from the tag of its image")] = ""
    image: Annotated[str, says("image")] = ""
    namespace: Annotated[str, says("namespace that it runs in")] = ""
    count: Annotated[int, says("how many Pods or Nodes run this image")] = 0


class PodNetworkFacts(Struct, frozen=True):
    plugin: Annotated[str, says("network plugin, such as cilium; empty: not recognised")] = ""
    version: Annotated[str, says("its version")] = ""
    kube_proxy: Annotated[str, says("iptables, ipvs or nftables; None when no kube-proxy runs; empty: not known")] = ""
    features: Annotated[list[str], says("network features that its configuration switches on")] = []
    evidence: Annotated[str, says("what it was told from")] = ""


class GapFacts(Struct, frozen=True):
    """Something that could not be observed though the rest could."""

    what: Annotated[str, says("what is missing, such as daemonsets.apps")]
    why: Annotated[str, says("why, in one sentence")]


class ClusterFacts(Struct, frozen=True):
    """What was observed through the managed cluster's API; `reachable` False: nothing else is known.

    `system_pods_pending` names kube-system pods that are not running. `nodes` are left out where facts are kept:
    `stacks` say the same for the whole cluster.
    """

    observed_at: Annotated[str, says("when the survey was made")] = ""
    source: Annotated[str, says("URL of the API that answered")] = ""
    reachable: Annotated[bool, says("whether the API answered; if not, nothing else is known")] = False
    cluster_id: Annotated[str, says("uid of the kube-system namespace")] = msgspec.field(name="clusterID", default="")
    version: Annotated[str, says("version of the API server")] = ""
    platform: Annotated[PlatformFacts, says("kind of Kubernetes")] = PlatformFacts()
    nodes: Annotated[list[NodeFacts], says("Nodes")] = []
    stacks: Annotated[list[StackFacts], says("Nodes by what they stand on, largest first")] = []
    components: Annotated[list[ComponentFacts], says("control plane and kube-proxy, as far as they are Pods")] = []
    addons: Annotated[list[ComponentFacts], says("what runs in the system namespaces beside them")] = []
    network: Annotated[PodNetworkFacts, says("pod network")] = PodNetworkFacts()
    api_groups: Annotated[list[str], says("group versions that are served")] = []
    certificates: Annotated[list[CertificateFacts], says("certificates that the API and the kubeconfig show")] = []
    clock_offset_seconds: Annotated[float, says("the API server's clock minus ours")] = 0.0
    gaps: Annotated[list[GapFacts], says("what could not be observed, and why", key="what")] = []
    system_pods_pending: Annotated[list[str], says("pods of kube-system that do not run")] = []
    kubeconfig_published: Annotated[bool, says("whether the administrator's kubeconfig is in its Secret")] = False
    runtime_classes: Annotated[list[str], says("RuntimeClasses that are there")] = []
    network_applied: Annotated[bool, says("whether the network manifest was applied")] = False


class FactChange(Struct, frozen=True):
    """One thing that a survey found to be different from what the survey before had found."""

    time: Annotated[str, says("when it was found")]
    source: Annotated[str, says("who was asked: ssh or api, and where")] = ""
    what: Annotated[str, says("what changed, such as kernel")] = ""
    before: Annotated[str, says("what had been found before; empty: nothing")] = ""
    after: Annotated[str, says("what was found; empty: it is gone")] = ""


def changes_of(before: list[FactChange], fresh: list[FactChange], *, keep: int = 64) -> list[FactChange]:
    """Return a history, newest first, with the fresh changes and at most `keep` entries."""
    return [*fresh, *before][:keep]
