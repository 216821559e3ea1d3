"""Imported Clusters: what a look at one writes, and when it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from groundplane.api.cluster import Cluster
from groundplane.api.meta import SECRET_KUBECONFIG
from groundplane.client.contract import Object
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from support.member import Member, node

from .world import NAMESPACE, World, document, world


def imported(name: str = "prod", **spec: Any) -> Object:
    return document("Cluster", name, provider="Imported", kubeconfigRef={"name": f"{name}-kubeconfig"}, **spec)


def kubeconfig(member: Member, name: str = "prod") -> Object:
    metadata = {"name": f"{name}-kubeconfig", "namespace": NAMESPACE}
    data = {"kubeconfig": member.secret_data}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_KUBECONFIG, "data": data}


async def look(site: World, name: str = "prod") -> Again:
    return await site.imported(ObjectKey(NAMESPACE, name))


async def test_a_cluster_that_answers_is_ready_with_facts_and_no_nodes_in_them(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        cluster = await site.get(Cluster, "prod")
        assert cluster.status.phase == "Ready"
        assert (cluster.status.cluster_id, cluster.status.distribution) == ("uid-1", "tke")
        assert (cluster.status.version, cluster.status.runtime) == ("v1.20.6-tke.3", "containerd://1.6.9")
        assert (cluster.status.endpoint, cluster.status.ready_nodes) == (member.url, 2)
        facts = cluster.status.facts
        assert facts is not None
        assert facts.nodes == []
        assert [(stack.nodes, stack.count) for stack in facts.stacks] == [(["a", "b"], 2)]
        assert {request.method for request in member.requests} == {"GET"}


async def test_a_second_look_within_the_time_writes_and_asks_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        asked, revision = len(member.requests), await site.store.revision()
        site.clock.advance(400)
        again = await look(site)
        assert again.seconds is not None
        assert 100 < again.seconds < 300
        assert (len(member.requests), await site.store.revision()) == (asked, revision)
        site.clock.advance(300)
        await look(site)
        assert len(member.requests) > asked


async def test_a_new_value_of_the_annotation_is_a_survey_now(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        member.nodes.append(node("c", kernelVersion="5.4.119-20"))
        await site.annotate(Cluster, "prod", "groundplane.dev/survey", "now")
        await look(site)
        status = (await site.get(Cluster, "prod")).status
        assert status.ready_nodes == 3
        assert [(c.what, c.before, c.after) for c in status.history] == [("kernel", "", "5.4.119-20")]
