"""What changes a living cluster next: the next stop on its way to the wanted version, and the plan of that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from groundplane.api.distribution import Release
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan
from groundplane.api.target import ClusterTarget, Desired, running_version
from groundplane.base import versions
from groundplane.base.errors import Refused

from .change import plan_change
from .create import plan_create
from .deltas import living
from .supported import version_of
from .view import View, held_back
from .way import next_stop, require_skew


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plan with the target that it leads to: the wanted one, or a stop on the way to it."""

    plan: Plan
    target: ClusterTarget


def next_plan(
    desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts, releases: Iterable[Release]
) -> Chosen:
    """Return what is next: a change of the nodes that live, and when there is none, what is still to be made.

    A cluster that does not answer is not changed. One that was there before is never made.
    """
    view = View(desired, facts, cluster)
    members = desired.target.members
    if cluster.reachable and any(name in facts and living(view, name) for name in members):
        chosen = next_change(desired, facts, cluster, releases)
        if chosen.plan.steps or desired.target.origin == "Adopted":
            return with_rest(chosen, [name for name in members if name in facts and not living(view, name)])
    if desired.target.origin == "Adopted":
        return Chosen(Plan(action="Change", summary="the cluster does not answer"), desired.target)
    return Chosen(plan_create(desired, facts, cluster), desired.target)


def with_rest(chosen: Chosen, joining: Sequence[str]) -> Chosen:
    """Return a plan that says which machines join when it is done; one without steps stays as it is."""
    plan = chosen.plan
    if not plan.steps or not joining:
        return chosen
    words = "; ".join([*([plan.next] if plan.next else []), f"{', '.join(joining)} joins"])
    return Chosen(msgspec.structs.replace(plan, next=words), chosen.target)


def next_change(
    desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts, releases: Iterable[Release]
) -> Chosen:
    """Return the next change of a living cluster; a plan without steps when there is none. Raises Refused."""
    target, known = desired.target, {release.version: release for release in releases}
    # Of an adopted cluster whose version nobody chose, the oldest that runs is wanted: no way leads there.
    if target.version == running_version(cluster):
        return Chosen(plan_change(desired, facts, cluster), target)
    kubelets = {node.name: node.kubelet_version for node in cluster.nodes if node.kubelet_version}
    stop = _stop(View(desired, facts, cluster), known)
    require_skew(stop, kubelets)
    if stop != target.version:
        target = msgspec.structs.replace(target, version=stop, release=known[stop])
    plan = plan_change(msgspec.structs.replace(desired, target=target), facts, cluster)
    later = "" if stop == desired.target.version else f"Kubernetes {stop} → {desired.target.version}"
    return Chosen(msgspec.structs.replace(plan, next=later) if plan.steps else plan, target)


def _stop(view: View, known: Iterable[str]) -> str:
    """Return the next stop of the control plane that is furthest behind, but none that is behind the API server.

    Another one may have gone ahead in a change that did not come to its end, and it is the one that the API shows.
    """
    served, wanted, releases = view.cluster.version, view.target.version, list(known)
    planes = [name for name in view.target.control_planes if name in view.facts and not held_back(view, name)]
    running = [served, *(version for name in planes if (version := version_of(view, name)))]
    try:
        stop = next_stop(min(running, key=versions.parse), wanted, releases)
        if versions.parse(served) <= versions.parse(stop):
            return stop
    except Refused:
        # What is refused for the API server, too, is refused with its words.
        return next_stop(served, wanted, releases)
    return next_stop(served, wanted, releases)
