"""What brings a fleet to its Foundation, and in which order. A preview: it makes no Operation and changes nothing.

Order within a cluster: what is about to break first (certificates), then what needs no drain (host settings), then
what every later step rests on (kernel, runtime), then Kubernetes minor by minor, then the network. A runtime moves
before Kubernetes does, because the newer Kubernetes may have no Docker any more. Kernel, runtime and the first hop of
Kubernetes share one drain of each node. Order of clusters: canaries first (label groundplane.dev/canary: "true";
without one the smallest), then by size, so that a mistake is met where it costs least.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated

import msgspec

from groundplane.api.assessment import Assessment, Drift, Nodes, RemedyAction
from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation
from groundplane.api.meta import LABEL_CANARY, Struct, find_condition, says
from groundplane.api.unify_plan import LeftAlone, UnifyPlan, UnifyStep
from groundplane.base.words import counted
from groundplane.catalog.runtimes import containerd_satisfiable

from .path import MANAGED, Path, version_path
from .waves import cut

_RUNTIME: tuple[RemedyAction, ...] = ("MigrateRuntime", "UpgradeRuntime")
_KUBERNETES: tuple[RemedyAction, ...] = ("UpgradeKubernetes", "ConvertDistribution")
_NOT_BY_A_RUN: dict[RemedyAction, str] = {
    "RenewCertificates": "a run does not renew certificates: groundplane renew-certificates {name}",
    "UpgradeRuntime": "a newer version of the same runtime is not installed by Groundplane yet",
    "ChangeNetwork": "the pod network of a living cluster is not changed by Groundplane",
}
# The canaries, or one cluster; then all others.
SIZES: tuple[int | str, ...] = (1, "100%")


class Member(Struct, frozen=True):
    """One cluster as the preview needs it. `assessment` None: nothing is known of it, and `problem` says why."""

    name: Annotated[str, says("name of the Cluster")]
    provider: Annotated[str, says("Machines or Imported")] = "Machines"
    platform: Annotated[str, says("kind of Kubernetes")] = ""
    version: Annotated[str, says("version of the API server")] = ""
    canary: Annotated[bool, says("whether it goes first")] = False
    assessment: Annotated[Assessment | None, says("its newest assessment")] = None
    problem: Annotated[str, says("why nothing, or nothing new, is known of it")] = ""
    foreign: Annotated[bool, says("whether its machines are not known, so that nothing can be done to it")] = False


def member_of(cluster: Cluster, *, machines: bool = True) -> Member:
    """Return a Cluster as the preview needs it; `machines`: whether any Machine belongs to it."""
    status = cluster.status
    ready = find_condition(status.conditions, "Ready")
    return Member(
        name=cluster.metadata.name,
        provider=cluster.spec.provider,
        platform=status.facts.platform.name if status.facts else "",
        version=status.version,
        canary=cluster.metadata.labels.get(LABEL_CANARY) == "true",
        assessment=status.assessment,
        problem=ready.message if ready is not None and ready.status != "True" else "",
        foreign=cluster.spec.provider == "Imported" and not machines,
    )


def fleet_plan(
    foundation: Foundation,
    clusters: Iterable[Cluster],
    with_machines: Collection[str],
    sizes: Sequence[int | str] = SIZES,
) -> UnifyPlan:
    """Return the preview of a Foundation, out of the Clusters of its namespace.

    `with_machines`: names of the Clusters that Machines belong to; `sizes` of the waves.
    """
    name = foundation.metadata.name
    mine = [one for one in clusters if one.spec.foundation_ref and one.spec.foundation_ref.name == name]
    members = [member_of(one, machines=one.metadata.name in with_machines) for one in mine]
    return unify(name, foundation.spec.kubernetes.version, members, sizes)


def unify(
    foundation: str, wanted_version: str, members: Iterable[Member], sizes: Sequence[int | str] = SIZES
) -> UnifyPlan:
    """Return the preview for the clusters of one Foundation, in waves of these sizes. Same input, same plan."""
    work, left = _sorted_out(members, wanted_version)
    numbered = list(_numbered(work, sizes))
    return UnifyPlan(
        foundation=foundation,
        summary=_summary(numbered, len(work), len(left)),
        steps=numbered,
        left_alone=sorted(left, key=lambda one: one.cluster),
        canaries=[member.name for member, _ in work if member.canary],
    )


def waves_of(plan: UnifyPlan) -> list[list[str]]:
    """Return the clusters of a preview by wave, without those of which nothing would be done."""
    doable = dict.fromkeys((step.wave, step.cluster) for step in plan.steps if not step.blocked)
    numbers = sorted({wave for wave, _ in doable})
    return [[cluster for wave, cluster in doable if wave == number] for number in numbers]


def _sorted_out(
    members: Iterable[Member], wanted_version: str
) -> tuple[list[tuple[Member, list[UnifyStep]]], list[LeftAlone]]:
    """Return the clusters with something to do, smallest first, and those without."""
    work: list[tuple[Member, list[UnifyStep]]] = []
    left: list[LeftAlone] = []
    for member in sorted(members, key=lambda one: (_size(one), one.name)):
        steps = list(_steps(member, wanted_version))
        if steps:
            work.append((member, steps))
        else:
            left.append(LeftAlone(cluster=member.name, reason=_why_nothing(member)))
    return work, left


def _numbered(work: Sequence[tuple[Member, list[UnifyStep]]], sizes: Sequence[int | str]) -> Iterator[UnifyStep]:
    """Yield the steps of all clusters, wave by wave."""
    own = {member.name: steps for member, steps in work}
    canaries = [member.name for member, _ in work if member.canary]
    doable = [name for name, steps in own.items() if not all(step.blocked for step in steps)]
    waves = cut(doable, canaries, sizes) or [[]]
    # Clusters of which nothing would be done take nobody's place.
    waves[-1] += [name for name in own if name not in set(doable)]
    number = 0
    for wave, names in enumerate(waves, start=1):
        for step in (step for name in names for step in own[name]):
            number += 1
            yield msgspec.structs.replace(step, number=number, wave=wave)


def _size(member: Member) -> int:
    return member.assessment.uniformity.nodes if member.assessment else 0


def _why_nothing(member: Member) -> str:
    if member.assessment is None:
        return member.problem or "nothing is known of it yet"
    excused = sum(1 for one in member.assessment.drift if one.state == "Exception")
    return f"it differs by {counted(excused, 'declared exception')} only" if excused else "it stands on the Foundation"


def _steps(member: Member, wanted_version: str) -> Iterator[UnifyStep]:
    if member.assessment is None:
        return
    drift = [one for one in member.assessment.drift if one.state == "Drift"]
    drained = False
    for step in (
        *_certificates(member),
        *_of_action(member, drift, "TuneHost", "Set the host as the Foundation says"),
        *_kernel(member, drift),
        *_runtime(member, drift, wanted_version),
        *_kubernetes(member, drift, wanted_version),
        *_of_action(member, drift, "ChangeNetwork", "Change the pod network"),
        *_by_hand(member, drift, wanted_version),
    ):
        # A node that is empty already need not be emptied twice.
        shares = drained and step.action in (*_RUNTIME, *_KUBERNETES)
        # The next hop of Kubernetes is an Operation of its own.
        drained = step.drains and not step.blocked and step.action not in _KUBERNETES
        yield msgspec.structs.replace(step, shares_drain=shares)


def _certificates(member: Member) -> Iterator[UnifyStep]:
    found = (
        [one for one in member.assessment.findings if one.type == "CertificateExpiring"] if member.assessment else []
    )
    if found:
        title = f"Renew {counted(len(found), 'certificate')} near or past the end"
        yield _step(member, "RenewCertificates", title, nodes=_all(one.nodes for one in found))


def _of_action(member: Member, drift: list[Drift], action: RemedyAction, title: str) -> Iterator[UnifyStep]:
    found = [one for one in drift if one.remedy.action == action]
    if found:
        subjects = ", ".join(dict.fromkeys(one.subject or one.found for one in found))
        yield _step(member, action, f"{title}: {subjects}", nodes=_all(one.nodes for one in found))


def _kernel(member: Member, drift: list[Drift]) -> Iterator[UnifyStep]:
    found = [one for one in drift if one.remedy.action == "UpgradeKernel"]
    if found:
        floors = dict.fromkeys(one.wanted for one in found if one.dimension == "Kernel")
        features = dict.fromkeys(one.subject for one in found if one.dimension == "Network")
        wanted = " and ".join([*floors, *([f"for {', '.join(features)}"] if features else [])])
        yield _step(
            member,
            "UpgradeKernel",
            f"Boot another kernel: {wanted}",
            source=", ".join(dict.fromkeys(one.found for one in found if one.dimension == "Kernel")),
            target=wanted,
            nodes=_all(one.nodes for one in found),
            drains=True,
        )


def _runtime(member: Member, drift: list[Drift], wanted_version: str) -> Iterator[UnifyStep]:
    for action in _RUNTIME:
        for one in drift:
            if one.remedy.action == action:
                verb = "Migrate" if action == "MigrateRuntime" else "Upgrade"
                step = _step(
                    member,
                    one.remedy.action,
                    f"{verb} the container runtime from {one.found} to {one.wanted}{_serving(member, wanted_version)}",
                    source=one.found,
                    target=one.wanted,
                    nodes=one.nodes,
                    drains=True,
                )
                yield step


def _serving(member: Member, wanted: str) -> str:
    """Say which containerd serves the Kubernetes of now and the wanted one, when one does."""
    path = version_path(member.version, wanted) if member.version and wanted else Path()
    stops = [hop.source.partition("-")[0] for hop in path.hops] + [hop.target.partition("-")[0] for hop in path.hops]
    if not stops:
        return ""
    for line in ("1.7", "1.6", "2.1", "2.2"):
        constraint = f">={line}.0,<{line.partition('.')[0]}.{int(line.partition('.')[2]) + 1}.0"
        if all(containerd_satisfiable(stop, constraint).ok for stop in stops):
            return f" (containerd {line} serves every Kubernetes on the way)"
    return " (no single containerd line serves every Kubernetes on the way: it moves again in between)"


def _kubernetes(member: Member, drift: list[Drift], wanted_version: str) -> Iterator[UnifyStep]:
    found = [one for one in drift if one.dimension in ("Version", "Distribution")]
    if not found:
        return
    # A version that the Cluster sets itself is in its drift. Nodes that are behind their API server follow it.
    wanted_version = next((one.wanted for one in found if one.dimension == "Version"), wanted_version)
    path = version_path(member.version, wanted_version) if wanted_version else Path()
    nodes = _all(one.nodes for one in found)
    if path.refusal:
        yield _step(member, "UpgradeKubernetes", f"Bring Kubernetes to {wanted_version}", nodes=nodes,
                    blocked=path.refusal)  # fmt: skip
        return
    for hop in path.hops:
        action: RemedyAction = "ConvertDistribution" if hop.converts else "UpgradeKubernetes"
        verb = "Convert and upgrade" if hop.converts else "Upgrade"
        yield _step(member, action, f"{verb} Kubernetes from {hop.source} to {hop.target}", source=hop.source,
                    target=hop.target, nodes=nodes, drains=True)  # fmt: skip
    if not path.hops and any(one.dimension == "Version" for one in found):
        yield _step(member, "UpgradeKubernetes", f"Bring the kubelets that are behind to {wanted_version}",
                    target=wanted_version, nodes=nodes, drains=True)  # fmt: skip


def _by_hand(member: Member, drift: list[Drift], wanted_version: str) -> Iterator[UnifyStep]:
    for one in drift:
        if one.remedy.action == "ConvertDistribution" and not wanted_version:
            yield _step(member, "ConvertDistribution", f"Convert {one.found} to {one.wanted}", source=one.found,
                        target=one.wanted, nodes=one.nodes,
                        blocked="the Foundation names no version to convert to")  # fmt: skip
        if one.remedy.action == "ReinstallOperatingSystem":
            yield _step(
                member,
                "ReinstallOperatingSystem",
                f"Replace nodes on {one.found} by nodes on {one.wanted}",
                source=one.found,
                target=one.wanted,
                nodes=one.nodes,
                blocked="an operating system is never installed anew in place: add new machines, then take these out",
            )
        elif one.remedy.action == "None" and one.dimension != "Version":
            yield _step(member, "None", one.remedy.text, source=one.found, target=one.wanted, nodes=one.nodes,
                        blocked="a person has to decide")  # fmt: skip


def _step(member: Member, action: RemedyAction, title: str, *, blocked: str = "", **fields: object) -> UnifyStep:
    if not blocked and member.platform in MANAGED:
        blocked = f"a cluster of kind {member.platform} is changed by its provider's own means"
    if not blocked and member.foreign:
        blocked = "its machines are not known to Groundplane: make a Machine for each of its nodes to adopt it"
    if not blocked and action in _NOT_BY_A_RUN:
        blocked = _NOT_BY_A_RUN[action].format(name=member.name)
    return msgspec.structs.replace(
        UnifyStep(number=0, wave=0, cluster=member.name, action=action, title=title, blocked=blocked), **fields
    )


def _all(found: Iterable[Nodes]) -> Nodes:
    """Return the nodes of several differences, each once; of nodes that are only counted the largest count holds."""
    listed = list(found)
    names = sorted({name for one in listed for name in one.names})
    return Nodes(count=max([len(names), *(one.count for one in listed)]), names=names)


def _summary(steps: Sequence[UnifyStep], clusters: int, alone: int) -> str:
    blocked = sum(1 for one in steps if one.blocked)
    text = f"{counted(len(steps), 'step')} in {counted(clusters, 'cluster')}; nothing to do in {alone} more"
    return f"{text}; {counted(blocked, 'step')} not for Groundplane to do" if blocked else text
