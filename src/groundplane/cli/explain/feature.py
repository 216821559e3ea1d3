"""One network feature over all clusters: which could switch it on today, and which nodes block it elsewhere. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from groundplane.api.assessment import FeatureDecision, Nodes
from groundplane.api.meta import Struct, says
from groundplane.cli.fleet.wire import Fleet, FleetCluster

from .lines import WIDTH, commands, nodes, wrapped
from .story import Command

_CLUSTERS_SHOWN = 20


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


def lines(story: FeatureStory) -> list[str]:
    """Return the screen."""
    by = {
        state: [each for each in story.clusters if each.state == state] for state in ("Available", "Blocked", "Unknown")
    }
    blockers = sum(each.blockers.count for each in by["Blocked"])
    wanted = f"wanted by Foundation {', '.join(story.wanted_by)}" if story.wanted_by else "no Foundation wants it"
    result = [f"feature/{story.feature}: {wanted}"]
    if story.needs:
        result += wrapped("  needs ", story.needs + (f" ({story.source})" if story.source else ""))
    result.append(
        f"  {len(by['Available'])} of {len(story.clusters)} clusters could switch it on today,"
        f" {len(by['Blocked'])} cannot ({blockers} nodes block it), {len(by['Unknown'])} not known"
    )
    if by["Blocked"]:
        result += ["", "blocked"]
        for each in by["Blocked"][:_CLUSTERS_SHOWN]:
            result += wrapped(f"  {each.cluster}: ", each.message)
            result += wrapped(
                f"      blocked by {each.blockers.count} of {each.nodes} nodes: ", nodes(each.blockers, of=each.nodes)
            )
            unlock = f"kernel {each.unlocked_by} or later on these nodes" if each.unlocked_by else "no kernel alone"
            result.append(f"      unlocks: {unlock}")
        result += _more(by["Blocked"])
    for state, title in (("Available", "could switch it on today"), ("Unknown", "not known")):
        if by[state]:
            result += ["", title, *wrapped("  ", ", ".join(each.cluster for each in by[state][: WIDTH // 2]))]
    return [*result, "", "what to type (all of these only read)", *commands(story.commands)]


def _more(found: list[FeatureInCluster]) -> list[str]:
    more = len(found) - _CLUSTERS_SHOWN
    return [f"  and {more} more clusters"] if more > 0 else []
