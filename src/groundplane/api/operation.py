"""Operation: one planned and executed change of one Cluster.

`spec.plan` is frozen when the Operation is created; nothing runs that is not in it. A person approves with
`spec.approval: Approved` and stops with `spec.cancel: Requested`; everything else is the controller's.
"""

from __future__ import annotations

from typing import Literal

from .meta import Condition, NameReference, ObjectMeta, Struct

Action = Literal["Create", "Delete"]
OperationPhase = Literal["AwaitingApproval", "Pending", "Running", "Succeeded", "Failed", "Cancelled", "Stale"]
StepState = Literal["Pending", "Running", "Succeeded", "Unchanged", "Failed", "Cancelled", "Skipped"]
FINAL_PHASES = frozenset({"Succeeded", "Failed", "Cancelled", "Stale"})


class PlannedChange(Struct, frozen=True):
    """One thing that will be different. `before` and `after` never hold a secret."""

    what: str
    before: str = ""
    after: str = ""


class PlannedStep(Struct, frozen=True):
    """One step on one machine ("" = the cluster as a whole). `name` is unique in the plan: "runtime/shop-1".

    `after` names the steps of the plan that must have succeeded before this one starts.
    """

    name: str
    step: str
    title: str
    machine: str = ""
    after: list[str] = []
    changes: list[PlannedChange] = []


class Plan(Struct, frozen=True):
    """`fingerprints` maps each machine to a digest of the facts that the plan rests on (plan.fingerprint)."""

    action: Action
    steps: list[PlannedStep] = []
    fingerprints: dict[str, str] = {}
    summary: str = ""


class OperationSpec(Struct, frozen=True):
    cluster_ref: NameReference
    plan: Plan
    approval: Literal["Pending", "Approved"] = "Pending"
    cancel: Literal["", "Requested"] = ""


class StepStatus(Struct, frozen=True):
    """`attempts` counts starts; `changes` is what the step itself planned and did."""

    name: str
    state: StepState = "Pending"
    started_at: str = ""
    finished_at: str = ""
    attempts: int = 0
    message: str = ""
    changes: list[PlannedChange] = []


class OperationStatus(Struct, frozen=True):
    observed_generation: int = 0
    phase: OperationPhase = "Pending"
    started_at: str = ""
    finished_at: str = ""
    progress: str = ""
    steps: list[StepStatus] = []
    journal: dict[str, str] = {}
    conditions: list[Condition] = []


class Operation(Struct, frozen=True):
    """One change of one Cluster."""

    spec: OperationSpec
    api_version: str = "groundplane.dev/v1alpha1"
    kind: str = "Operation"
    metadata: ObjectMeta = ObjectMeta()
    status: OperationStatus = OperationStatus()
