"""The target of an adopted cluster: what runs is wanted, but for what its spec asks for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundplane.api.cluster import Addons, Cluster, ClusterNetwork, Components, Endpoint, Kubeadm
from groundplane.api.distribution import Distribution
from groundplane.api.facts import ClusterFacts, KubeadmFacts, MachineFacts, NetworkFacts, NodeFacts, PlatformFacts
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.target import LEFT_ALONE, ClusterTarget, Found, resolve_adopted, wishes
from groundplane.base.errors import Refused

DISTRIBUTION = msgspec.convert(
    {
        "metadata": {"name": "native"},
        "spec": {"sources": [{"type": "HTTP", "url": "https://files"}], "releases": [{"version": "v1.20.2"}]},
    },
    Distribution,
)
FOUNDATION = msgspec.convert(
    {
        "metadata": {"name": "ground"},
        "spec": {
            "operatingSystem": {"recommended": [{"id": "debian"}], "kernel": {"minimum": "5.10"}},
            "kubernetes": {"version": "v1.20.2"},
            "runtime": {"name": "containerd", "version": ">=1.6.0"},
        },
    },
    Foundation,
)


def node(name: str, version: str = "v1.20.2", runtime: str = "docker://19.3.15") -> NodeFacts:
    return NodeFacts(name=name, kubelet_version=version, runtime=runtime)


def target(
    spec: dict[str, Any] | None = None,
    *,
    nodes: list[NodeFacts] | None = None,
    foundation: Foundation | None = None,
    distribution: Distribution | None = DISTRIBUTION,
    server: str = "https://192.0.2.1:6443",
    version: str = "v1.20.2",
    any_runtime: bool = False,
) -> ClusterTarget:
    cluster = msgspec.convert({"metadata": {"name": "prod", "namespace": "default"}, "spec": spec or {}}, Cluster)
    roles = {"n2": "Worker", "n1": "ControlPlane", "n0": "Worker"}
    machines = [
        msgspec.convert(
            {"metadata": {"name": name}, "spec": {"role": role, "address": f"203.0.113.{name[1]}"}}, Machine
        )
        for name, role in roles.items()
    ]
    facts = MachineFacts(
        kubeadm=KubeadmFacts(server=server), network=NetworkFacts(hostname="n1", addresses=["192.0.2.1/24"])
    )
    observed = ClusterFacts(
        version=version, platform=PlatformFacts(name="native"), nodes=nodes or [node(name) for name in roles]
    )
    found = Found({"n1": facts}, observed, any_runtime)
    return resolve_adopted(cluster, foundation, distribution, machines, found)


def test_nothing_is_wanted_but_what_runs() -> None:
    found = target()
    assert (found.origin, found.key, found.control_planes, found.workers) == (
        "Adopted",
        "default/prod",
        ["n1"],
        ["n0", "n2"],
    )
    assert (found.version, found.runtime.name, found.settings) == ("v1.20.2", "docker", LEFT_ALONE)
    assert (found.network, found.components, found.addons, found.kubeadm) == (
        ClusterNetwork(plugin="none"),
        Components(),
        Addons(),
        Kubeadm(),
    )
    assert found.release.artifacts == []
    assert (found.operating_systems, found.kernel.minimum) == ([], "")


def test_without_a_distribution_the_platform_gives_its_name() -> None:
    found = target(distribution=None)
    assert (found.distribution, found.sources, found.version) == ("native", [], "v1.20.2")


def test_the_spec_is_wanted_before_what_runs() -> None:
    settings = {"swap": "Disabled", "modules": [], "sysctls": {"vm.max_map_count": "262144"}}
    found = target({"runtime": {"name": "containerd"}, "kubernetes": {"version": "v1.20.2"}, "settings": settings})
    assert found.runtime.name == "containerd"
    assert found.settings.sysctls == {"vm.max_map_count": "262144"}
    assert found.release is DISTRIBUTION.spec.releases[0]


def test_a_foundation_fills_what_the_spec_leaves_open_only_when_it_is_asked() -> None:
    found = target(foundation=FOUNDATION)
    assert (found.runtime.version, found.kernel.minimum) == (">=1.6.0", "5.10")
    assert [entry.id for entry in found.operating_systems] == ["debian"]
    assert found.settings == FOUNDATION.spec.operating_system.settings
    assert found.network.plugin == "none"
    assert target({"runtime": {"name": "docker"}}, foundation=FOUNDATION).runtime.name == "docker"


def test_the_oldest_that_runs_is_wanted_so_that_no_node_is_behind() -> None:
    assert target(nodes=[node("n1"), node("n2", "v1.19.7")]).version == "v1.19.7"
    assert target(nodes=[node("n1"), node("n2", "v1.21.0")]).version == "v1.20.2"
    assert target(nodes=[node("n1", "strange")]).version == "v1.20.2"


def test_different_runtimes_need_a_word_from_the_owner() -> None:
    mixed = [node("n1"), node("n2", runtime="containerd://1.6.9")]
    with pytest.raises(Refused, match="containerd on 1, docker on 1") as refused:
        target(nodes=mixed)
    assert "spec.runtime.name" in refused.value.remedy
    assert target({"runtime": {"name": "containerd"}}, nodes=mixed).runtime.name == "containerd"
    more = [*mixed, node("n3", runtime="containerd://1.6.9")]
    assert target(nodes=more, any_runtime=True).runtime.name == "containerd"


def test_a_version_without_its_release_is_refused() -> None:
    with pytest.raises(Refused, match=r"no release v1\.21\.1") as refused:
        target({"kubernetes": {"version": "v1.21.1"}})
    assert "v1.20.2" in refused.value.remedy
    with pytest.raises(Refused, match=r"no Distribution that has v1\.21\.1"):
        target({"kubernetes": {"version": "v1.21.1"}}, distribution=None)


@pytest.mark.parametrize(
    ("server", "endpoint"),
    [
        ("https://192.0.2.1:6443", Endpoint(host="192.0.2.1")),
        ("https://n1:8443", Endpoint(host="n1", port=8443)),
        ("https://api.prod.example:443", Endpoint(host="api.prod.example", port=443, provider="External")),
        ("https://192.0.2.100", Endpoint(host="192.0.2.100", provider="External")),
        ("", Endpoint(host="203.0.113.1")),
    ],
)
def test_the_endpoint_is_what_the_kubelets_were_told(server: str, endpoint: Endpoint) -> None:
    assert target(server=server).endpoint == endpoint


def test_workers_are_believed_first_and_a_virtual_ip_is_no_address_of_a_machine() -> None:
    cluster = msgspec.convert({"metadata": {"name": "prod", "namespace": "default"}}, Cluster)
    machines = [
        msgspec.convert({"metadata": {"name": name}, "spec": {"role": role, "address": address}}, Machine)
        for name, role, address in (("c1", "ControlPlane", "192.0.2.1"), ("w1", "Worker", "192.0.2.2"))
    ]
    facts = {
        name: MachineFacts(kubeadm=KubeadmFacts(server=f"https://{server}:6443"), network=NetworkFacts(addresses=own))
        for name, server, own in (
            ("c1", "192.0.2.1", ["192.0.2.1/24", "192.0.2.100/32"]),
            ("w1", "192.0.2.100", ["192.0.2.2/24"]),
        )
    }
    found = Found(facts, ClusterFacts(version="v1.34.0", platform=PlatformFacts(name="native"), nodes=[node("c1")]))
    endpoint = resolve_adopted(cluster, None, None, machines, found).endpoint
    assert (endpoint.host, endpoint.provider) == ("192.0.2.100", "External")


@pytest.mark.parametrize(
    ("spec", "wished"),
    [
        ({}, False),
        ({"change": {"maxUnavailable": 2}}, False),
        ({"runtime": {"name": "docker"}}, True),
        ({"kubernetes": {"version": "v1.20.2"}}, True),
        ({"settings": {}}, True),
    ],
)
def test_a_wish_is_what_asks_for_something(spec: dict[str, Any], wished: bool) -> None:
    assert wishes(msgspec.convert({"spec": spec}, Cluster)) is wished
