"""One Operation: approval, freshness, cancel, the run, its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.machine import Machine
from groundplane.api.operation import Operation, OperationStatus, Plan, PlannedStep
from groundplane.base.tasks import TaskOwner
from groundplane.client.informer import Informer
from groundplane.client.typed import RESOURCES

from .site import Host
from .world import World, secret, world


async def planned(site: World, **cluster: object) -> tuple[list[Host], Operation]:
    """A cluster of two with its Operation."""
    hosts = await site.add_all(**cluster)
    await site.look_settled()
    return hosts, await site.only_operation()


async def approve(site: World, operation: Operation) -> None:
    await site.patch(Operation, operation.metadata.name, spec={"approval": "Approved"})


async def cancel(site: World, operation: Operation) -> None:
    await site.patch(Operation, operation.metadata.name, spec={"cancel": "Requested"})


async def phase(site: World, operation: Operation) -> str | None:
    return (await site.get(Operation, operation.metadata.name)).status.phase


async def test_nothing_but_a_survey_touches_a_host_before_approval(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site, change={"approval": "Manual"})
        await site.look(Operation, operation.metadata.name)
        for name in ("shop-1", "shop-2"):
            await site.look(Machine, name)
        await site.look_settled()
        assert await phase(site, operation) == "AwaitingApproval"
        assert all(host.surveys > 0 for host in hosts)
        assert [host.asked for host in hosts] == [[], []]
        approved = await site.condition(Operation, operation.metadata.name, "Approved")
        assert f"groundplane approve {operation.metadata.name}" in approved.message


async def test_an_approved_operation_runs_and_its_end_is_said_on_the_cluster(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site, change={"approval": "Manual"})
        await site.look(Operation, operation.metadata.name)
        await approve(site, operation)
        await site.look(Operation, operation.metadata.name)
        ended = await site.get(Operation, operation.metadata.name)
        # These machines let nothing be changed, so the first step fails and says so.
        assert ended.status.phase == "Failed"
        assert hosts[0].asked
        states = {step.name: step.state for step in ended.status.steps}
        assert states["claim/shop-1"] == "Failed"
        assert states["init/shop-1"] == "Skipped"
        assert (await site.condition(Operation, operation.metadata.name, "Complete")).status == "False"
        await site.look_settled()
        progressing = await site.condition(Cluster, "shop", "Progressing")
        assert progressing.reason == "OperationFailed"
        assert "claim/shop-1" in progressing.message
        assert "groundplane retry shop" in progressing.message
        assert len(await site.told("Failed")) == 1


async def test_an_operation_whose_steps_find_all_done_succeeds(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        _, operation = await planned(site)
        only = await small(site, operation, "Create", "claim")
        for host in site.site.hosts.values():
            host.owner = "default/shop"
        await site.look(Operation, only.metadata.name)
        ended = await site.get(Operation, only.metadata.name)
        assert ended.status.phase == "Succeeded", ended.status.progress
        assert [step.state for step in ended.status.steps] == ["Unchanged"]
        assert [line async for line in site.logbook.read(ended.metadata.uid, follow=True)] == []


async def small(site: World, like: Operation, action: str, step: str) -> Operation:
    """An Operation of the same cluster with one step on shop-1, that rests on nothing."""
    plan = Plan(action=action, steps=[PlannedStep(name=f"{step}/shop-1", step=step, title=step, machine="shop-1")])
    meta = msgspec.structs.replace(
        like.metadata, name="small", generate_name="", uid="", resource_version="", creation_timestamp="", generation=0
    )
    spec = msgspec.structs.replace(like.spec, plan=plan)
    return await site.objects.create(Operation(metadata=meta, spec=spec))


async def test_a_plan_with_an_unknown_step_fails_instead_of_being_tried_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        _, operation = await planned(site)
        only = await small(site, operation, "Create", "of-another-version")
        await site.look(Operation, only.metadata.name)
        assert await phase(site, only) == "Failed"
        assert "of-another-version" in (await site.condition(Operation, "small", "Complete")).message


async def test_cancelled_before_it_started_it_ends_without_touching_a_host(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site, change={"approval": "Manual"})
        await cancel(site, operation)
        await site.look(Operation, operation.metadata.name)
        assert await phase(site, operation) == "Cancelled"
        assert [host.asked for host in hosts] == [[], []]
        assert len(await site.told("Cancelled")) == 1


async def test_machines_that_changed_since_the_plan_make_it_stale_and_a_new_plan_follows(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site, change={"approval": "Manual"})
        hosts[1].identity = "reinstalled"
        await approve(site, operation)
        await site.look(Operation, operation.metadata.name)
        assert await phase(site, operation) == "Stale"
        assert "shop-2" in (await site.condition(Operation, operation.metadata.name, "Complete")).message
        assert [host.asked for host in hosts] == [[], []]
        await site.look_settled()
        new = [o for o in await site.operations() if o.metadata.name != operation.metadata.name]
        assert [o.spec.approval for o in new] == ["Pending"]


async def test_an_operation_waits_for_machines_that_do_not_answer_and_says_for_which(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site)
        site.site.switch_off(hosts[1])
        again = await site.look(Operation, operation.metadata.name)
        assert again.seconds
        waiting = (await site.get(Operation, operation.metadata.name)).status
        assert waiting.phase == "Pending"
        assert "shop-2" in waiting.progress
        # The first look may still have met the connection's end; from then on it is the same every time.
        await site.look(Operation, operation.metadata.name)
        assert await site.writes(Operation, operation.metadata.name) == 0
        await cancel(site, operation)
        await site.look(Operation, operation.metadata.name)
        assert await phase(site, operation) == "Cancelled"


@contextlib.asynccontextmanager
async def running(site: World, operation: Operation) -> AsyncIterator[asyncio.Task[object]]:
    """The Operation at work on machines that cut every connection, with an informer that tells of changes."""
    reconciler = site.reconcilers[Operation]
    informer = Informer(site.client, RESOURCES[Operation], changed=reconciler.notice)
    async with TaskOwner("test") as owner:
        owner.start(informer.run(), name="watch")
        await informer.synced.wait()
        run = owner.start(site.look(Operation, operation.metadata.name), name="run")
        async with asyncio.timeout(20):
            await until_running(site, operation)
            yield run


async def until_running(site: World, operation: Operation) -> OperationStatus:
    """Follow the Operation until one of its steps waits."""
    while True:
        version = await site.store.revision()
        status = (await site.get(Operation, operation.metadata.name)).status
        if any(step.message.startswith("waiting: ") for step in status.steps):
            return status
        async with site.client.watch(RESOURCES[Operation], resource_version=str(version)) as events:
            async for _ in events:
                break


async def test_a_cancel_reaches_a_run_that_waits_for_a_machine(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site)
        for host in hosts:
            host.cut_reads = True
        async with running(site, operation) as run:
            await cancel(site, operation)
            await run
        ended = await site.get(Operation, operation.metadata.name)
        assert ended.status.phase == "Cancelled"
        assert {step.state for step in ended.status.steps} == {"Cancelled", "Skipped"} or {
            step.state for step in ended.status.steps
        } == {"Cancelled"}


async def test_a_cancel_that_comes_during_the_survey_is_not_lost(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site)
        for host in hosts:
            host.cut_reads = True
        door = hosts[0].door
        assert door is not None
        answer = door.script
        loop, asked = asyncio.get_running_loop(), asyncio.Event()

        def during(argv: list[str]) -> object:
            loop.call_soon(asked.set)
            return answer(argv)

        door.script = during  # type: ignore[assignment]
        async with asyncio.timeout(20), TaskOwner("test") as owner:
            run = owner.start(site.look(Operation, operation.metadata.name), name="run")
            await asked.wait()
            await cancel(site, operation)
            await run
        assert await phase(site, operation) == "Cancelled"


async def test_a_deleted_operation_ends_its_run_and_its_log(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site)
        for host in hosts:
            host.cut_reads = True
        async with running(site, operation) as run:
            await site.delete(Operation, operation.metadata.name)
            await run
        assert await site.operations() == []
        async with asyncio.timeout(5):
            lines = [line async for line in site.logbook.read(operation.metadata.uid, follow=True)]
        assert lines


async def test_an_operation_that_was_cut_off_runs_again_and_counts_the_attempts(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        hosts, operation = await planned(site)
        for host in hosts:
            host.cut_reads = True
        async with running(site, operation) as run:
            run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await run
        cut_off = await site.get(Operation, operation.metadata.name)
        assert cut_off.status.phase == "Running"
        for host in hosts:
            host.cut_reads = False
        await site.look(Operation, operation.metadata.name)
        ended = await site.get(Operation, operation.metadata.name)
        assert ended.status.phase == "Failed"
        assert ended.status.started_at == cut_off.status.started_at
        attempts = {step.name: step.attempts for step in ended.status.steps}
        assert attempts["claim/shop-1"] == 2
        assert len(await site.told("Started")) == 1
        assert len(await site.told("Resumed")) == 1


async def test_a_secret_that_vanished_is_waited_for_also_by_an_operation_that_had_started(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        _, operation = await planned(site)
        status = OperationStatus(phase="Running", started_at="2026-01-01T00:00:00Z")
        await site.objects.write_status(await site.get(Operation, operation.metadata.name), status)
        await site.client.patch(_secrets(), "default", "key", {"metadata": {"finalizers": None}})
        await site.delete("Secret", "key")
        again = await site.look(Operation, operation.metadata.name)
        assert again.seconds is not None
        assert again.seconds < 60
        waiting = (await site.get(Operation, operation.metadata.name)).status
        assert waiting.phase == "Running"
        assert "there is no Secret key" in waiting.progress
        assert await site.writes(Operation, operation.metadata.name) == 0
        await site.add(secret())
        await site.look(Operation, operation.metadata.name)
        assert await phase(site, operation) == "Failed"


def _secrets() -> object:
    from groundplane.client.typed import SECRETS

    return SECRETS


async def test_an_operation_without_its_cluster_ends(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        _, operation = await planned(site)
        await site.patch(Cluster, "shop", metadata={"finalizers": None})
        await site.delete(Cluster, "shop")
        await site.look(Operation, operation.metadata.name)
        assert await phase(site, operation) == "Failed"
        assert "cluster shop is gone" in (await site.condition(Operation, operation.metadata.name, "Complete")).message
