"""Decisions on network features: back-port points, options, who blocks and what would unlock."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundplane.api.assessment import FeatureDecision
from groundplane.api.facts import KernelFacts, PodNetworkFacts, StackFacts
from groundplane.assess import ClusterSubject, assess_cluster
from groundplane.assess.features import need

from .world import SPEC, facts, machine, stack, standard

BASE_OPTIONS = {
    f"CONFIG_{name}": "y"
    for name in (
        "BPF", "BPF_SYSCALL", "NET_CLS_BPF", "BPF_JIT", "NET_CLS_ACT", "NET_SCH_INGRESS", "CRYPTO_SHA1",
        "CRYPTO_USER_API_HASH", "CGROUPS", "CGROUP_BPF",
    )
}  # fmt: skip


def decide(feature: str, *stacks: StackFacts, version: str = "1.10.3", **subject: Any) -> FeatureDecision:
    network = msgspec.structs.replace(SPEC.network, features=[feature])
    found = facts(*stacks, network=PodNetworkFacts(plugin="cilium", version=version))
    held = standard(msgspec.structs.replace(SPEC, network=network))
    (decision,) = assess_cluster(ClusterSubject(found, **subject), held).features
    return decision


@pytest.mark.parametrize(
    ("kernel", "state", "unlocked_by"),
    [
        ("4.19.56", "Blocked", "4.19.57"),
        ("4.19.57", "Available", ""),
        ("4.20.17", "Blocked", "5.1.16"),
        ("5.0.21", "Blocked", "5.1.16"),
        ("5.1.15", "Blocked", "5.1.16"),
        ("5.1.16", "Available", ""),
        ("5.2", "Available", ""),
        ("6.1.0-18-amd64", "Available", ""),
    ],
)
def test_back_port_points_decide_kube_proxy_replacement(kernel: str, state: str, unlocked_by: str) -> None:
    found = decide("KubeProxyReplacement", stack(kernel=kernel))
    assert (found.state, found.unlocked_by) == (state, unlocked_by)
    assert found.source.startswith("https://")


def test_the_decision_names_the_nodes_that_block_it() -> None:
    old = stack(kernel="4.14.105-19-0009", count=4, nodes=["shop-3", "shop-4", "shop-5", "shop-6"])
    found = decide("BandwidthManager", stack(kernel="5.4.119"), old)
    assert found.message == (
        "Bandwidth Manager (beta) needs kernel 5.1; shop-3 has kernel 4.14.105-19-0009; these 4 nodes block it: "
        "shop-3, shop-4, shop-5, shop-6"
    )
    assert (found.blockers.count, found.unlocked_by) == (4, "5.1.0")


def test_one_node_and_many_nodes_are_told_in_words() -> None:
    assert "this node blocks it: b-1" in decide("HostRouting", stack(kernel="5.9")).message
    many = stack(kernel="5.9", count=6, nodes=[f"n{number}" for number in range(6)])
    assert decide("HostRouting", many).message.endswith("these 6 nodes block it: n0, n1, n2, n3 and 2 more")


def test_what_unlocks_several_kernels_is_what_unlocks_the_last_of_them() -> None:
    found = decide("KubeProxyReplacement", stack(kernel="4.19.1"), stack(kernel="5.1.2", nodes=["c-1"]))
    assert found.unlocked_by == "5.1.16"


def test_a_missing_kernel_option_blocks_and_no_release_unlocks_it() -> None:
    config = {**BASE_OPTIONS}
    host = machine(kernel=KernelFacts(release="5.10.0", config=config))
    found = decide("BandwidthManager", stack(kernel="5.10.0"), machines={"b-1": host})
    assert (found.state, found.unlocked_by) == ("Blocked", "")
    assert "without CONFIG_NET_SCH_FQ" in found.message
    whole = machine(kernel=KernelFacts(release="5.10.0", config={**config, "CONFIG_NET_SCH_FQ": "m"}))
    assert decide("BandwidthManager", stack(kernel="5.10.0"), machines={"b-1": whole}).state == "Available"


def test_options_that_were_not_looked_at_are_said_to_be_so() -> None:
    assert "were not looked at" in decide("BandwidthManager", stack(kernel="5.10.0")).message


def test_an_unreadable_kernel_leaves_it_open() -> None:
    found = decide("BandwidthManager", stack(kernel="5.10.0"), stack(kernel="custom", nodes=["c-1"]))
    assert found.state == "Unknown"
    assert "1 node cannot be read" in found.message


def test_a_cluster_without_nodes_decides_nothing() -> None:
    network = msgspec.structs.replace(SPEC.network, features=["BandwidthManager"])
    held = standard(msgspec.structs.replace(SPEC, network=network))
    found = assess_cluster(ClusterSubject(facts(stacks=[])), held)
    assert (found.features[0].state, found.uniformity.percent) == ("Unknown", "")


def test_a_feature_that_the_catalog_does_not_know_is_said_to_be_unknown() -> None:
    found = decide("Teleport", stack())
    assert (found.state, found.message) == ("Unknown", "the catalog knows no feature Teleport of cilium")
    assert need("flannel", "", "BandwidthManager") is None


def test_a_feature_that_came_later_is_blocked_by_the_plugins_version() -> None:
    found = decide("WireGuard", stack(kernel="6.1.0"), version="1.9.4")
    assert (found.state, found.message) == ("Blocked", "cilium 1.9.4 does not have it")


def test_a_plugin_version_that_cannot_be_read_is_judged_by_the_newest_table() -> None:
    assert need("cilium", "latest", "HostRouting") == need("cilium", "", "HostRouting")


def test_a_kernel_upgrade_names_everything_that_it_would_unlock() -> None:
    features = ["KubeProxyReplacement", "BandwidthManager", "HostRouting"]
    spec = msgspec.structs.replace(SPEC, network=msgspec.structs.replace(SPEC.network, features=features))
    old = stack(kernel="4.14.105")
    kernel = assess_cluster(ClusterSubject(facts(old)), standard(spec)).drift[0]
    assert kernel.cost == "blocks KubeProxyReplacement, BandwidthManager, HostRouting"
