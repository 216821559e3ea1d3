"""A simulated fleet: machines and a cluster in memory that planned steps change, and that refuse a wrong order.

It knows the truth (what really ended) apart from the facts (what a survey sees), as real machines do: a killed
`kubeadm init` leaves files that look like a finished one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from groundplane.api.cluster import Addons, Change, ClusterNetwork, ComponentArgs, Components, Endpoint, Kubeadm
from groundplane.api.distribution import Artifact, Release
from groundplane.api.facts import (
    ClusterFacts,
    DiskFacts,
    KubeadmFacts,
    ListenFacts,
    MachineFacts,
    NetworkFacts,
    NodeFacts,
    OSFacts,
    RuntimeFacts,
    TimeFacts,
    VirtualIPFacts,
)
from groundplane.api.foundation import HostSettings, Kernel, NetworkPlugin, RuntimeChoice, RuntimeName
from groundplane.api.machine import Machine, MachineSpec, Role, Taint
from groundplane.api.meta import ObjectMeta
from groundplane.api.operation import Plan, PlannedStep
from groundplane.api.target import ClusterTarget, Desired

VERSION = "v1.20.2"
PLAIN = "1.20.2"
PAUSE = "k8s.gcr.io/pause:3.2"
KEY = "default/shop"
SECRET = "s3cr3t-never-in-a-plan"
PLUGINS = ["bridge", "host-local", "loopback", "portmap"]
MANIFESTS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
COMMANDS = ["conntrack", "ip", "iptables", "modprobe", "mount", "systemctl"]
GIB = 1024**3


class Disorder(AssertionError):
    """A step ran before what it needs was there, or touched what it must not."""


def release(architecture: str = "amd64") -> Release:
    """A release with files for one architecture; the API server's image is for control planes only."""
    common = {"sha256": "0" * 64, "architecture": architecture, "size": 50_000_000}
    return Release(
        version=VERSION,
        artifacts=[
            *(Artifact(name=n, type="Binary", path=n, **common) for n in ("kubeadm", "kubelet", "kubectl")),
            Artifact(name="cni-plugins", type="Archive", path="cni.tgz", **common),
            Artifact(name="pause", type="Image", path="pause.tar", image=PAUSE, **common),
            Artifact(name="busybox", type="Image", path="busybox.tar", image="busybox", **common),
            Artifact(
                name="api",
                type="Image",
                path="api.tar",
                image="k8s.gcr.io/kube-apiserver:v1.20.2",
                roles=["ControlPlane"],
                **common,
            ),
        ],
    )


def machine(name: str, role: Role, address: str, *, marked: bool = False) -> Machine:
    """A Machine object; a marked one wants a label and two taints."""
    taints = [Taint(key="only", value="db", effect="NoSchedule"), Taint(key="spare", effect="PreferNoSchedule")]
    return Machine(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=MachineSpec(
            address=address,
            role=role,
            labels={"disk": "ssd", "empty": ""} if marked else {},
            taints=taints if marked else [],
        ),
    )


def desired(
    control_planes: int = 1,
    workers: int = 2,
    *,
    runtime: RuntimeName = "containerd",
    plugin: NetworkPlugin = "routed",
    marked: bool = False,
) -> Desired:
    """A wish for cluster default/shop with machines cp-N and w-N."""
    roles: list[tuple[str, Role]] = [(f"cp-{n}", "ControlPlane") for n in range(1, control_planes + 1)]
    roles += [(f"w-{n}", "Worker") for n in range(1, workers + 1)]
    machines = {
        name: machine(name, role, f"198.18.1.{n}", marked=marked) for n, (name, role) in enumerate(roles, start=11)
    }
    target = ClusterTarget(
        namespace="default",
        name="shop",
        version=VERSION,
        distribution="native",
        release=release(),
        sources=[],
        runtime=RuntimeChoice(name=runtime),
        settings=HostSettings(),
        kernel=Kernel(),
        operating_systems=[],
        network=ClusterNetwork(plugin=plugin, manifest=f"token: {SECRET}"),
        endpoint=Endpoint(host="198.18.1.11"),
        components=Components(api_server=ComponentArgs(args={"token": SECRET})),
        addons=Addons(),
        kubeadm=Kubeadm(),
        change=Change(),
        control_planes=[name for name, role in roles if role == "ControlPlane"],
        workers=[name for name, role in roles if role == "Worker"],
    )
    return Desired(target=target, machines=machines)


def with_target(wish: Desired, **changes: object) -> Desired:
    """The same wish with fields of its target replaced."""
    return replace(wish, target=replace(wish.target, **changes))


def bare(name: str) -> MachineFacts:
    """A fresh machine that passes preflight: both runtimes installed and stopped, nothing of Kubernetes."""
    return MachineFacts(
        machine_id=f"id-{name}",
        product_uuid=f"uuid-{name}",
        os=OSFacts(id="debian", version_id="12", architecture="amd64"),
        cpus=2,
        memory=4 * GIB,
        disks=[DiskFacts(path="/", available=90 * GIB), DiskFacts(path="/var/lib", available=20 * GIB)],
        time=TimeFacts(synchronized=True, service="chrony"),
        listening=[ListenFacts(port=22, process="sshd")],
        runtimes=[
            RuntimeFacts(name="containerd", version="1.6.20", installed=True),
            RuntimeFacts(name="docker", version="20.10.24", installed=True),
        ],
        network=NetworkFacts(hostname=name),
        commands=COMMANDS,
        systemd=True,
    )


def ready_runtime(name: str, version: str) -> RuntimeFacts:
    """The runtime as the runtime step leaves it, without images."""
    return RuntimeFacts(
        name=name,
        version=version,
        installed=True,
        active=True,
        enabled=True,
        cri_enabled=name == "containerd",
        cgroup_driver="systemd",
        sandbox_image=PAUSE if name == "containerd" else "",
    )


def _with_runtime(facts: MachineFacts, new: RuntimeFacts) -> MachineFacts:
    return replace(facts, runtimes=[*(r for r in facts.runtimes if r.name != new.name), new])


@dataclass
class Fleet:
    """`machines` are facts as a survey sees them; `nodes`, `born` and `births` are the truth."""

    wish: Desired
    machines: dict[str, MachineFacts]
    nodes: dict[str, NodeFacts] = field(default_factory=dict)
    born: bool = False
    published: bool = False
    network_applied: bool = False
    pending: list[str] = field(default_factory=list)
    drained: set[str] = field(default_factory=set)
    births: int = 0

    @property
    def target(self) -> ClusterTarget:
        return self.wish.target

    def cluster(self) -> ClusterFacts:
        """What a survey through the published kubeconfig sees; nothing before it is published."""
        if not (self.published and self.born):
            return ClusterFacts(kubeconfig_published=self.published)
        return ClusterFacts(
            reachable=True,
            version=VERSION,
            nodes=list(self.nodes.values()),
            system_pods_pending=list(self.pending),
            kubeconfig_published=True,
            network_applied=self.network_applied,
        )

    def run(self, step: PlannedStep) -> None:
        """Do the whole step; raise Disorder when the machine could not."""
        if step.step == "routes":
            self.do_routes(step.among)
            return
        action = getattr(self, "do_" + step.step.replace("-", "_"))
        if step.machine and step.step != "claim":
            self.need(self.machines[step.machine].kubeadm.owner == KEY, f"{step.name}: not claimed")
        action(step.machine) if step.machine else action()

    def run_half(self, step: PlannedStep) -> None:
        """Do what a killed step leaves behind: for init and join, kubeadm's files without a registered node."""
        if step.step not in ("init", "join"):
            return
        name = step.machine
        self.need_prepared(name)
        planes = self.target.control_planes
        early = name in planes and step.step == "join"
        self._kubeadm(
            name,
            joined=True,
            admin_conf=name in planes,
            static_pods=MANIFESTS if step.step == "init" else [m for m in MANIFESTS if early and m != "etcd"],
            ca_hash="ca-of-shop",
        )

    def need(self, condition: bool, message: str) -> None:
        """Raise Disorder unless `condition`."""
        if not condition:
            raise Disorder(message)

    def need_prepared(self, name: str) -> None:
        """Everything that kubeadm's own preflight would look for."""
        facts, runtime = self.machines[name], self.machines[name].runtime(self.target.runtime.name)
        self.need(facts.swap == 0, f"{name}: swap is on")
        self.need(set(self.target.settings.modules) <= set(facts.kernel.modules), f"{name}: modules missing")
        self.need(facts.kernel.sysctls.get("net.ipv4.ip_forward") == "1", f"{name}: no forwarding")
        self.need(runtime.active and runtime.cgroup_driver == "systemd", f"{name}: runtime not ready")
        self.need(PAUSE in runtime.images, f"{name}: images missing")
        self.need(facts.kubelet.enabled, f"{name}: kubelet would not start after a reboot")
        self.need(facts.kubelet.version == PLAIN == facts.kubeadm.installed_version, f"{name}: binaries missing")
        self.need("kubectl" in facts.commands, f"{name}: kubectl missing")

    def _set(self, name: str, **changes: object) -> None:
        self.machines[name] = replace(self.machines[name], **changes)

    def _kubeadm(self, name: str, **changes: object) -> None:
        self._set(name, kubeadm=replace(self.machines[name].kubeadm, **changes))

    def do_virtual_ip(self, name: str) -> None:
        """keepalived tells the others; one that the others do not tell believes to be alone, and takes the address."""
        own = self.wish.machines[name].spec.address
        others = [other for other in self.target.control_planes if other != name]
        for other in others:
            there = self.machines[other].virtual_ip
            if there.active and own not in there.peers:
                raise Disorder(f"{name} would take the virtual IP: {other}, which keeps it, does not tell it")
        peers = sorted(self.wish.machines[other].spec.address for other in others)
        part = VirtualIPFacts(self.target.endpoint.host, peers, active=True)
        self.machines[name] = replace(self.machines[name], virtual_ip=part)

    def do_claim(self, name: str) -> None:
        self.need(self.machines[name].kubeadm.owner in ("", KEY), f"{name}: claimed by another")
        self._kubeadm(name, owner=KEY)

    def do_host_settings(self, name: str) -> None:
        kernel = self.machines[name].kernel
        modules = sorted({*kernel.modules, *self.target.settings.modules})
        sysctls = {**kernel.sysctls, **self.target.settings.sysctls}
        self._set(name, swap=0, kernel=replace(kernel, modules=modules, sysctls=sysctls))

    def do_runtime(self, name: str) -> None:
        now = self.machines[name].runtime(self.target.runtime.name)
        ready = ready_runtime(now.name, now.version or "1.6.20")
        self._set(name, runtimes=_with_runtime(self.machines[name], replace(ready, images=now.images)).runtimes)

    def do_binaries(self, name: str) -> None:
        facts = self.machines[name]
        self._kubeadm(name, installed_version=PLAIN)
        self._set(
            name,
            kubelet=replace(facts.kubelet, installed=True, enabled=True, version=PLAIN),
            commands=sorted({*facts.commands, "kubectl"}),
            network=replace(facts.network, cni_plugins=sorted({*facts.network.cni_plugins, *PLUGINS})),
        )

    def do_images(self, name: str) -> None:
        runtime = self.machines[name].runtime(self.target.runtime.name)
        self.need(runtime.active, f"{name}: images before runtime")
        prefix = "docker.io/library/" if runtime.name == "containerd" else ""
        images = [PAUSE, f"{prefix}busybox:latest", "k8s.gcr.io/kube-apiserver:v1.20.2"]
        self._set(name, runtimes=_with_runtime(self.machines[name], replace(runtime, images=images)).runtimes)

    def do_init(self, name: str) -> None:
        self.need(name == self.target.first, f"{name}: init on another than the first")
        self.need_prepared(name)
        self.births += not self.born
        self.born = True
        self._register(name)

    def do_kubeconfig(self) -> None:
        self.need(self.born, "kubeconfig before init")
        self.published = True

    def do_join(self, name: str) -> None:
        self.need(self.born and self.published, f"{name}: join before init")
        self.need_prepared(name)
        planes = self.target.control_planes
        if name in planes:
            earlier = planes[: planes.index(name)]
            self.need(all(plane in self.nodes for plane in earlier), f"{name}: joined out of turn")
        self._register(name)

    def _register(self, name: str) -> None:
        plane = name in self.target.control_planes
        self._kubeadm(
            name,
            joined=True,
            admin_conf=plane,
            etcd_data=plane,
            static_pods=MANIFESTS if plane else [],
            ca_hash="ca-of-shop",
            server="https://198.18.1.11:6443",
        )
        self._set(name, kubelet=replace(self.machines[name].kubelet, active=True, runtime=self.target.runtime.name))
        fresh = NodeFacts(
            name=name,
            address=self.wish.machines[name].spec.address,
            pod_cidr=f"10.244.{self.target.members.index(name)}.0/24",
            kubelet_version=VERSION,
            runtime=f"{self.target.runtime.name}://1.6.20",
        )
        self.nodes.setdefault(name, fresh)

    def need_all_joined(self, who: str) -> None:
        self.need(set(self.target.members) <= set(self.nodes), f"{who} before the last join")

    def do_network_manifest(self) -> None:
        self.need(self.published and self.born, "manifest before kubeconfig")
        self.network_applied = True

    def do_pod_network(self, name: str) -> None:
        self.need_all_joined("pod network")
        network = self.machines[name].network
        self.need("bridge" in network.cni_plugins, f"{name}: no bridge plugin")
        routes = {node.pod_cidr: node.address for node in self.nodes.values() if node.name != name}
        configs = sorted({*network.cni_configs, "10-groundplane.conflist"})
        self._set(name, network=replace(network, routes={**network.routes, **routes}, cni_configs=configs))

    def do_routes(self, among: list[str]) -> None:
        self.need_all_joined("routes")
        for name in among:
            network = self.machines[name].network
            self.need(network.cni_configs != [], f"{name}: routes before the pod network")
            routes = {node.pod_cidr: node.address for node in self.nodes.values() if node.name != name}
            self._set(name, network=replace(network, routes=routes))

    def do_node_labels(self) -> None:
        self.need_all_joined("labels")
        for name, node in self.nodes.items():
            spec = self.wish.machines[name].spec
            taints = [f"{taint.key}={taint.value}:{taint.effect}" for taint in spec.taints]
            managed = sorted(f"{taint.key}:{taint.effect}" for taint in spec.taints)
            kept = [text for text in node.taints if _bare(text) not in {*node.managed_taints, *managed}]
            foreign = {key: value for key, value in node.labels.items() if key not in node.managed_labels}
            self.nodes[name] = replace(
                node,
                labels={**foreign, **spec.labels},
                taints=sorted({*kept, *taints}),
                managed_labels=sorted(spec.labels),
                managed_taints=managed,
            )

    def do_verify(self) -> None:
        self.need_all_joined("verify")
        self.need_connected()
        self.nodes = {name: replace(node, ready=True) for name, node in self.nodes.items()}
        self.pending = []

    def need_connected(self) -> None:
        """The pod network is there, and every wanted label and taint."""
        if self.target.network.plugin == "manifest":
            self.need(self.network_applied, "no network plugin")
        for name, node in self.nodes.items():
            spec = self.wish.machines[name].spec
            self.need(spec.labels.items() <= node.labels.items(), f"{name}: labels missing")
            self.need(len(node.taints) >= len(spec.taints), f"{name}: taints missing")
            dropped = node.labels.keys() & set(node.managed_labels) - spec.labels.keys()
            self.need(not dropped, f"{name}: labels {dropped} are still there")
            if self.target.network.plugin == "routed":
                network = self.machines[name].network
                self.need(network.cni_configs != [], f"{name}: no CNI configuration")
                for other in self.nodes.values():
                    there = other.name == name or network.routes.get(other.pod_cidr) == other.address
                    self.need(there, f"{name}: no route to {other.name}")

    def do_drain(self, name: str) -> None:
        self.need(name in self.target.workers, f"{name}: only workers are drained")
        self.need(any(self.serves(plane) for plane in self.target.control_planes), "drain without an API")
        self.drained.add(name)

    def serves(self, name: str) -> bool:
        """Tell whether the machine still runs an API server."""
        return "kube-apiserver" in self.machines[name].kubeadm.static_pods

    def do_reset(self, name: str) -> None:
        planes, facts = self.target.control_planes, self.machines[name]
        mine = [other for other in self.target.members if self.machines[other].kubeadm.owner == KEY and other != name]
        if name in planes:
            left = [w for w in mine if w in self.target.workers and self.machines[w].kubeadm.joined]
            self.need(not left, f"{name}: workers left when a control plane is reset")
        else:
            self.need(name in self.drained or not facts.kubeadm.joined, f"{name}: reset before drain")
        if name == self.target.first:
            self.need(not any(self.machines[o].kubeadm.joined for o in mine), "the first is not the last")
            self.born, self.pending, self.network_applied = False, [], False
        self.nodes.pop(name, None)
        kept = KubeadmFacts(installed_version=facts.kubeadm.installed_version, owner=KEY)
        network = replace(facts.network, routes={}, cni_configs=[])
        self._set(name, kubeadm=kept, kubelet=replace(facts.kubelet, active=False), network=network)

    def do_restore(self, name: str) -> None:
        facts = self.machines[name]
        self.need(not facts.kubeadm.joined and not facts.kubelet.active, f"{name}: restored before reset")
        self.machines[name] = bare(name)

    def finished(self) -> None:
        """Raise Disorder unless the cluster really is as wanted; asks the truth, not the planner."""
        self.need(self.born and self.published, "no cluster")
        self.need(self.births == 1, f"the cluster was initialised {self.births} times")
        self.need_all_joined("finish")
        self.need_connected()
        self.need(all(node.ready for node in self.nodes.values()), "nodes not Ready")
        for name in self.target.members:
            self.need_prepared(name)


def runnable(plan: Plan, done: set[str]) -> list[PlannedStep]:
    """The steps that a runner may start now, in the plan's order."""
    return [step for step in plan.steps if step.name not in done and set(step.after) <= done]


def _bare(taint: str) -> str:
    """A taint without its value, as the annotation of a Node lists it."""
    head, _, effect = taint.rpartition(":")
    return f"{head.partition('=')[0]}:{effect}"
