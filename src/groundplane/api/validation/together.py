"""Whether a Cluster and all that it refers to fit together. The Cluster's controller asks, and says it in a condition.

Networks of different clusters. Two clusters share a network when a machine of one and a machine of the other have
addresses in the same /16 and are reached through the same jump host, or both without one. Among clusters that share a
network, pod networks must be apart from each other, from the other's service network and from its machines: pods are
routed between hosts, so an address in two places is lost in one of them. Two equal service networks are only warned
about: service addresses are rewritten on the machine and never travel. Of two clusters that collide the one that was
created later is refused; the other may be running.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from ..cause import Cause, Verdict, duplicate, invalid, required
from ..cluster import Cluster
from ..distribution import Distribution
from ..foundation import Foundation
from ..machine import Machine
from ..meta import FINALIZER_IN_USE
from . import values
from .cluster import inside, network_causes, node_prefix
from .contract import World
from .machine import reached_at
from .shared import choices, key_of, release_cause, runtime_cause, same_object

SHARED_PREFIX = 16
_HOST = "spec.controlPlane.endpoint.host"


def check_cluster(
    cluster: Cluster,
    foundation: Foundation | None,
    distribution: Distribution | None,
    machines: Sequence[Machine],
    world: World,
) -> Verdict:
    """Judge a Cluster with its Foundation, its Distribution and the Machines that point to it."""
    verdict = Verdict()
    if cluster.spec.foundation_ref is not None and foundation is None:
        name = cluster.spec.foundation_ref.name
        known = [f.metadata.name for f in world.foundations if f.metadata.namespace == cluster.metadata.namespace]
        verdict.add(_missing("spec.foundationRef.name", "Foundation", name, known))
    else:
        _kubernetes(cluster, foundation, distribution, world, verdict)
    _control_planes(cluster, machines, verdict)
    for machine in sorted(machines, key=lambda m: m.metadata.name):
        verdict.extend(_member_causes(cluster, machine, world))
    # Networks can be compared only when they are well formed.
    malformed = network_causes(cluster.spec)
    verdict.extend(malformed)
    if not malformed:
        verdict.add(_room(cluster, machines))
        _neighbours(cluster, machines, world, verdict)
    return verdict


def _missing(path: str, kind: str, name: str, known: Sequence[str]) -> Cause:
    there = f"there are: {', '.join(sorted(known))}" if known else "there is none"
    return invalid(path, name, f"no {kind} of this name in the namespace; create it, or choose another ({there})")


def _kubernetes(
    cluster: Cluster, foundation: Foundation | None, distribution: Distribution | None, world: World, verdict: Verdict
) -> None:
    chosen = choices(cluster, foundation)
    if not chosen.version.value:
        rule = "neither the Cluster nor its Foundation says which Kubernetes to install"
        verdict.add(required("spec.kubernetes.version", rule))
    if distribution is None:
        known = [d.metadata.name for d in world.distributions if d.metadata.namespace == cluster.metadata.namespace]
        verdict.add(_missing(chosen.distribution.path, "Distribution", chosen.distribution.value, known))
    else:
        verdict.add(release_cause(chosen, distribution))
    verdict.add(runtime_cause(chosen, world.runtimes))


def _control_planes(cluster: Cluster, machines: Sequence[Machine], verdict: Verdict) -> None:
    planes = [machine for machine in machines if machine.spec.role == "ControlPlane"]
    endpoint = cluster.spec.control_plane.endpoint
    if not planes:
        rule = f"no Machine has role ControlPlane and clusterRef {cluster.metadata.name}; give one of them this part"
        verdict.add(required("spec.controlPlane", rule))
    if len(planes) > 1 and not endpoint.host:
        rule = f"{len(planes)} control planes need one address that clients use; give a virtual IP or a load balancer's"
        verdict.add(required(_HOST, rule))
    if planes and len(planes) % 2 == 0:
        message = (
            f"{len(planes)} control planes bear the loss of no more machines than {len(planes) - 1}: etcd needs more "
            f"than half of its members; choose {len(planes) - 1} or {len(planes) + 1}"
        )
        verdict.warn("spec.controlPlane", message)
    owner = next((m for m in planes if m.spec.address == endpoint.host), None)
    if owner is not None and len(planes) > 1:
        verdict.warn(_HOST, f"{endpoint.host} is Machine {owner.metadata.name}: without it, no client reaches the API")


def _member_causes(cluster: Cluster, machine: Machine, world: World) -> Iterator[Cause]:
    name, address = machine.metadata.name, machine.spec.address
    path = f"machines[{name}].spec.address"
    endpoint = cluster.spec.control_plane.endpoint
    if cause := values.address(path, address):
        yield cause
        return
    if cause := inside(path, address, cluster.spec.network):
        yield cause
    if endpoint.provider == "VirtualIP" and endpoint.host == address:
        yield invalid(_HOST, address, f"is the address of Machine {name}; a virtual IP belongs to no machine")
    yield from claims(machine, world)


def claims(machine: Machine, world: World) -> Iterator[Cause]:
    """No other Machine is the same host as one that stays.

    Marks of other clusters are the preflight's, which looks at fresh facts.
    """
    name, facts = machine.metadata.name, machine.status.facts
    if machine.spec.role is None:
        yield required(f"machines[{name}].spec.role", "a member of a Cluster is ControlPlane or Worker")
    if machine.metadata.deletion_timestamp:
        return
    for other in world.machines:
        if same_object(other, machine) or _let_go(other):
            continue
        if reached_at(other) == reached_at(machine):
            rule = f"Machine {key_of(other)} has this address{_claimed_by(other)}; one host is one Machine"
            yield duplicate(f"machines[{name}].spec.address", machine.spec.address, rule)
        elif facts is not None and _same_host(machine, other):
            rule = f"is the host of Machine {key_of(other)} too{_claimed_by(other)}; one host is one Machine"
            yield duplicate(f"machines[{name}].status.facts.machineId", facts.machine_id, rule)


def _let_go(machine: Machine) -> bool:
    """Tell whether a deleted Machine is held by no Cluster: whoever else keeps it, nothing is done to its host."""
    meta = machine.metadata
    return bool(meta.deletion_timestamp) and FINALIZER_IN_USE not in meta.finalizers


def _same_host(left: Machine, right: Machine) -> bool:
    """Machine id alone would not do: cloned disks share it. Cloned disks do not share the hardware's UUID."""
    one, two = left.status.facts, right.status.facts
    if one is None or two is None or not one.machine_id:
        return False
    return (one.machine_id, one.product_uuid) == (two.machine_id, two.product_uuid)


def _claimed_by(machine: Machine) -> str:
    reference = machine.spec.cluster_ref
    return f" and belongs to Cluster {machine.metadata.namespace}/{reference.name}" if reference else ""


def _room(cluster: Cluster, machines: Sequence[Machine]) -> Cause | None:
    prefix, length = node_prefix(cluster.spec), IPv4Network(cluster.spec.network.pod_cidr).prefixlen
    if prefix is None or len(machines) <= 2 ** (prefix - length):
        return None
    room = 2 ** (prefix - length)
    rule = (
        f"has room for {room} nodes with a /{prefix} each, and there are {len(machines)} machines; choose a larger one"
    )
    return invalid("spec.network.podCIDR", cluster.spec.network.pod_cidr, rule)


def _neighbours(cluster: Cluster, machines: Sequence[Machine], world: World, verdict: Verdict) -> None:
    for other in world.clusters:
        if same_object(other, cluster) or network_causes(other.spec) or _age(other) > _age(cluster):
            continue
        theirs = [m for m in world.machines if _belongs(m, other)]
        shared = shared_network(machines, theirs)
        if shared is not None:
            verdict.extend(_collisions(cluster, other, theirs, shared, world))
            _same_services(cluster, other, verdict)


def _age(cluster: Cluster) -> tuple[str, str, str]:
    meta = cluster.metadata
    return (meta.creation_timestamp, meta.namespace, meta.name)


def _belongs(machine: Machine, cluster: Cluster) -> bool:
    reference = machine.spec.cluster_ref
    here = machine.metadata.namespace == cluster.metadata.namespace
    return reference is not None and here and reference.name == cluster.metadata.name


def shared_network(left: Sequence[Machine], right: Sequence[Machine]) -> IPv4Network | None:
    """Return a network in which both have machines (see the module's words), or None."""
    common = _places(left) & _places(right)
    return min(network for _, network in common) if common else None


def _places(machines: Sequence[Machine]) -> set[tuple[str, IPv4Network]]:
    found = (reached_at(machine) for machine in machines)
    return {
        (jump, IPv4Network((address, SHARED_PREFIX), strict=False))
        for jump, address in found
        if values.address("", address) is None
    }


def _collisions(
    cluster: Cluster, other: Cluster, theirs: Sequence[Machine], shared: IPv4Network, world: World
) -> Iterator[Cause]:
    mine, yours = cluster.spec.network, other.spec.network
    pairs = (
        ("podCIDR", mine.pod_cidr, "pod", yours.pod_cidr),
        ("podCIDR", mine.pod_cidr, "service", yours.service_cidr),
        ("serviceCIDR", mine.service_cidr, "pod", yours.pod_cidr),
    )
    whose = f"of Cluster {key_of(other)}, which has machines in the same network {shared}"
    for field, cidr, kind, taken in pairs:
        if IPv4Network(cidr).overlaps(IPv4Network(taken)):
            rule = f"overlaps with the {kind} network {taken} {whose}; choose another, such as {free(cidr, world)}"
            yield invalid(f"spec.network.{field}", cidr, rule)
    for machine in theirs:
        if values.address("", machine.spec.address) is None and IPv4Address(machine.spec.address) in IPv4Network(
            mine.pod_cidr
        ):
            rule = f"holds the address {machine.spec.address} of Machine {key_of(machine)} {whose}"
            yield invalid("spec.network.podCIDR", mine.pod_cidr, f"{rule}; choose another")


def _same_services(cluster: Cluster, other: Cluster, verdict: Verdict) -> None:
    mine, yours = cluster.spec.network.service_cidr, other.spec.network.service_cidr
    if IPv4Network(mine).overlaps(IPv4Network(yours)):
        message = f"{mine} overlaps with that of Cluster {key_of(other)}; they cannot be joined into one network later"
        verdict.warn("spec.network.serviceCIDR", message)


def free(cidr: str, world: World) -> str:
    """Return a private network of the same size that no cluster and no machine uses, or words when there is none."""
    taken = [IPv4Network(text) for c in world.clusters for text in _networks(c) if values.network("", text) is None]
    taken += [network for _, network in _places(world.machines)]
    size = max(IPv4Network(cidr).prefixlen, 12)
    for space in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"):
        found = _first_free(IPv4Network(space), size, taken)
        if found is not None:
            return str(found)
    return "a network that no other cluster uses"


def _networks(cluster: Cluster) -> tuple[str, str]:
    return (cluster.spec.network.pod_cidr, cluster.spec.network.service_cidr)


def _first_free(space: IPv4Network, size: int, taken: Sequence[IPv4Network]) -> IPv4Network | None:
    """Walk `space` in steps of the wanted size, jumping over what is taken."""
    at, end, step = int(space.network_address), int(space.broadcast_address), 2 ** (32 - size)
    while at + step - 1 <= end:
        candidate = IPv4Network((at, size))
        blocking = [int(network.broadcast_address) for network in taken if network.overlaps(candidate)]
        if not blocking:
            return candidate
        at = -(-(max(blocking) + 1) // step) * step
    return None
