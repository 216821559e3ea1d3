"""Deleted Machines on which there is nothing of their Cluster: they go at once, whatever answers at their address.

A Machine may have been deleted for a wrong address, or because its host belongs to somebody else. No plan can be made
of such a one, and none is needed: there is no Node of its name, no Operation has touched it, and it was never seen with
the Cluster's mark. What is not known for sure keeps it, and the reason is said with what to type.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.facts import ClusterFacts
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.api.operation import FINAL_PHASES, Operation

from .deletion import is_lost, may_be_on_machines
from .leaving import given_up
from .scope import ClusterScope


def unused(scope: ClusterScope, observed: ClusterFacts) -> set[str]:
    """Return the deleted Machines that need not be taken out of the cluster, by name."""
    return {m.metadata.name for m in scope.machines if m.metadata.deletion_timestamp and not why(m, scope, observed)}


def why(machine: Machine, scope: ClusterScope, observed: ClusterFacts) -> str:
    """Return why a deleted Machine is not let go yet; "" when nothing keeps it."""
    name, imported = machine.metadata.name, scope.cluster.spec.provider == "Imported"
    if not observed.reachable and (imported or may_be_on_machines(scope)):
        return "the cluster's API does not answer, so nobody can tell whether it is a Node"
    if any(node.name == name for node in observed.nodes):
        return f"it is Node {name}"
    # Of a control plane that is given up, etcd may still know.
    if given_up(machine) and machine.spec.role == "Worker":
        return ""
    if one := next((o for o in scope.operations if _concerns(o, machine)), None):
        return f"Operation {one.metadata.name} was to work on it, so something of the cluster may be there"
    if is_lost(scope):
        return "an Operation of the cluster is not there any more, so nobody can tell whether it worked on it"
    if _bears_mark(machine, scope, observed):
        return "it had the mark of the cluster when it was last seen"
    return ""


def remedy(name: str) -> str:
    """Return what to type when the host of a deleted Machine is gone for good, or never was the cluster's."""
    return (
        f"if the machine is gone for good, or was never the cluster's, give it up: `kubectl annotate machine {name}"
        f" {ANNOTATION_ABANDON}=true`"
    )


def waiting(names: Iterable[str], scope: ClusterScope, observed: ClusterFacts) -> str:
    """Say which of these machines are deleted and stay all the same, why, and what to type; "" when none of them is."""
    wanted = set(names)
    kept = [m for m in scope.machines if m.metadata.name in wanted and m.metadata.deletion_timestamp]
    return "; ".join(
        f"the deletion of Machine {m.metadata.name} waits: {why(m, scope, observed)} – {remedy(m.metadata.name)}"
        for m in kept
    )


def _concerns(operation: Operation, machine: Machine) -> bool:
    """Tell whether an Operation may have worked on the Machine, or still may; not on an earlier one of its name."""
    status, target = operation.status, operation.spec.target
    if status.phase in FINAL_PHASES and not status.started_at:
        return False
    if status.finished_at and status.finished_at < machine.metadata.creation_timestamp:
        return False
    named = {name for step in operation.spec.plan.steps for name in (step.machine, *step.among)}
    return machine.metadata.name in named | {*target.members, *target.leaving}


def _bears_mark(machine: Machine, scope: ClusterScope, observed: ClusterFacts) -> bool:
    """Tell whether its host was seen with the Cluster's mark, and not as the Node of another of its Machines."""
    facts, meta = machine.status.facts, scope.cluster.metadata
    if facts is None or facts.kubeadm.owner != f"{meta.namespace}/{meta.name}":
        return False
    others = {one.metadata.name for one in scope.machines if one.metadata.name != machine.metadata.name}
    theirs = {node.machine_id for node in observed.nodes if node.name in others and node.machine_id}
    return facts.machine_id not in theirs
