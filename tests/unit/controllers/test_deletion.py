"""Deletion: what is needed for it stays, what is not goes at once, and in the end nothing is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_ABANDON, ANNOTATION_RETRY, FINALIZER_IN_USE
from groundplane.api.operation import Operation
from groundplane.client.typed import SECRETS

from .site import Host
from .world import World, cluster, distribution, foundation, secret, world

NEEDED = [(Machine, "shop-1"), (Machine, "shop-2"), ("Secret", "key"), (Foundation, "ground"), (Distribution, "native")]
EVERYTHING = [(Cluster, "shop"), *NEEDED]


async def made(site: World, *, workers: int = 1) -> list[Host]:
    """A cluster whose create Operation succeeded and left its mark on the machines."""
    hosts = await site.add_all(workers)
    await site.look_settled()
    await site.end(await site.only_operation(), "Succeeded")
    for host in hosts:
        host.owner = "default/shop"
    await site.look_settled()
    return hosts


async def run_deletion(site: World, hosts: list[Host]) -> None:
    """Let the Delete Operation run on machines from which everything has just gone."""
    await site.look(Cluster, "shop")
    operation = await site.only_operation("Delete")
    site.clock.advance(1)
    # The survey before the run still sees what was planned for; then each step looks and finds nothing of ours.
    for host in hosts:
        restore_after_survey(host)
    await site.look(Operation, operation.metadata.name)
    ended = await site.get(Operation, operation.metadata.name)
    assert ended.status.phase == "Succeeded", ended.status.progress
    await site.look(Cluster, "shop")


def restore_after_survey(host: Host) -> None:
    door = host.door
    assert door is not None
    answer, surveys = door.script, host.surveys

    def script(argv: list[str]) -> object:
        answered = answer(argv)
        if host.surveys > surveys:
            host.owner = ""
        return answered

    door.script = script  # type: ignore[assignment]


async def left(site: World) -> list[str]:
    """Everything that is still there, as "Kind name"."""
    kinds = (Cluster, Machine, Foundation, Distribution)
    names = [f"{kind.__name__} {o.metadata.name}" for kind in kinds for o in await site.objects.all(kind)]
    secrets = (await site.client.list(SECRETS)).items
    return names + [f"Secret {s['metadata']['name']}" for s in secrets]


async def test_all_that_a_cluster_needs_is_held(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        for kind, name in NEEDED:
            assert await site.finalizers(kind, name) == [FINALIZER_IN_USE], name


@pytest.mark.parametrize("order", [EVERYTHING, EVERYTHING[::-1], EVERYTHING[3:] + EVERYTHING[:3]])
async def test_everything_deleted_at_once_in_any_order_leaves_nothing(tmp_path: Path, order: list[tuple]) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        for kind, name in order:
            await site.delete(kind, name)
        assert len(await left(site)) == len(EVERYTHING)
        await run_deletion(site, hosts)
        assert await left(site) == []


async def test_a_cluster_that_never_had_an_operation_goes_at_once_even_when_its_machines_are_gone(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as site:
        hosts = await site.add_all()
        for host in hosts:
            site.site.switch_off(host)
        await site.look_settled()
        assert await site.finalizers("Secret", "key") == [FINALIZER_IN_USE]
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        assert "Cluster shop" not in await left(site)
        assert await site.operations() == []
        assert await site.finalizers("Secret", "key") == []


async def test_a_cluster_that_was_never_valid_can_be_deleted(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.patch(Distribution, "native", spec={"releases": []})
        await site.look_settled()
        assert (await site.condition(Cluster, "shop", "SpecValid")).status == "False"
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        assert "Cluster shop" not in await left(site)


async def test_a_release_that_is_not_offered_any_more_does_not_stop_a_deletion(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        await site.patch(Distribution, "native", spec={"releases": []})
        await site.delete(Cluster, "shop")
        await run_deletion(site, hosts)
        assert "Cluster shop" not in await left(site)


async def test_a_deletion_cancels_a_create_that_runs_before_anything_else(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all()
        await site.look_settled()
        create = await site.only_operation()
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        assert (await site.only_operation()).spec.cancel == "Requested"
        assert await site.writes(Cluster, "shop") == 0
        await site.look(Operation, create.metadata.name)
        assert (await site.get(Operation, create.metadata.name)).status.phase == "Cancelled"
        await site.look(Cluster, "shop")
        assert "Cluster shop" not in await left(site)


async def test_a_machine_that_does_not_answer_holds_the_deletion_up_and_the_way_out_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        site.site.switch_off(hosts[1])
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        await site.look(Cluster, "shop")
        assert await site.writes(Cluster, "shop") == 0
        reachable = await site.condition(Cluster, "shop", "MachinesReachable")
        assert "shop-2" in reachable.message
        assert ANNOTATION_ABANDON in reachable.message
        assert (await site.get(Cluster, "shop")).status.phase == "Deleting"


async def test_an_abandoned_machine_is_left_out(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        site.site.switch_off(hosts[1])
        await site.delete(Cluster, "shop")
        await site.annotate(Machine, "shop-2", ANNOTATION_ABANDON, "true")
        await site.look(Cluster, "shop")
        operation = await site.only_operation("Delete")
        assert {step.machine for step in operation.spec.plan.steps} == {"shop-1"}
        assert operation.spec.target.members == ["shop-1"]
        await run_deletion(site, hosts[:1])
        assert "Cluster shop" not in await left(site)
        assert await site.finalizers(Machine, "shop-2") == []


async def test_the_only_control_plane_can_be_abandoned_and_the_workers_are_still_cleaned(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        site.site.switch_off(hosts[0])
        await site.delete(Cluster, "shop")
        await site.annotate(Machine, "shop-1", ANNOTATION_ABANDON, "true")
        await site.look(Cluster, "shop")
        operation = await site.only_operation("Delete")
        assert {step.machine for step in operation.spec.plan.steps} == {"shop-2"}
        await run_deletion(site, hosts[1:])
        assert "Cluster shop" not in await left(site)


async def test_a_deletion_that_failed_is_said_and_retried_by_a_person(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        await site.end(await site.only_operation("Delete"), "Failed")
        await site.look(Cluster, "shop")
        assert await site.writes(Cluster, "shop") == 0
        assert (await site.get(Cluster, "shop")).status.phase == "Failed"
        assert (await site.condition(Cluster, "shop", "Progressing")).reason == "OperationFailed"
        await site.only_operation("Delete")
        await site.annotate(Cluster, "shop", ANNOTATION_RETRY, "1")
        await site.look(Cluster, "shop")
        assert len(await site.operations("Delete")) == 2


async def two_clusters(site: World) -> None:
    """Clusters "shop" and "depot" on machines of their own, with one Secret, Foundation and Distribution."""
    await site.add(secret(), distribution(), foundation(), cluster())
    await site.add(cluster("depot", network={"podCIDR": "10.128.0.0/16"}))
    await site.add_machine("shop-1", 1)
    host = await site.site.add("depot-1", "198.18.9.31")
    await site.add(site.machine(host, "depot", "ControlPlane"))
    # The first look protects the Cluster itself, the second holds what it needs.
    for name in ("shop", "depot", "shop", "depot"):
        await site.look(Cluster, name)


async def test_what_two_clusters_share_is_released_with_the_last(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await two_clusters(site)
        for kind, name in (("Secret", "key"), (Foundation, "ground"), (Distribution, "native")):
            await site.delete(kind, name)
        await site.delete(Cluster, "shop")
        await site.look(Cluster, "shop")
        assert await site.finalizers(Machine, "shop-1") == []
        assert await site.finalizers("Secret", "key") == [FINALIZER_IN_USE]
        await site.delete(Cluster, "depot")
        await site.look(Cluster, "depot")
        assert await left(site) == ["Machine depot-1", "Machine shop-1"]


async def test_two_clusters_that_go_at_the_same_time_leave_no_hold_behind(tmp_path: Path) -> None:

    async with world(tmp_path) as site:
        await two_clusters(site)
        for name in ("shop", "depot"):
            await site.delete(Cluster, name)
        await asyncio.gather(site.look(Cluster, "shop"), site.look(Cluster, "depot"))
        assert await site.objects.all(Cluster) == []
        assert await site.finalizers("Secret", "key") == []
        assert await site.finalizers(Foundation, "ground") == []


async def test_a_secret_that_no_machine_uses_any_more_is_let_go_while_the_cluster_stays(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all(0)
        await site.look(Cluster, "shop")
        await site.look(Cluster, "shop")
        await site.add(secret("fresh"))
        ssh = {"secretRef": {"name": "fresh"}, "jump": {"secretRef": {"name": "fresh"}}}
        await site.patch(Machine, "shop-1", spec={"ssh": ssh})
        await site.delete("Secret", "key")
        await site.look(Cluster, "shop")
        assert await site.finalizers("Secret", "fresh") == [FINALIZER_IN_USE]
        assert "Secret key" not in await left(site)
