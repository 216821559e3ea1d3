"""One network feature over all clusters: which could switch it on today, and which nodes block it elsewhere. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from groundplane.api.assessment import FeatureDecision, Nodes
from groundplane.api.meta import Struct, says
from groundplane.cli.fleet.wire import Fleet, FleetCluster

from .lines import blocked, commands, wrapped
from .story import Command

_CLUSTERS_SHOWN = 8
_NAMES_SHOWN = 40


class FeatureInCluster(Struct, frozen=True):
    """The decision on the feature in one cluster."""

    namespace: Annotated[str, says("namespace of the cluster")]
    cluster: Annotated[str, says("its name")]
    state: Annotated[Literal["Available", "Blocked", "Unknown"], says("as in FeatureDecision")] = "Unknown"
    message: Annotated[str, says("the decision in one sentence")] = ""
    nodes: Annotated[int, says("all nodes of the cluster")] = 0
    blockers: Annotated[Nodes, says("nodes that block it")] = Nodes()
    unlocked_by: Annotated[str, says("kernel release that would unlock it on them")] = ""


class FeatureStory(Struct, frozen=True):
    """All that is said of one feature."""

    feature: Annotated[str, says("the feature")]
    needs: Annotated[str, says("kernel releases and options that it needs")] = ""
    source: Annotated[str, says("primary source of the rule")] = ""
    wanted_by: Annotated[list[str], says("Foundations that want it")] = []
    clusters: Annotated[list[FeatureInCluster], says("each cluster whose Foundation wants it")] = []
    commands: Annotated[list[Command], says("what to type next")] = []


def known(fleet: Fleet) -> list[str]:
    """Return the features that any Foundation wants or any assessment decides on."""
    wanted = {name for foundation in fleet.foundations for name in foundation.spec.network.features}
    decided = {each.feature for cluster in fleet.clusters for each in _decisions(cluster)}
    return sorted(wanted | decided)


def _decisions(cluster: FleetCluster) -> list[FeatureDecision]:
    return cluster.status.assessment.features if cluster.status.assessment else []


def of_feature(name: str, fleet: Fleet, *, prefix: str) -> FeatureStory:
    """Return what is to be said of a feature in every cluster that wants it."""
    wanting = {
        (each.metadata.namespace, each.metadata.name)
        for each in fleet.foundations
        if name in each.spec.network.features
    }
    decisions = [(cluster, _in(cluster, name)) for cluster in fleet.clusters]
    told = [one for _, one in decisions if one is not None]
    clusters = [
        _entry(cluster, one) for cluster, one in decisions if one is not None or _foundation(cluster) in wanting
    ]
    order = {"Blocked": 0, "Unknown": 1, "Available": 2}
    clusters.sort(key=lambda each: (order[each.state], -each.blockers.count, each.cluster))
    first = next((each.cluster for each in clusters if each.state == "Blocked"), "")
    after = [Command(command=f"{prefix} fleet --filter blocked={name}", purpose="the clusters that block it")]
    if first:
        one = f"{prefix} explain cluster/{first}"
        after.append(Command(command=one, purpose="the worst of them"))
    return FeatureStory(
        feature=name,
        needs=next((each.needs for each in told if each.needs), ""),
        source=next((each.source for each in told if each.source), ""),
        wanted_by=sorted(name for _, name in wanting),
        clusters=clusters,
        commands=after,
    )


def _in(cluster: FleetCluster, name: str) -> FeatureDecision | None:
    return next((each for each in _decisions(cluster) if each.feature == name), None)


def _foundation(cluster: FleetCluster) -> tuple[str, str]:
    reference = cluster.spec.foundation_ref
    return cluster.metadata.namespace, reference.name if reference else ""


def _entry(cluster: FleetCluster, found: FeatureDecision | None) -> FeatureInCluster:
    assessment = cluster.status.assessment
    place = FeatureInCluster(
        namespace=cluster.metadata.namespace,
        cluster=cluster.metadata.name,
        nodes=assessment.uniformity.nodes if assessment else 0,
        message="nothing was assessed yet",
    )
    if found is None:
        return place
    return FeatureInCluster(
        namespace=place.namespace,
        cluster=place.cluster,
        nodes=place.nodes,
        state=found.state,
        message=found.message,
        blockers=found.blockers,
        unlocked_by=found.unlocked_by,
    )


def lines(story: FeatureStory, *, full: bool = False) -> list[str]:
    """Return the screen; `full` names every cluster."""
    available, blocking, unknown = (
        [each for each in story.clusters if each.state == state] for state in ("Available", "Blocked", "Unknown")
    )
    wanted = f"wanted by Foundation {', '.join(story.wanted_by)}" if story.wanted_by else "no Foundation wants it"
    result = [f"feature/{story.feature}: {wanted}"]
    if story.needs:
        result += wrapped("  needs ", story.needs + (f" ({story.source})" if story.source else ""))
    result.append(
        f"  {len(available)} of {len(story.clusters)} clusters could switch it on today, {len(blocking)} cannot"
        f" ({sum(each.blockers.count for each in blocking)} nodes block it), {len(unknown)} not known"
    )
    if blocking:
        limit = len(blocking) if full else _CLUSTERS_SHOWN
        result += ["", "blocked", *(line for each in blocking[:limit] for line in _blocked(each))]
        if len(blocking) > limit:
            result.append(f"  and {len(blocking) - limit} more clusters: --full shows them")
    for title, found in (("could switch it on today", available), ("not known", unknown)):
        if found:
            result += ["", title, *wrapped("  ", _names(found, full=full))]
    return [*result, "", "what to type (all of these only read)", *commands(story.commands)]


def _blocked(found: FeatureInCluster) -> list[str]:
    unlock = f"kernel {found.unlocked_by} or later on these nodes" if found.unlocked_by else "no kernel release alone"
    return [
        *wrapped(f"  {found.cluster}: ", found.message),
        *blocked(found.blockers, found.message, of=found.nodes),
        f"      unlocks: {unlock}",
    ]


def _names(found: list[FeatureInCluster], *, full: bool) -> str:
    limit = len(found) if full else _NAMES_SHOWN
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(each.cluster for each in found[:limit]) + more
