"""A deleted Machine of a Cluster that stays: planned out, let go when it is out, given up when it is dead."""

from __future__ import annotations

from pathlib import Path

from groundplane.api.cluster import Cluster
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_ABANDON, ANNOTATION_RENEW, ANNOTATION_RETRY

from .site import CONTROL_PLANE, Host
from .world import World, world


async def made(site: World, workers: int = 2) -> list[Host]:
    """A cluster that was made: its machines carry its mark and are nodes."""
    hosts = await site.add_all(workers)
    await site.look_settled()
    await site.end(await site.only_operation("Create"), "Succeeded")
    for number, host in enumerate(hosts):
        host.captured, host.owner, host.worker = CONTROL_PLANE, "default/shop", number > 0
    return hosts


async def machines(site: World) -> list[str]:
    return sorted(machine.metadata.name for machine in await site.objects.all(Machine))


async def test_a_deleted_machine_is_taken_out_by_an_operation_and_then_let_go(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        removal = await site.only_operation("Remove")
        assert removal.spec.target.leaving == ["shop-3"]
        assert removal.spec.target.members == ["shop-1", "shop-2"]
        assert removal.spec.plan.fingerprints.keys() == {"shop-3"}
        assert await machines(site) == ["shop-1", "shop-2", "shop-3"]
        await site.end(removal, "Succeeded")
        await site.look_settled()
        assert await machines(site) == ["shop-1", "shop-2"]
        await site.only_operation("Remove")


async def test_a_machine_that_has_left_and_is_kept_by_somebody_else_stops_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        theirs = ["example.com/mine", *await site.finalizers(Machine, "shop-3")]
        await site.patch(Machine, "shop-3", metadata={"finalizers": theirs})
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        await site.end(await site.only_operation("Remove"), "Succeeded")
        await site.look_settled()
        assert await site.finalizers(Machine, "shop-3") == ["example.com/mine"]
        site.site.switch_off(hosts[2])
        await site.annotate(Cluster, "shop", ANNOTATION_RETRY, "now")
        await site.look_settled()
        await site.only_operation("Remove")
        following = (await site.operations("Create"))[-1]
        assert following.spec.target.members == ["shop-1", "shop-2"]
        assert (await site.condition(Cluster, "shop", "MachinesReachable")).status == "True"


async def test_a_removal_that_failed_is_not_repeated_by_itself_and_holds_the_machine(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        await site.end(await site.only_operation("Remove"), "Failed")
        await site.look_settled()
        await site.only_operation("Remove")
        assert "shop-3" in await machines(site)


async def test_a_machine_with_nothing_of_the_cluster_on_it_is_let_go_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await site.add_all(2)
        await site.look_settled()
        await site.end(await site.only_operation("Create"), "Failed")
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        assert await site.operations("Remove") == []
        assert await machines(site) == ["shop-1", "shop-2"]


async def test_a_dead_machine_is_waited_for_until_it_is_given_up(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts = await made(site)
        site.site.switch_off(hosts[2])
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        reachable = await site.condition(Cluster, "shop", "MachinesReachable")
        assert ANNOTATION_ABANDON in reachable.message
        assert await site.operations("Remove") == []
        await site.annotate(Machine, "shop-3", ANNOTATION_ABANDON, "true")
        await site.look_settled()
        plan = (await site.only_operation("Remove")).spec.plan
        assert [step.step for step in plan.steps] == ["delete-node", "routes"]
        assert plan.fingerprints == {}


async def test_a_control_plane_that_was_deleted_by_mistake_does_not_stop_everything_else(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.look_settled()
        await site.delete(Machine, "shop-1")
        await site.delete(Machine, "shop-3")
        await site.look_settled()
        removal = await site.only_operation("Remove")
        assert removal.spec.target.leaving == ["shop-3"]
        assert "shop-1" in removal.spec.target.control_planes
        assert any("cannot take shop-1 out" in note for note in removal.spec.plan.notes)
        await site.end(removal, "Failed")
        for _ in range(2):
            await site.look_settled()
        await site.only_operation("Remove")
        progressing = await site.condition(Cluster, "shop", "Progressing")
        assert progressing.reason == "Refused"
        assert "groundplane.dev/in-use" in progressing.message


async def test_a_request_for_new_certificates_is_answered_by_one_operation(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        await made(site)
        await site.annotate(Cluster, "shop", ANNOTATION_RENEW, "now")
        await site.look_settled()
        renewal = await site.only_operation("RenewCertificates")
        assert renewal.metadata.annotations[ANNOTATION_RENEW] == "now"
        assert [step.name for step in renewal.spec.plan.steps] == ["renew-certificates/shop-1", "kubeconfig"]
        await site.end(renewal, "Failed")
        await site.look_settled()
        await site.only_operation("RenewCertificates")
