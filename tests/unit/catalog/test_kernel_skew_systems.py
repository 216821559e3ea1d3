"""Kernel needs, version skew and operating systems: the tables' edges."""

from __future__ import annotations

import pytest

from groundplane.base.versions import KernelRule, UnknownVersion
from groundplane.catalog import kernel, skew, systems


def needs(kubernetes: str) -> dict[str, kernel.KernelNeed]:
    return {row.name: row for row in kernel.kernel_needs(kubernetes)}


@pytest.mark.parametrize(
    ("kubernetes", "release", "severity", "met"),
    [
        ("v1.20.2", "3.10.0-1160.el7.x86_64", "Required", True),
        ("v1.31.9", "4.14.105-19-0024", "Required", True),
        ("v1.32.0", "4.14.105-19-0024", "Required", False),
        ("v1.32.0", "4.18.0-553.el8_10.x86_64", "Required", False),
        ("v1.33.1", "4.19.90-2112.8.0.0131.oe1.x86_64", "Required", True),
        ("v1.33.1", "7.0.0-14-generic", "Required", False),
        ("v1.34.0", "4.18.0-553.el8_10.x86_64", "Recommended", False),
        ("v1.34.0", "7.0.0-14-generic", "Recommended", True),
    ],
)
def test_what_kubeadms_system_check_takes_depends_on_its_minor(
    kubernetes: str, release: str, severity: str, met: bool
) -> None:
    found = needs(kubernetes)["KubeadmCheck"]
    assert found.severity == severity
    assert KernelRule.parse(found.kernel).met_by(release) is met


def test_needs_begin_with_the_minor_that_brought_them() -> None:
    assert "UserNamespaces" not in needs("v1.20.2")
    assert needs("v1.33.0+749fe1d")["UserNamespaces"].kernel == "6.5"
    assert needs("v1.25.0")["CgroupV2"].severity == "Recommended"
    with pytest.raises(UnknownVersion):
        kernel.kernel_needs("latest")


def test_a_survey_asks_for_the_options_of_every_table() -> None:
    options = kernel.surveyed_options()
    assert options == tuple(sorted(set(options)))
    assert {"CONFIG_NET_SCH_FQ", "CONFIG_PSI", "CONFIG_GENEVE", "CONFIG_NETKIT", "CONFIG_WIREGUARD"} <= set(options)


@pytest.mark.parametrize(
    ("apiserver", "kubelet", "said"),
    [
        ("v1.28.3", "v1.28.3", ""),
        ("v1.28.3", "v1.25.16", ""),
        ("v1.28.3", "v1.24.17", "4 minors behind"),
        ("v1.26.0", "v1.24.0", ""),
        ("v1.27.0", "v1.24.0", "at most 2 are supported"),
        ("v1.20.6-tke.1", "v1.20.7-eks-d88609", ""),
        ("v1.20.2", "v1.21.0", "it may not be newer"),
        ("v1.20.2", "v1.27.11+749fe1d", "7 minors ahead"),
        ("v1.20.2", "v2.0.0", "another major version"),
        ("v1.20.2", "latest", 'the version of kubelet cannot be read: "latest"'),
        ("latest", "v1.20.2", 'the version of kube-apiserver cannot be read: "latest"'),
    ],
)
def test_a_kubelet_may_be_behind_as_far_as_the_policy_says(apiserver: str, kubelet: str, said: str) -> None:
    found = skew.kubelet_behind(apiserver, kubelet)
    assert said in found
    assert bool(found) is bool(said)


@pytest.mark.parametrize(
    ("name", "version", "allowed"),
    [
        ("kube-controller-manager", "v1.27.0", True),
        ("kube-scheduler", "v1.26.0", False),
        ("kube-scheduler", "v1.29.0", False),
        ("cloud-controller-manager", "v1.28.0", True),
        ("kube-proxy", "v1.25.0", True),
        ("kubectl", "v1.29.9", True),
        ("kubectl", "v1.30.0", False),
        ("kube-apiserver", "v1.27.0", True),
        ("etcd", "v3.5.0", True),
    ],
)
def test_components_stand_beside_an_api_server_of_1_28(name: str, version: str, allowed: bool) -> None:
    assert bool(skew.component_skew(name, "v1.28.0", version)) is not allowed


def test_api_servers_are_within_one_minor_of_one_another() -> None:
    assert skew.apiservers_skew([]) == ""
    assert skew.apiservers_skew(["v1.27.0"]) == ""
    assert skew.apiservers_skew(["v1.28.0", "v1.27.3", "v1.28.1"]) == ""
    found = skew.apiservers_skew(["v1.28.0", "v1.26.3", "v1.27.0"])
    assert found == "kube-apiserver v1.26.3 is 2 minors behind kube-apiserver v1.28.0: at most 1 is supported"
    assert "cannot be read" in skew.apiservers_skew(["v1.28.0", "latest"])


def test_kube_proxy_stands_beside_its_nodes_kubelet() -> None:
    assert skew.proxy_skew("v1.28.0", "v1.25.0") == ""
    assert skew.proxy_skew("v1.25.0", "v1.28.0") == ""
    assert "4 minors ahead" in skew.proxy_skew("v1.25.0", "v1.29.0")


@pytest.mark.parametrize(
    ("id", "version_id", "name"),
    [
        ("rocky", "9.4", "Rocky Linux 9"),
        ("rhel", "8.10", "Red Hat Enterprise Linux 8"),
        ("debian", "12", "Debian 12 (bookworm)"),
        ("ubuntu", "22.04", "Ubuntu 22.04 LTS"),
        ("sles", "15.7", "SLES 15 SP7"),
        ("sles", "15.9", "SLES 15"),
        ("tencentos", "3.1", "TencentOS Server 3.1"),
        ("openeuler", "22.03", "openEuler 22.03 LTS"),
        ("kylin", "v10", "Kylin Linux Advanced Server V10"),
        ("amzn", "2023", "Amazon Linux 2023"),
        ("amzn", "2", "Amazon Linux 2"),
        ("flatcar", "4459.2.0", "Flatcar Container Linux (stable)"),
        ("talos", "v1.12.12", "Talos Linux"),
    ],
)
def test_a_system_is_found_by_what_os_release_says(id: str, version_id: str, name: str) -> None:
    found = systems.system(id, version_id)
    assert found is not None
    assert found.name == name


def test_a_system_that_is_not_known_is_not_guessed() -> None:
    assert systems.system("rocky", "90") is None
    assert systems.system("centos", "70") is None
    assert systems.system("plan9", "4") is None
