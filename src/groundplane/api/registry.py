"""The table of kinds: how each is called, addressed and printed. Server, client, CRDs and docs all read it.

A kind that is not in KINDS does not exist. Paths are the JSON paths of Kubernetes' printer columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .cluster import Cluster
from .distribution import Distribution
from .foundation import Foundation
from .machine import Machine
from .meta import GROUP, VERSION, Struct
from .operation import Operation

ColumnType = Literal["string", "integer", "date", "boolean"]


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`; priority 1 shows it with `-o wide` only."""

    name: str
    type: ColumnType
    path: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ConditionInfo:
    """One type of condition that objects of a kind can have."""

    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class KindInfo:
    """One kind. All kinds are namespaced and live in GROUP/VERSION."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    struct: type[Struct]
    columns: tuple[PrinterColumn, ...]
    conditions: tuple[ConditionInfo, ...]
    has_status: bool = True
    categories: tuple[str, ...] = ("groundplane",)
    group: str = GROUP
    version: str = VERSION

    @property
    def api_version(self) -> str:
        """Group and version as objects carry them."""
        return f"{self.group}/{self.version}"

    @property
    def summary(self) -> str:
        """The kind in one sentence: the first line of its struct's docstring."""
        return (self.struct.__doc__ or "").splitlines()[0]


def _condition(name: str, *, field: str = "status", column: str = "", priority: int = 0) -> PrinterColumn:
    path = f'.status.conditions[?(@.type=="{name}")].{field}'
    return PrinterColumn(column or name, "string", path, priority)


_AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp")
_READY = _condition("Ready")
_REASON = _condition("Ready", field="reason", column="Reason", priority=1)
_MESSAGE = _condition("Ready", field="message", column="Message", priority=1)
_DRIFT = ".status.assessment.drifting"
_FINDINGS = ".status.assessment.risks"

_FOUNDATION = KindInfo(
    kind="Foundation",
    plural="foundations",
    singular="foundation",
    short_names=("gpf",),
    struct=Foundation,
    conditions=(
        ConditionInfo("Ready", "The target can be reached: its Distribution and release exist."),
        ConditionInfo("Uniform", "Every node of every cluster stands on it."),
        ConditionInfo("Unified", "The last run of unify reached every cluster; if not, how it stands."),
    ),
    columns=(
        PrinterColumn("Distribution", "string", ".spec.kubernetes.distribution"),
        PrinterColumn("Version", "string", ".spec.kubernetes.version"),
        PrinterColumn("Runtime", "string", ".spec.runtime.name"),
        PrinterColumn("Clusters", "integer", ".status.clusters"),
        PrinterColumn("Uniform", "string", ".status.uniformity.percent"),
        PrinterColumn("Stacks", "integer", ".status.uniformity.stacks"),
        PrinterColumn("Drifting", "integer", ".status.drifting"),
        _READY,
        _AGE,
        _MESSAGE,
    ),
)

_CLUSTER = KindInfo(
    kind="Cluster",
    plural="clusters",
    singular="cluster",
    short_names=("gpc",),
    struct=Cluster,
    conditions=(
        ConditionInfo("Ready", "All Nodes are Ready and nothing is left to do."),
        ConditionInfo("SpecValid", "The Cluster, its Foundation, Distribution and Machines fit together."),
        ConditionInfo("MachinesReachable", "Every machine answered the last survey."),
        ConditionInfo("PreflightPassed", "The machines can take the cluster; if not, every failure with its remedy."),
        ConditionInfo("Progressing", "An Operation is under way."),
        ConditionInfo("Uniform", "Every node stands on the Foundation; if not, where it differs."),
        ConditionInfo("Reachable", "The API of an imported cluster answered the last survey; if not, why."),
        ConditionInfo("Imported", "An imported cluster is known, is nobody else's, and is the same as ever."),
        ConditionInfo("Adopted", "The Machines of an imported cluster are its Nodes; if not, every mismatch."),
    ),
    columns=(
        PrinterColumn("Phase", "string", ".status.phase"),
        PrinterColumn("Version", "string", ".status.version"),
        PrinterColumn("Runtime", "string", ".status.runtime"),
        PrinterColumn("Machines", "integer", ".status.machines"),
        PrinterColumn("Nodes Ready", "integer", ".status.readyNodes"),
        PrinterColumn("Uniform", "string", ".status.assessment.uniformity.percent"),
        _READY,
        _AGE,
        PrinterColumn("Nodes", "integer", ".status.assessment.uniformity.nodes", 1),
        PrinterColumn("Platform", "string", ".status.facts.platform.name", 1),
        PrinterColumn("Stacks", "integer", ".status.assessment.uniformity.stacks", 1),
        PrinterColumn("Drift", "string", _DRIFT, 1),
        PrinterColumn("Findings", "string", _FINDINGS, 1),
        PrinterColumn("Gravest", "string", ".status.assessment.findings[0].message", 1),
        PrinterColumn("Facts", "date", ".status.facts.observedAt", 1),
        PrinterColumn("Provider", "string", ".spec.provider", 1),
        PrinterColumn("Foundation", "string", ".spec.foundationRef.name", 1),
        PrinterColumn("Endpoint", "string", ".status.endpoint", 1),
        PrinterColumn("Operation", "string", ".status.operationRef.name", 1),
        _MESSAGE,
    ),
)

_MACHINE = KindInfo(
    kind="Machine",
    plural="machines",
    singular="machine",
    short_names=("gpm",),
    struct=Machine,
    conditions=(
        ConditionInfo("Ready", "The machine answers and its facts are known."),
        ConditionInfo("Reachable", "The last try to log in; if it failed, why."),
        ConditionInfo("Uniform", "The machine stands on its Cluster's Foundation; if not, where it differs."),
    ),
    columns=(
        PrinterColumn("Cluster", "string", ".spec.clusterRef.name"),
        PrinterColumn("Role", "string", ".spec.role"),
        PrinterColumn("Address", "string", ".spec.address"),
        PrinterColumn("OS", "string", ".status.facts.os.prettyName"),
        PrinterColumn("Kernel", "string", ".status.facts.kernel.release"),
        PrinterColumn("Drift", "string", _DRIFT),
        _READY,
        _AGE,
        PrinterColumn("Findings", "string", _FINDINGS, 1),
        PrinterColumn("CPUs", "integer", ".status.facts.cpus", 1),
        PrinterColumn("Memory", "integer", ".status.facts.memory", 1),
        PrinterColumn("Facts", "date", ".status.facts.observedAt", 1),
        _REASON,
        _MESSAGE,
    ),
)

_OPERATION = KindInfo(
    kind="Operation",
    plural="operations",
    singular="operation",
    short_names=("gpo",),
    struct=Operation,
    conditions=(
        ConditionInfo("Approved", "The plan may run: by a person's word, or because the Cluster approves by itself."),
        ConditionInfo("Complete", "All steps succeeded; if not, which failed and why."),
    ),
    columns=(
        PrinterColumn("Cluster", "string", ".spec.clusterRef.name"),
        PrinterColumn("Action", "string", ".spec.plan.action"),
        PrinterColumn("Phase", "string", ".status.phase"),
        PrinterColumn("Progress", "string", ".status.progress"),
        _AGE,
        PrinterColumn("Approval", "string", ".spec.approval", 1),
        PrinterColumn("Started", "date", ".status.startedAt", 1),
        PrinterColumn("Finished", "date", ".status.finishedAt", 1),
        PrinterColumn("Summary", "string", ".spec.plan.summary", 1),
    ),
)

_DISTRIBUTION = KindInfo(
    kind="Distribution",
    plural="distributions",
    singular="distribution",
    short_names=("gpd",),
    struct=Distribution,
    conditions=(ConditionInfo("Ready", "Releases and sources are well formed."),),
    columns=(
        PrinterColumn("Vendor", "string", ".spec.vendor"),
        _READY,
        _AGE,
        PrinterColumn("Releases", "string", ".spec.releases[*].version", 1),
        PrinterColumn("Description", "string", ".spec.description", 1),
        _MESSAGE,
    ),
)

KINDS: tuple[KindInfo, ...] = (_FOUNDATION, _CLUSTER, _MACHINE, _OPERATION, _DISTRIBUTION)
BY_KIND: dict[str, KindInfo] = {info.kind: info for info in KINDS}
BY_PLURAL: dict[str, KindInfo] = {info.plural: info for info in KINDS}
