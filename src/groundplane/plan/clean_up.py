"""The plan that gives up the way back: what the runtime that a node left has on the machine is removed. Pure.

Only on nodes that run, Ready, on the other one. It is a step of its own, for it cannot be undone.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.errors import Refused
from groundplane.base.words import counted

from .deltas import living
from .fingerprint import fingerprint
from .supported import runtime_of
from .view import View

KEY = "clean-up"


def plan_clean_up(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what removes Docker from the nodes that left it; no steps when no node has it any more.

    Raises Refused while the cluster does not answer, or a node that left Docker is not Ready: then it is not proven.
    """
    view = View(desired, facts, cluster)
    if not cluster.reachable:
        raise Refused(f"cannot clean up cluster {view.target.name}: its API does not answer")
    ready = {node.name for node in cluster.nodes if node.ready}
    moved = [
        name
        for name in view.target.members
        if living(view, name) and runtime_of(view, name) == "containerd" and view.of(name).runtime("docker").installed
    ]
    unready = [name for name in moved if name not in ready]
    if unready:
        raise Refused(
            f"cannot clean up cluster {view.target.name}: {', '.join(unready)} not Ready on containerd",
            remedy="mend them, or roll the migration back while Docker is still there",
        )
    steps = [
        PlannedStep(
            name=f"{KEY}/{name}",
            step=KEY,
            title="Remove Docker's packages and data",
            machine=name,
            changes=[
                PlannedChange(what="Docker's packages", before="installed", after="purged; containerd stays"),
                PlannedChange(what="/var/lib/docker, /var/lib/dockershim", after="removed for good"),
            ],
        )
        for name in moved
    ]
    return Plan(
        action="CleanUp",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in moved},
        summary=_summary(view.target.name, len(steps)),
        notes=["it cannot be undone: the migration cannot be rolled back afterwards"] if steps else [],
    )


def _summary(cluster: str, nodes: int) -> str:
    if not nodes:
        return f"cluster {cluster} has nothing to clean up"
    return f"clean up cluster {cluster}: Docker is removed from {counted(nodes, 'node')}"
