"""What the plan of a create says, and when it leaves a step out."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from groundplane.api.cluster import Components, KubeletOverride
from groundplane.api.facts import ClusterFacts, KernelFacts, MachineFacts, NodeFacts, RuntimeFacts
from groundplane.api.foundation import HostSettings, RuntimeChoice
from groundplane.api.operation import Plan, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.errors import Unavailable
from groundplane.plan.create import RULES, plan_create

from .fleet import KEY, PAUSE, Fleet, bare, desired, ready_runtime, runnable, with_target


def fresh(wish: Desired) -> Fleet:
    return Fleet(wish, {name: bare(name) for name in wish.target.members})


def plan_of(fleet: Fleet) -> Plan:
    return plan_create(fleet.wish, fleet.machines, fleet.cluster())


def finished(wish: Desired) -> Fleet:
    fleet, done = fresh(wish), set[str]()
    plan = plan_of(fleet)
    while ready := runnable(plan, done):
        fleet.run(ready[0])
        done.add(ready[0].name)
    fleet.finished()
    return fleet


def step(plan: Plan, name: str) -> PlannedStep:
    return next(one for one in plan.steps if one.name == name)


def lines(one: PlannedStep) -> list[str]:
    return [f"{change.what}: {change.before} → {change.after}" for change in one.changes]


def change_machine(fleet: Fleet, name: str, **changes: object) -> None:
    fleet.machines[name] = replace(fleet.machines[name], **changes)


def test_the_plan_for_fresh_machines_holds_every_step_in_order() -> None:
    plan = plan_of(fresh(desired(1, 2)))
    keys = list(dict.fromkeys(one.step for one in plan.steps))
    wanted = [
        "claim",
        "host-settings",
        "runtime",
        "binaries",
        "images",
        "init",
        "kubeconfig",
        "join",
        "pod-network",
        "verify",
    ]
    assert keys == wanted
    assert (
        plan.summary == "create cluster shop: 1 control plane, 2 workers, v1.20.2 on containerd; 23 steps on 3 machines"
    )
    assert plan.action == "Create"
    assert set(plan.fingerprints) == {"cp-1", "w-1", "w-2"}


def test_titles_are_imperatives_and_cover_every_rule() -> None:
    assert all(rule.title[0].isupper() and rule.title.split()[0] not in ("The", "A") for rule in RULES)
    assert len({rule.key for rule in RULES}) == len(RULES)


def test_joins_of_control_planes_take_turns_and_those_of_workers_do_not() -> None:
    plan = plan_of(fresh(desired(3, 2)))
    assert "join/cp-2" in step(plan, "join/cp-3").after
    assert not any(name.startswith("join/") for name in step(plan, "join/cp-2").after)
    assert not any(name.startswith("join/") for name in step(plan, "join/w-2").after)
    assert {"init/cp-1", "kubeconfig", "images/w-2", "binaries/w-2"} <= set(step(plan, "join/w-2").after)
    assert step(plan, "verify").after == [one.name for one in plan.steps if one.step != "verify"]


def test_changes_say_what_was_and_what_will_be() -> None:
    fleet = fresh(desired(1, 1))
    change_machine(
        fleet,
        "w-1",
        swap=1 << 30,
        kernel=KernelFacts(modules=["br-netfilter"], sysctls={"net.ipv4.ip_forward": "0"}),
    )
    plan = plan_of(fleet)
    assert lines(step(plan, "claim/w-1")) == [f"owner:  → cluster {KEY}"]
    settings = lines(step(plan, "host-settings/w-1"))
    assert "swap: on → off" in settings
    assert "sysctl net.ipv4.ip_forward: 0 → 1" in settings
    assert "kernel module overlay:  → loaded" in settings
    assert "kernel module br_netfilter:  → loaded" not in settings
    runtime = lines(step(plan, "runtime/w-1"))
    assert "runtime: containerd 1.6.20, stopped → containerd 1.6.20" in runtime
    assert f"containerd sandbox image:  → {PAUSE}" in runtime
    assert "kubelet:  → 1.20.2" in lines(step(plan, "binaries/w-1"))
    assert "CNI plugins:  → bridge, host-local, loopback, portmap" in lines(step(plan, "binaries/w-1"))
    assert lines(step(plan, "join/w-1")) == ["node:  → join as Worker"]
    assert lines(step(plan, "init/cp-1")) == ["control plane:  → Kubernetes v1.20.2"]
    assert "route to the pods of cp-1:  → via 198.18.1.11" in lines(step(plan, "pod-network/w-1"))


def test_images_of_the_other_role_and_architecture_are_not_planned() -> None:
    fleet = fresh(desired(1, 1))
    plan = plan_of(fleet)
    api = "image k8s.gcr.io/kube-apiserver:v1.20.2:  → loaded into containerd"
    assert api in lines(step(plan, "images/cp-1"))
    assert api not in lines(step(plan, "images/w-1"))
    change_machine(fleet, "w-1", os=replace(fleet.machines["w-1"].os, architecture="arm64"))
    assert "images/w-1" not in [one.name for one in plan_of(fleet).steps]


@pytest.mark.parametrize(
    ("runtimes", "line"),
    [
        ([], "runtime:  → containerd >=1.6.0"),
        ([ready_runtime("docker", "20.10.24")], "runtime: docker → containerd >=1.6.0"),
        (
            [replace(ready_runtime("containerd", "1.6.20"), enabled=False)],
            "runtime: containerd 1.6.20, not enabled → containerd 1.6.20",
        ),
    ],
)
def test_the_runtime_change_names_what_runs_now(runtimes: list[RuntimeFacts], line: str) -> None:
    fleet = fresh(with_target(desired(1, 0), runtime=RuntimeChoice(version=">=1.6.0")))
    change_machine(fleet, "cp-1", runtimes=runtimes)
    assert line in lines(step(plan_of(fleet), "runtime/cp-1"))


def test_a_machine_that_looks_prepared_is_checked_until_it_carries_our_mark() -> None:
    fleet = finished(desired(1, 1))
    ready = replace(fleet.machines["w-1"], kubeadm=replace(fleet.machines["w-1"].kubeadm, owner="", joined=False))
    fleet.machines["w-1"], _ = ready, fleet.nodes.pop("w-1")
    names = {one.name for one in plan_of(fleet).steps if one.machine == "w-1"}
    assert {"claim/w-1", "host-settings/w-1", "runtime/w-1", "binaries/w-1", "images/w-1"} <= names
    fleet.machines["w-1"] = replace(ready, kubeadm=replace(ready.kubeadm, owner=KEY))
    names = {one.name for one in plan_of(fleet).steps if one.machine == "w-1"}
    assert names == {"runtime/w-1", "join/w-1", "pod-network/w-1"}


@pytest.mark.parametrize(
    "kernel",
    [
        KernelFacts(modules=["overlay", "br_netfilter"]),
        KernelFacts(config={"CONFIG_OVERLAY_FS": "y", "CONFIG_BRIDGE_NETFILTER": "y"}),
        KernelFacts(config={"OVERLAY_FS": "y"}, sysctls={"net.bridge.bridge-nf-call-iptables": "1"}),
    ],
)
def test_a_module_that_is_built_in_counts_as_loaded(kernel: KernelFacts) -> None:
    fleet = fresh(desired(1, 0))
    change_machine(fleet, "cp-1", kernel=kernel)
    assert not any("module" in line for line in lines(step(plan_of(fleet), "host-settings/cp-1")))


def test_a_module_without_a_known_option_must_be_listed() -> None:
    fleet = fresh(with_target(desired(1, 0), settings=HostSettings(modules=["ip_vs"], sysctls={})))
    assert lines(step(plan_of(fleet), "host-settings/cp-1")) == ["kernel module ip_vs:  → loaded"]


def test_sysctls_are_compared_with_white_space_folded() -> None:
    wish = with_target(
        desired(1, 0), settings=HostSettings(modules=[], sysctls={"net.ipv4.ip_local_port_range": "1 2"})
    )
    fleet = fresh(wish)
    change_machine(fleet, "cp-1", kernel=KernelFacts(sysctls={"net.ipv4.ip_local_port_range": "1\t2"}))
    assert lines(step(plan_of(fleet), "host-settings/cp-1")) == ["host settings: as found → kept after a reboot"]


def test_swap_that_is_ignored_is_left_on() -> None:
    fleet = fresh(with_target(desired(1, 0), settings=HostSettings(swap="Ignored", modules=[], sysctls={})))
    change_machine(fleet, "cp-1", swap=1)
    assert not any(line.startswith("swap") for line in lines(step(plan_of(fleet), "host-settings/cp-1")))


def test_the_cgroup_driver_follows_the_kubelet_override() -> None:
    kubelet = KubeletOverride(config={"cgroupDriver": "cgroupfs"})
    fleet = fresh(with_target(desired(1, 0, runtime="docker"), components=Components(kubelet=kubelet)))
    change_machine(fleet, "cp-1", runtimes=[ready_runtime("docker", "20.10.24")])
    assert lines(step(plan_of(fleet), "runtime/cp-1")) == ["docker cgroup driver: systemd → cgroupfs"]


def test_a_finished_cluster_has_nothing_to_do() -> None:
    plan = plan_of(finished(desired(3, 2, marked=True)))
    assert plan.steps == []
    assert plan.summary == "cluster shop is as wanted: nothing to do"


def test_a_node_that_is_not_ready_is_verified_and_nothing_else_is_done() -> None:
    fleet = finished(desired(1, 1))
    fleet.nodes["w-1"] = replace(fleet.nodes["w-1"], ready=False)
    plan = plan_of(fleet)
    assert [one.name for one in plan.steps] == ["verify"]
    assert "node w-1: NotReady → Ready" in lines(plan.steps[0])
    assert plan.summary == "complete cluster shop: 1 control plane, 1 worker, v1.20.2 on containerd; 1 step"


def test_system_pods_that_do_not_run_are_verified() -> None:
    fleet = finished(desired(1, 0))
    fleet.pending = ["kube-proxy-x", "coredns-y"]
    assert lines(plan_of(fleet).steps[0])[0] == "system pods: not running: coredns-y, kube-proxy-x → running"


def test_a_cluster_that_is_down_is_never_initialised_again() -> None:
    fleet = finished(desired(3, 1, marked=True))
    plan = plan_create(fleet.wish, fleet.machines, ClusterFacts(kubeconfig_published=True))
    assert [one.name for one in plan.steps] == ["verify"]
    assert "node w-1: unknown → Ready" in lines(plan.steps[0])


def test_files_of_kubeadm_alone_do_not_prove_that_init_ended() -> None:
    fleet = fresh(desired(1, 0))
    plan, done = plan_of(fleet), set[str]()
    for one in plan.steps[:5]:
        fleet.run(one)
        done.add(one.name)
    fleet.run_half(step(plan, "init/cp-1"))
    assert "init/cp-1" in [one.name for one in plan_of(fleet).steps]


@pytest.mark.parametrize("reachable", [True, False])
def test_a_worker_that_the_cluster_does_not_know_joins_again(reachable: bool) -> None:
    fleet = finished(desired(1, 1))
    del fleet.nodes["w-1"]
    cluster = fleet.cluster() if reachable else ClusterFacts()
    names = [one.name for one in plan_create(fleet.wish, fleet.machines, cluster).steps]
    assert "join/w-1" in names
    assert ("init/cp-1" in names) is not reachable


def test_a_half_joined_control_plane_joins_again() -> None:
    fleet = finished(desired(3, 0))
    kubeadm = replace(fleet.machines["cp-3"].kubeadm, static_pods=["kube-apiserver"])
    change_machine(fleet, "cp-3", kubeadm=kubeadm)
    assert "join/cp-3" in [one.name for one in plan_of(fleet).steps]


def test_a_member_whose_image_was_collected_or_runtime_tuned_is_left_alone() -> None:
    fleet = finished(desired(1, 1))
    tuned = replace(ready_runtime("containerd", "1.6.20"), sandbox_image="mine/pause:1", images=[])
    change_machine(fleet, "w-1", runtimes=[tuned])
    assert plan_of(fleet).steps == []
    change_machine(fleet, "w-1", runtimes=[replace(tuned, enabled=False)])
    assert [one.name for one in plan_of(fleet).steps] == ["runtime/w-1", "verify"]


def test_a_missing_or_wrong_route_is_set_on_the_machine_that_lacks_it_and_nowhere_else() -> None:
    fleet = finished(desired(1, 2))
    network = fleet.machines["w-1"].network
    change_machine(fleet, "w-1", network=replace(network, routes={"10.244.0.0/24": "198.18.1.99"}))
    plan = plan_of(fleet)
    assert lines(step(plan, "routes")) == ["routes to the pods:  → set on w-1"]
    assert [(one.name, one.among) for one in plan.steps] == [("routes", ["w-1"]), ("verify", ["w-1"])]


def test_a_node_without_a_pod_range_yet_still_needs_its_route() -> None:
    fleet = finished(desired(1, 1))
    fleet.nodes["w-1"] = replace(fleet.nodes["w-1"], pod_cidr="")
    assert lines(step(plan_of(fleet), "routes")) == ["routes to the pods of w-1:  → set on cp-1, w-1"]


def test_a_cni_configuration_that_is_gone_is_written_again() -> None:
    fleet = finished(desired(1, 0))
    change_machine(fleet, "cp-1", network=replace(fleet.machines["cp-1"].network, cni_configs=["87-podman.conflist"]))
    assert [one.name for one in plan_of(fleet).steps] == ["pod-network/cp-1", "verify"]


@pytest.mark.parametrize("plugin", ["none", "manifest"])
def test_only_the_routed_plugin_plans_routes(plugin: str) -> None:
    plan = plan_of(fresh(desired(1, 1, plugin=plugin)))  # type: ignore[arg-type]
    keys = {one.step for one in plan.steps}
    assert "pod-network" not in keys
    assert ("network-manifest" in keys) == (plugin == "manifest")
    assert "CNI plugins:  → loopback" in lines(step(plan, "binaries/w-1"))


def test_labels_and_taints_that_are_wanted_are_planned_and_others_are_left() -> None:
    fleet = finished(desired(1, 1, marked=True))
    fleet.nodes["w-1"] = replace(
        fleet.nodes["w-1"], labels={"disk": "hdd", "foreign": "x"}, taints=["only=db:NoSchedule", "foreign:NoExecute"]
    )
    assert lines(step(plan_of(fleet), "node-labels")) == [
        "label disk of node w-1: hdd → ssd",
        'label empty of node w-1:  → ""',
        "taint of node w-1:  → spare:PreferNoSchedule",
    ]


def test_labels_and_taints_that_a_machine_no_longer_wants_are_taken_off_and_those_of_others_stay() -> None:
    fleet = finished(desired(1, 1, marked=True))
    marked = fleet.nodes["w-1"]
    assert (marked.managed_labels, marked.managed_taints) == (
        ["disk", "empty"],
        ["only:NoSchedule", "spare:PreferNoSchedule"],
    )
    fleet.nodes["w-1"] = replace(
        marked, labels={**marked.labels, "foreign": "x"}, taints=[*marked.taints, "foreign:NoExecute"]
    )
    fleet.wish = desired(1, 1)
    assert lines(step(plan_of(fleet), "node-labels")) == [
        "label disk of node cp-1: ssd → ",
        "label empty of node cp-1:  → ",
        "taint of node cp-1: only=db:NoSchedule → ",
        "taint of node cp-1: spare=:PreferNoSchedule → ",
        "label disk of node w-1: ssd → ",
        "label empty of node w-1:  → ",
        "taint of node w-1: only=db:NoSchedule → ",
        "taint of node w-1: spare=:PreferNoSchedule → ",
    ]
    fleet.do_node_labels()
    assert plan_of(fleet).steps == []
    assert (fleet.nodes["w-1"].labels, fleet.nodes["w-1"].taints) == ({"foreign": "x"}, ["foreign:NoExecute"])


def test_labels_of_nodes_that_are_not_there_yet_are_planned() -> None:
    plan = plan_of(fresh(desired(1, 0, marked=True)))
    assert "taint of node cp-1:  → only=db:NoSchedule" in lines(step(plan, "node-labels"))
    assert {"init/cp-1", "kubeconfig"} <= set(step(plan, "node-labels").after)


def test_a_kubeconfig_that_is_gone_is_published_again() -> None:
    fleet = finished(desired(1, 0))
    facts = ClusterFacts(reachable=True, nodes=list(fleet.nodes.values()))
    plan = plan_create(fleet.wish, fleet.machines, facts)
    assert [one.name for one in plan.steps] == ["kubeconfig", "verify"]


def test_a_machine_without_a_survey_makes_planning_wait() -> None:
    wish = desired(1, 1)
    with pytest.raises(Unavailable, match="nothing is known of w-1 yet"):
        plan_create(wish, {"cp-1": bare("cp-1")}, ClusterFacts())


def test_foreign_nodes_and_machines_do_not_enter_the_plan() -> None:
    fleet = finished(desired(1, 1))
    fleet.nodes["other"] = NodeFacts(name="other")
    facts: dict[str, MachineFacts] = {**fleet.machines, "spare": bare("spare")}
    assert plan_create(fleet.wish, facts, fleet.cluster()).steps == []


def test_handlers_beside_runc_get_their_classes_once_and_no_others_later() -> None:
    wish = with_target(desired(1, 1), runtime=RuntimeChoice(handlers=["runc", "kata"]))
    machines = {name: bare(name) for name in wish.target.members}
    made = [step.step for step in plan_create(wish, machines, ClusterFacts()).steps]
    assert made.count("runtime-classes") == 1
    fleet = finished(desired(1, 1))
    assert plan_create(wish, fleet.machines, fleet.cluster()).steps == []
    # Of a create that was cut off after its init.
    fleet.nodes.pop("w-1")
    halfway = {**fleet.machines, "w-1": bare("w-1")}
    assert "runtime-classes" in [step.step for step in plan_create(wish, halfway, fleet.cluster()).steps]
    there = replace(fleet.cluster(), runtime_classes=["kata"])
    assert "runtime-classes" not in [step.step for step in plan_create(wish, halfway, there).steps]
