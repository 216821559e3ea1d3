"""One test over all steps, on real machines, in the order of a create and of a delete (see the rules of a step).

Of every step: planning twice gives the same and writes nothing; applying may be interrupted anywhere and done again;
after applying there is nothing left to plan. At the end the machines are as they were found.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Literal

import pytest

from groundplane.api.operation import PlannedStep
from groundplane.operations import CREATE, DELETE, Step
from groundplane.operations.steps.init import Init
from groundplane_lab import Lab

from .driver import Record, Site, site
from .snapshot import differences, snapshot

pytestmark = pytest.mark.lab

# In the network of the lab's machines, and nobody's.
_ADDRESS = "198.18.9.200"
# Steps whose apply goes on while nothing changes on machines need longer until they are in the middle of it.
_MIDDLE = {"init": 6.0, "join": 3.0, "verify": 2.0, "images": 2.0, "binaries": 1.0}


async def snapshots(opened: Site, names: Sequence[str], *, living: bool = False) -> dict[str, list[str]]:
    found = await asyncio.gather(*(snapshot(opened.doors.hosts[name], living=living) for name in names))
    return dict(zip(names, found, strict=True))


async def keeps_the_rules(opened: Site, step: Step, planned: PlannedStep) -> None:
    """Take one planned step through all that is asked of a step."""
    read, write = opened.scopes.read(planned), opened.scopes.write(planned)
    assert step.wanted(read), f"{planned.name} is planned but not wanted"
    looked_at = [planned.machine] if planned.machine else opened.wanted.target.members
    before = await snapshots(opened, looked_at)
    changes = await step.plan(read)
    again = await step.plan(read)
    if planned.step == "verify":
        # A cluster that has just been made gets ready while one looks: there may be less to wait for, never more.
        assert {change.what for change in again} <= {change.what for change in changes}
    else:
        assert again == changes, f"{planned.name} plans differently the second time"
    after = await snapshots(opened, looked_at)
    for name, lines in before.items():
        assert differences(lines, after[name]) == [], f"planning {planned.name} changed {name}"
    interrupted = asyncio.create_task(step.apply(write, changes))
    await asyncio.wait({interrupted}, timeout=_MIDDLE.get(planned.step, 0.2))
    interrupted.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await interrupted
    left = await step.plan(read)
    if left:
        await step.apply(write, left)
    assert await step.plan(read) == [], f"{planned.name} did not take"


async def walk(opened: Site, action: Literal["Create", "Delete"], steps: Mapping[str, Step]) -> list[str]:
    """Take the plan's steps one after another, in its order; return the keys that were seen."""
    for planned in opened.plan(action).steps:
        await keeps_the_rules(opened, steps[planned.step], planned)
    return [planned.step for planned in opened.plan(action).steps]


async def test_every_step_plans_purely_takes_and_survives_an_interruption(lab: Lab) -> None:
    labels = {lab.machines[1].name: {"disk": "fast"}}
    endpoint = {"host": _ADDRESS, "provider": "VirtualIP"}
    async with site(lab, record=Record(), labels=labels, controlPlane={"endpoint": endpoint}) as opened:
        found = await snapshots(opened, opened.wanted.target.members, living=True)
        seen = await walk(opened, "Create", CREATE)
        assert set(seen) | {"network-manifest", "routes", "runtime-classes"} == set(CREATE), "a step is not covered"
        seen = await walk(opened, "Delete", DELETE)
        assert set(seen) == set(DELETE), "a step is not covered"
        left = await snapshots(opened, opened.wanted.target.members, living=True)
        for name, lines in found.items():
            assert differences(lines, left[name]) == [], f"{name} is not as it was found"


async def test_init_is_never_begun_again_once_it_ended(lab: Lab) -> None:
    """The note on the machine decides: a control plane that is merely silent keeps its data."""
    async with site(lab) as opened:
        first = opened.doors.hosts[opened.wanted.target.first]
        for path in ("/etc/kubernetes/kubelet.conf", "/var/lib/etcd/member/snap/db"):
            await first.write(path, b"precious")
        await first.write("/var/lib/groundplane/notes/kubeadm.json", b'{"verb": "init", "ended": true}')
        planned = next(step for step in opened.plan("Create").steps if step.step == "init")
        with pytest.raises(Exception, match="cannot reach the API"):
            await Init().plan(opened.scopes.read(planned))
        assert await first.read("/var/lib/etcd/member/snap/db") == b"precious"
