"""What stands against a change is found for each machine before it begins: with its number, and a remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Change, Drain
from groundplane.api.facts import ClusterFacts, KubeadmFacts, KubeletFacts, MachineFacts, RuntimeFacts
from groundplane.api.foundation import RuntimeChoice
from groundplane.api.migration import (
    BudgetFacts,
    ContainerdFacts,
    ContainerFacts,
    CredentialFacts,
    DaemonFacts,
    FlagFacts,
    ImageFacts,
    ImageStoreFacts,
    MigrationFacts,
    PlaceFacts,
    PodFacts,
    UnitFacts,
    WorkloadFacts,
)
from groundplane.plan import migration_checks, workload_checks
from groundplane.plan.before_change import NEVER_ACCEPTED, check_change
from groundplane.plan.deltas import Delta
from groundplane.plan.preflight import Problem
from groundplane.plan.view import View

from .fleet import GIB, bare, desired, with_target

NAME = "w-1"
FLAGS = FlagFacts(path="/var/lib/kubelet/kubeadm-flags.env", names=["network-plugin"])
QUIET = MigrationFacts(
    docker=DaemonFacts(
        version="20.10.24", data_root="/var/lib/docker", cgroup_driver="systemd", log_driver="json-file"
    ),
    units=[UnitFacts(name="docker.service", known=True, active=True, enabled=True, needs=["docker.socket"])],
    images=ImageStoreFacts(
        count=3,
        size=3 * GIB,
        carried=[
            ImageFacts(names=["base:1", "base:2"], size=GIB // 2, adds=GIB // 2),
            ImageFacts(names=["web:1"], size=GIB, adds=GIB // 2),
        ],
    ),
    places=[
        PlaceFacts(path=path, mount="/", device="/dev/vda1", total=90 * GIB, available=40 * GIB)
        for path in ("/var/lib/docker", "/var/lib/containerd", "/var/lib/groundplane")
    ],
    containerd=ContainerdFacts(version="1.6.20", config=True),
    kubelet_flags=[FLAGS],
    http2=True,
)
NOTHING = WorkloadFacts()


def node_facts(name: str, **changes: object) -> MachineFacts:
    kubelet = KubeletFacts(installed=True, version="1.20.2", cgroup_driver="systemd", runtime="docker")
    return replace(bare(name), **{"kubelet": kubelet, "kubeadm": KubeadmFacts(joined=True), **changes})


def problems(
    facts: MigrationFacts | None = QUIET,
    workloads: WorkloadFacts = NOTHING,
    *,
    runtime: str = "containerd",
    accept: Sequence[str] = (),
    survey: MachineFacts | None = None,
    delta: Delta | None = None,
    **target: object,
) -> list[Problem]:
    choice = RuntimeChoice(name=runtime, handlers=target.pop("handlers", ["runc"]))
    changed = {"runtime": choice, "change": Change(accept=list(accept)), **target}
    wish = with_target(desired(1, 1), **changed)
    view = View(wish, {"cp-1": node_facts("cp-1"), NAME: survey or node_facts(NAME)}, ClusterFacts())
    found = delta or Delta(name=NAME, runtime_now="docker", version_now="v1.20.2", runtime=True)
    return check_change(view, {NAME: facts} if facts else {}, workloads, [found])


def only(found: list[Problem]) -> tuple[str, str]:
    assert len(found) == 1, found
    assert found[0].remedy
    if found[0].machine:
        assert found[0].machine == NAME
        assert found[0].message.startswith(f"machine {NAME}: ")
    return found[0].check, found[0].severity


def test_a_plain_node_on_docker_has_no_problems() -> None:
    assert problems() == []


def test_a_node_that_was_not_looked_at_is_refused_and_that_cannot_be_accepted() -> None:
    assert only(problems(None, accept=["NotLookedAt"])) == ("NotLookedAt", "Error")


def test_a_node_whose_runtime_stays_is_asked_only_for_its_pods() -> None:
    delta = Delta(name=NAME, version_now="v1.20.2", kubernetes=True)
    pods = [PodFacts(namespace="a", name="p", node=NAME, what=["/var/run/docker.sock"])]
    assert problems(None, WorkloadFacts(socket_mounts=pods, templates=["x"]), delta=delta) == []
    assert only(problems(None, WorkloadFacts(unmanaged=pods), delta=delta)) == ("UnmanagedPods", "Error")


def docker(**changes: object) -> MigrationFacts:
    return replace(QUIET, docker=replace(QUIET.docker, **changes))


def place(path: str, **changes: object) -> MigrationFacts:
    return replace(QUIET, places=[replace(p, **changes) if p.path == path else p for p in QUIET.places])


def unit(*needs: str) -> MigrationFacts:
    containerd = UnitFacts(name="containerd.service", known=True, active=True)
    return replace(QUIET, units=[UnitFacts(name="docker.service", known=True, active=True, needs=[*needs]), containerd])


def running(name: str, image: str = "x:1") -> MigrationFacts:
    return replace(QUIET, containers=[ContainerFacts(name=name, image=image, running=True)])


OF_ONE_MACHINE = [
    (replace(QUIET, containerd=ContainerdFacts(version="2.0.1")), "ContainerdVersion", "Error"),
    (replace(QUIET, containerd=ContainerdFacts(version="odd")), "ContainerdVersion", "Error"),
    (running("etcd1", "quay.io/coreos/etcd:v3.4.13"), "EtcdInDocker", "Error"),
    (running("member", "quay.io/coreos/etcd:v3.4.13"), "EtcdInDocker", "Error"),
    (running("kubelet", "rancher/hyperkube:v1.20"), "KubernetesInDocker", "Error"),
    (running("legacy"), "ContainersOutsideKubernetes", "Error"),
    (place("/var/lib/containerd", available=GIB, mount="/c"), "RoomForImages", "Error"),
    (place("/var/lib/groundplane", available=GIB // 4, mount="/g"), "RoomForImages", "Error"),
    (place("/var/lib/docker", mount="/var/lib/docker"), "DockerDisk", "Warning"),
    (docker(unreadable="it is not an object"), "RegistryConfiguration", "Error"),
    (docker(insecure=["10.0.0.0/8", "127.0.0.0/8", "r:5000"]), "RegistryConfiguration", "Error"),
    (replace(QUIET, credentials=[CredentialFacts(path="/f", helpers=["h"])]), "RegistryConfiguration", "Warning"),
    (replace(QUIET, containerd=replace(QUIET.containerd, imports=True)), "RegistryConfiguration", "Warning"),
    (docker(log_driver="journald"), "LogDriver", "Error"),
    (docker(log_options={"max-size": "1m", "labels": ""}), "LogDriver", "Warning"),
    (docker(cgroup_driver="cgroupfs"), "CgroupDriver", "Warning"),
    (replace(QUIET, pullers=["/etc/systemd/system/x.service"]), "SocketActivation", "Error"),
    (replace(QUIET, pullers=["/lib/systemd/system/kubelet.service"]), "KubeletUnit", "Error"),
    (replace(QUIET, users=["/etc/cron.d/prune"]), "DockerUsers", "Error"),
    (docker(hosts=["fd://", "tcp://0.0.0.0:2375"]), "DockerUsers", "Warning"),
    (unit("containerd.service"), "BoundToContainerd", "Error"),
    (docker(live_restore=True), "LiveRestore", "Warning"),
    (docker(default_runtime="nvidia"), "GpuRuntime", "Error"),
    (replace(docker(runtimes=["nvidia"]), nvidia=True), "GpuRuntime", "Warning"),
    (replace(QUIET, kubelet_flags=[FLAGS, replace(FLAGS, path="/etc/default/kubelet")]), "KubeletFlags", "Error"),
    (replace(QUIET, units=[UnitFacts(name="cri-docker.service", active=True)]), "CriDockerd", "Error"),
    (replace(QUIET, cloud_provider="external"), "CloudProvider", "Warning"),
    (replace(QUIET, http2=False), "CriClient", "Error"),
    (docker(ulimits=["nofile"]), "DockerSettings", "Warning"),
]


@pytest.mark.parametrize(("facts", "check", "severity"), OF_ONE_MACHINE)
def test_each_trap_of_a_machine_is_named(facts: MigrationFacts, check: str, severity: str) -> None:
    assert only(problems(facts)) == (check, severity)
    accepted = only(problems(facts, accept=[check]))
    assert accepted == (check, "Error" if severity == "Error" and check in NEVER_ACCEPTED else "Warning")


def test_containers_that_do_not_run_or_are_docker_s_of_kubernetes_stand_against_nothing() -> None:
    assert problems(replace(QUIET, containers=[ContainerFacts(name="etcd-old", image="etcd:1")])) == []


def test_room_counts_the_tar_where_it_shares_the_file_system() -> None:
    need = migration_checks.COPIES * GIB + migration_checks.SPARE + GIB
    enough = replace(QUIET, places=[replace(p, available=need) for p in QUIET.places])
    assert problems(enough) == []
    lacks = replace(QUIET, places=[replace(p, available=need - 1) for p in QUIET.places])
    found = problems(lacks)
    assert only(found) == ("RoomForImages", "Error")
    assert "free 1 MiB" in found[0].remedy


def test_images_that_an_earlier_try_carried_over_need_no_more_room() -> None:
    full = replace(QUIET, places=[replace(p, available=migration_checks.SPARE) for p in QUIET.places])
    some = RuntimeFacts(
        name="containerd", version="1.6.20", images=["docker.io/library/base:1", "docker.io/library/web:1"]
    )
    assert only(problems(full, survey=node_facts(NAME, runtimes=[some]))) == ("RoomForImages", "Error")
    all_there = replace(some, images=[*some.images, "docker.io/library/base:2"])
    assert problems(full, survey=node_facts(NAME, runtimes=[all_there])) == []


def test_room_is_measured_where_containerd_is_told_to_store() -> None:
    other = PlaceFacts(path="/data/containerd", mount="/data", device="/dev/vdb", available=40 * GIB)
    full = replace(place("/var/lib/containerd", available=0), containerd=ContainerdFacts(root="/data/containerd"))
    assert problems(replace(full, places=[*full.places, other]), survey=node_facts(NAME)) == []
    inside = replace(other, path="/var/lib/docker/c", mount="/", device="/dev/vda1")
    within = replace(QUIET, containerd=ContainerdFacts(version="1.6.20", root="/var/lib/docker/c"))
    assert only(problems(replace(within, places=[*within.places, inside]))) == ("DockerDisk", "Error")


def test_containerd_has_to_fit_what_runs_and_what_is_wanted() -> None:
    delta = Delta(name=NAME, runtime_now="docker", version_now="v1.20.2", runtime=True)
    old = replace(QUIET, containerd=ContainerdFacts(version="1.5.13"))
    assert problems(old, delta=delta) == []
    found = problems(old, delta=delta, version="v1.26.0")
    assert ("ContainerdVersion", "Error") in [(p.check, p.severity) for p in found]
    assert "1.26" in found[0].message
    assert problems(QUIET, delta=delta) == []
    missing = replace(QUIET, containerd=ContainerdFacts())
    found = problems(missing, survey=node_facts(NAME, runtimes=[RuntimeFacts(name="docker", installed=True)]))
    assert only(found) == ("ContainerdVersion", "Warning")


def test_kubelet_on_cgroupfs_is_kept_and_said() -> None:
    kubelet = KubeletFacts(installed=True, version="1.20.2", cgroup_driver="")
    found = problems(docker(cgroup_driver="cgroupfs"), survey=node_facts(NAME, kubelet=kubelet))
    assert only(found) == ("CgroupDriver", "Warning")
    assert "cgroupfs" in found[0].message


def test_only_nodes_of_kubeadm_are_changed() -> None:
    assert only(problems(survey=node_facts(NAME, kubeadm=KubeadmFacts()))) == ("KubeletFlags", "Error")


@pytest.mark.parametrize(
    ("seen", "check", "words"),
    [
        ({}, "KataVirtualisation", "vmx or svm"),
        ({"virtualisation": True}, "KataVirtualisation", "/dev/kvm"),
        ({"kvm": True, "virtualisation": True}, "KataInstalled", "containerd-shim-kata-v2"),
        ({"kvm": True, "kata": True}, "", ""),
    ],
)
def test_kata_needs_virtualisation_and_its_program(seen: dict[str, bool], check: str, words: str) -> None:
    found = problems(replace(QUIET, **seen), handlers=["runc", "kata"])
    assert [p.check for p in found] == [check] * bool(check)
    assert all(words in p.message for p in found)


def test_the_way_back_to_docker_ends_with_dockershim() -> None:
    back = Delta(name=NAME, runtime_now="containerd", version_now="v1.23.5", runtime=True)
    assert problems(runtime="docker", delta=back, version="v1.23.5") == []
    gone = Delta(name=NAME, runtime_now="containerd", version_now="v1.24.0", runtime=True)
    found = problems(runtime="docker", delta=gone, version="v1.24.0", accept=["DockershimGone"])
    assert only(found) == ("DockershimGone", "Error")


POD = PodFacts(namespace="shop", name="p-1", node=NAME, what=["/var/run/docker.sock"])
ELSEWHERE = replace(POD, node="cp-1")


@pytest.mark.parametrize(
    ("workloads", "check", "severity"),
    [
        (WorkloadFacts(socket_mounts=[POD, ELSEWHERE]), "DockerSocketMounts", "Error"),
        (WorkloadFacts(log_mounts=[POD], agents=[POD]), "LogAgents", "Warning"),
        (WorkloadFacts(agents=[POD]), "LogAgents", "Warning"),
        (WorkloadFacts(unmanaged=[POD]), "UnmanagedPods", "Error"),
        (WorkloadFacts(local_storage=[POD]), "LocalStorage", "Warning"),
        (WorkloadFacts(gpus=[POD]), "GpuRuntime", "Warning"),
        (WorkloadFacts(budgets=[BudgetFacts(namespace="a", name="b", nodes=[NAME])]), "DisruptionBudgets", "Warning"),
        (WorkloadFacts(templates=["machinedeployment a/b"]), "WorkerTemplates", "Error"),
        (WorkloadFacts(troubled={NAME: ["KernelDeadlock"]}), "NodeProblem", "Warning"),
        (WorkloadFacts(gaps=["/apis/policy: cannot get it"]), "NotLookedAt", "Warning"),
    ],
)
def test_each_trap_of_the_workloads_is_named(workloads: WorkloadFacts, check: str, severity: str) -> None:
    assert only(problems(workloads=workloads)) == (check, severity)
    assert only(problems(workloads=workloads, accept=[check]))[1] == "Warning"


def test_pods_on_machines_that_stay_as_they_are_stand_against_nothing() -> None:
    there = WorkloadFacts(
        socket_mounts=[ELSEWHERE],
        unmanaged=[ELSEWHERE],
        budgets=[BudgetFacts(namespace="a", name="b", nodes=["cp-1"])],
        troubled={"cp-1": ["X"]},
    )
    assert problems(workloads=there) == []


def test_pods_that_may_be_deleted_are_a_warning() -> None:
    change = Change(drain=Drain(unmanaged_pods="Delete"))
    assert only(problems(workloads=WorkloadFacts(unmanaged=[POD]), change=change)) == ("UnmanagedPods", "Warning")


def test_every_check_is_in_the_documentation() -> None:
    modules = (migration_checks, workload_checks)
    text = "".join(Path(str(module.__file__)).read_text() for module in modules)
    names = set(re.findall(r'^ +"([A-Z][a-z]+(?:[A-Z][a-z]+)+)",$', text, re.MULTILINE)) | NEVER_ACCEPTED
    page = (Path(__file__).parents[3] / "docs/migrate.md").read_text()
    assert len(names) > 25
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []
