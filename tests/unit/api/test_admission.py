"""Admission: each kind alone. The examples are well; every case makes one field ill and names it."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.cluster import ClusterStatus, NodeSummary
from groundplane.api.facts import KubeadmFacts, MachineFacts
from groundplane.api.machine import MachineStatus
from groundplane.api.validation import admit, values

from .world import World, example, machine, only, paths

EMPTY = World()
WORLD = World(foundations=[example("Foundation")], distributions=[example("Distribution")])
KEY = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"k" * 32).decode()
WRONG_KEY = base64.b64encode(b"\x00\x00\x00\x07ssh-rsa\x00\x00\x00\x20" + b"k" * 32).decode()
SHA = "0" * 64
ARTIFACT = {"name": "kubelet", "type": "Binary", "path": "bin/kubelet", "sha256": SHA}


@pytest.mark.parametrize("kind", ["Foundation", "Cluster", "Machine", "Operation", "Distribution"])
def test_the_examples_of_the_documents_are_admitted_whatever_is_there(kind: str) -> None:
    for world in (EMPTY, WORLD):
        verdict = admit(example(kind), None, world)
        assert verdict.ok, [str(cause) for cause in verdict.causes]
        assert verdict.warnings == []


CLUSTERS: list[tuple[dict[str, Any], str, str]] = [
    ({"network": {"podCIDR": "10.244.0.0/33"}}, "spec.network.podCIDR", "CIDR notation"),
    ({"network": {"podCIDR": "10.244.0.1/16"}}, "spec.network.podCIDR", "choose 10.244.0.0/16"),
    ({"network": {"podCIDR": "fd00::/48"}}, "spec.network.podCIDR", "IPv6"),
    ({"network": {"podCIDR": "127.0.0.0/16"}}, "spec.network.podCIDR", "not a network that pods"),
    ({"network": {"podCIDR": "0.0.0.0/0"}}, "spec.network.podCIDR", "not a network that pods"),
    ({"network": {"podCIDR": "10.244.0.0/25"}}, "spec.network.podCIDR", "too small"),
    ({"network": {"podCIDR": "8.0.0.0/7"}}, "spec.network.podCIDR", "too large"),
    ({"network": {"serviceCIDR": "10.0.0.0/11"}}, "spec.network.serviceCIDR", "too large"),
    ({"network": {"serviceCIDR": "10.96.0.0/29"}}, "spec.network.serviceCIDR", "too small"),
    (
        {"network": {"serviceCIDR": "10.244.128.0/20"}},
        "spec.network.serviceCIDR",
        "overlaps with podCIDR 10.244.0.0/16",
    ),
    ({"network": {"serviceCIDR": "services"}}, "spec.network.serviceCIDR", "10.244.0.0/16"),
    ({"network": {"dnsDomain": "Cluster.Local"}}, "spec.network.dnsDomain", "DNS name"),
    ({"network": {"plugin": "manifest"}}, "spec.network.manifest", "choose routed"),
    ({"network": {"manifest": "kind: X"}}, "spec.network.manifest", "plugin routed does not use it"),
    ({"network": {"plugin": "manifest", "manifest": "a: [b"}}, "spec.network.manifest", "is not YAML"),
    ({"network": {"plugin": "manifest", "manifest": "\x00"}}, "spec.network.manifest", "is not YAML"),
    ({"network": {"plugin": "manifest", "manifest": "kind: X"}}, "spec.network.manifest", "document 1"),
    ({"network": {"plugin": "manifest", "manifest": "---\n# empty"}}, "spec.network.manifest", "no object"),
    ({"network": {"plugin": "manifest", "manifest": "[" * 200_000}}, "spec.network.manifest", "nested deeper"),
    ({"kubeconfigRef": {"name": "mine"}}, "spec.kubeconfigRef", "only for provider Imported"),
    ({"exceptions": [{"dimension": "Kernel", "until": "2026-02-30"}]}, "spec.exceptions[0].until", "2027-01-31"),
    ({"exceptions": [{"dimension": "Kernel", "until": "20260201"}]}, "spec.exceptions[0].until", "2027-01-31"),
    (
        {"exceptions": [{"dimension": "Kernel"}, {"dimension": "Kernel"}]},
        "spec.exceptions[1].dimension",
        "spec.exceptions[0] has it already",
    ),
    ({"controlPlane": {"endpoint": {"host": "10.96.0.10"}}}, "spec.controlPlane.endpoint.host", "lies in serviceCIDR"),
    ({"controlPlane": {"endpoint": {"host": None}}}, "spec.controlPlane.endpoint.host", "provider External needs"),
    ({"controlPlane": {"endpoint": {"host": "10.0.0.300"}}}, "spec.controlPlane.endpoint.host", "IPv4 address"),
    ({"controlPlane": {"endpoint": {"host": "a_b"}}}, "spec.controlPlane.endpoint.host", "DNS name"),
    (
        {"controlPlane": {"endpoint": {"provider": "VirtualIP", "host": "api.example.com"}}},
        "spec.controlPlane.endpoint.host",
        "must be an IPv4 address",
    ),
    ({"change": {"maxUnavailable": 0}}, "spec.change.maxUnavailable", "nothing could ever be changed"),
    ({"change": {"maxUnavailable": "0%"}}, "spec.change.maxUnavailable", "percentage"),
    ({"change": {"maxUnavailable": "101%"}}, "spec.change.maxUnavailable", "percentage"),
    ({"change": {"maxUnavailable": "half"}}, "spec.change.maxUnavailable", "percentage"),
    ({"change": {"drain": {"timeout": "5 minutes"}}}, "spec.change.drain.timeout", "such as 5m"),
    ({"change": {"drain": {"timeout": "0s"}}}, "spec.change.drain.timeout", "above zero"),
    ({"change": {"drain": {"timeout": ""}}}, "spec.change.drain.timeout", "above zero"),
    ({"kubernetes": {"version": "1.20"}}, "spec.kubernetes.version", "vX.Y.Z"),
    ({"kubernetes": {"version": "v1.20.2-oke.1"}}, "spec.kubernetes.version", "no known vendor"),
    ({"kubernetes": {"distribution": "My Build"}}, "spec.kubernetes.distribution", "DNS label"),
    ({"foundationRef": {"name": "Prod"}}, "spec.foundationRef.name", "DNS label"),
    ({"foundationRef": None}, "spec.kubernetes.version", "nothing says which Kubernetes"),
    ({"runtime": {"version": "newest"}}, "spec.runtime.version", "newest"),
    ({"runtime": {"handlers": ["run c"]}}, "spec.runtime.handlers[0]", "run c"),
    ({"settings": {"modules": ["br netfilter"]}}, "spec.settings.modules[0]", "br_netfilter"),
    ({"settings": {"sysctls": {"ip_forward": "1"}}}, "spec.settings.sysctls[ip_forward]", "net.ipv4.ip_forward"),
    ({"settings": {"sysctls": {"net.x; rm": "1"}}}, "spec.settings.sysctls[net.x; rm]", "kernel parameter"),
    ({"settings": {"sysctls": {"vm.x": " "}}}, "spec.settings.sysctls[vm.x]", "needs a value"),
    ({"settings": {"sysctls": {"vm.x": "1\n2"}}}, "spec.settings.sysctls[vm.x]", "one line"),
    ({"kubeadm": {"ignorePreflightErrors": ["--all"]}}, "spec.kubeadm.ignorePreflightErrors[0]", "dashes"),
    ({"components": {"kubelet": {"args": {"--v": "2"}}}}, "spec.components.kubelet.args[--v]", "leading dashes"),
    (
        {"components": {"apiServer": {"args": {"service-cluster-ip-range": "10.0.0.0/16"}}}},
        "spec.components.apiServer.args[service-cluster-ip-range]",
        "set spec.network.serviceCIDR",
    ),
    (
        {"components": {"kubelet": {"config": {"cgroupDriver": "cgroupfs"}}}},
        "spec.components.kubelet.config[cgroupDriver]",
        "follows the runtime",
    ),
    (
        {"components": {"controllerManager": {"args": {"node-cidr-mask-size": "wide"}}}},
        "spec.components.controllerManager.args[node-cidr-mask-size]",
        "prefix length",
    ),
]


@pytest.mark.parametrize(("spec", "path", "words"), CLUSTERS, ids=[f"{c[1]}:{c[2]}" for c in CLUSTERS])
def test_a_cluster_is_refused_naming_field_and_rule(spec: dict[str, Any], path: str, words: str) -> None:
    cause = only(admit(example("Cluster", spec=spec), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


@pytest.mark.parametrize(
    "spec",
    [
        {
            "components": {"controllerManager": {"args": {"node-cidr-mask-size": "26"}}},
            "network": {"podCIDR": "10.2.0.0/25"},
        },
        {
            "network": {
                "plugin": "manifest",
                "manifest": "apiVersion: v1\nkind: List\n---\napiVersion: v1\nkind: List\n",
            }
        },
        {"change": {"maxUnavailable": "25%", "drain": {"timeout": "1h30m5s"}}},
        {"controlPlane": {"endpoint": {"host": "198.18.0.10", "provider": "External"}}},
        {"components": {"etcd": {"args": {"quota-backend-bytes": "8589934592"}}}},
        {"kubernetes": {"distribution": "native", "version": "v1.20.2"}, "runtime": {"name": "docker"}},
    ],
)
def test_a_sound_cluster_is_admitted(spec: dict[str, Any]) -> None:
    assert paths(admit(example("Cluster", spec=spec), None, WORLD)) == []


def imported(**spec: Any) -> Any:
    whole = {"provider": "Imported", "kubeconfigRef": {"name": "shop-kubeconfig"}} | spec
    made = dict.fromkeys(("network", "controlPlane", "components", "addons", "kubeadm", "kubernetes", "foundationRef"))
    return example("Cluster", spec={**made, **whole})


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"foundationRef": {"name": "not-there-yet"}},
        {"kubernetes": {"version": "v1.28.4", "distribution": "anything"}, "runtime": {"name": "docker"}},
        {"exceptions": [{"dimension": "Kernel", "reason": "appliance", "until": "2027-01-31"}]},
        {"change": {"approval": "Manual"}},
    ],
)
def test_an_imported_cluster_needs_a_kubeconfig_and_nothing_to_install(spec: dict[str, Any]) -> None:
    assert paths(admit(imported(**spec), None, EMPTY)) == []


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"kubeconfigRef": None}, "spec.kubeconfigRef", "groundplane import"),
        ({"kubeconfigRef": {"name": "No Name"}}, "spec.kubeconfigRef.name", "DNS name"),
        ({"network": {"podCIDR": "10.1.0.0/16"}}, "spec.network", "did not make this cluster"),
        ({"controlPlane": {"endpoint": {"host": "10.0.0.1"}}}, "spec.controlPlane", "did not make this cluster"),
        ({"components": {"etcd": {"args": {"a": "b"}}}}, "spec.components", "did not make this cluster"),
        ({"addons": {"dns": "None"}}, "spec.addons", "did not make this cluster"),
        ({"change": {"maxUnavailable": 0}}, "spec.change.maxUnavailable", "nothing could ever be changed"),
        ({"kubernetes": {"version": "1.20"}}, "spec.kubernetes.version", "vX.Y.Z"),
    ],
)
def test_an_imported_cluster_is_refused_naming_field_and_rule(spec: dict[str, Any], path: str, words: str) -> None:
    cause = only(admit(imported(**spec), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


@pytest.mark.parametrize("known", ["", "0c5f"])
def test_what_is_not_for_an_imported_cluster_is_refused_once_and_never_by_making_it_anew(known: str) -> None:
    before = msgspec.structs.replace(imported(), status=ClusterStatus(cluster_id=known))
    for spec in (
        {"network": {"podCIDR": "10.1.0.0/16", "manifest": "kind: X"}},
        {"controlPlane": {"endpoint": {"host": "10.0.0.1"}}},
        {"components": {"etcd": {"args": {"a": "b"}}}},
        {"addons": {"dns": "None"}},
    ):
        cause = only(admit(imported(**spec), before, EMPTY))
        assert "did not make this cluster" in cause.message
        assert "delete the Cluster" not in cause.message


def test_machines_may_point_to_an_imported_cluster_whatever_networks_it_has() -> None:
    cluster = imported()
    member = machine("shop-1", "10.244.0.11", spec={"clusterRef": {"name": cluster.metadata.name}})
    assert paths(admit(member, None, EMPTY.having(clusters=[cluster]))) == []
    assert paths(admit(cluster, None, EMPTY.having(machines=[member]))) == []


def test_a_machine_of_an_imported_cluster_is_corrected_until_the_mark_is_on_its_host() -> None:
    cluster = imported()
    listed = msgspec.structs.replace(cluster, status=ClusterStatus(nodes=[NodeSummary(machine="shop-1")]))
    member = machine("shop-1", "198.18.0.11", spec={"clusterRef": {"name": cluster.metadata.name}})
    moved = machine("shop-1", "198.18.0.12", spec={"clusterRef": {"name": cluster.metadata.name}})
    world = EMPTY.having(clusters=[listed])
    assert paths(admit(moved, member, world)) == []
    facts = MachineFacts(kubeadm=KubeadmFacts(owner=f"default/{cluster.metadata.name}"))
    marked = msgspec.structs.replace(member, status=MachineStatus(facts=facts))
    assert paths(admit(moved, marked, world)) == ["spec.address"]


def test_a_cluster_does_not_change_who_made_it() -> None:
    assert "spec.provider" in paths(admit(imported(), example("Cluster"), EMPTY))


def test_every_fault_of_an_object_is_listed_at_once() -> None:
    spec = {"network": {"podCIDR": "x", "dnsDomain": "-"}, "change": {"maxUnavailable": 0}}
    assert len(admit(example("Cluster", spec=spec), None, EMPTY).causes) == 3


def test_docker_is_refused_from_1_24_on_saying_why_and_what_to_choose() -> None:
    spec = {"kubernetes": {"version": "v1.24.0"}, "runtime": {"name": "docker"}, "foundationRef": None}
    cause = only(admit(example("Cluster", spec=spec), None, EMPTY))
    assert cause.field == "spec.runtime.name"
    assert cause.value == "docker"
    assert "dockershim was removed in 1.24" in cause.message
    assert "choose runtime containerd" in cause.message


def test_a_containerd_that_the_version_does_not_support_is_refused() -> None:
    spec = {"runtime": {"name": "containerd", "version": ">=2.0.0"}}
    cause = only(admit(example("Cluster", spec=spec), None, WORLD))
    assert (cause.field, cause.value) == ("spec.runtime.version", ">=2.0.0")
    assert "1.5.0 or later" in cause.message


def test_a_runtime_that_the_foundation_chose_is_blamed_on_the_reference() -> None:
    foundation = example("Foundation", spec={"runtime": {"name": "docker", "version": None}})
    spec = {"kubernetes": {"version": "v1.24.0"}}
    distribution = example("Distribution", spec={"releases": [{"version": "v1.24.0"}]})
    world = World(foundations=[foundation], distributions=[distribution])
    assert only(admit(example("Cluster", spec=spec), None, world)).field == "spec.foundationRef.name"


def test_a_release_that_the_distribution_does_not_have_is_refused_with_those_it_has() -> None:
    cause = only(admit(example("Cluster", spec={"kubernetes": {"version": "v1.20.6"}}), None, WORLD))
    assert cause.field == "spec.kubernetes.version"
    assert "choose one of: v1.20.2" in cause.message


@pytest.mark.parametrize(
    "spec",
    [
        {"network": {"podCIDR": "10.200.0.0/16"}},
        {"network": {"serviceCIDR": "10.97.0.0/16"}},
        {"network": {"dnsDomain": "other.local"}},
        {"network": {"plugin": "none"}},
        {"controlPlane": {"endpoint": {"host": "api.example.com"}}},
        {"controlPlane": {"endpoint": {"port": 8443}}},
        {"controlPlane": {"endpoint": {"provider": "None"}}},
    ],
)
def test_what_machines_are_built_with_cannot_be_changed(spec: dict[str, Any]) -> None:
    cause = only(admit(example("Cluster", spec=spec), example("Cluster"), EMPTY))
    assert cause.reason == "FieldValueForbidden"
    assert "immutable" in cause.message
    assert cause.field.rsplit(".", 1)[1] in str(spec)


def test_the_manifest_of_a_running_cluster_is_refused_without_being_repeated() -> None:
    before, after = (
        {"plugin": "manifest", "manifest": f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}"} for name in "ab"
    )
    running = example("Cluster", spec={"network": before}, **RUNNING)
    cause = only(admit(example("Cluster", spec={"network": after}, **RUNNING), running, EMPTY))
    assert (cause.field, cause.value) == ("spec.network.manifest", "…")


RUNNING = {"status": {"clusterID": "5f0c7a3e-0000-4000-8000-000000000001"}}


@pytest.mark.parametrize(
    ("runs", "runtime", "refused"),
    [
        ("containerd://1.6.20", {"name": "containerd", "handlers": ["runc", "kata"]}, True),
        ("containerd://1.6.20", {"name": "containerd", "handlers": ["runc"]}, False),
        ("docker://19.3.15", {"name": "containerd", "handlers": ["runc", "kata"]}, False),
        ("containerd://1.6.20, docker://19.3.15", {"name": "containerd", "handlers": ["runc", "kata"]}, False),
    ],
)
def test_nodes_get_handlers_with_their_runtime_and_no_others_later(
    runs: str, runtime: dict[str, Any], refused: bool
) -> None:
    running = example("Cluster", status={**RUNNING["status"], "runtime": runs})
    found = admit(example("Cluster", spec={"runtime": runtime}), running, EMPTY).causes
    assert [cause.field for cause in found if "handlers" in cause.field] == ["spec.runtime.handlers"] * refused


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("spec.components.apiServer", {"components": {"apiServer": {"args": {"v": "4"}}}}),
        ("spec.components.controllerManager", {"components": {"controllerManager": {"args": {"v": "4"}}}}),
        ("spec.components.scheduler", {"components": {"scheduler": {"args": {"v": "4"}}}}),
        ("spec.components.etcd", {"components": {"etcd": {"args": {"max-txn-ops": "256"}}}}),
        ("spec.components.kubelet", {"components": {"kubelet": {"args": {"v": "4"}}}}),
        ("spec.components.kubeProxy", {"components": {"kubeProxy": {"config": {"mode": "ipvs"}}}}),
        ("spec.addons.dns", {"addons": {"dns": "None"}}),
    ],
)
def test_what_nothing_changes_on_a_running_cluster_is_refused_there_and_free_before(
    path: str, spec: dict[str, Any]
) -> None:
    assert admit(example("Cluster", spec=spec), example("Cluster"), EMPTY).ok
    cause = only(admit(example("Cluster", spec=spec, **RUNNING), example("Cluster", **RUNNING), EMPTY))
    assert cause.field == path
    assert "does not change it on running nodes" in cause.message


def test_what_is_stored_stays_changeable_beside_its_spec_whatever_the_rules_are_today() -> None:
    broken = example("Cluster", spec={"network": {"podCIDR": "x"}})
    released = example("Cluster", spec={"network": {"podCIDR": "x"}}, metadata={"finalizers": []})
    assert admit(released, broken, EMPTY).ok
    changed = example("Cluster", spec={"network": {"podCIDR": "x"}, "change": {"maxUnavailable": 2}})
    assert paths(admit(changed, broken, EMPTY)) == ["spec.network.podCIDR"]


MACHINES: list[tuple[dict[str, Any], str, str]] = [
    ({"address": None}, "spec.address", "give its IPv4 address"),
    ({"address": "shop-1.example.com"}, "spec.address", "must be an IPv4 address"),
    ({"address": "198.18.0.256"}, "spec.address", "must be an IPv4 address"),
    ({"address": "127.0.0.1"}, "spec.address", "loopback"),
    ({"address": "224.0.0.1"}, "spec.address", "multicast"),
    ({"address": "0.0.0.0"}, "spec.address", "unspecified"),
    ({"address": "169.254.1.1"}, "spec.address", "link-local"),
    ({"address": "255.255.255.255"}, "spec.address", "reserved"),
    ({"role": None}, "spec.role", "ControlPlane or Worker"),
    ({"clusterRef": {"name": "Shop!"}}, "spec.clusterRef.name", "DNS label"),
    ({"ssh": {"user": "ro ot"}}, "spec.ssh.user", "Unix user"),
    ({"ssh": {"secretRef": {"name": "Key"}}}, "spec.ssh.secretRef.name", "DNS name"),
    ({"ssh": {"hostKey": "AAAA"}}, "spec.ssh.hostKey", "with a type of ssh-ed25519"),
    ({"ssh": {"hostKey": "ssh-ed25519 AAAA…"}}, "spec.ssh.hostKey", "cut or damaged"),
    ({"ssh": {"hostKey": f"ssh-ed25519 {WRONG_KEY}"}}, "spec.ssh.hostKey", "cut or damaged"),
    ({"ssh": {"jump": {"address": "j_1"}}}, "spec.ssh.jump.address", "DNS name"),
    ({"ssh": {"jump": {"address": "jump", "user": ""}}}, "spec.ssh.jump.user", "Unix user"),
    ({"ssh": {"jump": {"address": "jump", "hostKey": "x"}}}, "spec.ssh.jump.hostKey", "type base64"),
    ({"ssh": {"jump": {"address": "jump", "secretRef": {"name": ""}}}}, "spec.ssh.jump.secretRef.name", "DNS name"),
    ({"labels": {"a b": "c"}}, "spec.labels[a b]", "after an optional prefix/"),
    ({"labels": {"Up/a": "c"}}, "spec.labels[Up/a]", "after an optional prefix/"),
    ({"labels": {"a": "-"}}, "spec.labels[a]", "must be empty, or letters"),
    ({"labels": {"kubernetes.io/hostname": "x"}}, "spec.labels[kubernetes.io/hostname]", "kept by Kubernetes"),
    ({"taints": [{"key": "/x", "effect": "NoSchedule"}]}, "spec.taints[0].key", "prefix/"),
    ({"taints": [{"key": "x", "effect": "NoSchedule", "value": "a b"}]}, "spec.taints[0].value", "must be empty"),
    ({"taints": [{"key": "x", "effect": "NoExecute"}] * 2}, "spec.taints[1]", "spec.taints[0] has it already"),
]


@given(st.ip_addresses(v=4).map(str) | st.text("012.", max_size=10) | st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}"))
def test_an_address_is_taken_when_it_is_one_and_lies_in_no_special_range(text: str) -> None:
    try:
        found = ipaddress.IPv4Address(text)
    except ipaddress.AddressValueError:
        assert values.address("spec.address", text) is not None
        return
    special = found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    assert (values.address("spec.address", text) is not None) == (special or found.is_reserved)


@pytest.mark.parametrize(("spec", "path", "words"), MACHINES, ids=[f"{c[1]}:{c[2]}" for c in MACHINES])
def test_a_machine_is_refused_naming_field_and_rule(spec: dict[str, Any], path: str, words: str) -> None:
    cause = only(admit(example("Machine", spec=spec), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


@pytest.mark.parametrize("name", ["Shop-1", "shop_1", "a..b", "-a", "a" * 64])
def test_a_machines_name_is_a_nodes_name(name: str) -> None:
    assert only(admit(example("Machine", metadata={"name": name}), None, EMPTY)).field == "metadata.name"


def test_a_machine_may_have_the_full_name_of_a_host_as_nodes_have() -> None:
    assert admit(example("Machine", metadata={"name": "node-1.prod.example.com"}), None, EMPTY).ok


def test_a_name_that_the_server_completes_is_not_looked_at() -> None:
    assert admit(example("Operation", metadata={"name": None, "generateName": "shop-"}), None, EMPTY).ok


def test_a_pinned_key_and_a_jump_host_are_admitted() -> None:
    jump = {"address": "198.18.0.1", "hostKey": f"ssh-ed25519 {KEY}", "secretRef": {"name": "jump"}}
    ssh = {"hostKey": f"ssh-ed25519 {KEY} root@shop-1", "jump": jump}
    assert admit(example("Machine", spec={"ssh": ssh}), None, EMPTY).ok


def test_a_role_without_a_cluster_is_only_warned_about() -> None:
    verdict = admit(example("Machine", spec={"clusterRef": None}), None, EMPTY)
    assert verdict.ok
    assert verdict.warnings == ["spec.role: ControlPlane has no meaning without clusterRef"]


def test_one_address_is_one_machine_in_all_namespaces() -> None:
    other = machine("db-1", "198.18.0.11", metadata={"namespace": "team"})
    cause = only(admit(example("Machine"), None, World(machines=[other, example("Machine")])))
    assert (cause.field, cause.reason) == ("spec.address", "FieldValueDuplicate")
    assert "team/db-1" in cause.message


def test_one_private_address_behind_two_jump_hosts_is_two_machines() -> None:
    there = machine("db-1", "198.18.0.11", spec={"ssh": {"jump": {"address": "site-b"}}})
    assert admit(example("Machine"), None, World(machines=[there])).ok


def test_a_machine_inside_the_networks_of_its_cluster_is_refused() -> None:
    world = World(clusters=[example("Cluster")])
    cause = only(admit(machine("shop-1", "10.244.3.4"), None, world))
    assert (cause.field, cause.value) == ("spec.address", "10.244.3.4")
    assert "lies in podCIDR 10.244.0.0/16" in cause.message


@pytest.mark.parametrize(
    "spec", [{"address": "198.18.0.99"}, {"role": "Worker"}, {"clusterRef": {"name": "other"}}, {"clusterRef": None}]
)
@pytest.mark.parametrize("known_by", ["list", "mark"])
def test_a_members_place_cannot_be_changed(spec: dict[str, Any], known_by: str) -> None:
    listed = example("Cluster", status={"nodes": [{"machine": "shop-1"}]} if known_by == "list" else {})
    status = {"facts": {"kubeadm": {"owner": "default/shop"}}} if known_by == "mark" else {}
    old = example("Machine", status=status)
    cause = only(admit(example("Machine", spec=spec), old, World(clusters=[listed])))
    assert cause.field == f"spec.{next(iter(spec))}"
    assert "is a member of Cluster default/shop" in cause.message


def test_a_machine_that_is_no_member_may_change_its_place() -> None:
    old = example("Machine", status={"facts": {"kubeadm": {"owner": "default/other"}}})
    new = example("Machine", spec={"role": "Worker"})
    assert admit(new, old, World(clusters=[example("Cluster")])).ok
    assert admit(new, old, EMPTY).ok
    assert admit(example("Machine"), example("Machine", spec={"clusterRef": None}), EMPTY).ok


FOUNDATIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"operatingSystem": {"allowed": [{"id": "Debian"}]}}, "spec.operatingSystem.allowed[0].id", "os-release"),
    (
        {"operatingSystem": {"recommended": [{"id": "debian", "versions": [""]}]}},
        "spec.operatingSystem.recommended[0].versions[0]",
        "leave the list empty",
    ),
    (
        {"operatingSystem": {"allowed": [{"id": "debian"}, {"id": "debian"}]}},
        "spec.operatingSystem.allowed[1].id",
        "has it already",
    ),
    ({"operatingSystem": {"kernel": {"minimum": "five"}}}, "spec.operatingSystem.kernel.minimum", "5.4.119"),
    ({"kubernetes": {"version": "v1.20.2-xyz.1"}}, "spec.kubernetes.version", "no known vendor"),
    ({"kubernetes": {"distribution": ""}}, "spec.kubernetes.distribution", "DNS label"),
    ({"runtime": {"version": ">=3.0.0"}}, "spec.runtime.version", "1.5.0 or later"),
    ({"network": {"features": ["Kube Proxy"]}}, "spec.network.features[0]", "Kube Proxy"),
    ({"network": {"plugin": "Cilium"}}, "spec.network.plugin", "DNS label"),
]


@pytest.mark.parametrize(("spec", "path", "words"), FOUNDATIONS, ids=[c[1] for c in FOUNDATIONS])
def test_a_foundation_is_refused_naming_field_and_rule(spec: dict[str, Any], path: str, words: str) -> None:
    cause = only(admit(example("Foundation", spec=spec), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


def test_a_foundation_may_be_written_before_its_release_and_without_a_version() -> None:
    ahead = example("Foundation", spec={"kubernetes": {"version": "v1.20.15"}, "network": {"plugin": "cilium"}})
    verdict = admit(ahead, None, WORLD)
    assert verdict.ok
    assert "has no release v1.20.15 yet" in verdict.warnings[0]
    assert admit(example("Foundation", spec={"kubernetes": {"version": None}}), None, WORLD).ok


DISTRIBUTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"sources": [{"type": "HTTP"}]}, "spec.sources[0].url", "type HTTP needs it"),
    ({"sources": [{"type": "HTTP", "url": "ftp://x"}]}, "spec.sources[0].url", "http or https"),
    ({"sources": [{"type": "HTTP", "url": "https://u:p@x"}]}, "spec.sources[0].url", "credentials"),
    ({"sources": [{"type": "Bundle", "path": "b.tar"}]}, "spec.sources[0].path", "absolute path"),
    ({"sources": [{"type": "Bundle", "path": "/b", "url": "x"}]}, "spec.sources[0].url", "leave `url` out"),
    ({"releases": [{"version": "1.20"}]}, "spec.releases[0].version", "vX.Y.Z"),
    ({"releases": [{"version": "v1.20.2"}] * 2}, "spec.releases[1].version", "has it already"),
    ({"releases": [{"version": "v1.20.2", "endOfLife": "soon"}]}, "spec.releases[0].endOfLife", "YYYY-MM-DD"),
]
ARTIFACTS: list[tuple[dict[str, Any], str, str]] = [
    ({"name": "../kubelet"}, "name", "file name"),
    ({"sha256": "abc"}, "sha256", "never used unverified"),
    ({"path": "/etc/passwd"}, "path", "below the source"),
    ({"path": "a/../../b"}, "path", "without .."),
    ({"path": ""}, "path", "below the source"),
    ({"size": -1}, "size", "in bytes"),
    ({"type": "Image"}, "image", "name of the image"),
    ({"image": "pause:3.2"}, "image", "leave it out"),
]


@pytest.mark.parametrize(("spec", "path", "words"), DISTRIBUTIONS, ids=[f"{c[1]}:{c[2]}" for c in DISTRIBUTIONS])
def test_a_distribution_is_refused_naming_field_and_rule(spec: dict[str, Any], path: str, words: str) -> None:
    cause = only(admit(example("Distribution", spec=spec), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


@pytest.mark.parametrize(("patch", "field", "words"), ARTIFACTS)
def test_an_artifact_is_refused_naming_field_and_rule(patch: dict[str, Any], field: str, words: str) -> None:
    release = {"version": "v1.20.2", "artifacts": [ARTIFACT | patch]}
    cause = only(admit(example("Distribution", spec={"releases": [release]}), None, EMPTY))
    assert cause.field == f"spec.releases[0].artifacts[0].{field}"
    assert words in cause.message


def test_two_artifacts_of_one_name_and_architecture_are_refused() -> None:
    release = {"version": "v1.20.2", "artifacts": [ARTIFACT, ARTIFACT, ARTIFACT | {"architecture": "arm64"}]}
    cause = only(admit(example("Distribution", spec={"releases": [release]}), None, EMPTY))
    assert cause.field == "spec.releases[0].artifacts[1]"


def test_a_version_of_another_vendor_is_only_warned_about() -> None:
    verdict = admit(example("Distribution", spec={"releases": [{"version": "v1.20.6-tke.3"}]}), None, EMPTY)
    assert verdict.ok
    assert "is of vendor tke, not native" in verdict.warnings[0]


STEP = {"name": "claim/a", "step": "claim", "title": "claim", "machine": "a"}


@pytest.mark.parametrize(
    ("steps", "path", "words"),
    [
        ([STEP, STEP], "spec.plan.steps[1].name", "has it already"),
        ([STEP | {"after": ["init/a"]}], "spec.plan.steps[0].after[0]", "no step of the plan"),
        ([STEP | {"after": ["b"]}, STEP | {"name": "b", "after": ["claim/a"]}], "spec.plan.steps", "in a circle"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(steps: list[Any], path: str, words: str) -> None:
    cause = only(admit(example("Operation", spec={"plan": {"steps": steps}}), None, EMPTY))
    assert cause.field == path
    assert words in cause.message


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        ({}, {"plan": {"steps": []}}, "spec.plan"),
        ({}, {"target": {"workers": ["shop-2"]}}, "spec.target"),
        ({}, {"clusterRef": {"name": "other"}}, "spec.clusterRef"),
        ({"approval": "Approved"}, {"approval": "Pending"}, "spec.approval"),
        ({"cancel": "Requested"}, {}, "spec.cancel"),
    ],
)
def test_an_operation_is_never_changed_under_way(before: dict[str, Any], after: dict[str, Any], path: str) -> None:
    old, new = example("Operation", spec=before), example("Operation", spec=after)
    cause = only(admit(new, old, EMPTY))
    assert (cause.field, cause.reason) == (path, "FieldValueForbidden")


def test_an_operation_is_approved_and_cancelled_by_its_spec() -> None:
    old = example("Operation")
    assert admit(example("Operation", spec={"approval": "Approved"}), old, EMPTY).ok
    assert admit(example("Operation", spec={"cancel": "Requested"}), old, EMPTY).ok


def test_a_feature_that_nobody_knows_is_warned_about_with_those_that_there_are() -> None:
    spec = {"network": {"plugin": "cilium", "features": ["KubeProxyReplacement", "BandwithManager"]}}
    verdict = admit(example("Foundation", spec=spec), None, World())
    assert verdict.ok
    (warning,) = verdict.warnings
    assert warning.startswith("spec.network.features[1]: no feature of cilium is called BandwithManager; there are ")
    assert "BandwidthManager" in warning
    of_others = {"network": {"plugin": "calico", "features": ["eBPF"]}}
    assert admit(example("Foundation", spec=of_others), None, World()).warnings == []
