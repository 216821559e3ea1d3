"""What is to be said of one object, as data: the screen (`lines`), JSON and YAML are forms of it. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated

from groundplane.api.assessment import (
    DIMENSIONS,
    Assessment,
    Dimension,
    Drift,
    FeatureDecision,
    Finding,
    StackShare,
    Uniformity,
)
from groundplane.api.cluster import Cluster, DeclaredException
from groundplane.api.facts import AbilityFacts, FactChange, MachineFacts
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import Condition, Struct, says
from groundplane.base.clock import parse_rfc3339
from groundplane.base.words import counted
from groundplane.cli.fleet.rows import cells

from .wanted import wanted

_HISTORY_KEPT = 16


class Freshness(Struct, frozen=True):
    """How old the facts are and who was asked."""

    observed_at: Annotated[str, says("when they were observed; empty: never")] = ""
    age_seconds: Annotated[int | None, says("their age; None: never observed")] = None
    source: Annotated[str, says("who was asked")] = ""
    trouble: Annotated[str, says("why nothing newer is known; empty: the last try succeeded")] = ""


class DimensionStory(Struct, frozen=True):
    """One dimension: what is there, what is wanted, and each difference."""

    dimension: Annotated[Dimension, says("the dimension")]
    state: Annotated[str, says("ok, drift, exception, unknown or unasked")]
    nodes: Annotated[int, says("how many nodes are in this state")] = 0
    found: Annotated[str, says("what was found")] = ""
    wanted: Annotated[str, says("what the Foundation, or the Cluster in its place, wants")] = ""
    until: Annotated[str, says("last day of the declared exception; empty: without end")] = ""
    reason: Annotated[str, says("why it is an exception")] = ""
    differences: Annotated[list[Drift], says("each difference")] = []


class Command(Struct, frozen=True):
    """Something to type next."""

    command: Annotated[str, says("the command line")]
    purpose: Annotated[str, says("what it is good for; it only reads")]


class Story(Struct, frozen=True):
    """All that is said of one Cluster or Machine."""

    kind: Annotated[str, says("Cluster or Machine")]
    name: Annotated[str, says("its name")]
    namespace: Annotated[str, says("its namespace")]
    foundation: Annotated[str, says("what it is held against; empty: nothing")] = ""
    title: Annotated[str, says("what it is, in a few words")] = ""
    summary: Annotated[str, says("the assessment in one sentence")] = ""
    freshness: Annotated[Freshness, says("how old the facts are")] = Freshness()
    conditions: Annotated[list[Condition], says("what is judged of it")] = []
    uniformity: Annotated[Uniformity, says("shares")] = Uniformity()
    stacks: Annotated[list[StackShare], says("distinct stacks")] = []
    dimensions: Annotated[list[DimensionStory], says("each dimension")] = []
    findings: Annotated[list[Finding], says("risks, gravest first")] = []
    features: Annotated[list[FeatureDecision], says("decisions on wanted network features")] = []
    abilities: Annotated[list[AbilityFacts], says("abilities of a machine's operating system")] = []
    history: Annotated[list[FactChange], says("what changed last, newest first")] = []
    commands: Annotated[list[Command], says("what to type next")] = []


def of_cluster(cluster: Cluster, foundation: Foundation | None, now: datetime, *, prefix: str) -> Story:
    """Return what is to be said of a cluster; `prefix` begins the commands, such as "groundplane -n team"."""
    status, name = cluster.status, cluster.metadata.name
    facts, assessment = status.facts, status.assessment or Assessment()
    platform = facts.platform.name if facts else "unknown"
    known = platform if platform != "unknown" else status.distribution or platform
    nodes = assessment.uniformity.nodes or (sum(s.count for s in facts.stacks) if facts else status.machines)
    version = status.version or (facts.version if facts else "") or "of unknown version"
    return Story(
        kind="Cluster",
        name=name,
        namespace=cluster.metadata.namespace,
        foundation=cluster.spec.foundation_ref.name if cluster.spec.foundation_ref else assessment.foundation,
        title=f"{known} {version}, {counted(nodes, 'node')}, {status.phase or 'Pending'}",
        summary=assessment.summary,
        freshness=_freshness(facts.observed_at if facts else "", facts.source if facts else "", status.conditions, now),
        conditions=status.conditions,
        uniformity=assessment.uniformity,
        stacks=assessment.stacks,
        dimensions=_dimensions(cluster, foundation, status.assessment),
        findings=assessment.findings,
        features=assessment.features,
        history=status.history[:_HISTORY_KEPT],
        commands=_cluster_commands(cluster, assessment, prefix),
    )


def of_machine(
    machine: Machine, cluster: Cluster | None, foundation: Foundation | None, now: datetime, *, prefix: str
) -> Story:
    """Return what is to be said of a machine, held against the Foundation of its cluster."""
    status, spec = machine.status, machine.spec
    facts, assessment = status.facts, status.assessment or Assessment()
    place = f"{spec.role} of cluster {spec.cluster_ref.name}" if spec.cluster_ref else "of no cluster"
    target = f"machine/{machine.metadata.name}"
    commands = [Command(command=f"{prefix} survey {target} --wait", purpose="look again now")]
    if spec.cluster_ref:
        other = f"{prefix} explain cluster/{spec.cluster_ref.name}"
        commands.append(Command(command=other, purpose="the whole cluster"))
    return Story(
        kind="Machine",
        name=machine.metadata.name,
        namespace=machine.metadata.namespace,
        foundation=assessment.foundation,
        title=f"{place}, {spec.address}, {_system(facts)}",
        summary=assessment.summary,
        freshness=_freshness(
            facts.observed_at if facts else "", f"ssh {spec.ssh.user}@{spec.address}", status.conditions, now
        ),
        conditions=status.conditions,
        uniformity=assessment.uniformity,
        stacks=assessment.stacks,
        dimensions=_dimensions(cluster or Cluster(), foundation, status.assessment),
        findings=assessment.findings,
        features=assessment.features,
        abilities=facts.abilities if facts else [],
        history=status.history[:_HISTORY_KEPT],
        commands=commands,
    )


def _system(facts: MachineFacts | None) -> str:
    if facts is None:
        return "never surveyed"
    kernel = f"kernel {facts.kernel.release}" if facts.kernel.release else "kernel unknown"
    return f"{facts.os.pretty_name or 'unknown system'}, {kernel}"


def _freshness(observed_at: str, source: str, conditions: list[Condition], now: datetime) -> Freshness:
    silent = [c for c in conditions if c.type == "Reachable" or (c.type, c.reason) == ("Ready", "Unreachable")]
    failed = next((c for c in silent if c.status != "True"), None)
    trouble = f"{failed.reason}: {failed.message}" if failed else ""
    return Freshness(observed_at=observed_at, age_seconds=age_of(observed_at, now), source=source, trouble=trouble)


def age_of(moment: str, now: datetime) -> int | None:
    """Return the seconds since a moment, None when it is none."""
    try:
        return max(0, int((now - parse_rfc3339(moment)).total_seconds()))
    except ValueError:
        return None


def _dimensions(cluster: Cluster, foundation: Foundation | None, assessment: Assessment | None) -> list[DimensionStory]:
    declared = {each.dimension: each for each in cluster.spec.exceptions}
    found = cells(assessment)
    return [
        _dimension(
            DimensionStory(
                dimension=dimension,
                state=found[dimension].state,
                nodes=found[dimension].count,
                found=found[dimension].found or _standing(dimension, assessment),
                wanted=wanted(dimension, cluster, foundation),
                differences=[each for each in (assessment or Assessment()).drift if each.dimension == dimension],
            ),
            declared.get(dimension),
        )
        for dimension in DIMENSIONS
    ]


def _dimension(story: DimensionStory, declared: DeclaredException | None) -> DimensionStory:
    """Complete a dimension with what was declared, and with what the assessment says is wanted."""
    import msgspec

    told = "; ".join(dict.fromkeys(each.wanted for each in story.differences if not each.subject))
    story = msgspec.structs.replace(story, wanted=told or story.wanted)
    reason = declared.reason if declared else next((each.reason for each in story.differences if each.reason), "")
    if story.state == "drift" and declared and declared.until:
        return msgspec.structs.replace(story, reason=reason, until=declared.until)
    if story.state != "exception":
        return story
    return msgspec.structs.replace(story, reason=reason, until=declared.until if declared else "")


def _standing(dimension: Dimension, assessment: Assessment | None) -> str:
    """Return what the stacks say of a dimension, most nodes first."""
    field = {
        "OperatingSystem": "operating_system",
        "Kernel": "kernel",
        "Distribution": "distribution",
        "Version": "version",
        "Runtime": "runtime",
    }.get(dimension)
    if field is None or assessment is None:
        return ""
    counts: Counter[str] = Counter()
    for stack in assessment.stacks:
        counts[getattr(stack, field)] += stack.nodes
    values = [value for value, _ in counts.most_common(3) if value]
    return ", ".join(values) + (" …" if len(counts) > len(values) else "")


def _cluster_commands(cluster: Cluster, assessment: Assessment, prefix: str) -> list[Command]:
    name = cluster.metadata.name
    commands = [Command(command=f"{prefix} survey cluster/{name} --wait", purpose="look again now")]
    if cluster.spec.provider == "Machines":
        commands.append(Command(command=f"{prefix} plan {name}", purpose="what is about to be done, or what stops it"))
    blocked = [each.feature for each in assessment.features if each.state == "Blocked"]
    if blocked:
        what = f"{prefix} explain feature/{blocked[0]}"
        commands.append(Command(command=what, purpose="which nodes block it in every cluster"))
    if assessment.drifting:
        first = assessment.drifting.partition(",")[0]
        commands.append(Command(command=f"{prefix} fleet --filter drift={first}", purpose="who else drifts so"))
    return commands
