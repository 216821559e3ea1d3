"""The kubeconfig Secret of a managed cluster belongs to one Cluster object, not to a name."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from groundplane.api.cluster import Cluster
from groundplane.api.meta import SECRET_KUBECONFIG
from groundplane.base.errors import Refused
from groundplane.client.typed import SECRETS, from_struct
from groundplane.controllers.members import Members
from support.member import Member, node

from .world import World, cluster, world

OLD = "00000000-0000-4000-8000-000000000000"


async def left_behind(site: World, kind: str = SECRET_KUBECONFIG) -> None:
    """A Secret of the name that the Cluster "shop" publishes to, of a Cluster that is gone."""
    owner = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Cluster", "name": "shop", "uid": OLD}
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": "shop-kubeconfig", "namespace": "default", "ownerReferences": [owner]},
        "data": {"kubeconfig": base64.b64encode(b"old").decode()},
    }
    await site.client.create(SECRETS, body)


async def test_a_kubeconfig_of_an_earlier_cluster_of_the_name_does_not_count(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        await left_behind(site)
        members, shop = Members(site.objects, now=site.clock, survey_every=600), await site.get(Cluster, "shop")
        assert await members.kubeconfig("default", "shop", uid=shop.metadata.uid) is None
        assert not (await members.observe(shop)).facts.kubeconfig_published


async def test_a_kubeconfig_that_cannot_be_used_is_said_on_the_cluster_and_does_not_stop_its_controller(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), "Succeeded")
        members, shop = Members(site.objects, now=site.clock, survey_every=600), await site.get(Cluster, "shop")
        await members.publish(from_struct(shop), b"kind: Config\n")
        again = await site.look(Cluster, "shop")
        assert again.seconds
        ready = await site.condition(Cluster, "shop", "Ready")
        assert (ready.status, ready.reason) == ("False", "Unreachable")
        assert "kubeconfig" in ready.message


async def test_publishing_takes_the_secret_over_with_its_owner(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        await left_behind(site)
        members, shop = Members(site.objects, now=site.clock, survey_every=600), await site.get(Cluster, "shop")
        await members.publish(from_struct(shop), b"new")
        await members.publish(from_struct(shop), b"newer")
        assert await members.kubeconfig("default", "shop", uid=shop.metadata.uid) == b"newer"
        stored = await site.client.get(SECRETS, "default", "shop-kubeconfig")
        assert [owner["uid"] for owner in stored["metadata"]["ownerReferences"]] == [shop.metadata.uid]


async def test_a_secret_of_a_person_is_not_overwritten(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add(cluster())
        await left_behind(site, "Opaque")
        members, shop = Members(site.objects, now=site.clock, survey_every=600), await site.get(Cluster, "shop")
        with pytest.raises(Refused, match="shop-kubeconfig"):
            await members.publish(from_struct(shop), b"new")
        stored = await site.client.get(SECRETS, "default", "shop-kubeconfig")
        assert base64.b64decode(stored["data"]["kubeconfig"]) == b"old"


async def test_a_cluster_of_machines_is_surveyed_by_time_and_on_demand_and_keeps_its_history(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member(nodes=[node("shop-1"), node("shop-2")]) as member:
        await site.add_all()
        await site.look_settled()
        await site.end(await site.only_operation(), "Succeeded")
        shop = await site.get(Cluster, "shop")
        await Members(site.objects, now=site.clock, survey_every=600).publish(from_struct(shop), member.kubeconfig)
        await site.look(Cluster, "shop")
        facts = (await site.get(Cluster, "shop")).status.facts
        assert facts is not None
        assert (facts.nodes, facts.platform.name, facts.stacks[0].count) == ([], "tke", 2)
        assert await site.writes(Cluster, "shop") == 0

        member.version = "v1.20.6-tke.4"
        site.clock.advance(60)
        await site.look(Cluster, "shop")
        assert (await site.get(Cluster, "shop")).status.history == []
        await site.annotate(Cluster, "shop", "groundplane.dev/survey", "now")
        await site.look(Cluster, "shop")
        assert [change.what for change in (await site.get(Cluster, "shop")).status.history] == ["API server version"]

        surveyed = sum(request.path == "/apis" for request in member.requests)
        site.clock.advance(601)
        await site.look(Cluster, "shop")
        assert sum(request.path == "/apis" for request in member.requests) == surveyed + 1
