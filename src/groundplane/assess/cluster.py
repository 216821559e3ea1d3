"""One cluster, or one machine, held against its standard: the assessment that goes into its status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from groundplane.api.assessment import (
    DIMENSIONS,
    Assessment,
    Dimension,
    DimensionShare,
    Drift,
    Finding,
    StackShare,
    Uniformity,
    drifting,
    named,
    percent,
)
from groundplane.api.assessment import risks as counted
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.base import words

from . import dimensions, features, findings
from .difference import Difference, Differences
from .findings import Risk
from .ground import Ground, grounds, of_machine
from .standard import Standard

STACKS_SHOWN = 50
# What a look through the API alone cannot tell does not count against a node.
_SEEN_OVER_SSH_ONLY: frozenset[Dimension] = frozenset({"Settings"})
_PLACE_OF = {dimension: number for number, dimension in enumerate(DIMENSIONS)}

_Place = tuple[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class ClusterSubject:
    """What is known of one cluster. `machines` are facts by the Machine's name, which is the Node's."""

    facts: ClusterFacts
    machines: Mapping[str, MachineFacts] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    """Sums over the grounds of one cluster."""

    nodes: int = 0
    uniform: int = 0
    shares: Counter[tuple[Dimension, str]] = field(default_factory=Counter)
    drift: dict[tuple[Dimension, Difference, str], list[_Place]] = field(default_factory=dict)
    risks: dict[Risk, list[_Place]] = field(default_factory=dict)
    stacks: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)


def assess_cluster(subject: ClusterSubject, standard: Standard) -> Assessment:
    """Return what the facts of a cluster mean. The same input gives the same output, in the same order."""
    facts = subject.facts
    stood_on = grounds(facts.stacks, subject.machines)
    tally = _Tally()
    for ground in stood_on:
        _judge(ground, standard, facts, tally)
    _whole_cluster(subject, standard, tally)
    return _assessment(tally, standard, facts, stood_on)


def assess_machine(name: str, facts: MachineFacts, standard: Standard, known: ClusterFacts | None = None) -> Assessment:
    """Return what the facts of one host mean; `known` are the facts of its cluster, which tell what SSH cannot see."""
    ground, tally = of_machine(name, facts), _Tally()
    known = known or ClusterFacts()
    cluster = ClusterFacts(
        observed_at=facts.observed_at, platform=known.platform, network=known.network, version=known.version
    )
    _judge(ground, standard, cluster, tally)
    _judge_host(name, facts, standard, tally)
    return _assessment(tally, standard, cluster, [ground])


def _judge_host(name: str, facts: MachineFacts, standard: Standard, tally: _Tally) -> None:
    """Take in the risks that only a look at the host itself shows."""
    for risk in (
        *findings.of_machine(facts),
        *findings.of_certificates(facts.certificates, standard.certificates, standard.today),
    ):
        tally.risks.setdefault(risk, []).append(((name,), 1))


def _judge(ground: Ground, standard: Standard, facts: ClusterFacts, tally: _Tally) -> None:
    """Take one ground into the sums."""
    place: _Place = (ground.names, ground.count)
    tally.nodes += ground.count
    whole = True
    for dimension in DIMENSIONS:
        state = "uniform"
        found = _check(dimension, ground, standard, facts)
        if found is None:
            state = "unknown"
        elif found:
            reason = standard.declared.get(dimension, "")
            excused = dimension in standard.declared
            state = "exceptions" if excused else "drift"
            for difference in found:
                tally.drift.setdefault((dimension, difference, _why(reason) if excused else ""), []).append(place)
        elif standard.base is not None and dimension in standard.replaced:
            below = _check(dimension, ground, standard.base, facts)
            for difference in below or ():
                reason = f"the Cluster sets {standard.replaced[dimension]} in place of the Foundation's"
                tally.drift.setdefault((dimension, difference, reason), []).append(place)
            state = "exceptions" if below else "uniform"
        tally.shares[dimension, state] += ground.count
        whole = whole and (state == "uniform" or (state == "unknown" and dimension in _SEEN_OVER_SSH_ONLY))
    tally.uniform += ground.count if whole else 0
    for risk in findings.of_ground(ground, facts.platform.name, facts.version, standard.today):
        tally.risks.setdefault(risk, []).append(place)
    runtime = f"{ground.runtime} {ground.runtime_version}".strip()
    tally.stacks[ground.system_text, ground.kernel, facts.platform.name, ground.kubelet, runtime] += ground.count


def _check(dimension: Dimension, ground: Ground, standard: Standard, facts: ClusterFacts) -> Differences:
    if dimension == "Network":
        return dimensions.network(ground, standard, facts.network)
    return dimensions.CHECKS[dimension](ground, standard, facts.platform.name)


def _why(reason: str) -> str:
    return reason or "the Cluster declares it, without a reason"


def _whole_cluster(subject: ClusterSubject, standard: Standard, tally: _Tally) -> None:
    """Take in what is true of the cluster and not of single nodes."""
    facts = subject.facts
    everywhere: _Place = ((), 0)
    for risk in (
        *findings.of_cluster(facts, standard.today),
        *findings.of_certificates(facts.certificates, standard.certificates, standard.today),
    ):
        tally.risks.setdefault(risk, []).append(everywhere)
    for name, machine in sorted(subject.machines.items()):
        _judge_host(name, machine, standard, tally)
    for difference in dimensions.version_difference(facts.version, standard.version) or ():
        excused = "Version" in standard.declared
        reason = _why(standard.declared["Version"]) if excused else ""
        key: tuple[Dimension, Difference, str] = ("Version", replace(difference, subject="API server"), reason)
        tally.drift.setdefault(key, []).append(everywhere)


def _assessment(tally: _Tally, standard: Standard, facts: ClusterFacts, stood_on: list[Ground]) -> Assessment:
    drift = _drift(tally, facts)
    apart = drifting(drift)
    risks = findings.collect(tally.risks)
    uniformity = Uniformity(nodes=tally.nodes, stacks=len(tally.stacks))
    if standard.foundation:
        uniformity = uniformity_of(tally.nodes, tally.uniform, len(tally.stacks), tally.shares)
    return Assessment(
        foundation=standard.foundation,
        facts_at=facts.observed_at,
        summary=_summary(uniformity, apart, risks, standard),
        drifting=apart,
        risks=counted(risks),
        drift=drift,
        findings=risks,
        features=features.decide(stood_on, standard, facts.network) if standard.plugin else [],
        uniformity=uniformity,
        stacks=stack_shares(tally.stacks),
    )


def _drift(tally: _Tally, facts: ClusterFacts) -> list[Drift]:
    found = []
    for (dimension, difference, reason), places in tally.drift.items():
        names = [name for names, _ in places for name in names]
        found.append(
            Drift(
                dimension=dimension,
                found=difference.found,
                wanted=difference.wanted,
                subject=difference.subject,
                severity=difference.severity,
                state="Exception" if reason else "Drift",
                reason=reason,
                evidence=f"seen {facts.observed_at}" + (f" at {facts.source}" if facts.source else ""),
                cost=difference.cost,
                nodes=named(names, count=sum(count for _, count in places)),
                remedy=difference.remedy,
            )
        )
    return sorted(
        found,
        key=lambda one: (
            one.state,
            findings.GRAVEST_FIRST[one.severity],
            _PLACE_OF[one.dimension],
            one.subject,
            one.found,
        ),
    )


def uniformity_of(nodes: int, uniform: int, stacks: int, shares: Mapping[tuple[Dimension, str], int]) -> Uniformity:
    """Return the shares; `shares` counts nodes by dimension and state: uniform, exceptions, unknown, drift."""
    return Uniformity(
        nodes=nodes,
        uniform=uniform,
        percent=percent(uniform, nodes),
        stacks=stacks,
        dimensions=[
            DimensionShare(
                dimension=one,
                uniform=shares.get((one, "uniform"), 0),
                exceptions=shares.get((one, "exceptions"), 0),
                unknown=shares.get((one, "unknown"), 0),
                nodes=nodes,
            )
            for one in DIMENSIONS
        ],
    )


def stack_shares(stacks: Mapping[tuple[str, str, str, str, str], int]) -> list[StackShare]:
    """Return the largest stacks, largest first."""
    ordered = sorted(stacks.items(), key=lambda item: (-item[1], item[0]))[:STACKS_SHOWN]
    return [
        StackShare(operating_system=os, kernel=kernel, distribution=kind, version=version, runtime=runtime, nodes=nodes)
        for (os, kernel, kind, version, runtime), nodes in ordered
    ]


def _summary(uniformity: Uniformity, apart: str, risks: list[Finding], standard: Standard) -> str:
    grave = sum(1 for one in risks if one.severity == "High")
    risk = words.counted(len(risks), "finding") + (f", {grave} of them High" if grave else "")
    if not standard.foundation:
        return f"no Foundation to hold it against; {risk}"
    where = f"differs in {apart.replace(',', ', ')}" if apart else "stands on it"
    return (
        f"{uniformity.uniform} of {words.counted(uniformity.nodes, 'node')} on {standard.foundation}; {where}; {risk}"
    )


def stack_keys(assessment: Assessment) -> Iterable[tuple[tuple[str, str, str, str, str], int]]:
    """Yield the stacks of an assessment with their nodes."""
    for one in assessment.stacks:
        yield (one.operating_system, one.kernel, one.distribution, one.version, one.runtime), one.nodes
