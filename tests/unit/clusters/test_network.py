"""Network plugin, features and kube-proxy, from images and ConfigMaps as their installers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.facts import ComponentFacts, PodNetworkFacts
from groundplane.clusters.network import (
    ProxySeen,
    cilium_features,
    image_version,
    network_of,
    plugin_of,
    proxy_mode,
    with_hidden_proxy,
)

IMAGES = {
    "quay.io/cilium/cilium:v1.14.5@sha256:d3b287029755b6a47dee01420e2ea469469f1b174a2089c10af7e5e9289ef05b": "cilium",
    "docker.io/calico/node:v3.26.1": "calico",
    "docker.io/rancher/mirrored-calico-node:v3.25.1": "calico",
    "docker.io/flannel/flannel:v0.22.0": "flannel",
    "quay.io/coreos/flannel:v0.13.0": "flannel",
    "docker.io/kubeovn/kube-ovn:v1.11.5": "kube-ovn",
    "antrea/antrea-agent-ubuntu:v1.15.0": "antrea",
    "docker.io/cloudnativelabs/kube-router:v1.6.0": "kube-router",
    "ghcr.io/weaveworks/launcher/weave-kube:2.8.1": "weave",
    "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.15.1-eksbuild.1": "aws-vpc-cni",
    "registry-cn-hangzhou-vpc.ack.aliyuncs.com/acs/terway:v1.5.5": "terway",
    "mcr.microsoft.com/containernetworking/azure-cns:v1.4.44": "azure-cni",
    "ccr.ccs.tencentyun.com/tkeimages/tke-bridge-agent:v0.1.5": "tke-cni",
    "tkestack/galaxy:v1.0.6": "galaxy",
    "kindest/kindnetd:v20230511-dc714da8": "kindnet",
    "registry.example.com:5000/mirror/cilium/cilium:v1.13.0": "cilium",
    "registry.example.com:5000/shop/web": "",
    "k8s.gcr.io/kube-proxy:v1.20.2": "",
    "": "",
}


@pytest.mark.parametrize("image", IMAGES)
def test_the_plugin_is_told_by_its_agents_image(image: str) -> None:
    assert plugin_of(image) == IMAGES[image]


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("k8s.gcr.io/pause:3.2", "3.2"),
        ("quay.io/cilium/cilium:v1.14.5@sha256:d3b2", "v1.14.5"),
        ("registry.example.com:5000/shop/web", ""),
        ("registry.example.com:5000/shop/web@sha256:d3b2", ""),
        ("", ""),
    ],
)
def test_a_version_is_the_images_tag(image: str, version: str) -> None:
    assert image_version(image) == version


def agent(name: str, image: str) -> ComponentFacts:
    return ComponentFacts(name=name, namespace="kube-system", image=image)


def test_of_two_plugins_the_one_on_top_counts_and_both_are_evidence() -> None:
    agents = [agent("aws-node", "x/amazon-k8s-cni:v1.15.1"), agent("cilium", "quay.io/cilium/cilium:v1.14.5")]
    found = network_of(agents, {"kube-proxy-replacement": "true"}, ProxySeen(True, {}))
    assert (found.plugin, found.version, found.features) == ("cilium", "v1.14.5", ["KubeProxyReplacement"])
    assert "aws-node" in found.evidence


def test_no_plugin_is_no_guess() -> None:
    assert network_of([agent("web", "shop/web:1")], None, ProxySeen(None, {})) == PodNetworkFacts()


@pytest.mark.parametrize(
    ("config", "features"),
    [
        ({}, []),
        ({"kube-proxy-replacement": "disabled", "enable-bandwidth-manager": "false"}, []),
        ({"kube-proxy-replacement": "strict", "tunnel": "vxlan"}, ["KubeProxyReplacement", "Tunneling"]),
        ({"kube-proxy-replacement": "true", "routing-mode": "native"}, ["KubeProxyReplacement"]),
        (
            {"kube-proxy-replacement": "true", "enable-bpf-masquerade": "true", "enable-bandwidth-manager": "true"},
            ["BandwidthManager", "HostRouting", "KubeProxyReplacement"],
        ),
        (
            {
                "kube-proxy-replacement": "true",
                "enable-bpf-masquerade": "true",
                "enable-host-legacy-routing": "true",
                "enable-wireguard": "true",
            },
            ["KubeProxyReplacement", "WireGuard"],
        ),
        ({"enable-wireguard": True, "datapath-mode": ["netkit"]}, []),
    ],
)
def test_features_are_those_that_the_configuration_switches_on(config: dict[str, object], features: list[str]) -> None:
    assert cilium_features(config) == features


KUBEADM = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nipvs:\n  mode: no\nkind: KubeProxyConfiguration\nmode: "{}"\n'


@pytest.mark.parametrize(
    ("runs", "config", "mode"),
    [
        (True, {"config.conf": KUBEADM.format("ipvs")}, "ipvs"),
        (True, {"config.conf": KUBEADM.format("")}, "iptables"),
        (True, {"config": "mode: nftables\n"}, "nftables"),
        (True, {"config": "mode: 'ipvs'\r\n"}, "ipvs"),
        (True, {}, ""),
        (True, {"config.conf": 5}, ""),
        (None, {}, ""),
        (False, {"config.conf": KUBEADM.format("ipvs")}, "None"),
    ],
)
def test_the_mode_of_kube_proxy_is_that_of_its_configuration(runs: bool | None, config: dict, mode: str) -> None:
    assert proxy_mode(ProxySeen(runs, config)) == mode


def test_where_kube_proxy_may_be_hidden_its_absence_is_not_known() -> None:
    absent = PodNetworkFacts(kube_proxy="None")
    replaced = PodNetworkFacts(kube_proxy="None", features=["KubeProxyReplacement"])
    assert with_hidden_proxy(absent, "k3s").kube_proxy == ""
    assert with_hidden_proxy(replaced, "k3s").kube_proxy == "None"
    assert with_hidden_proxy(absent, "native").kube_proxy == "None"


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), st.lists(st.text()))
def test_no_configuration_and_no_image_is_too_much(config: dict[str, object], images: list[str]) -> None:
    network_of([agent("a", image) for image in images], config, ProxySeen(True, config))
