"""What preflight says of real machines: a small disk, swap that is on, a clock that is far off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import PlannedChange
from groundplane.base.clock import utc_now
from groundplane.hosts.facts import survey
from groundplane.plan.create import plan_create
from groundplane.plan.preflight import Problem, check, errors
from groundplane_lab import Lab, execute, shift_clock
from support.swap import swap_on

from .driver import Site, desired, only, site

pytestmark = pytest.mark.lab

MIB = 2**20


async def facts_of(opened: Site) -> dict[str, MachineFacts]:
    return {name: await survey(host, utc_now) for name, host in opened.doors.hosts.items()}


async def problems(opened: Site) -> list[Problem]:
    """What stops a create on the machines as they are now."""
    return errors(check(opened.wanted, await facts_of(opened)))


@contextmanager
def small_disk(lab: Lab, folder: str, mebibytes: int) -> Iterator[None]:
    """Mount a file system of this size on `folder` of the lab's first machine."""
    name = lab.machines[0].name
    execute(lab, name, ["mkdir", "-p", folder])
    execute(lab, name, ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder])
    try:
        yield
    finally:
        execute(lab, name, ["umount", folder])


async def test_a_small_disk_is_told_by_host_and_folder_with_the_room_that_is_there_and_that_is_needed(
    alone: Lab,
) -> None:
    name = alone.machines[0].name
    async with site(alone) as opened:
        sizes = {kind: 0 for kind in ("Binary", "Archive", "Image")}
        for artifact in opened.wanted.target.release.artifacts:
            sizes[artifact.type] += artifact.size
        needs = {
            "/usr/local/bin": sizes["Binary"],
            "/var/lib/containerd": 2 * sizes["Image"],
            "/var/lib": max(2048 * MIB, 3 * sum(sizes.values())),
        }
        for folder, need in needs.items():
            assert await problems(opened) == []
            with small_disk(alone, folder, 64):
                found = [p for p in await problems(opened) if p.message.startswith(f"machine {name}: {folder} has ")]
            needed = -(-need // MIB)
            assert [(p.machine, p.message, p.remedy) for p in found] == [
                (
                    name,
                    f"machine {name}: {folder} has 64 MiB free and {needed} MiB are needed",
                    f"free {needed - 64} MiB or enlarge the file system",
                )
            ]
        assert await problems(opened) == []


async def test_a_clock_far_off_is_told_by_host_with_its_offset_and_the_remedy(alone: Lab) -> None:
    name = alone.machines[0].name
    shift_clock(alone, name, 90)
    async with site(alone) as opened:
        for seconds, words in ((90, "ahead of"), (-3600, "behind")):
            shift_clock(alone, name, seconds)
            (found,) = await problems(opened)
            off = (await facts_of(opened))[name].time.offset_seconds
            assert off == pytest.approx(seconds, abs=5)
            assert found.machine == name
            assert found.message.startswith(f"machine {name}: its clock is ")
            assert found.message.endswith(f" s {words} Groundplane's")
            assert float(found.message.split()[5]) == pytest.approx(abs(seconds), abs=5)
            assert found.remedy == "set the clock, and keep it right with a time service such as chrony"
        shift_clock(alone, name, 0)
        assert await problems(opened) == []


def _swap_settings(swap: str, **kubelet: Any) -> dict[str, Any]:
    return {"settings": {"swap": swap, "timeSync": "Ignored"}, "components": {"kubelet": {"config": kubelet}}}


async def test_swap_that_stays_on_is_told_by_host_with_the_remedy_when_kubelet_minds_it(alone: Lab) -> None:
    name = alone.machines[0].name
    async with site(alone, **_swap_settings("Ignored", failSwapOn=True)) as opened:
        assert await problems(opened) == []
        with swap_on(alone, name) as path:
            facts = await facts_of(opened)
            outcome = await opened.runner(only(opened.plan("Create"), "claim", "host-settings")).run()
            assert path in execute(alone, name, ["cat", "/proc/swaps"]), "swap was to be left alone"
    assert outcome.phase == "Succeeded", outcome
    assert facts[name].swap > 0
    (found,) = errors(check(opened.wanted, facts))
    assert found.message == (
        f"machine {name}: swap is on, the settings leave it on, and the cluster's kubelet override makes kubelet "
        "refuse it"
    )
    assert found.remedy == "set settings.swap to Disabled, or take failSwapOn out of components.kubelet"
    assert errors(check(desired(alone, **_swap_settings("Ignored")), facts)) == []


async def test_swap_is_planned_off_turned_off_for_good_and_on_again_when_the_cluster_is_deleted(alone: Lab) -> None:
    name = alone.machines[0].name
    async with site(alone) as opened:
        with swap_on(alone, name) as path:
            line = f"{path} none swap sw 0 0\n"
            await opened.doors.hosts[name].write("/etc/fstab", line.encode())
            facts = await facts_of(opened)
            assert errors(check(opened.wanted, facts)) == [], "a step of the plan sets it right"
            steps = {step.name: step for step in plan_create(opened.wanted, facts, ClusterFacts()).steps}
            assert PlannedChange(what="swap", before="on", after="off") in steps[f"host-settings/{name}"].changes

            outcome = await opened.runner(only(opened.plan("Create"), "claim", "host-settings")).run()
            assert outcome.phase == "Succeeded", outcome
            assert (await facts_of(opened))[name].swap == 0
            assert path not in Path("/proc/swaps").read_text()
            assert execute(alone, name, ["cat", "/etc/fstab"]) == f"# off by groundplane: {line}"

            outcome = await opened.runner(only(opened.plan("Delete"), "restore")).run()
            assert outcome.phase == "Succeeded", outcome
            assert path in execute(alone, name, ["cat", "/proc/swaps"])
            assert execute(alone, name, ["cat", "/etc/fstab"]) == line
