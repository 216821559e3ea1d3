"""Whether a Cluster and all it refers to fit together, the rule of shared networks included."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplane.api.cluster import Cluster
from groundplane.api.facts import MachineFacts
from groundplane.api.machine import Machine
from groundplane.api.meta import Condition, find_condition, is_true
from groundplane.api.target import Desired, resolve
from groundplane.api.validation import Verdict, check_cluster
from groundplane.api.validation.together import free, shared_network

from .world import World, example, machine, only, paths

FOUNDATION, DISTRIBUTION = example("Foundation"), example("Distribution")
MEMBERS = [machine("shop-1", "198.18.0.11", role="ControlPlane"), machine("shop-2", "198.18.0.12")]
LATER = "2026-01-02T00:00:00Z"
EARLIER = "2026-01-01T00:00:00Z"


def cluster(name: str = "shop", *, created: str = LATER, **spec: Any) -> Cluster:
    plain = {"foundationRef": None, "kubernetes": {"version": "v1.20.2"}, "controlPlane": None}
    made: Cluster = example(
        "Cluster", metadata={"name": name, "creationTimestamp": created}, spec={**plain, **spec}, status={}
    )
    return made


def judged(
    wanted: Cluster,
    members: list[Machine] = MEMBERS,
    *,
    others: list[Cluster] | None = None,
    away: list[Machine] | None = None,
) -> Verdict:
    """Check a cluster among other clusters and the machines of those."""
    world = World(
        clusters=[wanted, *(others or [])],
        machines=[*members, *(away or [])],
        foundations=[FOUNDATION],
        distributions=[DISTRIBUTION],
    )
    foundation = FOUNDATION if wanted.spec.foundation_ref else None
    return check_cluster(wanted, foundation, DISTRIBUTION, members, world)


def test_a_sound_cluster_has_no_cause_and_no_warning() -> None:
    for wanted in (cluster(), cluster(foundationRef={"name": "production"}, kubernetes=None)):
        assert judged(wanted) == Verdict()


def test_a_foundation_that_is_not_there_is_named_with_those_that_are() -> None:
    wanted = cluster(foundationRef={"name": "producton"})
    world = World(clusters=[wanted], machines=MEMBERS, foundations=[FOUNDATION])
    cause = only(check_cluster(wanted, None, DISTRIBUTION, MEMBERS, world))
    assert (cause.field, cause.value) == ("spec.foundationRef.name", "producton")
    assert "there are: production" in cause.message


def test_a_distribution_that_is_not_there_is_named() -> None:
    cause = only(check_cluster(cluster(), None, None, MEMBERS, World(machines=MEMBERS)))
    assert (cause.field, cause.value) == ("spec.kubernetes.distribution", "native")
    assert "there is none" in cause.message


def test_a_version_that_nobody_chose_is_required() -> None:
    assert paths(judged(cluster(kubernetes=None))) == ["spec.kubernetes.version"]


def test_an_unknown_release_is_refused_with_those_that_exist() -> None:
    cause = only(judged(cluster(kubernetes={"version": "v1.20.6"})))
    assert (cause.field, cause.value) == ("spec.kubernetes.version", "v1.20.6")
    assert "choose one of: v1.20.2" in cause.message


def test_docker_from_1_24_on_is_refused_when_all_is_together_too() -> None:
    wanted = cluster(kubernetes={"version": "v1.24.0"}, runtime={"name": "docker"})
    assert paths(judged(wanted)) == ["spec.kubernetes.version", "spec.runtime.name"]


def test_a_malformed_version_is_reported_once() -> None:
    assert paths(judged(cluster(kubernetes={"version": "1.20"}))) == ["spec.kubernetes.version"]


def planes(count: int) -> list[Machine]:
    return [machine(f"shop-{n}", f"198.18.0.1{n}", role="ControlPlane") for n in range(count)]


def test_a_cluster_without_control_plane_is_refused() -> None:
    cause = only(judged(cluster(), [machine("shop-2", "198.18.0.12")]))
    assert (cause.field, cause.reason) == ("spec.controlPlane", "FieldValueRequired")
    assert "role ControlPlane" in cause.message


def test_an_even_number_of_control_planes_is_warned_about() -> None:
    verdict = judged(cluster(controlPlane={"endpoint": {"host": "api.example.com"}}), planes(2))
    assert verdict.ok
    (warning,) = verdict.warnings
    assert "choose 1 or 3" in warning
    assert judged(cluster(controlPlane={"endpoint": {"host": "api.example.com"}}), planes(3)) == Verdict()


def test_several_control_planes_need_an_endpoint() -> None:
    cause = only(judged(cluster(), planes(3)))
    assert (cause.field, cause.reason) == ("spec.controlPlane.endpoint.host", "FieldValueRequired")
    assert "3 control planes" in cause.message


def test_an_endpoint_that_is_one_of_several_control_planes_is_warned_about() -> None:
    verdict = judged(cluster(controlPlane={"endpoint": {"host": "198.18.0.11"}}), planes(3))
    assert verdict.ok
    assert "is Machine shop-1" in verdict.warnings[0]
    assert judged(cluster(controlPlane={"endpoint": {"host": "198.18.0.11"}})) == Verdict()


def test_a_virtual_ip_belongs_to_no_machine() -> None:
    endpoint = {"host": "198.18.0.12", "provider": "VirtualIP"}
    cause = only(judged(cluster(controlPlane={"endpoint": endpoint})))
    assert "is the address of Machine shop-2" in cause.message


def test_machines_inside_the_clusters_networks_are_refused_by_name() -> None:
    members = [*MEMBERS, machine("shop-3", "10.96.1.1"), machine("shop-4", "127.0.0.1")]
    causes = judged(cluster(), members).causes
    assert [cause.field for cause in causes] == ["machines[shop-3].spec.address", "machines[shop-4].spec.address"]
    assert "lies in serviceCIDR 10.96.0.0/16" in causes[0].message


def test_a_member_without_role_is_refused() -> None:
    whole = machine("shop-3", "198.18.0.13")
    member = msgspec.structs.replace(whole, spec=msgspec.structs.replace(whole.spec, role=None))
    assert paths(judged(cluster(), [*MEMBERS, member])) == ["machines[shop-3].spec.role"]


def test_a_machine_claimed_by_two_clusters_is_refused_by_address() -> None:
    twin = machine("db-9", "198.18.0.12", cluster="db")
    cause = only(judged(cluster(), away=[twin]))
    assert (cause.field, cause.reason) == ("machines[shop-2].spec.address", "FieldValueDuplicate")
    assert "default/db-9" in cause.message
    assert "belongs to Cluster default/db" in cause.message


def facts(**values: Any) -> dict[str, Any]:
    return {"facts": values}


def test_a_machine_claimed_by_two_clusters_is_refused_by_identity() -> None:
    here = machine("shop-2", "198.18.0.12", status=facts(machineId="m1", productUuid="u1"))
    there = machine("db-9", "198.18.7.7", cluster="db", status=facts(machineId="m1", productUuid="u1"))
    cause = only(judged(cluster(), [MEMBERS[0], here], away=[there]))
    assert (cause.field, cause.value) == ("machines[shop-2].status.facts.machineId", "m1")


def test_cloned_disks_and_unknown_identities_are_not_one_host() -> None:
    here = machine("shop-2", "198.18.0.12", status=facts(machineId="m1", productUuid="u1"))
    clone = machine("db-8", "198.18.7.8", cluster="db", status=facts(machineId="m1", productUuid="u2"))
    new = machine("db-9", "198.18.7.9", cluster="db")
    blank = machine("shop-3", "198.18.0.13", status=facts())
    assert judged(cluster(), [MEMBERS[0], here, blank], away=[clone, new]).ok


def test_a_pod_network_without_room_for_all_nodes_is_refused() -> None:
    cause = only(judged(cluster(network={"podCIDR": "10.244.0.0/24"})))
    assert cause.field == "spec.network.podCIDR"
    assert "room for 1 nodes" in cause.message
    assert "2 machines" in cause.message


def test_malformed_networks_are_reported_and_not_compared() -> None:
    older = cluster("old", created=EARLIER)
    verdict = judged(
        cluster(network={"podCIDR": "x"}), others=[older], away=[machine("o", "198.18.9.9", cluster="old")]
    )
    assert paths(verdict) == ["spec.network.podCIDR"]
    broken = cluster("old", created=EARLIER, network={"podCIDR": "x"})
    assert judged(cluster(), others=[broken], away=[machine("o", "198.18.9.9", cluster="old")]).ok


NEIGHBOUR = machine("old-1", "198.18.9.9", cluster="old")


def test_pod_networks_of_clusters_on_one_network_must_be_apart() -> None:
    older = cluster("old", created=EARLIER, network={"serviceCIDR": "10.99.0.0/16"})
    cause = only(judged(cluster(), others=[older], away=[NEIGHBOUR]))
    assert (cause.field, cause.value) == ("spec.network.podCIDR", "10.244.0.0/16")
    assert "pod network 10.244.0.0/16 of Cluster default/old" in cause.message
    assert "same network 198.18.0.0/16" in cause.message
    assert "such as 10.0.0.0/16" in cause.message


def test_the_cluster_that_was_there_first_stays_valid() -> None:
    newer = cluster("young", created=LATER)
    first = cluster(created=EARLIER)
    assert judged(first, others=[newer], away=[machine("y", "198.18.9.9", cluster="young")]) == Verdict()


def test_pods_and_services_of_neighbours_must_be_apart_as_well() -> None:
    older = cluster("old", created=EARLIER, network={"podCIDR": "10.96.0.0/16", "serviceCIDR": "10.244.0.0/20"})
    verdict = judged(cluster(), others=[older], away=[NEIGHBOUR])
    assert paths(verdict) == ["spec.network.podCIDR", "spec.network.serviceCIDR"]


def test_equal_service_networks_of_neighbours_are_only_warned_about() -> None:
    older = cluster("old", created=EARLIER, network={"podCIDR": "10.245.0.0/16"})
    verdict = judged(cluster(), others=[older], away=[NEIGHBOUR])
    assert verdict.ok
    assert "overlaps with that of Cluster default/old" in verdict.warnings[0]


def test_a_pod_network_that_holds_a_neighbours_machine_is_refused() -> None:
    older = cluster("old", created=EARLIER, network={"podCIDR": "10.245.0.0/16", "serviceCIDR": "10.99.0.0/16"})
    away = [NEIGHBOUR, machine("old-2", "10.244.1.1", cluster="old"), machine("old-3", "x", cluster="old")]
    cause = only(judged(cluster(), others=[older], away=away))
    assert "holds the address 10.244.1.1 of Machine default/old-2" in cause.message


@pytest.mark.parametrize(
    "away",
    [
        machine("old-1", "198.19.9.9", cluster="old"),
        machine("old-1", "198.18.9.9", cluster="old", spec={"ssh": {"jump": {"address": "site-b"}}}),
        machine("old-1", "198.18.9.9", cluster="old", metadata={"namespace": "other"}),
        machine("old-1", "198.18.9.9", cluster="old", spec={"clusterRef": None}),
    ],
    ids=["other /16", "other site", "other namespace's cluster", "no member"],
)
def test_clusters_on_different_networks_may_use_the_same_addresses(away: Machine) -> None:
    assert judged(cluster(), others=[cluster("old", created=EARLIER)], away=[away]) == Verdict()


networks = st.builds(
    lambda bits, size: str(IPv4Network(((10 << 24) | (bits & 0xFFFFFF), size), strict=False)),
    st.integers(0, 0xFFFFFF),
    st.integers(12, 24),
)


@settings(max_examples=40)
@given(networks, networks)
def test_of_two_clusters_that_collide_exactly_the_later_is_refused(one: str, two: str) -> None:
    mine = cluster(network={"podCIDR": one, "serviceCIDR": "172.20.0.0/16"})
    theirs = cluster("old", created=EARLIER, network={"podCIDR": two, "serviceCIDR": "172.21.0.0/16"})
    ours, others = (
        [machine("shop-1", "198.18.0.11", role="ControlPlane")],
        [machine("old-1", "198.18.9.9", role="ControlPlane", cluster="old")],
    )
    overlap = IPv4Network(one).overlaps(IPv4Network(two))
    assert judged(mine, ours, others=[theirs], away=others).ok is not overlap
    assert judged(theirs, others, others=[mine], away=ours).ok


addresses = st.lists(st.integers(0, 0xFFFF).map(lambda n: f"198.{18 + n % 3}.{n >> 8}.{n & 255}"), max_size=4)


@given(addresses, addresses)
def test_sharing_a_network_is_mutual(one: list[str], two: list[str]) -> None:
    left = [machine(f"a-{i}", address) for i, address in enumerate(one)]
    right = [machine(f"b-{i}", address) for i, address in enumerate(two)]
    assert shared_network(left, right) == shared_network(right, left)


@settings(max_examples=40)
@given(st.lists(networks, max_size=5), st.integers(12, 24))
def test_what_is_offered_as_free_is_free(taken: list[str], size: int) -> None:
    world = World(clusters=[cluster(f"c-{i}", network={"podCIDR": cidr}) for i, cidr in enumerate(taken)])
    offered = IPv4Network(free(f"10.0.0.0/{size}" if size >= 8 else "10.0.0.0/8", world))
    assert offered.prefixlen == size
    assert not any(offered.overlaps(IPv4Network(cidr)) for cidr in [*taken, "10.96.0.0/16"])


def test_nothing_is_offered_when_all_private_networks_are_taken() -> None:
    full = [
        cluster("a", network={"podCIDR": "10.0.0.0/8", "serviceCIDR": "172.16.0.0/12"}),
        cluster("b", network={"podCIDR": "192.168.0.0/16"}),
    ]
    assert free("10.0.0.0/16", World(clusters=full)) == "a network that no other cluster uses"


def test_the_target_takes_from_the_foundation_what_the_cluster_leaves_open() -> None:
    wanted = cluster(foundationRef={"name": "production"}, kubernetes=None)
    target = resolve(wanted, FOUNDATION, DISTRIBUTION, [MEMBERS[1], MEMBERS[0]])
    assert (target.key, target.first, target.members) == ("default/shop", "shop-1", ["shop-1", "shop-2"])
    assert (target.version, target.endpoint.host) == ("v1.20.2", "198.18.0.11")
    assert target.operating_systems[0].id == "debian"
    assert Desired(target=target, machines={}).target is target
    own = resolve(cluster(controlPlane={"endpoint": {"host": "api"}}), None, DISTRIBUTION, MEMBERS)
    assert own.endpoint.host == "api"
    with pytest.raises(LookupError, match="has no release v1"):
        resolve(cluster(kubernetes={"version": "v1.99.0"}), None, DISTRIBUTION, MEMBERS)


def test_facts_and_conditions_are_found_by_name() -> None:
    facts = msgspec.convert({"runtimes": [{"name": "docker", "installed": True}]}, MachineFacts)
    assert facts.runtime("docker").installed
    assert not facts.runtime("containerd").installed
    conditions = [Condition(type="Ready", status="True", reason="Done")]
    assert find_condition(conditions, "Ready") is conditions[0]
    assert is_true(conditions, "Ready")
    assert not is_true(conditions, "Gone")
