"""Which platform a cluster is told to be, from versions, labels and provider ids that were published somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.facts import Platform
from groundplane.clusters.platform import Signs, platform_of


@dataclass(frozen=True)
class Case:
    """A cluster with version and provider id as published at `source`; labels are those that its vendor documents."""

    platform: Platform
    version: str
    source: str
    labels: Sequence[str] = ()
    provider: str = ""
    os_image: str = ""
    groups: Sequence[str] = ("v1", "apps/v1")
    server: str = "https://10.0.0.1:6443"
    also: Sequence[tuple[Sequence[str], str, str]] = field(default=())

    def __str__(self) -> str:
        return f"{self.platform}: {self.version} {self.provider}".strip()

    def told(self) -> tuple[Platform, str]:
        signs = Signs()
        for labels, provider, os_image in ((self.labels, self.provider, self.os_image), *self.also):
            signs.take(labels, provider, os_image)
        found = platform_of(self.version, signs, self.groups, self.server)
        return found.name, "; ".join(found.evidence)


PUBLISHED = (
    Case("tke", "v1.20.6-tke.3", "https://cloud.tencent.com/document/product/457/9315"),
    Case(
        "tke-managed",
        "v1.22.5-tke.1",
        "https://cloud.tencent.com/document/product/457/9315",
        labels=("kubernetes.io/arch", "cloud.tencent.com/node-instance-id"),
        provider="qcloud:///300003/ins-bzwza4jk",
        os_image="TencentOS Server 3.1 (Final)",
    ),
    Case(
        "tke-managed", "v1.18.4-tke.15", "https://github.com/gocrane/fadvisor", provider="qcloud:///800005/ins-2jv4wpmr"
    ),
    Case(
        "eks",
        "v1.35.5-eks-3385e9b",
        "https://github.com/aws/amazon-vpc-cni-k8s/issues/3705",
        labels=("eks.amazonaws.com/nodegroup",),
        provider="aws:///us-west-2b/i-0f692cd3b9e0c7229",
    ),
    Case(
        "gke",
        "v1.34.4-gke.1130000",
        "https://github.com/kubearmor/KubeArmor/issues/2505",
        labels=("cloud.google.com/gke-nodepool", "cloud.google.com/gke-os-distribution"),
        provider="gce://project/us-central1-a/gke-cluster-1-cos-pool-73eeead1-k6s1",
        os_image="Container-Optimized OS from Google",
    ),
    Case(
        "aks",
        "v1.27.7",
        "https://learn.microsoft.com/en-us/azure/aks/use-labels",
        labels=("kubernetes.azure.com/cluster", "kubernetes.azure.com/agentpool"),
        provider="azure:///subscriptions/s/resourceGroups/mc_rg/providers/Microsoft.Compute/virtualMachines/0",
    ),
    Case(
        "ack",
        "v1.26.3-aliyun.1",
        "https://github.com/kubernetes/website/issues/18410",
        labels=("alibabacloud.com/nodepool-id",),
        provider="cn-hongkong.i-j6c4hk9ybkq3n2mzdpiv",
    ),
    Case(
        "openshift",
        "v1.20.0+bd9e442",
        "https://github.com/red-hat-storage/ocs-ci/pull/3872",
        labels=("node.openshift.io/os_id",),
        groups=("config.openshift.io/v1", "v1"),
        os_image="Red Hat Enterprise Linux CoreOS 47.84.202102161611-0 (Ootpa)",
    ),
    Case("rke2", "v1.23.13+rke2r1", "https://github.com/rancher/rke2/issues/3439", provider="rke2://ip-8-8-24-81"),
    Case(
        "rke2",
        "v1.29.3+rke2r1",
        "https://github.com/rancher/rke2/issues/5218",
        provider="vsphere://4216015c-0cf7-8d41-5ed6-3fc7eab87537",
    ),
    Case("rke2", "v1.23.4+rke2r1", "https://github.com/rancher/rke2/issues/2589", provider="aws:///us-east-2b/i-0a"),
    Case("k3s", "v1.20.6+k3s1", "https://github.com/k3s-io/k3s/issues/935", provider="k3s://ip-172-31-38-104"),
    Case("k3s", "v1.27.12+k3s1", "https://github.com/k3s-io/k3s/issues/9793", provider="aws://i-testprovider"),
    Case(
        "talos", "v1.15.0", "https://github.com/siderolabs/talos/pull/873", os_image="Talos (40ae00d-dirty)"
    ),
    Case("native", "v1.20.2", "https://kubernetes.io/releases/patch-releases/", os_image="Debian GNU/Linux 12"),
    Case("native", "v1.30.0-rc.1", "https://github.com/kubernetes/kubernetes/releases"),
    Case("native", "v1.28.4", "https://kubernetes.io/releases/version-skew-policy/", provider="aws:///eu-west-1b/i-09"),
    Case("unknown", "v1.27.12+k3s-2d48b196", "https://github.com/k3s-io/k3s/issues/9793"),
)  # fmt: skip


@pytest.mark.parametrize("case", PUBLISHED, ids=str)
def test_a_published_cluster_is_told_by_what_it_shows(case: Case) -> None:
    name, evidence = case.told()
    assert name == case.platform, evidence
    assert case.version in evidence


def test_there_is_a_published_cluster_of_every_platform() -> None:
    assert {case.platform for case in PUBLISHED} == set(get_args(Platform))


HERE = "made for this test"
CONTRADICTIONS = (
    (Case("unknown", "v1.20.6-tke.3", HERE, provider="aws:///eu-west-1a/i-1"), "on machines of AWS"),
    (Case("unknown", "v1.23.7-eks-4721010", HERE, provider="vsphere://42"), "nothing else that speaks for AWS"),
    (Case("unknown", "v1.27.0", HERE, labels=("eks.amazonaws.com/nodegroup",)), "not of it"),
    (
        Case("unknown", "v1.27.0", HERE, labels=("kubernetes.azure.com/cluster", "cloud.google.com/gke-nodepool")),
        "signs of aks and gke together",
    ),
    (
        Case("unknown", "v1.27.1-gke.5", HERE, provider="gce://a", also=[((), "aws:///b", "")]),
        "on machines of AWS",
    ),
    (Case("unknown", "v1.27.4", HERE, labels=("doks.digitalocean.com/node-id",)), "signs of DigitalOcean"),
    (Case("unknown", "v1.27.4+abcdef0", HERE), "no known vendor"),
    (Case("unknown", "v1.30.3-vke.17", HERE), "no known vendor"),
    (Case("unknown", "one point two", HERE), "no known vendor"),
    (Case("unknown", "", HERE), "no version"),
    (Case("unknown", "v1.27.4", HERE, os_image="Talos (v1.5.4)", also=[((), "", "Ubuntu 22.04.3 LTS")]), "some do not"),
)


@pytest.mark.parametrize(("case", "why"), CONTRADICTIONS, ids=str)
def test_signs_that_contradict_each_other_or_say_nothing_known_are_unknown_and_reported(case: Case, why: str) -> None:
    name, evidence = case.told()
    assert name == "unknown"
    assert why in evidence


@pytest.mark.parametrize(
    ("platform", "version", "server"),
    [
        ("eks", "v1.29.1-eks-508b6b3", "https://ABC.gr7.eu-west-1.eks.amazonaws.com"),
        ("aks", "v1.29.2", "https://shop-dns-1a2b3c4d.hcp.westeurope.azmk8s.io:443"),
    ],
)
def test_a_managed_cluster_without_nodes_is_told_by_its_servers_name(platform: str, version: str, server: str) -> None:
    assert platform_of(version, Signs(), (), server).name == platform


@given(st.text(), st.lists(st.text()), st.text(), st.text(), st.lists(st.text()))
def test_whatever_is_shown_there_is_an_answer(
    version: str, labels: list[str], provider: str, os_image: str, groups: list[str]
) -> None:
    signs = Signs()
    signs.take(labels, provider, os_image)
    found = platform_of(version, signs, groups, "https://x")
    assert found.name in get_args(Platform)
    assert found.evidence
