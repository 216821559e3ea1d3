"""Assessments: what facts mean, held against a Foundation and the catalog. Made by `assess`, shown by everything.

Nodes are counted always and named up to NAMES_SHOWN, so that a cluster of thousands fits into one object.
"""

from __future__ import annotations

from typing import Annotated, Literal

from .meta import Struct, says

NAMES_SHOWN = 50

Dimension = Literal["OperatingSystem", "Kernel", "Settings", "Distribution", "Version", "Runtime", "Network"]
DIMENSIONS: tuple[Dimension, ...] = (
    "OperatingSystem", "Kernel", "Settings", "Distribution", "Version", "Runtime", "Network",
)  # fmt: skip
Severity = Literal["Low", "Medium", "High"]
SEVERITIES: tuple[Severity, ...] = ("High", "Medium", "Low")
RemedyAction = Literal[
    "ReinstallOperatingSystem",
    "UpgradeKernel",
    "TuneHost",
    "ConvertDistribution",
    "UpgradeKubernetes",
    "MigrateRuntime",
    "UpgradeRuntime",
    "ChangeNetwork",
    "RenewCertificates",
    "None",
]
FindingType = Literal[
    "EndOfLife",
    "EndOfLifeNear",
    "UnsupportedPair",
    "VersionSkew",
    "CertificateExpiring",
    "CertificateLongLived",
    "UnknownVersion",
    "ClockSkew",
    "Vulnerability",
]


class Remedy(Struct, frozen=True):
    """What mends it: an action that Groundplane has a name for, and a sentence."""

    action: Annotated[RemedyAction, says("the action; None: a person has to decide")] = "None"
    text: Annotated[str, says("the remedy in one sentence")] = ""


class Nodes(Struct, frozen=True):
    """Which Nodes or Machines something is about."""

    count: Annotated[int, says("how many")] = 0
    names: Annotated[list[str], says("their names, at most 50")] = []


class Drift(Struct, frozen=True):
    """One difference between facts and Foundation."""

    dimension: Annotated[Dimension, says("where it differs")]
    found: Annotated[str, says("what was found")] = ""
    wanted: Annotated[str, says("what the Foundation, or the Cluster in its place, wants")] = ""
    subject: Annotated[str, says("the setting or feature it is about; empty: the dimension as a whole")] = ""
    severity: Annotated[Severity, says("how much it matters")] = "Medium"
    state: Annotated[Literal["Drift", "Exception"], says("Exception: the Cluster declares it")] = "Drift"
    reason: Annotated[str, says("why it is an exception")] = ""
    evidence: Annotated[str, says("where it was seen, and when")] = ""
    cost: Annotated[str, says("what the difference costs: risk, blocked features, upkeep")] = ""
    nodes: Annotated[Nodes, says("Nodes or Machines that differ")] = Nodes()
    remedy: Annotated[Remedy, says("what mends it")] = Remedy()


class Finding(Struct, frozen=True):
    """One risk, with evidence and remedy."""

    type: Annotated[FindingType, says("kind of risk")]
    subject: Annotated[str, says("what it is about, such as Kubernetes v1.20.2")]
    message: Annotated[str, says("the risk in one sentence")]
    severity: Annotated[Severity, says("how much it matters")] = "Medium"
    evidence: Annotated[str, says("where it was seen, and the rule's source")] = ""
    nodes: Annotated[Nodes, says("Nodes or Machines that it is about")] = Nodes()
    remedy: Annotated[Remedy, says("what mends it")] = Remedy()


class FeatureDecision(Struct, frozen=True):
    """Whether the nodes' kernels carry one wanted network feature."""

    feature: Annotated[str, says("feature, such as BandwidthManager")]
    state: Annotated[
        Literal["Available", "Blocked", "Unknown"], says("Blocked: some nodes cannot; Unknown: the facts do not tell")
    ] = "Unknown"
    needs: Annotated[str, says("kernel releases and options that it needs")] = ""
    message: Annotated[str, says("the decision in one sentence, naming what blocks it")] = ""
    blockers: Annotated[Nodes, says("Nodes that block it")] = Nodes()
    unlocked_by: Annotated[str, says("lowest kernel release that would unlock it on them; empty: not by a kernel")] = ""
    source: Annotated[str, says("primary source of the rule")] = ""


class DimensionShare(Struct, frozen=True):
    """How many nodes stand on the Foundation in one dimension. Exceptions and unknown ones do not count as uniform."""

    dimension: Annotated[Dimension, says("the dimension")]
    uniform: Annotated[int, says("nodes that stand on the Foundation")] = 0
    exceptions: Annotated[int, says("nodes that differ because the Cluster declares it")] = 0
    unknown: Annotated[int, says("nodes of which it is not known")] = 0
    nodes: Annotated[int, says("all nodes")] = 0


class StackShare(Struct, frozen=True):
    """One distinct stack: operating system, kernel, distribution, version and runtime."""

    operating_system: Annotated[str, says("operating system")] = ""
    kernel: Annotated[str, says("kernel release")] = ""
    distribution: Annotated[str, says("kind of Kubernetes")] = ""
    version: Annotated[str, says("version of the kubelet")] = ""
    runtime: Annotated[str, says("container runtime with version")] = ""
    nodes: Annotated[int, says("nodes that stand on it")] = 0


class Uniformity(Struct, frozen=True):
    """The share of nodes that stand on the Foundation, in all dimensions and in each."""

    nodes: Annotated[int, says("all nodes")] = 0
    uniform: Annotated[int, says("nodes that stand on the Foundation in every dimension")] = 0
    percent: Annotated[str, says('share of uniform nodes, such as "66.7%"; empty without nodes')] = ""
    stacks: Annotated[int, says("distinct stacks")] = 0
    dimensions: Annotated[list[DimensionShare], says("each dimension", key="dimension")] = []


class UniformityPoint(Struct, frozen=True):
    """Uniformity at one time."""

    time: Annotated[str, says("when it was so")]
    nodes: Annotated[int, says("all nodes")] = 0
    uniform: Annotated[int, says("nodes that stand on the Foundation in every dimension")] = 0
    stacks: Annotated[int, says("distinct stacks")] = 0
    dimensions: Annotated[dict[str, int], says("uniform nodes by dimension")] = {}


class Assessment(Struct, frozen=True):
    """What one survey of a cluster, or of a machine, means."""

    foundation: Annotated[str, says("the Foundation that it was held against; empty: none")] = ""
    facts_at: Annotated[str, says("when the facts were observed")] = ""
    summary: Annotated[str, says("the assessment in one sentence")] = ""
    drifting: Annotated[str, says('dimensions with drift, such as "Kernel,Runtime"; empty: none')] = ""
    risks: Annotated[str, says('findings by severity, such as "1 high, 2 low"; empty: none')] = ""
    drift: Annotated[list[Drift], says("differences from the Foundation, gravest first")] = []
    findings: Annotated[list[Finding], says("risks, gravest first")] = []
    features: Annotated[list[FeatureDecision], says("decisions on wanted network features", key="feature")] = []
    uniformity: Annotated[Uniformity, says("shares")] = Uniformity()
    stacks: Annotated[list[StackShare], says("distinct stacks, largest first; at most 50")] = []


def named(names: list[str], *, count: int | None = None) -> Nodes:
    """Return the nodes called so, named up to NAMES_SHOWN and counted in any case."""
    return Nodes(count=len(names) if count is None else count, names=sorted(names)[:NAMES_SHOWN])


def percent(uniform: int, nodes: int) -> str:
    """Return a share as text with one decimal, rounded down: only all of them are 100.0%."""
    return f"{1000 * uniform // nodes / 10:.1f}%" if nodes else ""


def drifting(drift: list[Drift]) -> str:
    """Return the dimensions that drift, exceptions left out, in the order of DIMENSIONS."""
    found = {each.dimension for each in drift if each.state == "Drift"}
    return ",".join(dimension for dimension in DIMENSIONS if dimension in found)


def risks(findings: list[Finding]) -> str:
    """Return how many findings there are of each severity, gravest first."""
    counts = {severity: sum(each.severity == severity for each in findings) for severity in SEVERITIES}
    return ", ".join(f"{count} {severity.lower()}" for severity, count in counts.items() if count)
