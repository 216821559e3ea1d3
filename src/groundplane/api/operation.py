"""Operation: one planned and executed change of one Cluster.

`spec.plan` and `spec.target` are frozen when the Operation is created; nothing runs that is not in them. A person
approves with `spec.approval: Approved` and stops with `spec.cancel: Requested`; everything else is the controller's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from .meta import Conditions, NameReference, ObjectMeta, Struct, says
from .target import ClusterTarget

# Change: the runtime, the Kubernetes version and the host's ground of living nodes. Remove: nodes leave a cluster that
# stays. Join: machines become nodes of an adopted cluster. Release: such a cluster is let go and runs on. CleanUp: what
# a migration left behind for its rollback.
Action = Literal["Create", "Delete", "Change", "Remove", "Join", "Release", "RenewCertificates", "CleanUp"]
OperationPhase = Literal["AwaitingApproval", "Pending", "Running", "Succeeded", "Failed", "Cancelled", "Stale"]
StepState = Literal["Pending", "Running", "Succeeded", "Unchanged", "Failed", "Cancelled", "Skipped", "Undone"]
FINAL_PHASES = frozenset({"Succeeded", "Failed", "Cancelled", "Stale"})


class PlannedChange(Struct, frozen=True):
    """One thing that will be different. `before` and `after` never hold a secret."""

    what: Annotated[str, says("what changes, such as a file or a package")]
    before: Annotated[str, says("value before")] = ""
    after: Annotated[str, says("value after; never a secret")] = ""


class PlannedStep(Struct, frozen=True):
    """One step on one machine ("" = the cluster as a whole). `name` is unique in the plan: "runtime/shop-1".

    `after` names the steps of the plan that must have succeeded before this one starts. Steps of one `unit` are kept
    or taken back together: when the Operation fails and a unit is not finished, its begun steps are undone, last first.
    """

    name: Annotated[str, says("unique name in the plan: step/machine")]
    step: Annotated[str, says("key of the step")]
    title: Annotated[str, says("the step in words")]
    machine: Annotated[str, says("Machine that it works on; empty: the cluster as a whole")] = ""
    among: Annotated[list[str], says("Machines that a step of the whole cluster is about; empty: all of them")] = []
    unit: Annotated[str, says("steps with the same unit are kept, or taken back, together; empty: on its own")] = ""
    after: Annotated[list[str], says("steps that must have succeeded before")] = []
    changes: Annotated[list[PlannedChange], says("what it is going to change")] = []


class Plan(Struct, frozen=True):
    """`fingerprints` maps each machine to a digest of the facts that the plan rests on (plan.fingerprint)."""

    action: Annotated[Action, says("what the Operation is for")]
    steps: Annotated[list[PlannedStep], says("steps in the order of the plan", key="name")] = []
    fingerprints: Annotated[dict[str, str], says("Machine to digest of the facts that the plan rests on")] = {}
    summary: Annotated[str, says("the plan in one sentence")] = ""
    notes: Annotated[list[str], says("what to know before approving it, such as an interruption of the API")] = []
    next: Annotated[str, says("what a further Operation will have to do afterwards; empty: nothing")] = ""
    rolls_back: Annotated[str, says("name of the Operation that it takes back; empty: none")] = ""


class OperationSpec(Struct, frozen=True):
    cluster_ref: Annotated[NameReference, says("the Cluster that is changed")]
    target: Annotated[ClusterTarget, says("the wanted cluster with all defaults filled in; frozen at creation")]
    plan: Annotated[Plan, says("what will be done; frozen at creation")]
    approval: Annotated[
        Literal["Pending", "Approved"], says("Approved lets it run; goes from Pending to Approved only")
    ] = "Pending"
    cancel: Annotated[
        Literal["", "Requested"], says("Requested stops it before the next step; cannot be taken back")
    ] = ""


class StepStatus(Struct, frozen=True):
    """`attempts` counts starts; `changes` is what the step itself planned and did."""

    name: Annotated[str, says("name of the step in the plan")]
    state: Annotated[StepState, says("the state in one word")]
    started_at: Annotated[str, says("when it was first started")] = ""
    finished_at: Annotated[str, says("when it ended")] = ""
    attempts: Annotated[int, says("how often it was started")] = 0
    message: Annotated[str, says("what it is doing, or why it failed")] = ""
    changes: Annotated[list[PlannedChange], says("what it changed")] = []


class OperationStatus(Struct, frozen=True):
    observed_generation: Annotated[int, says("generation of the spec that this status is about")] = 0
    phase: Annotated[OperationPhase | None, says("the state in one word")] = None
    started_at: Annotated[str, says("when the first step started")] = ""
    finished_at: Annotated[str, says("when the last step ended")] = ""
    progress: Annotated[str, says("steps done of all, such as 12/31")] = ""
    steps: Annotated[list[StepStatus], says("steps in the order of the plan", key="name")] = []
    journal: Annotated[dict[str, str], says("what was written down before it was done, for a later run")] = {}
    conditions: Conditions = []


class Operation(Struct, frozen=True):
    """One change of one Cluster."""

    spec: Annotated[OperationSpec, says("the frozen plan and its approval")]
    api_version: Annotated[str, says("group and version of the kind")] = "groundplane.dev/v1alpha1"
    kind: Annotated[str, says("the kind: Operation")] = "Operation"
    metadata: Annotated[ObjectMeta, says("standard object metadata")] = ObjectMeta()
    status: Annotated[OperationStatus, says("progress; written by Groundplane")] = OperationStatus()
