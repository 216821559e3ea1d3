"""Preflight names every problem of every machine at once, each with its remedy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Components, Endpoint, Kubeadm, KubeletOverride
from groundplane.api.facts import (
    ClusterFacts,
    DiskFacts,
    KernelFacts,
    KubeadmFacts,
    KubeletFacts,
    ListenFacts,
    MachineFacts,
    NetworkFacts,
    OSFacts,
    RuntimeFacts,
    SecurityFacts,
    TimeFacts,
)
from groundplane.api.foundation import HostSettings, Kernel, OSEntry, RuntimeChoice
from groundplane.api.target import Desired
from groundplane.operations.places import BIN, CNI_BIN, STATE
from groundplane.operations.runtimes import CONTAINERD, DOCKER
from groundplane.plan.checks import deliveries
from groundplane.plan.preflight import Problem, check, errors
from groundplane.plan.view import View

from .fleet import COMMANDS, GIB, KEY, bare, desired, release, with_target
from .test_create import finished


def problems(wish: Desired | None = None, name: str = "cp-1", **changes: object) -> list[Problem]:
    """What preflight says when one machine of a fresh fleet is changed."""
    wish = wish or desired(1, 1)
    facts = {member: bare(member) for member in wish.target.members}
    facts[name] = replace(facts[name], **changes)
    return check(wish, facts)


def only(found: list[Problem]) -> Problem:
    assert len(found) == 1, found
    assert found[0].remedy
    assert found[0].message.startswith(f"machine {found[0].machine}: ")
    return found[0]


def test_fresh_machines_have_no_problems() -> None:
    assert problems() == []


def test_a_finished_cluster_has_no_problems_though_its_ports_and_disk_are_in_use() -> None:
    fleet = finished(desired(3, 2))
    for name, facts in fleet.machines.items():
        busy = [ListenFacts(port=port, process="x") for port in (6443, 2379, 10250)]
        fleet.machines[name] = replace(facts, listening=busy, disks=[DiskFacts(path="/", available=0)], swap=1)
    assert check(fleet.wish, fleet.machines) == []


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        with_target(desired(1, 1), kernel=Kernel(minimum="5.4"), operating_systems=[OSEntry(id="ubuntu")]),
        os=OSFacts(id="debian", version_id="12", architecture="riscv64"),
        kernel=KernelFacts(release="4.18.0"),
        cpus=1,
        memory=GIB,
        disks=[DiskFacts(path="/", available=1)],
        time=TimeFacts(offset_seconds=90),
        listening=[ListenFacts(port=6443, process="nginx")],
        commands=[],
        systemd=False,
        security=SecurityFacts(selinux="Enforcing", firewall="ufw"),
        runtimes=[RuntimeFacts(name="containerd", version="1.3.0", installed=True)],
    )
    told = {problem.check for problem in found if problem.machine == "cp-1"}
    assert told == {
        "operating-system",
        "architecture",
        "kernel",
        "cpu",
        "memory",
        "disk",
        "clock",
        "port",
        "commands",
        "systemd",
        "selinux",
        "firewall",
        "runtime",
    }
    assert all(problem.remedy and problem.message for problem in found)


@pytest.mark.parametrize(
    ("entries", "fits"),
    [
        ([], True),
        ([OSEntry(id="debian")], True),
        ([OSEntry(id="ubuntu"), OSEntry(id="debian", versions=["11", "12"])], True),
        ([OSEntry(id="debian", versions=["11"])], False),
    ],
)
def test_the_operating_system_must_be_in_the_lists_when_there_are_any(entries: list[OSEntry], fits: bool) -> None:
    found = problems(with_target(desired(1, 0), operating_systems=entries))
    assert (found == []) is fits
    if not fits:
        assert "debian 12 is not an operating system of the foundation" in only(found).message
        assert "debian 11" in only(found).remedy


def test_an_unknown_operating_system_is_said_to_be_unknown() -> None:
    wish = with_target(desired(1, 0), operating_systems=[OSEntry(id="debian")])
    assert "an unknown system" in only(problems(wish, os=OSFacts(architecture="amd64"))).message


def test_an_architecture_without_files_is_an_error() -> None:
    found = only(problems(desired(1, 0), os=OSFacts(architecture="arm64")))
    assert found.check == "architecture"
    assert "has no kubeadm, kubelet, kubectl, cni-plugins for arm64" in found.message
    assert problems(with_target(desired(1, 0), release=release("arm64")), os=OSFacts(architecture="arm64")) == []


@pytest.mark.parametrize(("kernel", "fits"), [("5.4.0-42-generic", True), ("6.1.0-rc1", True), ("5.3.99", False)])
def test_the_kernel_must_reach_the_minimum(kernel: str, fits: bool) -> None:
    wish = with_target(desired(1, 0), kernel=Kernel(minimum="5.4"))
    found = problems(wish, kernel=KernelFacts(release=kernel))
    assert (found == []) is fits


def test_a_kernel_that_is_unknown_does_not_pass() -> None:
    wish = with_target(desired(1, 0), kernel=Kernel(minimum="5.4"))
    assert only(problems(wish, kernel=KernelFacts())).check == "kernel"


def test_only_a_control_plane_needs_two_cpus_and_1700_mib() -> None:
    small = {"cpus": 1, "memory": 1699 * 1024**2}
    assert [p.check for p in problems(name="cp-1", **small)] == ["cpu", "memory"]
    assert problems(name="w-1", **small) == []
    assert problems(name="cp-1", cpus=2, memory=1700 * 1024**2) == []


@pytest.mark.parametrize("waiver", ["NumCPU", "all"])
def test_a_check_that_the_cluster_waives_only_warns(waiver: str) -> None:
    wish = with_target(desired(1, 0), kubeadm=Kubeadm(ignore_preflight_errors=[waiver]))
    found = problems(wish, cpus=1, systemd=False)
    assert {(p.check, p.severity) for p in found} == {("cpu", "Warning"), ("systemd", "Error")}
    assert [p.check for p in errors(found)] == ["systemd"]


def test_swap_that_is_to_be_turned_off_is_no_problem() -> None:
    assert problems(swap=GIB) == []


@pytest.mark.parametrize(
    ("kubelet", "fits"),
    [
        (KubeletOverride(), True),
        (KubeletOverride(config={"failSwapOn": False}), True),
        (KubeletOverride(config={"failSwapOn": True}), False),
        (KubeletOverride(args={"fail-swap-on": "true"}), False),
    ],
)
def test_swap_that_stays_on_needs_a_kubelet_that_bears_it(kubelet: KubeletOverride, fits: bool) -> None:
    wish = with_target(desired(1, 0), settings=HostSettings(swap="Ignored"), components=Components(kubelet=kubelet))
    assert [p.check for p in problems(wish, swap=GIB)] == ([] if fits else ["swap"])


def test_the_disk_of_var_lib_needs_room_for_the_files_in_three_copies() -> None:
    disks = [DiskFacts(path="/", available=90 * GIB), DiskFacts(path="/var/lib", available=2 * GIB - 1)]
    found = only(problems(name="w-1", disks=disks))
    assert found.message == "machine w-1: /var/lib has 2047 MiB free and 2048 MiB are needed"
    assert problems(disks=[disks[0], DiskFacts(path="/var/lib/docker", available=0)]) == []
    big = [replace(artifact, size=GIB) for artifact in release().artifacts]
    wish = with_target(desired(1, 0), release=replace(release(), artifacts=big))
    assert "21504 MiB are needed" in only(problems(wish)).message


def on_disks(**free: int) -> list[DiskFacts]:
    """File systems, each of a device of its own, by the folder that they are mounted on; "root" is "/"."""
    paths = {"root": "/", "var": "/var/lib", "programs": "/usr/local/bin", "images": "/var/lib/containerd"}
    return [DiskFacts(path=paths[name], available=size, device=name) for name, size in free.items()]


def test_a_folder_on_a_disk_of_its_own_needs_room_for_the_files_that_go_there() -> None:
    roomy = {"root": 9 * GIB, "var": 9 * GIB}
    assert problems(disks=on_disks(**roomy, programs=150_000_000, images=300_000_000)) == []
    found = only(problems(name="w-1", disks=on_disks(**roomy, programs=149_000_000)))
    assert found.message == "machine w-1: /usr/local/bin has 142 MiB free and 144 MiB are needed"
    assert found.remedy == "free 1 MiB or enlarge the file system"
    found = only(problems(disks=on_disks(**roomy, images=200_000_000)))
    assert found.message == "machine cp-1: /var/lib/containerd has 190 MiB free and 287 MiB are needed"
    docker = desired(1, 1, runtime="docker")
    assert problems(docker, disks=on_disks(**roomy, images=0)) == []


def test_folders_that_share_a_disk_are_told_together_and_those_of_var_lib_are_in_its_own_need() -> None:
    found = only(problems(disks=on_disks(root=100_000_000, var=9 * GIB)))
    assert found.message == ("machine cp-1: /usr/local/bin and /opt/cni/bin have 95 MiB free and 287 MiB are needed")
    shared = [DiskFacts(path=path, available=0, device="7") for path in ("/", "/var/lib", "/usr/local/bin")]
    assert only(problems(disks=shared)).message.startswith("machine cp-1: /var/lib has 0 MiB free")


def test_what_an_earlier_try_has_put_in_place_needs_no_room_again() -> None:
    half = {
        "kubeadm": KubeadmFacts(owner=KEY, installed_version="v1.20.2"),
        "kubelet": KubeletFacts(installed=True, version="v1.20.2"),
    }
    full = on_disks(root=9 * GIB, var=9 * GIB, programs=60_000_000)
    assert problems(disks=full, **half) == []
    assert len(problems(disks=full)) == 1


def test_the_folders_that_are_measured_are_those_that_steps_fill() -> None:
    for runtime in (CONTAINERD, DOCKER):
        wish = desired(1, 1, runtime=runtime.name)
        view = View(wish, {name: bare(name) for name in wish.target.members}, ClusterFacts())
        assert set(deliveries(view, "cp-1")) == {BIN, CNI_BIN, STATE, runtime.image_root}


def test_a_disk_that_was_not_measured_is_a_warning() -> None:
    assert only(problems(disks=[])).severity == "Warning"


@pytest.mark.parametrize(("offset", "words"), [(31.0, "31 s ahead of"), (-90.4, "90 s behind")])
def test_a_clock_far_off_is_an_error(offset: float, words: str) -> None:
    found = only(problems(time=TimeFacts(synchronized=True, offset_seconds=offset)))
    assert (found.check, found.severity) == ("clock", "Error")
    assert found.message == f"machine cp-1: its clock is {words} Groundplane's"
    assert "set the clock" in found.remedy


def test_a_right_clock_without_a_time_service_is_a_warning_where_one_is_required() -> None:
    alone = TimeFacts(offset_seconds=30.0)
    found = only(problems(time=alone))
    assert (found.check, found.severity) == ("time-sync", "Warning")
    assert problems(with_target(desired(1, 0), settings=HostSettings(time_sync="Ignored")), time=alone) == []


@pytest.mark.parametrize("port", [2379, 2380, 6443, 10250, 10257, 10259])
def test_a_taken_port_of_a_control_plane_names_who_has_it(port: int) -> None:
    taken = [ListenFacts(port=port, address=address, process="nginx") for address in ("0.0.0.0", "::")]
    found = only(problems(listening=taken))
    assert f"port {port} is taken by nginx" in found.message
    assert [p.check for p in problems(name="w-1", listening=taken)] == (["port"] if port == 10250 else [])


def test_the_endpoint_port_is_checked_unless_a_load_balancer_has_it() -> None:
    taken = [ListenFacts(port=8443, process="haproxy")]
    endpoint = Endpoint(host="198.18.1.11", port=8443)
    assert only(problems(with_target(desired(1, 0), endpoint=endpoint), listening=taken)).check == "port"
    outside = replace(endpoint, provider="External")
    assert problems(with_target(desired(1, 0), endpoint=outside), listening=taken) == []


def test_a_port_that_our_own_half_finished_cluster_has_is_no_problem() -> None:
    taken = [ListenFacts(port=6443, process="kube-apiserver"), ListenFacts(port=10257, process="kube-controller")]
    assert problems(listening=taken, kubeadm=KubeadmFacts(owner=KEY)) == []
    assert len(problems(listening=taken)) == 2
    foreign = [ListenFacts(port=6443), ListenFacts(port=2379, protocol="udp", process="x")]
    assert "an unknown process" in only(problems(listening=foreign, kubeadm=KubeadmFacts(owner=KEY))).message


def test_missing_commands_are_listed() -> None:
    found = only(problems(commands=[command for command in COMMANDS if command not in ("conntrack", "ip")]))
    assert "not found: conntrack, ip" in found.message


def test_a_runtime_that_is_not_installed_is_a_warning_unless_the_release_brings_it() -> None:
    found = only(problems(runtimes=[]))
    assert (found.check, found.severity) == ("runtime", "Warning")
    brought = release()
    archive = replace(brought.artifacts[0], name="containerd", type="Archive")
    wish = with_target(desired(1, 0), release=replace(brought, artifacts=[*brought.artifacts, archive]))
    assert problems(wish, runtimes=[]) == []


@pytest.mark.parametrize(
    ("version", "constraint", "fits"),
    [("1.6.20~ds1", ">=1.6.0", True), ("1.5.9", ">=1.6.0", False), ("1.4.0", "", False), ("edge", "", False)],
)
def test_the_containerd_version_must_be_wanted_and_supported(version: str, constraint: str, fits: bool) -> None:
    wish = with_target(desired(1, 0), runtime=RuntimeChoice(version=constraint))
    found = problems(wish, runtimes=[RuntimeFacts(name="containerd", version=version, installed=True)])
    assert [p.check for p in errors(found)] == ([] if fits else ["runtime"])


def test_docker_is_refused_for_a_version_that_cannot_run_it() -> None:
    runnable = desired(1, 0, runtime="docker")
    assert problems(runnable) == []
    assert "dockershim" in only(problems(with_target(runnable, version="v1.24.0"))).message


def test_selinux_and_a_firewall_are_warnings_that_name_the_ports() -> None:
    found = problems(name="w-1", security=SecurityFacts(selinux="Enforcing", firewall="firewalld"))
    assert [(p.check, p.severity) for p in found] == [("selinux", "Warning"), ("firewall", "Warning")]
    assert "10250 and 30000-32767" in found[1].remedy
    assert errors(found) == []


def test_a_node_of_another_cluster_is_refused_and_nothing_else_is_asked_of_it() -> None:
    found = only(problems(name="w-1", cpus=1, kubeadm=KubeadmFacts(joined=True, server="https://10.0.0.1:6443")))
    assert found.check == "owner"
    assert "https://10.0.0.1:6443" in found.message


def test_a_machine_that_another_cluster_claimed_is_refused() -> None:
    assert "belongs to cluster default/other" in only(problems(kubeadm=KubeadmFacts(owner="default/other"))).message


def test_a_machine_that_was_not_surveyed_is_named() -> None:
    found = only(check(desired(1, 1), {"cp-1": bare("cp-1")}))
    assert (found.machine, found.check, found.severity) == ("w-1", "survey", "Error")


def test_twins_are_named_on_both_sides() -> None:
    wish = desired(1, 2)
    facts: dict[str, MachineFacts] = {name: bare(name) for name in wish.target.members}
    facts["w-2"] = replace(facts["w-2"], machine_id="id-w-1", product_uuid="uuid-w-1")
    found = check(wish, facts)
    assert [(p.machine, p.check) for p in found] == [("w-1", "machine-id"), ("w-2", "machine-id")]
    assert "same machine-id as w-2" in found[0].message


def test_equal_host_names_are_an_error_and_equal_product_uuids_a_warning() -> None:
    wish = desired(1, 1)
    facts = {
        name: replace(bare(name), product_uuid="same", network=NetworkFacts(hostname="h")) for name in ("cp-1", "w-1")
    }
    found = check(wish, facts)
    assert {(p.check, p.severity) for p in found} == {("hostname", "Error"), ("product-uuid", "Warning")}


def test_machines_without_an_identity_are_not_twins() -> None:
    blank = {"machine_id": "", "product_uuid": "", "network": NetworkFacts()}
    assert check(desired(1, 1), {name: replace(bare(name), **blank) for name in ("cp-1", "w-1")}) == []


def test_kata_needs_a_machine_with_virtualisation() -> None:
    wish = with_target(desired(1, 1), runtime=RuntimeChoice(handlers=["runc", "kata"]))
    found = problems(wish, "w-1", kvm=True)
    assert only(found).machine == "cp-1"
    assert only(found).check == "virtualisation"
    assert "/dev/kvm" in only(found).message
