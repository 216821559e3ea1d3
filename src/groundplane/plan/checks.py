"""The single checks of preflight: each looks at one machine and yields what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

from groundplane.api.distribution import Artifact, ArtifactType
from groundplane.api.facts import DiskFacts
from groundplane.api.foundation import OSEntry
from groundplane.base.sizes import MIB, mib
from groundplane.base.versions import UnknownVersion, kernel_at_least, satisfies
from groundplane.catalog.runtimes import Verdict, containerd_supported, docker_supported

from . import prepare
from .view import View, api_port

# kubeadm's own floors: https://github.com/kubernetes/kubernetes/blob/v1.20.2/cmd/kubeadm/app/constants/constants.go
CONTROL_PLANE_CPUS = 2
CONTROL_PLANE_MEMORY = 1700 * MIB
# A file exists as a download, unpacked, and in the runtime's store.
DISK_COPIES = 3
DISK_FLOOR = 2048 * MIB
# Certificates are dated from the first control plane's clock, and kubeadm back-dates them by nothing.
CLOCK_LIMIT = 30.0
COMMANDS = ("iptables", "conntrack", "ip", "mount", "modprobe", "systemctl")
# https://kubernetes.io/docs/reference/networking/ports-and-protocols/
KUBELET_PORT = 10250
CONTROL_PLANE_PORTS = (2379, 2380, 10257, 10259)
_OUR_PROCESSES = frozenset({"etcd", "kubelet", "kube-apiserver", "kube-controller", "kube-scheduler"})
_PROCESS_NAME = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; the machine's name is put before the message."""

    check: str
    message: str
    remedy: str
    warning: bool = False


Check = Callable[[View, str], Iterator[Finding]]


def operating_system(view: View, name: str) -> Iterator[Finding]:
    """The Foundation's list, when it has one."""
    system, lists = view.of(name).os, view.target.operating_systems
    if lists and not any(entry.accepts(system.id, system.version_id) for entry in lists):
        allowed = ", ".join(_entry(entry) for entry in lists)
        yield Finding(
            "operating-system",
            f"{system.id or 'an unknown system'} {system.version_id} is not an operating system of the foundation",
            f"install one of {allowed}, or add this one to the foundation's allowed list",
        )


def architecture(view: View, name: str) -> Iterator[Finding]:
    """The release must have this machine's files."""
    machine = view.of(name).os.architecture
    lacking = prepare.missing_artifacts(view, name)
    if lacking:
        yield Finding(
            "architecture",
            f"release {view.target.version} has no {', '.join(lacking)} for {machine or 'an unknown architecture'}",
            f"add these artifacts to distribution {view.target.distribution}, or use a machine that it has files for",
        )


def kernel(view: View, name: str) -> Iterator[Finding]:
    """The Foundation's floor."""
    release, floor = view.of(name).kernel.release, view.target.kernel.minimum
    remedy = f"boot a kernel from {floor} on, or lower the foundation's minimum"
    try:
        if not kernel_at_least(release, floor):
            yield Finding("kernel", f"kernel {release} is older than {floor}", remedy)
    except UnknownVersion as problem:
        yield Finding("kernel", problem.message, remedy)


def size(view: View, name: str) -> Iterator[Finding]:
    """kubeadm's floors for a control plane."""
    facts = view.of(name)
    if view.role(name) != "ControlPlane":
        return
    if facts.cpus < CONTROL_PLANE_CPUS:
        yield Finding(
            "cpu",
            f"it has {facts.cpus} CPU and a control plane needs {CONTROL_PLANE_CPUS}",
            "give the machine more CPUs",
        )
    if facts.memory < CONTROL_PLANE_MEMORY:
        yield Finding(
            "memory",
            f"it has {facts.memory // MIB} MiB of memory and a control plane needs {CONTROL_PLANE_MEMORY // MIB} MiB",
            "give the machine more memory",
        )


def swap(view: View, name: str) -> Iterator[Finding]:
    """Swap that stays on stops a kubelet that the Cluster tells to mind it; else Groundplane tells it not to.

    The kubelets of an adopted cluster are set up by its owner, and mind it unless told otherwise.
    """
    kubelet, adopted = view.target.components.kubelet, view.target.origin == "Adopted"
    told = kubelet.config.get("failSwapOn", adopted) is not False
    if view.of(name).swap == 0 or view.target.settings.swap != "Ignored":
        return
    if adopted and told:
        yield Finding(
            "swap",
            "swap is on, the settings leave it on, and kubelet does not start then unless the cluster's own"
            " configuration says failSwapOn: false",
            "set settings.swap to Disabled; where it says so, accept it with Swap in kubeadm.ignorePreflightErrors",
        )
    elif told or kubelet.args.get("fail-swap-on", "false") == "true":
        yield Finding(
            "swap",
            "swap is on, the settings leave it on, and the cluster's kubelet override makes kubelet refuse it",
            "set settings.swap to Disabled, or take failSwapOn out of components.kubelet",
        )


def disk(view: View, name: str) -> Iterator[Finding]:
    """Room below /var/lib for the release's files in all their copies, and elsewhere for what goes to other disks."""
    need = max(DISK_FLOOR, DISK_COPIES * sum(artifact.size for artifact in view.artifacts(name)))
    state = _measured(view, name, "/var/lib")
    if state is None:
        yield Finding("disk", "the room on /var/lib is unknown", f"see that {need // MIB} MiB are free", warning=True)
        return
    yield from _room(["/var/lib"], state, need)
    apart: dict[str, tuple[list[str], DiskFacts, int]] = {}
    for folder, size in deliveries(view, name).items():
        found = _measured(view, name, folder)
        if found is not None and found.device != state.device:
            folders, _, sizes = apart.get(found.device, ([], found, 0))
            apart[found.device] = ([*folders, folder], found, sizes + size)
    for folders, found, sizes in apart.values():
        yield from _room(folders, found, sizes)


def deliveries(view: View, name: str) -> dict[str, int]:
    """Folders that files of the release go to, with the bytes that they take there until they are in place."""
    sizes = dict.fromkeys(get_args(ArtifactType), 0)
    for artifact in _lacking(view, name):
        sizes[artifact.type] += artifact.size
    return {
        "/usr/local/bin": sizes["Binary"],
        "/opt/cni/bin": DISK_COPIES * sizes["Archive"],
        # A runtime keeps what it loaded, and what it unpacked from that.
        f"/var/lib/{view.target.runtime.name}": 2 * sizes["Image"],
        "/var/lib/groundplane": sizes["Archive"] + sizes["Image"],
    }


def _lacking(view: View, name: str) -> list[Artifact]:
    """All files of the release, but for those that a create before this one has put in place."""
    files = view.artifacts(name)
    if not view.ours(name):
        return files
    lacking = {change.what for change in (*prepare.binaries(view, name), *prepare.images(view, name))}
    return [a for a in files if a.type == "Archive" or a.name in lacking or f"image {a.image}" in lacking]


def _measured(view: View, name: str, folder: str) -> DiskFacts | None:
    """What is known of the file system that `folder` is on, or will be."""
    above = [one for one in view.of(name).disks if _holds(one.path, folder)]
    return max(above, key=lambda one: len(one.path), default=None)


def _room(folders: list[str], found: DiskFacts, need: int) -> Iterator[Finding]:
    if found.available < need:
        where, have = " and ".join(folders), "has" if len(folders) == 1 else "have"
        yield Finding(
            "disk",
            f"{where} {have} {found.available // MIB} MiB free and {mib(need, up=True)} MiB are needed",
            f"free {mib(need - found.available, up=True)} MiB or enlarge the file system",
        )


def clock(view: View, name: str) -> Iterator[Finding]:
    """A clock far off makes certificates that are not valid yet."""
    time = view.of(name).time
    if abs(time.offset_seconds) > CLOCK_LIMIT:
        side = "ahead of" if time.offset_seconds > 0 else "behind"
        yield Finding(
            "clock",
            f"its clock is {abs(time.offset_seconds):.0f} s {side} Groundplane's",
            "set the clock, and keep it right with a time service such as chrony",
        )
    elif view.target.settings.time_sync == "Required" and not time.synchronized:
        yield Finding(
            "time-sync",
            "its clock is right now, but no time service keeps it so",
            "enable a time service such as chrony or systemd-timesyncd",
            warning=True,
        )


def ports(view: View, name: str) -> Iterator[Finding]:
    """Ports that the cluster will listen on and something else has."""
    wanted = needed_ports(view, name)
    seen: dict[int, str] = {}
    for one in view.of(name).listening:
        mine = view.ours(name) and one.process[:_PROCESS_NAME] in _OUR_PROCESSES
        if one.port in wanted and one.protocol.startswith("tcp") and not mine:
            seen.setdefault(one.port, one.process)
    for port, process in sorted(seen.items()):
        yield Finding(
            "port",
            f"port {port} is taken by {process or 'an unknown process'}",
            f"stop {process or 'what listens on it'}, or choose another machine",
        )


def needed_ports(view: View, name: str) -> tuple[int, ...]:
    """The TCP ports that Kubernetes will use on the machine, by its role."""
    if view.role(name) != "ControlPlane":
        return (KUBELET_PORT,)
    return tuple(sorted({api_port(view.target), KUBELET_PORT, *CONTROL_PLANE_PORTS}))


def tools(view: View, name: str) -> Iterator[Finding]:
    """Programs that kubelet, kube-proxy and the steps call."""
    lacking = [command for command in COMMANDS if command not in view.of(name).commands]
    if lacking:
        yield Finding(
            "commands",
            f"not found: {', '.join(lacking)}",
            "install the packages that bring them (on Debian: iptables, conntrack, iproute2, mount, kmod, systemd)",
        )


def systemd(view: View, name: str) -> Iterator[Finding]:
    """kubelet and the runtimes run as systemd units."""
    if not view.of(name).systemd:
        yield Finding("systemd", "it is not run by systemd", "use a machine whose init system is systemd")


def container_runtime(view: View, name: str) -> Iterator[Finding]:
    """The wanted runtime, in a version that the Foundation allows and the Kubernetes version runs on."""
    wanted, now = view.target.runtime, view.runtime(name)
    if not now.installed:
        if view.artifact(name, wanted.name) is None:
            yield Finding(
                "runtime",
                f"{wanted.name} is not installed and release {view.target.version} brings none",
                f"install {wanted.name} first, unless the machine's package manager can reach a repository that has it",
                warning=True,
            )
        return
    try:
        if not satisfies(now.version, wanted.version):
            yield Finding(
                "runtime",
                f"{wanted.name} {now.version} is installed and {wanted.version} is wanted",
                f"install {wanted.name} {wanted.version}, or change the runtime's version constraint",
            )
        verdict = _runtime_verdict(view, now.version)
        if not verdict.ok:
            yield Finding("runtime", verdict.reason, f"choose {verdict.choose}")
    except UnknownVersion as problem:
        yield Finding("runtime", problem.message, f"install {wanted.name} in a released version")


def virtualisation(view: View, name: str) -> Iterator[Finding]:
    """Kata runs pods in virtual machines."""
    wanted = [handler for handler in view.target.runtime.handlers if handler.startswith("kata")]
    if wanted and not view.of(name).kvm:
        yield Finding(
            "virtualisation",
            f"runtime handler {wanted[0]} is wanted, and /dev/kvm is not there",
            "switch virtualisation on in the firmware or the hypervisor (nested) and load kvm_intel or kvm_amd, or take"
            f" {wanted[0]} out of runtime.handlers",
        )


def _runtime_verdict(view: View, version: str) -> Verdict:
    kubernetes = view.target.version
    if view.target.runtime.name == "docker":
        return docker_supported(kubernetes)
    return containerd_supported(kubernetes, version)


def selinux(view: View, name: str) -> Iterator[Finding]:
    """Enforcing works with a policy for containers only; whether one is there cannot be seen."""
    if view.of(name).security.selinux.lower() == "enforcing":
        yield Finding(
            "selinux",
            "SELinux is enforcing",
            "install container-selinux, or set SELinux to permissive",
            warning=True,
        )


def firewall(view: View, name: str) -> Iterator[Finding]:
    """Host firewall rules that are not ours are never touched, so a person has to open the ports."""
    active = view.of(name).security.firewall
    if active:
        needed = ", ".join(str(port) for port in needed_ports(view, name))
        yield Finding(
            "firewall",
            f"firewall {active} is active",
            f"open the TCP ports {needed} and 30000-32767, and traffic of the pod network, between the machines",
            warning=True,
        )


ALWAYS: tuple[Check, ...] = (operating_system, architecture, clock, tools, systemd, selinux, firewall)
BEFORE_JOIN: tuple[Check, ...] = (kernel, size, swap, disk, ports, container_runtime, virtualisation)


def _entry(entry: OSEntry) -> str:
    return f"{entry.id} {'/'.join(entry.versions)}".strip()


def _holds(mount: str, path: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")
