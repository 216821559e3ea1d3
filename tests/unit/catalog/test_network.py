"""What Cilium needs: the table of its version, and the kernels that meet it."""

from __future__ import annotations

import pytest

from groundplane.base.versions import KernelRule, UnknownVersion
from groundplane.catalog import network


@pytest.mark.parametrize(
    ("version", "table", "base", "said"),
    [
        ("1.9.3", "1.9", "4.9.17", "the table of 1.9"),
        ("v1.10.0", "1.10", "4.9.17", "the table of 1.10"),
        ("1.12.1", "1.10", "4.9.17", "the last one known before 1.12"),
        ("1.14.3", "1.10", "4.19.57, el8_0", "the last one known before 1.14; the base of 1.13"),
        ("1.17.0", "1.10", "5.4, el8_6", "the base of 1.16"),
        ("1.18.0", "1.18", "5.10, el8_10", "the table of 1.18"),
        ("1.21.0", "1.18", "5.10, el8_10", "the last one known before 1.21"),
        ("", "1.18", "5.10, el8_10", "no version is known"),
    ],
)
def test_the_table_is_chosen_by_version_and_says_why(version: str, table: str, base: str, said: str) -> None:
    found = network.plugin_table("cilium", version)
    assert found is not None
    assert (found.version, found.base.kernel) == (table, base)
    assert said in found.basis


def test_other_plugins_and_older_versions_have_no_table() -> None:
    assert network.plugin_table("flannel", "") is None
    assert network.plugin_table("cilium", "1.8.0") is None
    with pytest.raises(UnknownVersion):
        network.plugin_table("cilium", "newest")


@pytest.mark.parametrize("version", ["1.9", "1.10", "1.18"])
def test_the_features_of_kube_proxy_free_mode_are_in_every_table(version: str) -> None:
    found = network.plugin_table("cilium", version)
    assert found is not None
    wanted = {"KubeProxyReplacement", "HostReachableServices", "BandwidthManager", "LocalRedirectPolicy"}
    assert wanted | {"SessionAffinity", "ProxyRedirection", "IPv4Fragments", "CIDRPrefixes"} <= set(found.features)
    assert set(found.features) <= set(network.known_features("cilium"))


@pytest.mark.parametrize(
    ("release", "version", "features"),
    [
        # 4.14.105 meets the base and not kube-proxy-free mode; 5.4.119 meets that and not the features of 5.7.
        ("4.14.105-19-0024", "1.10", {"IPv4Fragments", "CIDRPrefixes", "L7Policies"}),
        (
            "5.4.119-19-0009.11",
            "1.10",
            {
                "IPv4Fragments",
                "CIDRPrefixes",
                "L7Policies",
                "IPsecTunnel",
                "HostReachableServices",
                "KubeProxyReplacement",
                "LocalRedirectPolicy",
                "BandwidthManager",
            },
        ),
    ],
)
def test_tencent_kernels_have_the_features_that_they_can_have(release: str, version: str, features: set[str]) -> None:
    found = network.plugin_table("cilium", version)
    assert found is not None
    assert KernelRule.parse(found.base.kernel).met_by(release)
    met = {name for name, row in found.features.items() if KernelRule.parse(row.kernel).met_by(release)}
    assert met == features


def test_the_newest_cilium_takes_neither_tencent_kernel_and_takes_rhel_8_10() -> None:
    found = network.plugin_table("cilium", "")
    assert found is not None
    rule = KernelRule.parse(found.base.kernel)
    assert not rule.met_by("5.4.119-19-0009.11")
    assert rule.met_by("4.18.0-553.el8_10.x86_64")
    # RHEL 8 has no WireGuard, though it meets the base by back-ports.
    assert not KernelRule.parse(found.features["WireGuard"].kernel).met_by("4.18.0-553.el8_10.x86_64")
