"""Machines of a Cluster that stays, while they are taken out; and which machines have to be looked at for a plan.

A deleted Machine is held until its node is out of the cluster. It is let go when a removal that was made after its
deletion has succeeded, or when there is nothing of the cluster on it.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_ABANDON, FINALIZER_IN_USE

from ..access import Access, Surveyed
from .scope import ClusterScope


def leaving(scope: ClusterScope) -> list[str]:
    """Return the machines that are deleted and still there."""
    return sorted(m.metadata.name for m in scope.machines if m.metadata.deletion_timestamp)


def have_left(scope: ClusterScope) -> set[str]:
    """Return the deleted machines that we hold and whose removal has succeeded.

    One of an earlier Machine of the name does not count.
    """
    held = [m.metadata for m in scope.machines if FINALIZER_IN_USE in m.metadata.finalizers]
    asked = {meta.name: meta.deletion_timestamp for meta in held if meta.deletion_timestamp}
    done = [o for o in scope.operations if o.spec.plan.action == "Remove" and o.status.phase == "Succeeded"]
    return {
        name
        for operation in done
        for name in operation.spec.target.leaving
        if name in asked and operation.metadata.creation_timestamp >= asked[name]
    }


def vouched(scope: ClusterScope, observed: ClusterFacts) -> dict[str, MachineFacts]:
    """Return what is known of the living members, by name: a plan can begin with it."""
    key = f"{scope.cluster.metadata.namespace}/{scope.cluster.metadata.name}"
    return {m.metadata.name: f for m in _asked(scope) if (f := settled(m, key, observed))}


async def facts_for(access: Access, scope: ClusterScope, known: Mapping[str, MachineFacts]) -> Surveyed:
    """Return the facts that a plan is made from: what is known, and a look at all other machines.

    Plan with what is vouched for, and when the plan touches such a machine (plan.planes.touched), look at it and plan
    again. One that is deleted and given up is not asked any more.
    """
    surveyed = await access.survey([m for m in _asked(scope) if m.metadata.name not in known])
    return Surveyed(facts={**known, **surveyed.facts}, errors=surveyed.errors)


def _asked(scope: ClusterScope) -> list[Machine]:
    return [machine for machine in scope.machines if not given_up(machine)]


def settled(machine: Machine, key: str, observed: ClusterFacts) -> MachineFacts | None:
    """Return what is known of a machine that is a living member for sure; None when it has to be looked at.

    The cluster itself vouches for it: its Node is Ready, and has the machine-id that the facts have.
    """
    facts, status = machine.status.facts, machine.status
    if facts is None or machine.metadata.deletion_timestamp or not observed.reachable:
        return None
    node = next((node for node in observed.nodes if node.name == machine.metadata.name), None)
    vouched = node is not None and node.ready and bool(node.machine_id) and node.machine_id == facts.machine_id
    mine = facts.kubeadm.owner == key and facts.kubeadm.joined
    return facts if vouched and mine and status.observed_generation == machine.metadata.generation else None


def given_up(machine: Machine) -> bool:
    """Tell whether a deleted machine is gone for good: it is not asked any more."""
    return bool(machine.metadata.deletion_timestamp) and machine.metadata.annotations.get(ANNOTATION_ABANDON) == "true"
