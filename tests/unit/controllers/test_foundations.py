"""Foundations: uniformity over their clusters, summed up as Clusters change, and how it was over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from groundplane.api.assessment import Assessment
from groundplane.api.cluster import Cluster
from groundplane.api.facts import ClusterFacts, PlatformFacts, StackFacts
from groundplane.api.foundation import Foundation
from groundplane.controllers.assessing import Assessor, judge
from groundplane.engine.conditions import Conditions

from .world import World, cluster, distribution, foundation, world

GOOD = StackFacts(
    os_image="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0",
    kubelet="v1.20.2",
    runtime="containerd://1.6.20",
    count=2,
    nodes=["shop-1", "shop-2"],
)
DOCKER = msgspec.structs.replace(GOOD, runtime="docker://20.10.24", count=1, nodes=["shop-3"])


def facts(*stacks: StackFacts) -> ClusterFacts:
    return ClusterFacts(
        observed_at="2026-11-28T03:00:00Z",
        reachable=True,
        version="v1.20.2",
        platform=PlatformFacts(name="native"),
        stacks=list(stacks),
    )


async def assessed(site: World, name: str, *stacks: StackFacts, **spec: Any) -> Assessment:
    """Make a Cluster with the assessment of these stacks in its status."""
    await site.add(cluster(name, **spec))
    found = await site.get(Cluster, name)
    assessment = await Assessor(site.objects, now=site.clock).cluster(found, facts(*stacks), {})
    assert assessment is not None
    await site.objects.write_status(found, msgspec.structs.replace(found.status, assessment=assessment))
    return assessment


async def test_a_foundation_sums_up_its_clusters(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation(), foundation("other"))
        await assessed(site, "shop", GOOD, DOCKER)
        await assessed(site, "bank", GOOD)
        await assessed(site, "elsewhere", DOCKER, foundationRef={"name": "other"})
        await site.add(cluster("new"))
        await site.sum_up()
        status = (await site.get(Foundation, "ground")).status
        assert (status.clusters, status.drifting, status.unassessed) == (3, 1, 1)
        assert (status.uniformity.nodes, status.uniformity.uniform, status.uniformity.percent) == (5, 4, "80.0%")
        assert [one.nodes for one in status.stacks] == [4, 1]
        assert [(point.uniform, point.nodes) for point in status.history] == [(4, 5)]
        uniform = await site.condition(Foundation, "ground", "Uniform")
        assert (uniform.status, uniform.reason) == ("False", "Drift")
        assert uniform.message == "1 of 3 clusters differ; 4 of 5 nodes stand on it; 2 distinct stacks"


async def test_history_grows_when_something_changes_and_only_then(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation())
        await assessed(site, "shop", GOOD)
        await site.sum_up()
        site.clock.advance(3600)
        assert await site.writes(Foundation, "ground") == 0
        await assessed(site, "bank", DOCKER)
        await site.sum_up()
        site.clock.advance(3600)
        await site.delete(Cluster, "bank")
        await site.sum_up()
        history = (await site.get(Foundation, "ground")).status.history
        assert [(point.uniform, point.nodes) for point in history] == [(2, 2), (2, 3), (2, 2)]


async def test_a_cluster_that_moves_to_another_foundation_is_counted_there(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation(), foundation("other"))
        await assessed(site, "shop", GOOD)
        await site.sum_up()
        await site.patch(Cluster, "shop", spec={"foundationRef": {"name": "other"}})
        await site.sum_up("other")
        await site.look(Foundation, "ground")
        assert (await site.get(Foundation, "other")).status.clusters == 1
        assert (await site.get(Foundation, "ground")).status.clusters == 0
        assert (await site.condition(Foundation, "ground", "Uniform")).reason == "NoClusters"


async def test_what_was_held_against_something_else_is_not_summed_up(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution())
        assert (await assessed(site, "shop", GOOD)).foundation == ""
        await site.add(foundation(), foundation("other"))
        await site.sum_up()
        status = (await site.get(Foundation, "ground")).status
        assert (status.clusters, status.unassessed, status.uniformity.nodes, status.history) == (1, 1, 0, [])
        await site.patch(Cluster, "shop", spec={"foundationRef": {"name": "other"}})
        await site.sum_up("other")
        assert (await site.get(Foundation, "other")).status.unassessed == 1


async def test_every_way_of_standing_on_a_foundation_has_its_word(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation())
        await assessed(site, "shop", GOOD)
        await site.sum_up()
        assert (await site.condition(Foundation, "ground", "Uniform")).reason == "OnFoundation"
        await assessed(site, "own", DOCKER, runtime={"name": "docker"})
        await site.sum_up()
        assert (await site.condition(Foundation, "ground", "Uniform")).reason == "Exceptions"
        await site.add(cluster("new"))
        await site.sum_up()
        assert (await site.condition(Foundation, "ground", "Uniform")).reason == "FactsMissing"


async def test_every_way_of_standing_of_a_cluster_has_its_word(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation())
        blank = StackFacts(count=1, nodes=["x"])
        told = {
            "shop": await assessed(site, "shop", GOOD),
            "drifts": await assessed(site, "drifts", DOCKER),
            "excused": await assessed(site, "excused", DOCKER, runtime={"name": "docker"}),
            "unknown": await assessed(site, "unknown", blank),
            "free": await assessed(site, "free", GOOD, foundationRef=None, kubernetes={"version": "v1.20.2"}),
            "new": None,
        }
        reasons = {}
        for name, assessment in told.items():
            conditions = Conditions([], generation=1, now=site.clock())
            judge(conditions, assessment)
            (found,) = conditions.values()
            reasons[name] = (found.status, found.reason)
        assert reasons == {
            "shop": ("True", "OnFoundation"),
            "drifts": ("False", "Drift"),
            "excused": ("False", "Exceptions"),
            "unknown": ("Unknown", "FactsMissing"),
            "free": ("Unknown", "NoFoundation"),
            "new": ("Unknown", "NotSurveyed"),
        }


async def test_a_misspelt_feature_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(distribution(), foundation())
        await site.patch(Foundation, "ground", spec={"network": {"plugin": "cilium", "features": ["BandwithManager"]}})
        await site.look(Foundation, "ground")
        message = (await site.condition(Foundation, "ground", "Ready")).message
        assert "no feature of cilium is called BandwithManager; there are " in message
        assert "BandwidthManager" in message
        await site.patch(Foundation, "ground", spec={"network": {"plugin": "calico", "features": ["eBPF"]}})
        await site.look(Foundation, "ground")
        message = (await site.condition(Foundation, "ground", "Ready")).message
        assert message == "0 clusters on it; eBPF of calico cannot be decided on: the catalog knows no such table"
