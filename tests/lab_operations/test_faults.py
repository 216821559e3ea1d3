"""Bad luck while a cluster is made: Groundplane killed, a machine switched off, a machine of another cluster.

Groundplane is a process of its own here (the driver as a program), so that kill -9 is kill -9.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from groundplane.operations import ForeignMachine
from groundplane.operations.steps.claim import Claim
from groundplane.operations.steps.reset import Reset
from groundplane.operations.steps.restore import Restore
from groundplane_lab import Lab, power_off, start

from .driver import site
from .snapshot import differences, snapshot

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]


class Groundplane:
    """A process that makes or deletes the lab's cluster; its lines can be waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def says(self, *words: str, seconds: float = 600) -> str:
        """Wait for a line that holds all of these words; fails with the last lines when the process ends without."""
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            while raw := await self._process.stdout.readline():
                line = raw.decode().rstrip()
                self.lines.append(line)
                if all(word in line for word in words):
                    return line
        raise AssertionError(f"never said {words}: " + "\n".join(self.lines[-20:]))

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()

    async def ends_well(self) -> list[str]:
        """Read to the end and return all lines; the outcome must be success."""
        await self.says("Succeeded: ")
        await self._process.wait()
        return self.lines


@asynccontextmanager
async def groundplane(lab: Lab, action: str, runtime: str) -> AsyncIterator[Groundplane]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lab_operations.driver", action, lab.name, runtime),
        cwd=ROOT / "tests",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=2**20,
    )
    try:
        yield Groundplane(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_create_with_docker_survives_kills_and_a_machine_that_goes_away(lab: Lab) -> None:
    last = lab.machines[-1].name
    async with site(lab, runtime="docker") as opened:
        found = {m.name: await snapshot(opened.doors.hosts[m.name], living=True) for m in lab.machines}

    async with groundplane(lab, "create", "docker") as first:
        await first.says("images/", "| loaded")
        await first.kill()
    async with groundplane(lab, "create", "docker") as second:
        await second.says("init/", "[wait-control-plane]")
        await second.kill()
    power_off(lab, last)
    async with groundplane(lab, "create", "docker") as third:
        await third.says("waiting: ", last)
        start(lab, last)
        await third.says("join/", "| node", "kubeadm join")
        await third.kill()
    async with groundplane(lab, "create", "docker") as fourth:
        lines = await fourth.ends_well()
    assert not any("kubeadm init" in line and "init/" in line and "control plane:" in line for line in lines)

    async with groundplane(lab, "create", "docker") as again:
        lines = await again.ends_well()
    changed = {line.split()[1].rstrip(":") for line in lines if line.rstrip().endswith(": Succeeded")}
    # The driver's kubeconfig and journal are kept in memory, so these two are new to each process.
    assert changed <= {"kubeconfig", "verify"}

    async with groundplane(lab, "delete", "docker") as gone:
        await gone.ends_well()
    async with site(lab, runtime="docker") as opened:
        for name, lines in found.items():
            left = differences(lines, await snapshot(opened.doors.hosts[name], living=True))
            # Docker leaves its own bridge and chains when it stops; they are Docker's.
            assert [line for line in left if "DOCKER" not in line and "docker0" not in line] == [], name


async def test_a_machine_of_another_cluster_is_refused_and_untouched(lab: Lab) -> None:
    async with site(lab) as opened:
        planned = opened.plan("Create").steps[0]
        host = opened.doors.hosts[planned.machine]
        await host.write("/etc/groundplane/machine.json", b'{"owner": "default/other"}\n')
        await host.write("/var/lib/etcd/member", b"precious")
        before = await snapshot(host, living=True)
        for step in (Claim(), Reset(), Restore()):
            with pytest.raises(ForeignMachine, match=f"{host.name} .*: it belongs to cluster default/other") as caught:
                await step.plan(opened.scopes.read(planned))
            assert caught.value.remedy == "take the machine out of default/other first, or choose another one"
        assert differences(before, await snapshot(host, living=True)) == []


async def test_a_machine_without_our_mark_is_not_cleaned(lab: Lab) -> None:
    async with site(lab) as opened:
        planned = next(step for step in opened.plan("Delete").steps if step.step == "reset")
        host = opened.doors.hosts[planned.machine]
        await host.write("/etc/kubernetes/manifests/etcd.yaml", b"precious")
        for step in (Reset(), Restore()):
            assert await step.plan(opened.scopes.read(planned)) == []
