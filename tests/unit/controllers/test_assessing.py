"""What facts mean is written with every look, and anew when the Foundation or the day is another one."""

from __future__ import annotations

from pathlib import Path

from groundplane.api.assessment import Assessment
from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from support.member import Member

from .test_imported import imported, kubeconfig, look
from .world import World, document, world


def wants(version: str) -> dict[str, object]:
    return {"kubernetes": {"distribution": "tke", "version": version}}


async def assessment(site: World) -> Assessment:
    found = (await site.get(Cluster, "prod")).status.assessment
    assert found is not None
    return found


async def test_a_survey_says_where_the_cluster_differs(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        foundation = document("Foundation", "ground", **wants("v1.21.4-tke.4"))
        await site.add(foundation, kubeconfig(member), imported(foundationRef={"name": "ground"}))
        await look(site)
        found = await assessment(site)
        assert (found.foundation, found.drifting, found.uniformity.nodes) == ("ground", "Version", 2)
        uniform = await site.condition(Cluster, "prod", "Uniform")
        assert (uniform.status, uniform.reason, uniform.message) == ("False", "Drift", found.summary)


async def test_another_foundation_is_another_assessment_without_another_survey(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported(foundationRef={"name": "ground"}))
        await look(site)
        assert (await site.condition(Cluster, "prod", "Uniform")).reason == "FoundationMissing"
        asked = len(member.requests)
        await site.add(document("Foundation", "ground", **wants("v1.20.6-tke.3")))
        await look(site)
        assert (await site.condition(Cluster, "prod", "Uniform")).reason == "OnFoundation"
        await site.patch(Foundation, "ground", spec=wants("v1.21.4-tke.4"))
        await look(site)
        assert (await assessment(site)).drifting == "Version"
        assert len(member.requests) == asked


async def test_an_unreachable_cluster_keeps_what_its_last_facts_mean(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        async with Member() as member:
            foundation = document("Foundation", "ground", **wants("v1.21.4-tke.4"))
            await site.add(foundation, kubeconfig(member), imported(foundationRef={"name": "ground"}))
            await look(site)
        before = await assessment(site)
        site.clock.advance(700)
        await look(site)
        assert (await site.condition(Cluster, "prod", "Reachable")).status == "False"
        assert await assessment(site) == before


async def test_a_machine_is_held_against_the_foundation_of_its_cluster(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look(Machine, "shop-1")
        found = (await site.get(Machine, "shop-1")).status.assessment
        assert found is not None
        assert (found.foundation, found.uniformity.nodes) == ("ground", 1)
        observed = (await site.get(Machine, "shop-1")).status.facts
        await site.patch(Foundation, "ground", spec={"operatingSystem": {"kernel": {"minimum": "99.0"}}})
        await site.look(Machine, "shop-1")
        status = (await site.get(Machine, "shop-1")).status
        assert status.assessment is not None
        assert "Kernel" in status.assessment.drifting
        assert (await site.condition(Machine, "shop-1", "Uniform")).reason == "Drift"
        assert status.facts == observed
        assert await site.writes(Machine, "shop-1") == 0
