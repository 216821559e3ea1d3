"""The record of a run: nothing is lost, the journal is on disk before the deed, an end is an end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import structlog.testing

from groundplane.api.operation import Operation, OperationStatus, StepStatus
from groundplane.controllers.operation.record import OperationGone, Record

from .world import World, world


async def started(site: World) -> tuple[Operation, Record]:
    await site.add_all()
    await site.look_settled()
    operation = await site.only_operation()
    return operation, Record(site.objects, operation, OperationStatus(phase="Running"), site.logbook)


async def test_steps_that_change_at_the_same_time_are_all_in_the_status(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        names = [step.name for step in operation.spec.plan.steps]
        before = await site.store.revision()
        await asyncio.gather(*(record.step(StepStatus(name=name, state="Succeeded", attempts=1)) for name in names))
        stored = (await site.get(Operation, operation.metadata.name)).status
        assert [(step.name, step.state) for step in stored.steps] == [(name, "Succeeded") for name in names]
        assert stored.progress == f"{len(names)}/{len(names)} steps done"
        assert await site.store.revision() - before < len(names)


async def test_a_note_of_the_journal_is_stored_when_put_returns(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        await asyncio.gather(*(record.put(f"key-{n}", str(n)) for n in range(5)))
        stored = (await site.get(Operation, operation.metadata.name)).status.journal
        assert stored == {f"key-{n}": str(n) for n in range(5)}
        again = Record(
            site.objects, operation, (await site.get(Operation, operation.metadata.name)).status, site.logbook
        )
        assert again.get("key-3") == "3"


async def test_a_person_who_writes_meanwhile_loses_nothing_and_stops_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        name = operation.metadata.name
        steps = [record.step(StepStatus(name=step.name, state="Running")) for step in operation.spec.plan.steps]

        async def person() -> None:
            for number in range(10):
                await site.annotate(Operation, name, f"example.com/{number}", str(number))

        await asyncio.gather(person(), *steps)
        stored = await site.get(Operation, name)
        assert sum(step.state == "Running" for step in stored.status.steps) == len(operation.spec.plan.steps)
        assert {f"example.com/{n}" for n in range(10)} <= set(stored.metadata.annotations)


async def test_the_final_status_keeps_steps_and_journal(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        await record.put("token", "made")
        await record.step(StepStatus(name=operation.spec.plan.steps[0].name, state="Succeeded"))
        final = msgspec.structs.replace(
            record.current(), phase="Succeeded", finished_at="2026-01-01T00:00:00Z", progress="well done", journal={}
        )
        await record.finish(final)
        stored = (await site.get(Operation, operation.metadata.name)).status
        assert (stored.phase, stored.progress, stored.journal) == ("Succeeded", "well done", {"token": "made"})
        assert stored.steps[0].state == "Succeeded"


async def test_there_is_nothing_to_record_on_a_deleted_operation(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        await site.delete(Operation, operation.metadata.name)
        with pytest.raises(OperationGone, match=operation.metadata.name):
            await record.step(StepStatus(name=operation.spec.plan.steps[0].name, state="Running"))


async def test_a_log_that_cannot_be_written_does_not_stop_the_work(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        operation, record = await started(site)
        (tmp_path / "logs" / f"{operation.metadata.uid}.log").mkdir()
        with structlog.testing.capture_logs() as said:
            record.log("claim/shop-1", "a line")
        assert [entry["event"] for entry in said] == ["log line lost"]
