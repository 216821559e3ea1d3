"""Drift: each dimension held against the Foundation, exceptions, and what is not known."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundplane.api.assessment import Assessment, Drift
from groundplane.api.cluster import Cluster, DeclaredException, KubernetesOverride
from groundplane.api.distribution import Distribution, DistributionSpec
from groundplane.api.facts import (
    KdumpFacts,
    KernelFacts,
    KubeletFacts,
    PlatformFacts,
    PodNetworkFacts,
    RuntimeFacts,
    StackFacts,
    TimeFacts,
)
from groundplane.api.foundation import Foundation, FoundationSpec, HostSettings, OperatingSystem, OSEntry, RuntimeChoice
from groundplane.api.meta import ObjectMeta
from groundplane.assess import ClusterSubject, assess_cluster, assess_machine, resolve
from groundplane.assess.standard import vendors_of

from .world import MODULES, SPEC, SYSCTLS, TODAY, UNIFORM, facts, machine, stack, standard


def of(*stacks: StackFacts, **fields: Any) -> Assessment:
    return assess_cluster(ClusterSubject(facts(*stacks, **fields)), standard())


def only(assessment: Assessment) -> Drift:
    (drift,) = assessment.drift
    return drift


def shares(assessment: Assessment) -> dict[str, tuple[int, int, int]]:
    return {one.dimension: (one.uniform, one.exceptions, one.unknown) for one in assessment.uniformity.dimensions}


def test_a_cluster_that_stands_on_the_foundation_has_no_drift() -> None:
    found = of()
    assert found.drift == []
    assert (found.uniformity.uniform, found.uniformity.nodes, found.uniformity.percent) == (2, 2, "100.0%")
    assert found.summary.startswith("2 of 2 nodes on production; stands on it")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"os_image": "Debian GNU/Linux 11 (bullseye)"}, ("OperatingSystem", "Debian GNU/Linux 11 (bullseye)",
         "tencentos 3.1 or debian 12", "ReinstallOperatingSystem", "Medium")),
        ({"os_image": "Gentoo"}, ("OperatingSystem", "Gentoo", "tencentos 3.1 or debian 12",
         "ReinstallOperatingSystem", "Medium")),
        ({"kubelet": "v1.19.16"}, ("Version", "v1.19.16", "v1.20.6-tke.3", "UpgradeKubernetes", "Medium")),
        ({"kubelet": "v1.20.6-tke.2"}, ("Version", "v1.20.6-tke.2", "v1.20.6-tke.3", "UpgradeKubernetes", "Medium")),
        ({"kubelet": "v1.20.6"}, ("Version", "v1.20.6", "v1.20.6-tke.3", "UpgradeKubernetes", "Medium")),
        ({"kubelet": "v1.21.4-tke.1"}, ("Version", "v1.21.4-tke.1", "v1.20.6-tke.3", "None", "Low")),
        ({"kubelet": "v1.20.6-eks-d88609"}, ("Version", "v1.20.6-eks-d88609", "v1.20.6-tke.3", "None", "Medium")),
        ({"runtime": "docker://19.3.15"}, ("Runtime", "docker 19.3.15", "containerd >=1.6.0", "MigrateRuntime",
         "Medium")),
        ({"runtime": "cri-o://1.20.0"}, ("Runtime", "cri-o 1.20.0", "containerd >=1.6.0", "MigrateRuntime", "Medium")),
        ({"runtime": "containerd://1.5.4"}, ("Runtime", "containerd 1.5.4", "containerd >=1.6.0", "UpgradeRuntime",
         "Medium")),
    ],
)  # fmt: skip
def test_each_difference_of_a_node_is_told_with_its_remedy(change: dict[str, str], told: tuple[str, ...]) -> None:
    assessment = of(UNIFORM, stack(**change))
    drift = only(assessment)
    assert (drift.dimension, drift.found, drift.wanted, drift.remedy.action, drift.severity) == told
    assert drift.state == "Drift"
    assert drift.nodes.names == ["b-1"]
    assert drift.cost
    assert drift.remedy.text
    assert drift.evidence == "seen 2026-11-28T03:00:00Z"
    assert assessment.uniformity.percent == "66.6%"


def test_an_old_kernel_drifts_and_names_what_it_blocks() -> None:
    kernel, feature = of(UNIFORM, stack(kernel="4.14.105-19-0009")).drift
    assert (kernel.dimension, kernel.wanted, kernel.cost) == ("Kernel", ">=5.4.119", "blocks KubeProxyReplacement")
    assert (kernel.severity, kernel.remedy.action) == ("High", "UpgradeKernel")
    assert (feature.dimension, feature.subject, feature.severity) == ("Network", "KubeProxyReplacement", "High")
    assert feature.remedy.text == "boot kernel 4.19.57 or later"


def test_a_kernel_below_the_floor_that_blocks_nothing_matters_less() -> None:
    spec = msgspec.structs.replace(SPEC, network=msgspec.structs.replace(SPEC.network, features=[]))
    found = assess_cluster(ClusterSubject(facts(stack(kernel="5.2.1"))), standard(spec))
    assert only(found).severity == "Medium"


def test_docker_weighs_more_when_the_wanted_version_has_no_docker() -> None:
    spec = msgspec.structs.replace(SPEC, kubernetes=msgspec.structs.replace(SPEC.kubernetes, version="v1.26.1-tke.1"))
    runtime = next(one for one in assess_cluster(ClusterSubject(facts(stack(runtime="docker://19.3.15"))),
                                                 standard(spec)).drift if one.dimension == "Runtime")  # fmt: skip
    assert runtime.severity == "High"


def test_the_distribution_is_converted_where_that_can_be_done_and_else_a_person_decides() -> None:
    native = of(platform=PlatformFacts(name="native"))
    assert only(native).remedy.action == "ConvertDistribution"
    cloud = of(platform=PlatformFacts(name="eks"))
    assert only(cloud).remedy.action == "None"
    assert "eks" in only(cloud).remedy.text


def test_what_is_not_known_is_neither_drift_nor_uniform() -> None:
    blank = StackFacts(count=1, nodes=["x"])
    found = of(blank, platform=PlatformFacts(), network=PodNetworkFacts(), version="")
    assert found.drift == []
    assert {unknown for _, _, unknown in shares(found).values()} == {1}
    assert found.uniformity.percent == "0.0%"


def test_an_unreadable_kernel_is_not_known() -> None:
    assert shares(of(stack(kernel="custom")))["Kernel"] == (0, 0, 1)


def test_settings_of_nodes_seen_through_the_api_only_are_not_known_and_do_not_count_against_them() -> None:
    found = of()
    assert shares(found)["Settings"] == (0, 0, 2)
    assert found.uniformity.uniform == 2


def test_a_network_plugin_of_another_kind_drifts_on_all_nodes() -> None:
    drift = only(of(stack(kernel="6.1.0", count=2), network=PodNetworkFacts(plugin="flannel")))
    assert (drift.found, drift.wanted, drift.subject, drift.nodes.count) == ("flannel", "cilium", "plugin", 2)


def test_a_kernel_that_the_newest_cilium_refuses_is_told_before_the_move_to_it() -> None:
    found = of(network=PodNetworkFacts(plugin="flannel")).drift
    assert [(one.subject, one.severity) for one in found] == [("KubeProxyReplacement", "High"), ("plugin", "Medium")]


def test_a_wanted_feature_that_is_off_drifts() -> None:
    drift = only(of(network=PodNetworkFacts(plugin="cilium", version="1.10.3")))
    assert (drift.subject, drift.found, drift.wanted) == ("KubeProxyReplacement", "off", "on")
    assert drift.remedy.action == "ChangeNetwork"


def test_a_foundation_that_wants_nothing_is_met_by_everything() -> None:
    spec = FoundationSpec()
    spec = msgspec.structs.replace(
        spec, kubernetes=msgspec.structs.replace(spec.kubernetes, distribution=""), runtime=RuntimeChoice(name="docker")
    )
    found = assess_cluster(ClusterSubject(facts(stack(runtime="docker://1.13", kernel="2.6"))), standard(spec))
    assert found.drift == []


def test_an_api_server_of_another_version_is_a_drift_of_its_own() -> None:
    drift = only(of(version="v1.20.6-tke.1"))
    assert (drift.subject, drift.found, drift.nodes.count) == ("API server", "v1.20.6-tke.1", 0)


def test_what_the_cluster_sets_itself_is_an_exception_and_says_so() -> None:
    own = standard(runtime=RuntimeChoice(name="docker"), kubernetes=KubernetesOverride(version="v1.20.2"))
    found = assess_cluster(
        ClusterSubject(facts(stack(runtime="docker://19.3.15", kubelet="v1.20.2"), version="v1.20.2")), own
    )
    assert {one.state for one in found.drift} == {"Exception"}
    assert {one.reason for one in found.drift} == {
        "the Cluster sets spec.runtime in place of the Foundation's",
        "the Cluster sets spec.kubernetes.version in place of the Foundation's",
    }
    assert shares(found)["Runtime"] == (0, 1, 0)
    assert found.uniformity.uniform == 0


def test_a_cluster_that_is_not_even_as_it_wants_itself_drifts_from_its_own_wish() -> None:
    own = standard(runtime=RuntimeChoice(name="docker"))
    drift = only(assess_cluster(ClusterSubject(facts()), own))
    assert (drift.state, drift.wanted) == ("Drift", "docker")


def test_an_override_that_says_the_same_as_the_foundation_is_no_exception() -> None:
    own = standard(
        runtime=SPEC.runtime,
        settings=SPEC.operating_system.settings,
        kubernetes=KubernetesOverride(distribution="tke", version="v1.20.6-tke.3"),
    )
    assert assess_cluster(ClusterSubject(facts()), own).drift == []


@pytest.mark.parametrize(("until", "state"), [("", "Exception"), (TODAY, "Exception"), ("2026-11-27", "Drift")])
def test_a_declared_exception_holds_until_its_last_day(until: str, state: str) -> None:
    declared = DeclaredException(dimension="Kernel", reason="waits for the vendor's driver", until=until)
    held = standard(exceptions=[declared])
    drift = assess_cluster(ClusterSubject(facts(stack(kernel="5.3.0"))), held).drift[0]
    assert (drift.dimension, drift.state) == ("Kernel", state)
    assert drift.reason == ("waits for the vendor's driver" if state == "Exception" else "")


def test_a_declared_exception_of_the_version_excuses_the_api_server_too() -> None:
    held = standard(exceptions=[DeclaredException(dimension="Version")])
    found = assess_cluster(ClusterSubject(facts(stack(kubelet="v1.20.2"), version="v1.20.2")), held)
    assert {(one.state, one.reason) for one in found.drift} == {
        ("Exception", "the Cluster declares it, without a reason")
    }


def test_machines_are_judged_by_what_ssh_saw_and_other_nodes_by_the_api() -> None:
    subject = ClusterSubject(facts(), {"a-1": machine(swap=1 << 30)})
    found = assess_cluster(subject, standard())
    assert only(found).nodes.names == ["a-1"]
    assert shares(found)["Settings"] == (0, 0, 1)
    assert found.uniformity.nodes == 2


def test_a_stack_whose_nodes_are_all_machines_is_not_counted_twice() -> None:
    subject = ClusterSubject(facts(), {"a-1": machine(), "a-2": machine()})
    found = assess_cluster(subject, standard())
    assert (found.uniformity.nodes, found.uniformity.uniform) == (2, 2)


@pytest.mark.parametrize(
    ("fields", "subjects"),
    [
        ({"swap": 1 << 30}, ["swap"]),
        ({"time": TimeFacts()}, ["timeSync"]),
        ({"kernel": KernelFacts(release="5.4.119", modules=["overlay"], sysctls=SYSCTLS)}, ["module br_netfilter"]),
        ({"kernel": KernelFacts(release="5.4.119", modules=MODULES, sysctls={**SYSCTLS, "net.ipv4.ip_forward": "0"})},
         ["sysctl net.ipv4.ip_forward"]),
        ({"kernel": KernelFacts(release="5.4.119", modules=MODULES)},
         [f"sysctl {name}" for name in sorted(SYSCTLS)]),
    ],
)  # fmt: skip
def test_every_host_setting_that_differs_is_named(fields: dict[str, Any], subjects: list[str]) -> None:
    found = assess_machine("shop-1", machine(**fields), standard())
    assert [one.subject for one in found.drift] == subjects
    assert {one.remedy.action for one in found.drift} == {"TuneHost"}


def test_settings_that_the_foundation_ignores_do_not_drift() -> None:
    settings = HostSettings(swap="Ignored", time_sync="Ignored", modules=[], sysctls={})
    spec = msgspec.structs.replace(SPEC, operating_system=OperatingSystem(settings=settings))
    found = assess_machine("shop-1", machine(swap=1, time=TimeFacts(), kernel=KernelFacts()), standard(spec))
    assert found.drift == []


def test_an_oci_runtime_that_is_not_installed_drifts() -> None:
    drift = only(assess_machine("shop-1", machine(handlers=[]), standard()))
    assert (drift.subject, drift.found, drift.remedy.action) == ("runc", "not installed", "UpgradeRuntime")


def test_the_runtime_of_a_machine_is_the_one_that_its_kubelet_uses() -> None:
    both = [
        RuntimeFacts(name="docker", version="20.10.24", installed=True, active=True),
        RuntimeFacts(name="containerd", version="1.6.36", installed=True, active=True),
    ]
    assert assess_machine("shop-1", machine(runtimes=both), standard()).drift == []
    bare = machine(runtimes=both, kubelet=KubeletFacts())
    assert only(assess_machine("shop-1", bare, standard())).found == "docker 20.10.24"
    nothing = assess_machine("shop-1", machine(runtimes=[], kubelet=KubeletFacts()), standard())
    assert shares(nothing)["Runtime"] == shares(nothing)["Version"] == (0, 0, 1)


def test_without_a_foundation_there_is_no_drift_and_no_share_but_risks_are_told() -> None:
    alone = resolve(Cluster(), None, {}, TODAY)
    found = assess_cluster(ClusterSubject(facts(stack(os_image="Gentoo"))), alone)
    assert (found.drift, found.uniformity.percent, found.uniformity.stacks) == ([], "", 1)
    assert found.summary.startswith("no Foundation to hold it against; ")
    assert found.findings


def test_the_vendor_of_a_distribution_counts_and_not_its_name() -> None:
    ours = Distribution(metadata=ObjectMeta(name="tke"), spec=DistributionSpec(vendor="native"))
    foundation = Foundation(metadata=ObjectMeta(name="production"), spec=SPEC)
    held = resolve(Cluster(), foundation, vendors_of([ours]), TODAY)
    assert held.distribution == "native"


@pytest.mark.parametrize(
    ("versions", "found", "met"),
    [(["9"], "9.4", True), (["9"], "9", True), (["9"], "90", False), ([], "1", True), (["22.04"], "22.04", True)],
)
def test_a_major_version_allows_all_its_minors(versions: list[str], found: str, met: bool) -> None:
    assert OSEntry(id="rocky", versions=versions).accepts("rocky", found) is met
    assert not OSEntry(id="rocky").accepts("debian", found)


@pytest.mark.parametrize(("release", "costs"), [("22.03", []), ("24.03", ["another release's"])])
def test_a_system_may_be_written_as_its_os_release_writes_it(release: str, costs: list[str]) -> None:
    system = OperatingSystem(recommended=[OSEntry(id="openEuler", versions=[release])])
    held = standard(msgspec.structs.replace(SPEC, operating_system=system))
    drift = assess_cluster(ClusterSubject(facts(stack(os_image="openEuler 22.03 LTS"))), held).drift
    found = [one.cost for one in drift if one.dimension == "OperatingSystem"]
    assert len(found) == len(costs)
    assert all(part in cost for part, cost in zip(costs, found, strict=True))


def test_drift_comes_gravest_first_and_exceptions_last() -> None:
    declared = [DeclaredException(dimension="OperatingSystem")]
    stacks = stack(os_image="Gentoo", kernel="4.14.105", kubelet="v1.20.5", runtime="docker://19.3.1")
    found = assess_cluster(ClusterSubject(facts(stacks)), standard(exceptions=declared)).drift
    assert [one.state for one in found] == ["Drift"] * (len(found) - 1) + ["Exception"]
    weights = [{"High": 0, "Medium": 1, "Low": 2}[one.severity] for one in found if one.state == "Drift"]
    assert weights == sorted(weights)


def test_many_nodes_are_counted_and_fifty_named() -> None:
    many = stack(os_image="Gentoo", count=5000, nodes=[f"n-{number:04}" for number in range(5000)])
    drift = only(of(many))
    assert (drift.nodes.count, len(drift.nodes.names)) == (5000, 50)


def test_a_build_of_the_tke_distribution_names_the_fixes_that_it_lacks() -> None:
    drift = only(of(UNIFORM, stack(kubelet="v1.20.6-tke.2")))
    assert "CVE-2021-25741" in drift.cost


def test_an_assessment_counts_itself_for_columns() -> None:
    found = of(stack(kernel="4.14.105", runtime="docker://19.3.15"))
    assert found.drifting == "Kernel,Runtime,Network"
    assert found.risks.endswith("high")


def test_a_parameter_that_no_survey_reads_is_not_known_rather_than_not_set() -> None:
    settings = HostSettings(sysctls={"fs.aio-max-nr": "1048576", "net.ipv4.ip_forward": "1"})
    system = msgspec.structs.replace(SPEC.operating_system, settings=settings)
    held = standard(msgspec.structs.replace(SPEC, operating_system=system))
    found = assess_machine("shop-1", machine(), held)
    assert (found.drift, shares(found)["Settings"]) == ([], (0, 0, 1))
    off = KernelFacts(release="5.4.119-19-0009.11", modules=MODULES, sysctls={"net.ipv4.ip_forward": "0"})
    assert [one.subject for one in assess_machine("shop-1", machine(kernel=off), held).drift] == [
        "sysctl net.ipv4.ip_forward"
    ]


def test_what_ssh_cannot_see_of_a_machine_is_taken_from_its_cluster() -> None:
    alone = assess_machine("a-1", machine(), standard())
    assert shares(alone)["Distribution"] == shares(alone)["Network"] == (0, 0, 1)
    member = assess_machine("a-1", machine(), standard(), facts())
    assert (member.drift, member.uniformity.uniform) == ([], 1)
    foreign = assess_machine("a-1", machine(), standard(), facts(platform=PlatformFacts(name="native")))
    assert only(foreign).dimension == "Distribution"


@pytest.mark.parametrize(
    ("kdump", "found"),
    [
        (KdumpFacts(), "not installed"),
        (KdumpFacts(installed=True), "not started at boot"),
        (KdumpFacts(installed=True, enabled=True), "no memory is reserved for it"),
        (KdumpFacts(installed=True, enabled=True, configured=True), "set up, memory is reserved at the next boot"),
        (KdumpFacts(installed=True, enabled=True, reserved="crashkernel=256M"), "no crash kernel is loaded"),
    ],
)
def test_crash_dumps_drift_by_what_is_missing(kdump: KdumpFacts, found: str) -> None:
    settings = HostSettings(time_sync="Ignored", modules=[], sysctls={}, kdump="Required")
    spec = msgspec.structs.replace(SPEC, operating_system=OperatingSystem(settings=settings))
    drift = only(assess_machine("shop-1", machine(kdump=kdump), standard(spec)))
    assert (drift.subject, drift.found) == ("kdump", found)
    assert assess_machine("shop-1", machine(kdump=kdump, container="lxc"), standard(spec)).drift == []
    whole = KdumpFacts(installed=True, enabled=True, active=True, reserved="crashkernel=256M")
    assert assess_machine("shop-1", machine(kdump=whole), standard(spec)).drift == []


def test_the_clock_of_a_container_is_its_hosts() -> None:
    assert assess_machine("shop-1", machine(time=TimeFacts(), container="docker"), standard()).drift == []
