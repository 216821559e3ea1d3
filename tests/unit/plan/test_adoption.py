"""Whether Machines are the Nodes of an imported cluster: every mismatch is found, and what matches is never refused."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.facts import (
    ClusterFacts,
    KubeadmFacts,
    KubeletFacts,
    MachineFacts,
    NetworkFacts,
    NodeFacts,
    Platform,
    PlatformFacts,
)
from groundplane.api.machine import Machine, MachineSpec
from groundplane.api.meta import NameReference, ObjectMeta
from groundplane.plan.adoption import Adoptee, match, newcomers
from groundplane.plan.path import MANAGED
from groundplane.plan.preflight import errors

KEY = "default/prod"
CA = "c" * 64
PODS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]


class Site:
    """An adopted cluster of `size` nodes, the first `planes` of them control planes; tests spoil a part of it."""

    def __init__(self, size: int = 3, planes: int = 1) -> None:
        self.names = [f"n{number}" for number in range(1, size + 1)]
        self.machines: dict[str, Machine] = {}
        self.facts: dict[str, MachineFacts] = {}
        self.nodes: dict[str, NodeFacts] = {}
        self.platform: Platform = "native"
        self.authorities = frozenset({CA})
        for number, name in enumerate(self.names):
            plane, address = number < planes, f"192.0.2.{number + 1}"
            spec = MachineSpec(
                address=address, role="ControlPlane" if plane else "Worker", cluster_ref=NameReference(name="prod")
            )
            self.machines[name] = Machine(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)
            pods = PODS if plane else []
            self.facts[name] = MachineFacts(
                machine_id=f"id-{name}",
                network=NetworkFacts(hostname=name, addresses=[f"{address}/24"]),
                kubelet=KubeletFacts(node_name=name),
                kubeadm=KubeadmFacts(joined=True, server="https://192.0.2.1:6443", ca_hash=CA, static_pods=pods),
            )
            self.nodes[name] = NodeFacts(name=name, ready=True, address=address, machine_id=f"id-{name}")

    @property
    def adoptee(self) -> Adoptee:
        platform = PlatformFacts(name=self.platform, evidence=["version v1.20.2"])
        cluster = ClusterFacts(reachable=True, version="v1.20.2", platform=platform, nodes=list(self.nodes.values()))
        return Adoptee(KEY, cluster, self.authorities)

    def problems(self) -> list[Any]:
        return match(self.machines, self.facts, self.adoptee)

    def new(self) -> list[str]:
        return newcomers(self.machines, self.facts, self.adoptee)

    def checks(self) -> set[tuple[str, str]]:
        return {(problem.machine, problem.check) for problem in self.problems()}

    def seen(self, name: str, part: str = "", **fields: Any) -> None:
        """Have the host show something else."""
        facts = self.facts[name]
        changed = {part: msgspec.structs.replace(getattr(facts, part), **fields)} if part else fields
        self.facts[name] = msgspec.structs.replace(facts, **changed)

    def spec(self, name: str, **fields: Any) -> None:
        machine = self.machines[name]
        self.machines[name] = msgspec.structs.replace(machine, spec=msgspec.structs.replace(machine.spec, **fields))

    def node(self, name: str, **fields: Any) -> None:
        self.nodes[name] = msgspec.structs.replace(self.nodes[name], **fields)


@given(st.integers(1, 8), st.integers(1, 3), st.booleans(), st.sampled_from(["native", "tke"]))
def test_what_matches_is_never_refused(size: int, planes: int, known: bool, platform: Platform) -> None:
    site = Site(size, planes)
    site.platform = platform
    site.authorities = site.authorities if known else frozenset()
    for name in site.names[1:]:
        site.seen(name, "kubeadm", owner=KEY)
    assert site.problems() == []


@given(st.permutations(range(5)))
def test_hosts_that_changed_places_are_all_found_and_named(order: list[int]) -> None:
    site = Site(5)
    hosts = dict(site.facts)
    moved = {
        name: site.names[place] for name, place in zip(site.names, order, strict=True) if site.names[place] != name
    }
    for name, host in moved.items():
        site.facts[name] = hosts[host]
    found = {(p.machine, p.remedy) for p in site.problems() if p.check == "machine-id"}
    assert found == {
        (name, f"this host is Node {host}: correct spec.address, or the Machine's name") for name, host in moved.items()
    }


Spoil = tuple[str, dict[str, Any], str]
HOST: list[Spoil] = [
    ("", {"machine_id": "id-other"}, "machine-id"),
    ("", {"machine_id": ""}, "machine-id"),
    ("network", {"addresses": ["198.51.100.9/24"]}, "address"),
    ("kubeadm", {"joined": False}, "kubeadm"),
    ("kubeadm", {"server": ""}, "kubeadm"),
    ("kubeadm", {"ca_hash": ""}, "authority"),
    ("kubeadm", {"owner": "default/other"}, "owner"),
    ("kubeadm", {"static_pods": ["kube-apiserver"]}, "role"),
]


@given(st.integers(2, 6), st.data())
def test_one_spoiled_host_is_refused_and_no_other(size: int, data: st.DataObject) -> None:
    site = Site(size)
    name = data.draw(st.sampled_from(site.names[1:]))
    part, fields, check = data.draw(st.sampled_from(HOST))
    site.seen(name, part, **fields)
    assert site.checks() == {(name, check)}
    assert all(problem.remedy and problem.message.startswith(f"machine {name}: ") for problem in site.problems())


@pytest.mark.parametrize("fields", [{"machine_id": ""}, {"machine_id": "id-other"}])
def test_a_node_that_shows_no_or_another_machine_id_proves_nothing(fields: dict[str, Any]) -> None:
    site = Site()
    site.node("n2", **fields)
    assert site.checks() == {("n2", "machine-id")}


def test_a_node_without_an_address_proves_nothing() -> None:
    site = Site()
    site.node("n2", address="")
    assert site.checks() == {("n2", "address")}


def test_a_host_with_more_addresses_than_a_survey_shows_is_believed_to_be_at_its_own() -> None:
    site = Site()
    site.seen("n2", "network", addresses=[f"198.51.{n}.1/32" for n in range(256)])
    assert site.checks() == set()
    site.spec("n2", address="203.0.113.2")
    assert site.checks() == {("n2", "address")}


def test_a_machine_that_is_reached_by_another_address_than_its_nodes_matches() -> None:
    site = Site()
    site.spec("n2", address="203.0.113.2")
    assert site.problems() == []


def test_a_machine_of_no_node_is_refused_and_the_node_that_it_is_named() -> None:
    site = Site()
    site.machines["w2"] = msgspec.structs.replace(
        site.machines.pop("n2"), metadata=ObjectMeta(name="w2", namespace="default")
    )
    site.facts["w2"] = site.facts.pop("n2")
    assert site.checks() == {("w2", "name"), ("", "nodes")}
    assert site.problems()[0].remedy.startswith("this host is Node n2")


def with_a_spare(**facts: Any) -> Site:
    """A cluster of n1 to n3 that has a Machine more, n4, on a host of its own."""
    site = Site(4)
    del site.nodes["n4"]
    site.facts["n4"] = MachineFacts(**({"machine_id": "id-n4"} | facts))
    return site


@pytest.mark.parametrize("role", ["Worker", "ControlPlane"])
def test_a_machine_on_a_free_host_is_no_mismatch_but_a_node_to_be(role: Any) -> None:
    site = with_a_spare()
    site.spec("n4", role=role)
    assert (site.problems(), site.new()) == ([], ["n4"])
    # A join that was cut off has left files, and the mark that says whose they are.
    half = KubeadmFacts(owner=KEY, joined=True, unfinished=True, static_pods=PODS[1:])
    site.facts["n4"] = MachineFacts(machine_id="id-n4", kubeadm=half)
    assert (site.problems(), site.new()) == ([], ["n4"])
    # kubeadm registers a control plane before etcd has it.
    site.nodes["n4"] = NodeFacts(name="n4", machine_id="id-n4")
    assert (site.problems(), site.new()) == ([], ["n4"])
    site.node("n4", machine_id="id-of-another")
    assert site.new() == []


def test_a_node_of_ours_whose_node_was_deleted_never_joins_anew() -> None:
    site = with_a_spare(kubeadm=KubeadmFacts(owner=KEY, joined=True, server="https://192.0.2.1:6443", ca_hash=CA))
    assert site.new() == []
    (problem,) = site.problems()
    assert (problem.check, "systemctl restart kubelet" in problem.remedy) == ("name", True)


def test_a_new_control_plane_is_none_that_the_others_could_stem_from() -> None:
    site = with_a_spare()
    del site.machines["n1"]
    site.spec("n4", role="ControlPlane")
    assert site.checks() == {("", "role"), ("", "nodes")}


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        ({"machine_id": ""}, "name"),
        ({"machine_id": "id-n2"}, "name"),
        ({"kubeadm": KubeadmFacts(joined=True, server="https://192.0.2.99:6443")}, "name"),
        ({"kubeadm": KubeadmFacts(etcd_data=True)}, "name"),
        ({"kubeadm": KubeadmFacts(owner="default/other")}, "owner"),
    ],
)
def test_a_host_that_is_or_may_be_a_node_of_something_never_joins(facts: dict[str, Any], check: str) -> None:
    site = with_a_spare(**facts)
    assert site.new() == []
    assert ("n4", check) in site.checks()


@given(st.integers(1, 6), st.integers(1, 3))
def test_what_is_a_node_is_never_taken_for_a_new_one(size: int, planes: int) -> None:
    assert Site(size, planes).new() == []


def test_every_node_needs_a_machine() -> None:
    site = Site()
    del site.machines["n3"]
    (problem,) = site.problems()
    assert problem.message == "1 Node without a Machine: n3"
    assert "groundplane adopt cluster/prod" in problem.remedy


def test_a_cluster_of_workers_alone_is_not_changed() -> None:
    site = Site()
    del site.machines["n1"]
    assert site.checks() == {("", "role"), ("", "nodes")}


@pytest.mark.parametrize(
    ("name", "role", "now"),
    [("n1", "Worker", "ControlPlane"), ("n2", "ControlPlane", "Worker"), ("n2", None, "Worker")],
)
def test_a_part_that_the_host_does_not_play_is_refused(name: str, role: Any, now: str) -> None:
    site = Site(planes=1)
    site.spec(name, role=role)
    found = next(problem for problem in site.problems() if problem.machine == name)
    assert (found.check, found.remedy) == ("role", f"set spec.role of Machine {name} to {now}")


def test_a_control_plane_without_etcd_is_refused() -> None:
    site = Site()
    site.seen("n1", "kubeadm", static_pods=PODS[1:])
    assert site.checks() == {("n1", "etcd")}


def test_two_machines_that_are_one_host_are_refused_both() -> None:
    site = Site()
    site.facts["n3"] = site.facts["n2"]
    assert {("n2", "same-host"), ("n3", "same-host"), ("n3", "machine-id"), ("n3", "address")} <= site.checks()


def test_cloned_machine_ids_cannot_be_told_apart() -> None:
    site = Site()
    for name in ("n2", "n3"):
        site.seen(name, machine_id="cloned")
        site.node(name, machine_id="cloned")
    assert site.checks() == {("n2", "same-host"), ("n3", "same-host")}


def test_hosts_of_another_cluster_that_look_alike_are_told_by_their_ca() -> None:
    site = Site()
    for name in site.names:
        site.seen(name, "kubeadm", ca_hash="d" * 64)
    assert site.checks() == {(name, "authority") for name in site.names}
    site.authorities = frozenset()
    assert site.problems() == []
    site.seen("n2", "kubeadm", ca_hash=CA)
    assert site.checks() == {("", "authority")}


@pytest.mark.parametrize("platform", sorted({*get_args(Platform)} - {"native", "tke"}))
def test_only_what_kubeadm_made_is_adopted(platform: Platform) -> None:
    site = Site()
    site.platform = platform
    (problem,) = site.problems()
    assert (problem.machine, problem.check) == ("", "platform")
    assert (platform in problem.message) == (platform in MANAGED)


def test_a_kubelet_of_another_name_is_a_hint() -> None:
    site = Site()
    site.seen("n2", "kubelet", node_name="ip-192-0-2-2")
    (problem,) = site.problems()
    assert problem.severity == "Warning"
    assert errors(site.problems()) == []


def test_machines_that_were_not_looked_at_are_left_to_the_caller() -> None:
    site = Site()
    del site.facts["n2"]
    assert site.problems() == []
