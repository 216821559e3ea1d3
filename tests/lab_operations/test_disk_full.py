"""A disk that fills up after preflight, in the middle of a delivery: told, waited for, no half file taken for whole.

Something else writes to the disk as soon as the first bytes of a delivery are there, and does not stop before all is
taken. What is run is the real runner on the plan of a create, but for the steps that need no disk.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from groundplane.api.distribution import Artifact
from groundplane.api.operation import StepStatus
from groundplane.base.clock import utc_now
from groundplane.hosts.errors import HostFull, HostUnreachable
from groundplane.hosts.facts import survey
from groundplane.operations import DiskFull, Limits, ledger
from groundplane.operations.unpack import unpack, unpacked
from groundplane.plan.preflight import check, errors
from groundplane_lab import Lab, execute

from .driver import Record, Site, only, site

pytestmark = pytest.mark.lab

BIN = "/usr/local/bin"
MIB = 2**20
# Fail at the first error that is worth waiting for; look again at once.
NO_WAIT = Limits(deadline=0)
SOON = Limits(first_pause=0.05, longest_pause=0.05)


def when_kubelet_arrives(then: str) -> list[str]:
    """A command that goes on beside the machine's others, and does `then` when the first bytes of kubelet are there."""
    wait = f'until [ -s "$(echo {BIN}/kubelet.part.*)" ]; do sleep 0.002; done'
    return ["systemd-run", "--quiet", "--collect", "--unit=rival", "sh", "-c", f"{wait}; {then}"]


class Disk:
    """A small file system on a folder of the lab's machine."""

    def __init__(self, lab: Lab, folder: str) -> None:
        self._lab, self._folder, self._name = lab, folder, lab.machines[0].name

    def run(self, *argv: str) -> str:
        return execute(self._lab, self._name, argv)

    def rival(self) -> None:
        """Let something else fill the disk as soon as a delivery has begun."""
        self.run(*when_kubelet_arrives(f"cat /dev/zero > {self._folder}/rival"))

    def fill(self) -> None:
        """Take all the room that is left."""
        self.run("sh", "-c", f"cat /dev/zero > {self._folder}/rival 2>/dev/null || true")

    def make_room(self) -> None:
        self.run("sh", "-c", f"systemctl stop rival 2>/dev/null; rm -f {self._folder}/rival")

    def files(self) -> set[str]:
        """Names of the files that have anything in them; a delivery that looks for room opens an empty one."""
        return set(self.run("find", self._folder, "-type", "f", "-size", "+0", "-printf", "%f\n").split()) - {"rival"}


@contextmanager
def disk(lab: Lab, folder: str, size: int) -> Iterator[Disk]:
    """Mount a file system of `size` bytes on `folder`; afterwards it is gone with all that is on it."""
    made = Disk(lab, folder)
    made.run("mkdir", "-p", folder)
    made.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield made
    finally:
        made.make_room()
        made.run("umount", "--lazy", folder)


class Waits(Record):
    """A record in which one can wait for a step to say that it waits, and read what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.said = ""

    async def step(self, status: StepStatus) -> None:
        await super().step(status)
        if status.message.startswith("waiting: "):
            self.said = status.message
            self.waiting.set()


def programs(opened: Site) -> dict[str, Artifact]:
    """What the release puts into BIN, by name."""
    return {a.name: a for a in opened.wanted.target.release.artifacts if a.type == "Binary"}


def numbers(pattern: str, text: str) -> list[int]:
    """The numbers that the whole of the text has where the pattern has groups."""
    match = re.fullmatch(pattern, text)
    assert match, text
    return [int(group) for group in match.groups()]


async def test_a_disk_that_fills_up_in_the_middle_of_a_delivery_is_told_and_the_same_operation_finishes_after_it(
    alone: Lab,
) -> None:
    (machine,) = alone.machines
    async with site(alone) as opened:
        host, wanted = opened.doors.hosts[machine.name], programs(opened)
        plan = only(opened.plan("Create"), "claim", "binaries")
        with disk(alone, BIN, sum(artifact.size for artifact in wanted.values()) + 20 * MIB) as small:
            facts = {machine.name: await survey(host, utc_now)}
            assert errors(check(opened.wanted, facts)) == [], "preflight finds the room that is needed"
            for other in ("kubeadm", "kubectl"):
                await opened.doors.delivery.deliver(host, wanted[other], f"{BIN}/{other}", mode=0o755)

            small.rival()
            failed = await opened.runner(plan, limits=NO_WAIT).run()
            assert failed.phase == "Failed"
            free, need = numbers(
                rf"step binaries/{machine.name} failed: cannot upload {BIN}/kubelet on {machine.name} "
                rf"\({machine.address}\): {BIN} has (\d+) MiB free and (\d+) MiB are needed",
                failed.message,
            )
            assert need == -(-wanted["kubelet"].size // MIB)
            (more,) = numbers(
                rf"free (\d+) MiB on the file system of {BIN}, or enlarge it; it goes on by itself", failed.remedy
            )
            assert more in (need - free, need - free - 1), "bytes are rounded, each for itself"
            assert small.files() == {"kubeadm", "kubectl"}, "no half kubelet, and no disk that is left filled by us"

            small.make_room()
            done = await opened.runner(plan, limits=NO_WAIT).run()
            assert done.phase == "Succeeded", done
            for program, artifact in wanted.items():
                assert await host.digest(f"{BIN}/{program}") == artifact.sha256
            assert small.files() == set(wanted)
            assert opened.record.steps[f"binaries/{machine.name}"].attempts == 2


async def test_a_step_without_room_sends_nothing_says_so_while_it_waits_and_goes_on_when_there_is_some(
    alone: Lab,
) -> None:
    name, record = alone.machines[0].name, Waits()
    async with site(alone, record=record) as opened:
        wanted = programs(opened)
        with disk(alone, BIN, sum(artifact.size for artifact in wanted.values()) + MIB) as small:
            small.fill()
            plan = only(opened.plan("Create"), "claim", "binaries")
            running = asyncio.create_task(opened.runner(plan, limits=SOON).run())
            try:
                async with asyncio.timeout(60):
                    await record.waiting.wait()
                need, more = numbers(
                    rf"waiting: cannot upload {BIN}/kube\w+ on {name} \(.*\): {BIN} has 0 MiB free and (\d+) MiB are "
                    rf"needed \(free (\d+) MiB on the file system of {BIN}, or enlarge it; it goes on by itself\)",
                    record.said,
                )
                assert more == need
                assert small.files() == set()
                small.make_room()
                outcome = await running
            finally:
                running.cancel()
                await asyncio.wait({running})
            assert outcome.phase == "Succeeded", outcome
            assert small.files() == set(wanted)


async def test_an_archive_that_is_not_unpacked_whole_is_told_and_unpacked_again(alone: Lab) -> None:
    name, folder = alone.machines[0].name, "/opt/cni/bin"
    async with site(alone) as opened:
        await opened.runner(only(opened.plan("Create"), "claim")).run()
        scope = opened.scopes.write(next(step for step in opened.plan("Create").steps if step.step == "binaries"))
        (plugins,) = (a for a in opened.wanted.target.release.artifacts if a.type == "Archive")
        with disk(alone, folder, MIB) as small:
            with pytest.raises(DiskFull) as full:
                await unpack(scope, plugins, folder)
            (need,) = numbers(
                rf"cannot unpack cni-plugins on host {name}: {folder} has 0 MiB free, and (\d+) MiB are needed",
                full.value.message,
            )
            assert (
                full.value.remedy
                == f"free {need} MiB on the file system of {folder}, or enlarge it; it goes on by itself"
            )
            assert not await unpacked(scope.host, plugins)
            small.run("mount", "-o", "remount,size=400m", folder)
            await unpack(scope, plugins, folder)
            assert await unpacked(scope.host, plugins)


async def test_what_was_found_is_not_touched_when_there_is_no_room_to_keep_it(alone: Lab) -> None:
    state, theirs = "/var/lib/groundplane", f"{BIN}/kubelet"
    async with site(alone) as opened:
        (host,) = opened.doors.hosts.values()
        await host.run(["dd", "if=/dev/urandom", f"of={theirs}", "bs=1M", "count=3", "status=none"])
        before = await host.digest(theirs)
        with disk(alone, state, 2 * MIB) as small:
            with pytest.raises(
                DiskFull, match=f"cannot note how {theirs} was found on host {host.name}: {state}"
            ) as no:
                await ledger.put(host, theirs, b"ours")
            assert "free " in no.value.remedy
            small.fill()
            with pytest.raises(HostFull, match=rf"cannot write {state}/notes/x.json on {host.name} .*: {state}/notes"):
                await ledger.write_note(host, "x", {"much": "x" * 10_000})
            assert await ledger.entries(host) == []
            assert small.run("find", state, "-type", "f").split() == [f"{state}/rival"]
        assert await host.digest(theirs) == before


async def test_what_a_cut_delivery_left_beside_its_path_goes_with_the_cluster(alone: Lab) -> None:
    (machine,) = alone.machines
    async with site(alone) as opened:
        host, kubelet = opened.doors.hosts[machine.name], programs(opened)["kubelet"]
        await opened.runner(only(opened.plan("Create"), "claim")).run()
        await ledger.record(host, f"{BIN}/kubelet")
        execute(alone, machine.name, when_kubelet_arrives("pkill -KILL -f '^sshd: root'"))
        with pytest.raises(HostUnreachable):
            await opened.doors.delivery.deliver(host, kubelet, f"{BIN}/kubelet", mode=0o755)
        files = (await host.run(["ls", BIN])).text.split()
        assert files == [f"kubelet.part.{kubelet.sha256[:8]}"], "the part stays, to go on from"
        outcome = await opened.runner(only(opened.plan("Delete"), "restore")).run()
        assert outcome.phase == "Succeeded", outcome
        assert (await host.run(["ls", BIN])).text == ""
