"""Cluster.status, drafted while looking and written once.

Conditions: SpecValid, MachinesReachable, PreflightPassed, Progressing, Ready, and Adopted of an imported cluster. Each
False one says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from groundplane.api.cluster import ClusterPhase, ClusterStatus, NodeSummary
from groundplane.api.facts import ClusterFacts, NodeFacts, changes_of
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_SURVEY, ANNOTATION_UNIFY, NameReference
from groundplane.api.operation import Operation
from groundplane.api.validation import Verdict
from groundplane.base.errors import GroundplaneError
from groundplane.base.words import counted
from groundplane.clusters.changes import changes
from groundplane.engine.conditions import Conditions
from groundplane.plan.preflight import Problem, errors

from ..members import Seen
from ..names import kubeconfig_secret
from .planning import Request, RequestRefused
from .scope import ClusterScope

REQUEST_REFUSED = "RequestRefused"
News = tuple[Literal["Normal", "Warning"], str, str]


class StatusDraft:
    """Collects what one look found out."""

    def __init__(self, scope: ClusterScope, conditions: Conditions) -> None:
        self._scope = scope
        self._conditions = conditions
        self._before = {c.type: (c.status, c.reason) for c in scope.cluster.status.conditions}
        self._refusals: list[News] = []
        self._status = msgspec.structs.replace(
            scope.cluster.status,
            observed_generation=scope.cluster.metadata.generation,
            machines=len(scope.machines),
        )

    def validated(self, verdict: Verdict) -> None:
        """Take over what validation says of the whole."""
        if verdict.causes:
            message = _listed(f"{cause.field}: {cause.message}" for cause in verdict.causes)
            self._blocked("SpecValid", "Invalid", message)
            return
        self._conditions.set("SpecValid", "True", "Valid", _listed(verdict.warnings))

    def unreachable(self, errors: Mapping[str, GroundplaneError], *, remedy: str = "") -> None:
        """Name every machine that cannot be looked at."""
        told = [f"{name}: {error}" for name, error in sorted(errors.items())]
        self._blocked("MachinesReachable", "Unreachable", _listed([*told, remedy] if remedy else told))

    def preflight(self, problems: Iterable[Problem]) -> None:
        """Name every problem at once, each with its remedy; reached only when all machines answered."""
        self._conditions.set("MachinesReachable", "True", "Surveyed", "every machine that was asked answered")
        listed = list(problems)
        message = _listed(f"{p.message} ({p.remedy})" for p in listed)
        if any(problem.severity == "Error" for problem in listed):
            self._blocked("PreflightPassed", "Problems", message)
            return
        self._conditions.set("PreflightPassed", "True", "Passed", message)

    def clear(self) -> None:
        """Nothing is planned: what stood against an earlier plan stands against nothing."""
        if (found := self._conditions.get("PreflightPassed")) is not None and found.status == "False":
            self.preflight(())

    def refused(self, error: GroundplaneError) -> None:
        """The wanted change is one that Groundplane will not do."""
        self._blocked("Progressing", "Refused", str(error))

    def lost(self, message: str) -> None:
        """Deletion cannot go on by itself."""
        self._conditions.set("Progressing", "False", "DeletionBlocked", message)
        self._set(phase="Deleting")

    def adopted(self, problems: Iterable[Problem], there: int, joining: Sequence[str] = ()) -> None:
        """Say whether the Machines of an imported cluster are its Nodes; if not, every reason with its remedy.

        `there`: how many are. Those that are `joining` are to become Nodes.
        """
        listed = sorted(problems, key=lambda problem: problem.severity)
        message = _listed(f"{p.message} ({p.remedy})" for p in listed)
        if errors(listed):
            self._conditions.set("Adopted", "False", _why_not(errors(listed)), message)
            return
        matched = f"{counted(there, 'Machine')} matched by name, machine-id and address"
        if joining:
            matched += f"; no {'Node' if len(joining) == 1 else 'Nodes'} yet: {', '.join(joining)}"
        self._conditions.set("Adopted", "True", "Matched", f"{matched}; {message}" if message else matched)

    def members(self, nodes: Iterable[NodeFacts]) -> None:
        """Say how the Nodes of the Machines are."""
        by_name = {node.name: node for node in nodes}
        members = sorted(self._scope.machines, key=lambda m: (m.spec.role != "ControlPlane", m.metadata.name))
        self._set(nodes=[_summary(machine, by_name.get(machine.metadata.name)) for machine in members])

    def granted(self, request: Request | None) -> None:
        """A request was answered without an Operation: there was nothing to do, or it was refused."""
        if request is not None:
            names = {operation.metadata.name for operation in self._scope.operations}
            # Of an Operation that is gone nobody asks any more.
            kept = {key: told for key, told in self._status.requests.items() if key.partition(":")[2] in {"", *names}}
            self._set(requests={**kept, request.key: request.answer})

    def hindered(self, errors: Iterable[RequestRefused]) -> None:
        """Answer what an open Operation stands against; the conditions tell of that one, so an event says why."""
        for error in errors:
            self.granted(error.request)
            self._refusals.append(("Warning", REQUEST_REFUSED, str(error)[:1024]))

    def planned(self, inputs: str) -> None:
        """A plan was made for these inputs; it need not be made again."""
        self._set(planned_inputs=inputs)
        self._answer_unify()

    def working(self, operation: Operation) -> None:
        """An Operation is at work, or waits for approval: of a cluster that stands, what waits says nothing else."""
        action = operation.spec.plan.action
        deleting = action in ("Delete", "Release")
        busy: ClusterPhase = "Creating" if action == "Create" else "Changing"
        phase = operation.status.phase
        reason = "AwaitingApproval" if operation.spec.approval == "Pending" else phase or "Pending"
        progress = operation.status.progress or operation.spec.plan.summary
        self._conditions.set("Progressing", "True", reason, f"{operation.metadata.name}: {progress}")
        self._set(operation_ref=NameReference(name=operation.metadata.name))
        if self.watches_beside(operation):
            return
        self._conditions.set("Ready", "False", "Deleting" if deleting else "InProgress", operation.spec.plan.summary)
        self._set(phase="Deleting" if deleting else busy)

    def watches_beside(self, operation: Operation) -> bool:
        """Whether the nodes are looked at as ever: the cluster stands, and nothing is done before a person approves."""
        return operation.spec.approval == "Pending" and self.stands and not self._deleting

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
        bad = self.concluded(latest)
        if latest is not None and bad and (self._deleting or not seen.facts.reachable):
            self._conditions.set("Ready", "False", f"Operation{latest.status.phase}", f"{latest.metadata.name}: {bad}")
            self._set(phase="Failed")
            return
        self._judge(seen)

    def concluded(self, latest: Operation | None) -> str:
        """Say how the last Operation ended; return why it did so badly, "" when it did not."""
        if latest is None:
            self._conditions.set("Progressing", "False", "Done", "nothing has to be changed")
            return ""
        name, how = latest.metadata.name, latest.status.phase
        if how not in ("Failed", "Cancelled"):
            self._conditions.set("Progressing", "False", "Done", f"{name}: {latest.status.progress}")
            return ""
        why = next((c.message for c in latest.status.conditions if c.type == "Complete"), latest.status.progress)
        remedy = f"mend the cause, then: groundplane {_again(latest)}"
        self._conditions.set("Progressing", "False", f"Operation{how}", f"{name}: {why} ({remedy})")
        return why or how

    def finish(self) -> ClusterStatus:
        """Return the status to write."""
        return msgspec.structs.replace(self._status, conditions=self._conditions.values())

    def news(self) -> list[News]:
        """Return what changed in the conditions and is worth an event."""
        found: list[News] = list(self._refusals)
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

    def _answer_unify(self) -> None:
        """Whoever gave the cluster its turn has the answer: a plan, or why there is none."""
        self._set(unify_answered=self._scope.cluster.metadata.annotations.get(ANNOTATION_UNIFY, ""))

    def _blocked(self, kind: str, reason: str, message: str) -> None:
        self._conditions.set(kind, "False", reason, message)
        # A machine that does not answer now may do so in a moment.
        if kind != "MachinesReachable":
            self._answer_unify()
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
        self.members(facts.nodes)
        nodes = self._status.nodes
        self._set(
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


def _listed(sentences: Iterable[str]) -> str:
    """Return sentences as one message, which readers take apart at "; " again: none has that within it."""
    return "; ".join(sentence.replace("; ", " – ") for sentence in sentences)


def _why_not(problems: list[Problem]) -> str:
    """Return the reason in one word: what is missing counts as such only when nothing contradicts."""
    checks = {problem.check for problem in problems}
    if checks == {"survey"}:
        return "MachinesUnreachable"
    return "NodesWithoutMachine" if checks == {"nodes"} else "NotMatched"


def _again(operation: Operation) -> str:
    """Return the command that asks once more for what an Operation did not come to."""
    plan, cluster = operation.spec.plan, operation.spec.cluster_ref.name
    if plan.rolls_back:
        return f"operation rollback {plan.rolls_back}"
    return {"RenewCertificates": "renew-certificates", "CleanUp": "clean-up"}.get(plan.action, "retry") + f" {cluster}"


def _summary(machine: Machine, node: NodeFacts | None) -> NodeSummary:
    return NodeSummary(
        machine=machine.metadata.name,
        node=node.name if node else "",
        role=machine.spec.role or "",
        ready=bool(node and node.ready),
        version=node.kubelet_version if node else "",
        runtime=node.runtime if node else "",
    )
