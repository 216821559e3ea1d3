"""The look before a change of living nodes: at each machine's runtime and at what runs on the cluster, held by checks.

Errors stop the change before a plan is put to anybody; warnings go into the plan as notes, for whoever approves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.migration import MigrationFacts
from groundplane.api.target import Desired
from groundplane.base.errors import GroundplaneError
from groundplane.clusters import before_change as workloads
from groundplane.clusters.api import KubernetesDoor
from groundplane.hosts.facts import migration
from groundplane.plan.before_change import check_change
from groundplane.plan.choose import Chosen
from groundplane.plan.deltas import deltas_of
from groundplane.plan.preflight import Problem
from groundplane.plan.view import View

from ..access import Access

OpenDoor = Callable[[], Awaitable[KubernetesDoor | None]]


async def inspect(
    access: Access,
    open_door: OpenDoor,
    chosen: Chosen,
    desired: Desired,
    seen: tuple[Mapping[str, MachineFacts], ClusterFacts],
) -> list[Problem]:
    """Return what stands against a chosen change; nothing does against a plan that empties no node."""
    drained = {step.machine for step in chosen.plan.steps if step.step == "drain" and step.unit}
    if chosen.plan.action != "Change" or not drained:
        return []
    view = View(msgspec.structs.replace(desired, target=chosen.target), *seen)
    deltas = [delta for delta in deltas_of(view) if delta.name in drained]
    found, troubles = await _machines(access, desired, [delta.name for delta in deltas if delta.runtime])
    door = await open_door()
    if door is None:
        return [
            *troubles,
            Problem("", "NotLookedAt", "the cluster's API cannot be asked", "see why it does not answer"),
        ]
    async with door:
        running = await workloads.look(door)
    problems = check_change(view, found, running, deltas)
    told = {problem.machine for problem in troubles}
    return [*troubles, *(one for one in problems if not (one.check == "NotLookedAt" and one.machine in told))]


async def _machines(
    access: Access, desired: Desired, names: list[str]
) -> tuple[dict[str, MigrationFacts], list[Problem]]:
    """Look at the machines side by side; one that does not answer is a problem of its own."""

    async def look(name: str) -> MigrationFacts | GroundplaneError:
        try:
            return await migration.look(await access.host(desired.machines[name]))
        except GroundplaneError as error:
            return error

    answers = dict(zip(names, await asyncio.gather(*map(look, names)), strict=True))
    found = {name: answer for name, answer in answers.items() if isinstance(answer, MigrationFacts)}
    problems = [
        Problem(name, "NotLookedAt", f"machine {name}: {answer}", "make sure that its SSH access is right")
        for name, answer in answers.items()
        if isinstance(answer, GroundplaneError)
    ]
    return found, problems


def with_warnings(chosen: Chosen, problems: list[Problem]) -> Chosen:
    """Return the plan with what is no reason to stop, but what to know before approving it."""
    notes = [f"{one.message} ({one.remedy})" for one in problems if one.severity == "Warning"]
    return Chosen(msgspec.structs.replace(chosen.plan, notes=[*chosen.plan.notes, *notes]), chosen.target)
