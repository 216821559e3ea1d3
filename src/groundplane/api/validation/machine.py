"""Admission of Machines: address, access, part in a Cluster; and what a member may not change."""

from __future__ import annotations

from collections.abc import Iterator

from ..cause import Cause, Verdict, duplicate, forbidden, required
from ..cluster import Cluster
from ..machine import Machine, MachineSpec, SSHAccess
from . import values
from .cluster import inside
from .contract import AdmittingWorld, World
from .shared import find, frozen, key_of, repeated, same_object, with_index

# Kubernetes' own components keep these; kubeadm and the kubelet set them by role and host.
_KEPT_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/master",
    }
)


def admit_machine(machine: Machine, old: Machine | None, world: AdmittingWorld) -> Verdict:
    """Judge a Machine that is created, or changed from `old`."""
    spec = machine.spec
    meta = machine.metadata
    # Its Node may have been named by a host's full name.
    named = values.dns_name("metadata.name", meta.name) if meta.name or not meta.generate_name else None
    verdict = Verdict([named] if named else [])
    if not spec.address:
        verdict.add(required("spec.address", "Groundplane reaches the host by it; give its IPv4 address"))
    elif cause := values.address("spec.address", spec.address):
        verdict.add(cause)
    else:
        verdict.extend(_address_taken(machine, world))
    verdict.extend(_ssh_causes(spec.ssh))
    verdict.extend(_node_causes(spec))
    _membership(machine, world, verdict)
    if old is not None:
        verdict.extend(_immutable(machine, old, world))
    return verdict


def reached_at(machine: Machine) -> tuple[str, str]:
    """Return what tells hosts apart: the address, and the jump host behind which it is (private nets repeat)."""
    jump = machine.spec.ssh.jump
    return (jump.address if jump else "", machine.spec.address)


def _address_taken(machine: Machine, world: AdmittingWorld) -> Iterator[Cause]:
    for other in world.machines_at(*reached_at(machine)):
        if not same_object(other, machine):
            rule = f"Machine {key_of(other)} has this address; one host is one Machine"
            yield duplicate("spec.address", machine.spec.address, rule)


def _ssh_causes(ssh: SSHAccess) -> list[Cause]:
    found = [values.user("spec.ssh.user", ssh.user), values.host_key("spec.ssh.hostKey", ssh.host_key)]
    if ssh.secret_ref is not None:
        found.append(values.dns_name("spec.ssh.secretRef.name", ssh.secret_ref.name))
    if ssh.jump is not None:
        found += [
            values.host("spec.ssh.jump.address", ssh.jump.address),
            values.user("spec.ssh.jump.user", ssh.jump.user),
            values.host_key("spec.ssh.jump.hostKey", ssh.jump.host_key),
        ]
        if ssh.jump.secret_ref is not None:
            found.append(values.dns_name("spec.ssh.jump.secretRef.name", ssh.jump.secret_ref.name))
    return [cause for cause in found if cause]


def _node_causes(spec: MachineSpec) -> list[Cause]:
    found: list[Cause | None] = []
    for path, key, value in with_index("spec.labels", spec.labels):
        found += [values.label_key(path, key), values.label_value(path, value)]
        if key in _KEPT_LABELS:
            found.append(forbidden(path, value, f"{key} is kept by Kubernetes itself; leave it out"))
    for index, taint in enumerate(spec.taints):
        path = f"spec.taints[{index}]"
        found += [values.label_key(f"{path}.key", taint.key), values.label_value(f"{path}.value", taint.value)]
    found += repeated("spec.taints", [f"{taint.key}:{taint.effect}" for taint in spec.taints], "taint")
    return [cause for cause in found if cause]


def _membership(machine: Machine, world: World, verdict: Verdict) -> None:
    spec = machine.spec
    if spec.cluster_ref is None:
        if spec.role is not None:
            verdict.warn("spec.role", f"{spec.role} has no meaning without clusterRef")
        return
    verdict.add(values.dns_label("spec.clusterRef.name", spec.cluster_ref.name))
    if spec.role is None:
        verdict.add(required("spec.role", "a member of a Cluster is ControlPlane or Worker"))
    cluster = find(world.clusters, machine.metadata.namespace, spec.cluster_ref.name)
    # The networks of an imported Cluster are its owner's, and no field of ours says which they are.
    if cluster is not None and cluster.spec.provider != "Imported":
        verdict.add(inside("spec.address", spec.address, cluster.spec.network))


def member_of(machine: Machine, world: World) -> Cluster | None:
    """Return the Cluster that has the Machine as member: it lists it, or its mark is on the host.

    An adopted Cluster lists also Machines that do not fit their Nodes yet, so that there only the mark counts.
    """
    reference = machine.spec.cluster_ref
    if reference is None:
        return None
    cluster = find(world.clusters, machine.metadata.namespace, reference.name)
    if cluster is None:
        return None
    made = cluster.spec.provider != "Imported"
    listed = made and any(node.machine == machine.metadata.name for node in cluster.status.nodes)
    facts = machine.status.facts
    return cluster if listed or (facts is not None and facts.kubeadm.owner == key_of(cluster)) else None


def _immutable(machine: Machine, old: Machine, world: World) -> Iterator[Cause]:
    cluster = member_of(old, world)
    if cluster is None:
        return
    why = f"the machine is a member of Cluster {key_of(cluster)}; take it out of the cluster first"
    pairs = {
        "spec.address": (old.spec.address, machine.spec.address),
        "spec.role": (old.spec.role, machine.spec.role),
        "spec.clusterRef": (old.spec.cluster_ref, machine.spec.cluster_ref),
    }
    for path, (before, after) in pairs.items():
        if cause := frozen(path, before, after, why):
            yield cause
