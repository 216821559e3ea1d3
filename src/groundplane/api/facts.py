"""Facts: what was observed of one machine, typed. Parsed by `hosts.facts`, read by `assess` and `plan`.

Sizes are bytes, times RFC 3339 in UTC, versions as the program printed them without a leading "v"
unless said otherwise. An empty value means "not found", never "not looked".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .meta import Struct


class OSFacts(Struct, frozen=True):
    id: str = ""
    id_like: list[str] = []
    version_id: str = ""
    pretty_name: str = ""
    architecture: str = ""


class KernelFacts(Struct, frozen=True):
    """`config` holds only the options that the catalog asks about: name -> "y", "m" or a value."""

    release: str = ""
    config: dict[str, str] = {}
    config_source: str = ""
    modules: list[str] = []
    sysctls: dict[str, str] = {}
    cgroup_version: Literal[0, 1, 2] = 0


class DiskFacts(Struct, frozen=True):
    path: str
    filesystem: str = ""
    total: int = 0
    available: int = 0


class TimeFacts(Struct, frozen=True):
    """`offset_seconds`: the host's clock minus ours at the survey; positive = host is ahead."""

    synchronized: bool = False
    service: str = ""
    offset_seconds: float = 0.0


class SecurityFacts(Struct, frozen=True):
    selinux: str = ""
    apparmor: str = ""
    firewall: str = ""


class ListenFacts(Struct, frozen=True):
    port: int
    protocol: str = "tcp"
    address: str = ""
    process: str = ""


class RuntimeFacts(Struct, frozen=True):
    """`cri_enabled` is about containerd's config; `cgroup_driver` is systemd, cgroupfs or empty."""

    name: str
    version: str = ""
    socket: str = ""
    installed: bool = False
    active: bool = False
    enabled: bool = False
    cri_enabled: bool = False
    cgroup_driver: str = ""
    sandbox_image: str = ""
    images: list[str] = []


class KubeletFacts(Struct, frozen=True):
    installed: bool = False
    version: str = ""
    active: bool = False
    flags: dict[str, str] = {}
    cgroup_driver: str = ""
    runtime: str = ""
    node_name: str = ""


class KubeadmFacts(Struct, frozen=True):
    """State left by kubeadm: which files are there and which cluster they point to.

    `server` is the API endpoint of kubelet.conf; `ca_hash` the sha256 of /etc/kubernetes/pki/ca.crt.
    `static_pods` are manifest names such as kube-apiserver. `owner` is the cluster (namespace/name) whose
    Groundplane mark is on the machine, empty when Groundplane did not put a cluster there.
    """

    installed_version: str = ""
    joined: bool = False
    server: str = ""
    ca_hash: str = ""
    static_pods: list[str] = []
    admin_conf: bool = False
    etcd_data: bool = False
    owner: str = ""


class NetworkFacts(Struct, frozen=True):
    """`routes` maps destination CIDR to next hop for routes via a gateway; `addresses` are CIDR notations."""

    hostname: str = ""
    addresses: list[str] = []
    default_route: bool = False
    routes: dict[str, str] = {}
    cni_configs: list[str] = []
    cni_plugins: list[str] = []


class MachineFacts(Struct, frozen=True):
    observed_at: str = ""
    machine_id: str = ""
    boot_id: str = ""
    product_uuid: str = ""
    os: OSFacts = OSFacts()
    kernel: KernelFacts = KernelFacts()
    cpus: int = 0
    memory: int = 0
    swap: int = 0
    disks: list[DiskFacts] = []
    time: TimeFacts = TimeFacts()
    security: SecurityFacts = SecurityFacts()
    listening: list[ListenFacts] = []
    runtimes: list[RuntimeFacts] = []
    kubelet: KubeletFacts = KubeletFacts()
    kubeadm: KubeadmFacts = KubeadmFacts()
    network: NetworkFacts = NetworkFacts()
    commands: list[str] = []
    systemd: bool = False

    def runtime(self, name: str) -> RuntimeFacts:
        """Return the facts of runtime `name`; a value with `installed=False` when it was not found."""
        return next((r for r in self.runtimes if r.name == name), RuntimeFacts(name=name))


class NodeFacts(Struct, frozen=True):
    """One Node as the cluster's API shows it. `runtime` is like "containerd://1.6.20"."""

    name: str
    ready: bool = False
    unschedulable: bool = False
    address: str = ""
    pod_cidr: str = msgspec.field(name="podCIDR", default="")
    kubelet_version: str = ""
    runtime: str = ""
    os_image: str = ""
    kernel: str = ""
    machine_id: str = msgspec.field(name="machineID", default="")
    labels: dict[str, str] = {}
    taints: list[str] = []


class ClusterFacts(Struct, frozen=True):
    """What was observed through the managed cluster's API; `reachable` False: nothing else is known.

    `taints` of a node are "key=value:effect". `system_pods_pending` names kube-system pods that are not running.
    """

    observed_at: str = ""
    reachable: bool = False
    cluster_id: str = msgspec.field(name="clusterID", default="")
    version: str = ""
    nodes: list[NodeFacts] = []
    system_pods_pending: list[str] = []
    kubeconfig_published: bool = False
    network_applied: bool = False
