"""A run of unify as a person reads it, what a verb writes, and following a run to its end."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import Any

import click
import msgspec

from groundplane.api.foundation import Foundation
from groundplane.api.unify import OVER, SETTLED, UnifyCluster, UnifyStatus, UnifyWave
from groundplane.base.clock import utc_now
from groundplane.base.errors import Refused
from groundplane.base.words import counted

from .exits import OperationFailed, Stopped
from .follow import follow
from .kinds import OURS
from .session import Api

_SIGNS = {
    "Waiting": "·", "Planning": "…", "Planned": "?", "Running": "▶", "Done": "✔", "Blocked": "»", "Failed": "✘",
    "Cancelled": "◼", "Gone": "-",
}  # fmt: skip


def under_way(foundation: Foundation) -> bool:
    """Tell whether a run has begun that is not over."""
    wish, status = foundation.spec.unify, foundation.status.unify
    if not wish.run or not wish.state:
        return False
    return status is None or status.run != wish.run or status.phase not in OVER


def wanted(foundation: Foundation, verb: str, *, wave: int = 0) -> dict[str, Any]:
    """Return the fields of spec.unify that a verb writes; Refused when they would mean nothing now."""
    wish, name = foundation.spec.unify, foundation.metadata.name
    command = f"groundplane unify --foundation {name}"
    if verb == "start":
        if under_way(foundation):
            raise Refused(f"cannot begin: run {wish.run} is under way", remedy=f"follow it with: {command} --watch")
        # A name of its own for each run, which an annotation can hold.
        run = utc_now().strftime("%Y-%m-%dT%H%M%S.%fZ")
        return {"run": run, "state": "Running", "approvedWave": 0, "cancelOperations": False}
    if not under_way(foundation):
        raise Refused(
            f"cannot {verb}: no run of Foundation {name} is under way", remedy=f"{command} --start begins one"
        )
    if wish.state == "Cancelled":
        raise Refused(f"cannot {verb}: run {wish.run} is cancelled", remedy=f"when it is over: {command} --start")
    if verb == "approve":
        if wish.approval != "PerWave":
            raise Refused(
                "cannot approve a wave: the run was approved as a whole", remedy=f"{command} shows how it stands"
            )
        waves = len(foundation.status.unify.waves) if foundation.status.unify else 0
        if not wish.approved_wave < wave <= waves:
            raise Refused(
                f"cannot approve wave {wave}: of {counted(waves, 'wave')}, {wish.approved_wave} are approved",
                remedy=f"{command} shows which one waits",
            )
        return {"approvedWave": wave}
    return {"state": {"pause": "Paused", "resume": "Running", "cancel": "Cancelled"}[verb]}


def run_lines(foundation: Foundation) -> list[str]:
    """Return a run: how it stands, what happens next, each wave with its clusters."""
    status = foundation.status.unify
    if status is None or status.run != foundation.spec.unify.run:
        return [f"Foundation {foundation.metadata.name}: run {foundation.spec.unify.run} is about to begin"]
    lines = [f"Foundation {foundation.metadata.name}: run {status.run} is {status.phase}", status.message]
    for wave in status.waves:
        lines += ["", _wave(wave), *(_cluster(one) for one in wave.clusters)]
    return lines


def last_run(foundation: Foundation) -> list[str]:
    """Return a line about the run before, if there was one."""
    status = foundation.status.unify
    return [f"The last run, {status.run}, is {status.phase}: {status.message}"] if status and status.phase else []


def _wave(wave: UnifyWave) -> str:
    settled = sum(1 for one in wave.clusters if one.state in SETTLED)
    canaries = "canaries, " if wave.canaries else ""
    return f"Wave {wave.number}: {canaries}{settled} of {counted(len(wave.clusters), 'cluster')} settled"


def _cluster(one: UnifyCluster) -> str:
    operation = f"  ({one.operations[-1]})" if one.operations else ""
    return f"  {_SIGNS[one.state]} {one.name}  {one.state}{': ' if one.message else ''}{one.message}{operation}"


async def watch_run(api: Api, name: str) -> None:
    """Show the run, one screen in a terminal and one line a change in a pipe, until it is over."""
    await api.client.get(OURS["Foundation"], api.namespace, name)
    screen = _Screen()
    async with aclosing(follow(api.client, OURS["Foundation"], api.namespace)) as events:
        async for event in events:
            if event.type == "BOOKMARK" or event.object["metadata"]["name"] != name:
                continue
            if event.type == "DELETED":
                raise Stopped(f"cannot follow the run: Foundation {name} was deleted")
            if ended(screen.show(msgspec.convert(event.object, Foundation))):
                return


def ended(foundation: Foundation) -> bool:
    """Tell whether the run is over; raise when it ended badly, or there is none."""
    wish, status, name = foundation.spec.unify, foundation.status.unify, foundation.metadata.name
    if not wish.run or not wish.state:
        raise Refused(
            f"cannot follow a run of Foundation {name}: there is none",
            remedy=f"groundplane unify --foundation {name} --start begins one",
        )
    if status is None or status.run != wish.run:
        return False
    if status.phase == "Failed":
        raise OperationFailed(f"run {status.run} has stopped: {status.message}")
    if status.phase == "Incomplete":
        raise OperationFailed(
            f"run {status.run} is over, and not every cluster is on the Foundation: {status.message}",
            remedy=f"mend what is named, then begin another run: groundplane unify --foundation {name} --start",
        )
    if status.phase == "Cancelled":
        raise Stopped(f"run {status.run} is over: {status.message}")
    return status.phase == "Succeeded"


class _Screen:
    """Where a run is shown."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def show(self, foundation: Foundation) -> Foundation:
        """Show a state of the run; return the Foundation."""
        lines = run_lines(foundation)
        if sys.stdout.isatty():
            click.clear()
            click.echo("\n".join(lines))
        else:
            status = foundation.status.unify
            for line in _changes(status) if status and status.run == foundation.spec.unify.run else lines:
                if line not in self._said:
                    click.echo(line)
                    self._said.add(line)
        return foundation


def _changes(status: UnifyStatus) -> list[str]:
    """Return one line for each cluster that has begun, and what happens next."""
    begun = [f"{one.name} is {one.state}{': ' if one.message else ''}{one.message}"
             for wave in status.waves for one in wave.clusters if one.state not in ("Waiting", "Planning")]  # fmt: skip
    return [*begun, f"{status.phase}: {status.message}"]
