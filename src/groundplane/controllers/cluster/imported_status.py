"""Cluster.status of an imported Cluster: one function for each way that a look can end. Pure.

Conditions: Reachable (its API answers us), Imported (it is one cluster, ours alone, and the same as ever), Ready.
What a survey once found stays when a later one fails, and the message says how old it is.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.facts import ClusterFacts, changes_of
from groundplane.clusters.changes import changes
from groundplane.engine.conditions import Conditions

from ..ages import last_facts
from .trouble import Trouble

_SHOWN = 10


def surveyed(cluster: Cluster, facts: ClusterFacts, now: datetime) -> ClusterStatus:
    """The survey was answered."""
    before = cluster.status
    ready = [node for node in facts.nodes if node.ready]
    conditions = _conditions(cluster, now)
    conditions.set("Reachable", "True", "Surveyed", _answered(facts))
    conditions.set("Imported", "True", "Imported", f"known by the uid of its kube-system namespace, {facts.cluster_id}")
    _judge(conditions, facts)
    whole = len(ready) == len(facts.nodes) and not facts.system_pods_pending
    return msgspec.structs.replace(
        before,
        observed_generation=cluster.metadata.generation,
        phase="Ready" if whole else "Degraded",
        version=facts.version,
        distribution=facts.platform.name,
        runtime=_listed(sorted({node.runtime for node in facts.nodes if node.runtime})),
        endpoint=facts.source,
        cluster_id=facts.cluster_id,
        kubeconfig_ref=cluster.spec.kubeconfig_ref,
        ready_nodes=len(ready),
        facts=msgspec.structs.replace(facts, nodes=[]),
        history=changes_of(before.history, changes(before.facts, facts)),
        conditions=conditions.values(),
    )


def without_machines(cluster: Cluster, status: ClusterStatus, now: datetime) -> ClusterStatus:
    """No Machine points to it, or none does any more: nothing is said of an adoption."""
    conditions = Conditions(status.conditions, generation=cluster.metadata.generation, now=now)
    conditions.drop("Adopted")
    conditions.drop("Progressing")
    return msgspec.structs.replace(status, machines=0, nodes=[], conditions=conditions.values())


def unreachable(cluster: Cluster, trouble: Trouble, now: datetime) -> ClusterStatus:
    """It could not be surveyed, for a reason of its credentials, its network or its own."""
    before, conditions = cluster.status, _conditions(cluster, now)
    message = f"{trouble.message}{_age(before.facts, now)}"
    conditions.set("Reachable", "False", trouble.reason, message)
    conditions.set("Ready", "False", trouble.reason, message)
    if not before.cluster_id:
        conditions.set("Imported", "False", trouble.reason, message)
    return _kept(cluster, conditions)


def replaced(cluster: Cluster, trouble: Trouble, now: datetime) -> ClusterStatus:
    """Another cluster answers in its place: nothing of that one is taken over."""
    conditions = _conditions(cluster, now)
    message = f"{trouble.message}{_age(cluster.status.facts, now)}"
    conditions.set("Imported", "False", trouble.reason, message)
    conditions.set("Ready", "False", trouble.reason, message)
    return _kept(cluster, conditions)


def second(cluster: Cluster, trouble: Trouble, cluster_id: str, now: datetime) -> ClusterStatus:
    """Another Cluster is the cluster: this one keeps its id, to take its place one day, and nothing else."""
    conditions = _conditions(cluster, now)
    conditions.drop("Reachable")
    conditions.set("Imported", "False", trouble.reason, trouble.message)
    conditions.set("Ready", "False", trouble.reason, trouble.message)
    return ClusterStatus(
        observed_generation=cluster.metadata.generation,
        phase="Pending",
        cluster_id=cluster_id,
        history=cluster.status.history,
        conditions=conditions.values(),
    )


def _conditions(cluster: Cluster, now: datetime) -> Conditions:
    return Conditions(cluster.status.conditions, generation=cluster.metadata.generation, now=now)


def _kept(cluster: Cluster, conditions: Conditions) -> ClusterStatus:
    return msgspec.structs.replace(
        cluster.status,
        observed_generation=cluster.metadata.generation,
        phase="Degraded" if cluster.status.facts else "Pending",
        conditions=conditions.values(),
    )


def _answered(facts: ClusterFacts) -> str:
    said = f"{facts.source} answered: {facts.platform.name} {facts.version}, {len(facts.nodes)} nodes"
    unseen = _listed([gap.what for gap in facts.gaps])
    return f"{said}; not seen: {unseen}" if unseen else said


def _judge(conditions: Conditions, facts: ClusterFacts) -> None:
    missing = [node.name for node in facts.nodes if not node.ready]
    if missing:
        conditions.set("Ready", "False", "NodesNotReady", f"nodes not ready: {_listed(missing)}")
    elif facts.system_pods_pending:
        conditions.set("Ready", "False", "SystemPodsPending", f"not running: {_listed(facts.system_pods_pending)}")
    else:
        conditions.set("Ready", "True", "AllNodesReady", f"{len(facts.nodes)} nodes are ready")


def _listed(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _age(facts: ClusterFacts | None, now: datetime) -> str:
    return f"; {last_facts(facts.observed_at if facts else '', now)}"
