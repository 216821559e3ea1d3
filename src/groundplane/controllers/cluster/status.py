"""Cluster.status, drafted while looking and written once.

Conditions: SpecValid, MachinesReachable, PreflightPassed, Progressing, Ready. Each False one says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from groundplane.api.cluster import ClusterPhase, ClusterStatus, NodeSummary
from groundplane.api.facts import ClusterFacts, NodeFacts, changes_of
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_SURVEY, NameReference
from groundplane.api.operation import Operation
from groundplane.api.validation import Verdict
from groundplane.base.errors import GroundplaneError
from groundplane.clusters.changes import changes
from groundplane.engine.conditions import Conditions
from groundplane.plan.preflight import Problem

from ..members import Seen
from ..names import kubeconfig_secret
from .scope import ClusterScope

News = tuple[Literal["Normal", "Warning"], str, str]


class StatusDraft:
    """Collects what one look found out."""

    def __init__(self, scope: ClusterScope, conditions: Conditions) -> None:
        self._scope = scope
        self._conditions = conditions
        self._before = {c.type: (c.status, c.reason) for c in scope.cluster.status.conditions}
        self._status = msgspec.structs.replace(
            scope.cluster.status,
            observed_generation=scope.cluster.metadata.generation,
            machines=len(scope.machines),
        )

    def validated(self, verdict: Verdict) -> None:
        """Take over what validation says of the whole."""
        if verdict.causes:
            message = "; ".join(f"{cause.field}: {cause.message}" for cause in verdict.causes)
            self._blocked("SpecValid", "Invalid", message)
            return
        self._conditions.set("SpecValid", "True", "Valid", "; ".join(verdict.warnings))

    def unreachable(self, errors: Mapping[str, GroundplaneError], *, remedy: str = "") -> None:
        """Name every machine that cannot be looked at."""
        message = "; ".join(f"{name}: {error}" for name, error in sorted(errors.items()))
        self._blocked("MachinesReachable", "Unreachable", f"{message}; {remedy}" if remedy else message)

    def preflight(self, problems: Iterable[Problem]) -> None:
        """Name every problem at once, each with its remedy; reached only when all machines answered."""
        self._conditions.set("MachinesReachable", "True", "Surveyed")
        listed = list(problems)
        message = "; ".join(f"{p.message} ({p.remedy})" for p in listed)
        if any(problem.severity == "Error" for problem in listed):
            self._blocked("PreflightPassed", "Problems", message)
            return
        self._conditions.set("PreflightPassed", "True", "Passed", message)

    def refused(self, error: GroundplaneError) -> None:
        """The wanted change is one that Groundplane will not do."""
        self._blocked("Progressing", "Refused", str(error))

    def lost(self, message: str) -> None:
        """Deletion cannot go on by itself."""
        self._conditions.set("Progressing", "False", "DeletionBlocked", message)
        self._set(phase="Deleting")

    def planned(self, inputs: str) -> None:
        """A plan was made for these inputs; it need not be made again."""
        self._set(planned_inputs=inputs)

    def working(self, operation: Operation) -> None:
        """An Operation is at work, or waits for approval."""
        deleting = operation.spec.plan.action == "Delete"
        phase = operation.status.phase
        reason = "AwaitingApproval" if operation.spec.approval == "Pending" else phase or "Pending"
        progress = operation.status.progress or operation.spec.plan.summary
        self._conditions.set("Progressing", "True", reason, f"{operation.metadata.name}: {progress}")
        self._conditions.set("Ready", "False", "Deleting" if deleting else "InProgress", operation.spec.plan.summary)
        self._set(
            phase="Deleting" if deleting else "Creating",
            operation_ref=NameReference(name=operation.metadata.name),
        )

    def observed(self, seen: Seen) -> None:
        """Say how the nodes are, of a cluster that was there before."""
        self._take_nodes(seen.facts)
        self._judge(seen)

    def surveyed(self, facts: ClusterFacts) -> None:
        """Keep what a survey found, and what it found to be different."""
        before = self._scope.cluster.status
        history = changes_of(before.history, changes(before.facts, facts))
        self._set(facts=msgspec.structs.replace(facts, nodes=[]), history=history)

    def answered(self) -> None:
        """Whoever asked for a look by the annotation has the answer, good or bad."""
        self._set(survey_answered=self._scope.cluster.metadata.annotations.get(ANNOTATION_SURVEY, ""))

    def settled(self, latest: Operation | None, seen: Seen) -> None:
        """No Operation is at work: say how the last one ended and how the nodes are."""
        self._take_nodes(seen.facts)
        if latest is not None and latest.status.phase in ("Failed", "Cancelled"):
            how = latest.status.phase
            why = next((c.message for c in latest.status.conditions if c.type == "Complete"), latest.status.progress)
            remedy = f"mend the cause, then: groundplane retry {self._scope.cluster.metadata.name}"
            self._conditions.set("Progressing", "False", f"Operation{how}", f"{latest.metadata.name}: {why} ({remedy})")
            if self._deleting or not seen.facts.reachable:
                self._conditions.set("Ready", "False", f"Operation{how}", f"{latest.metadata.name}: {why}")
                self._set(phase="Failed")
                return
        elif latest is not None:
            self._conditions.set("Progressing", "False", "Done", f"{latest.metadata.name}: {latest.status.progress}")
        else:
            self._conditions.set("Progressing", "False", "Done", "nothing has to be changed")
        self._judge(seen)

    def finish(self) -> ClusterStatus:
        """Return the status to write."""
        return msgspec.structs.replace(self._status, conditions=self._conditions.values())

    def news(self) -> list[News]:
        """Return what changed in the conditions and is worth an event."""
        found: list[News] = []
        for condition in self._conditions.values():
            if self._before.get(condition.type) == (condition.status, condition.reason):
                continue
            bad = condition.status == "False" and condition.reason not in ("Done", "InProgress", "Deleting")
            message = condition.message or f"{condition.type} is {condition.status}"
            found.append(("Warning" if bad else "Normal", condition.reason, message[:1024]))
        return found

    @property
    def stands(self) -> bool:
        """Whether there is a cluster to look at, for its API has been seen."""
        return bool(self._scope.cluster.status.cluster_id)

    @property
    def _deleting(self) -> bool:
        return bool(self._scope.cluster.metadata.deletion_timestamp)

    def _blocked(self, kind: str, reason: str, message: str) -> None:
        self._conditions.set(kind, "False", reason, message)
        if self._deleting:
            self._conditions.set("Ready", "False", "Deleting", message)
            self._set(phase="Deleting")
        elif not self.stands:
            self._conditions.set("Ready", "False", reason, message)
            self._set(phase="Pending")

    def _take_nodes(self, facts: ClusterFacts) -> None:
        if not facts.reachable:
            self._set(ready_nodes=0)
            return
        by_name = {node.name: node for node in facts.nodes}
        members = sorted(self._scope.machines, key=lambda m: (m.spec.role != "ControlPlane", m.metadata.name))
        nodes = [_summary(machine, by_name.get(machine.metadata.name)) for machine in members]
        self._set(
            nodes=nodes,
            ready_nodes=sum(1 for node in nodes if node.ready),
            version=facts.version,
            runtime=", ".join(sorted({node.runtime for node in nodes if node.runtime})),
            cluster_id=facts.cluster_id,
            kubeconfig_ref=NameReference(name=kubeconfig_secret(self._scope.cluster.metadata.name)),
        )

    def _judge(self, seen: Seen) -> None:
        facts = seen.facts
        missing = [node.machine for node in self._status.nodes if not node.ready]
        if not facts.reachable:
            self._verdict("Degraded", "Unreachable", seen.problem or "the cluster's API does not answer")
        elif missing:
            self._verdict("Degraded", "NodesNotReady", f"nodes not ready: {', '.join(missing)}")
        elif facts.system_pods_pending:
            self._verdict("Degraded", "SystemPodsPending", f"not running: {', '.join(facts.system_pods_pending)}")
        else:
            self._conditions.set("Ready", "True", "AllNodesReady", f"{len(self._status.nodes)} nodes are ready")
            self._set(phase="Ready")

    def _verdict(self, phase: ClusterPhase, reason: str, message: str) -> None:
        self._conditions.set("Ready", "False", reason, message)
        self._set(phase=phase)

    def _set(self, **fields: object) -> None:
        self._status = msgspec.structs.replace(self._status, **fields)


def _summary(machine: Machine, node: NodeFacts | None) -> NodeSummary:
    return NodeSummary(
        machine=machine.metadata.name,
        node=node.name if node else "",
        role=machine.spec.role or "",
        ready=bool(node and node.ready),
        version=node.kubelet_version if node else "",
        runtime=node.runtime if node else "",
    )
