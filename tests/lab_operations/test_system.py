"""A real update of real packages and a real boot on a lab machine, interrupted wherever it can be.

The packages are made by dpkg-deb and come from a repository on the machine. A machine of the lab has no kernel of its
own: what is said of kernels is shown with scripted machines (tests/unit/operations/test_packages.py).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from groundplane.api.operation import PlannedStep
from groundplane.base.clock import utc_now
from groundplane.base.errors import Unavailable
from groundplane.hosts.errors import HostUnreachable
from groundplane.hosts.facts import survey
from groundplane.operations import Scopes, StepRefused, make_scopes, wait_until
from groundplane.operations.steps.host_settings import HostSettings
from groundplane.operations.steps.system_packages import SystemPackages
from groundplane_lab import Lab, LabSpec, down, execute, fresh_all, up
from groundplane_lab.repository import publish
from groundplane_lab.shell import docker

from .driver import Record, Site, site

pytestmark = pytest.mark.lab

_SPEC = LabSpec("system", machines=1, subnet="198.18.68.0/24")


@pytest.fixture(scope="module")
def _lab_of_one() -> Iterator[Lab]:
    lab = up(_SPEC)
    yield lab
    down(_SPEC.name)


@pytest.fixture
def machine(_lab_of_one: Lab) -> Lab:
    """A clean machine with an old package that an update renews, and old ones that it has to leave."""
    lab = fresh_all(_lab_of_one)
    name = lab.machines[0].name
    for package in ("tool", "foreign", "kubelet"):
        publish(lab, name, package, "1.0")
    execute(lab, name, ["apt-get", "-q", "update"])
    execute(lab, name, ["apt-get", "-q", "-y", "install", "tool", "foreign", "kubelet"])
    execute(lab, name, ["apt-mark", "hold", "foreign"])
    for package in ("tool", "foreign", "kubelet"):
        publish(lab, name, package, "2.0")
    publish(lab, name, "containerd", "99")
    return lab


def found(lab: Lab) -> dict[str, str]:
    """The versions of the packages that the test is about."""
    shown = execute(lab, lab.machines[0].name, ["dpkg-query", "-W", "tool", "foreign", "kubelet", "containerd"])
    return dict(line.split("\t") for line in shown.splitlines())


def held(lab: Lab) -> list[str]:
    return execute(lab, lab.machines[0].name, ["apt-mark", "showhold"]).split()


def boots(lab: Lab) -> int:
    """How often the machine has started again by itself."""
    return int(docker("inspect", "--format", "{{.RestartCount}}", f"groundplane-lab-{lab.machines[0].name}"))


class Cut:
    """Stops the program once before and once after everything that is done at the door or in the journal."""

    def __init__(self, inner: Any, seen: set[tuple[str, str]], fault: type[BaseException]) -> None:
        self._inner, self._seen, self._fault = inner, seen, fault

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def cut(*given: Any, **options: Any) -> Any:
            what = f"{name} {given[0]}"
            self._once("before", what)
            answer = await found(*given, **options)
            self._once("after", what)
            return answer

        return cut

    def _once(self, when: str, what: str) -> None:
        if (when, what) not in self._seen:
            self._seen.add((when, what))
            raise self._fault(f"{when} {what}")


def planned(lab: Lab) -> PlannedStep:
    name = lab.machines[0].name
    return PlannedStep(name=f"system-packages/{name}", step="system-packages", title="", machine=name)


@asynccontextmanager
async def asked(lab: Lab, request: str, record: Record | None = None) -> AsyncIterator[Site]:
    """The lab with a request for an update."""
    async with site(lab, record=record) as opened:
        target = msgspec.structs.replace(opened.wanted.target, update_packages=request)
        wanted = msgspec.structs.replace(opened.wanted, target=target)
        async with make_scopes(wanted, opened.doors) as scopes:
            yield Site(wanted, opened.doors, scopes, opened.record)


async def run(scopes: Scopes, lab: Lab) -> None:
    step, at = SystemPackages(), planned(lab)
    changes = await step.plan(scopes.read(at))
    if changes:
        await step.apply(scopes.write(at), changes)


async def run_through(opened: Site, lab: Lab, fault: type[BaseException]) -> set[tuple[str, str]]:
    """Run the step again and again, each time until something that was not cut before; return what was."""
    seen: set[tuple[str, str]] = set()

    async def missing() -> str:
        doors = dataclasses.replace(
            opened.doors,
            hosts={name: Cut(host, seen, fault) for name, host in opened.doors.hosts.items()},
            journal=Cut(opened.record, seen, fault),
        )
        async with make_scopes(opened.wanted, doors) as scopes:
            try:
                await run(scopes, lab)
            except (fault, Unavailable) as error:
                return str(error)
            return ""

    await wait_until(missing, what="the step end", seconds=400, clock=opened.doors.clock, interval=0.1)
    return seen


def keys(seen: Sequence[tuple[str, str]] | set[tuple[str, str]]) -> str:
    return "\n".join(sorted(what for _, what in seen))


@pytest.mark.parametrize("fault", [asyncio.CancelledError, HostUnreachable])
async def test_packages_are_updated_and_the_machine_boots_once_whatever_is_cut(
    machine: Lab, fault: type[BaseException]
) -> None:
    old = found(machine)
    async with asked(machine, "today") as opened:
        seen = await run_through(opened, machine, fault)
        assert "systemctl reboot" in keys(seen)
        assert "apt-mark" in keys(seen)
        assert found(machine) == old | {"tool": "2.0"}
        assert held(machine) == ["foreign"]
        assert boots(machine) == 1
        assert await SystemPackages().plan(opened.scopes.read(planned(machine))) == []
    async with asked(machine, "today", Record()) as later:
        assert await SystemPackages().plan(later.scopes.read(planned(machine))) == [], "the request is answered"
    async with asked(machine, "tomorrow", Record()) as later:
        await run(later.scopes, machine)
        assert boots(machine) == 1, "nothing was new, so there was nothing to boot for"


async def test_taken_back_in_the_middle_the_machine_runs_and_our_marks_are_gone(machine: Lab) -> None:
    publish(machine, machine.machines[0].name, "tool", "3.0", {"DEBIAN/preinst": "#!/bin/sh\nexit 7\n"})
    async with asked(machine, "today") as opened:
        with pytest.raises(StepRefused, match=r"cannot run apt-get -q on host .*exit status 100"):
            await run(opened.scopes, machine)
        assert sorted(held(machine)) != ["foreign"]
        await SystemPackages().undo(opened.scopes.write(planned(machine)))
        assert held(machine) == ["foreign"]
        assert found(machine)["tool"] == "1.0"
        assert boots(machine) == 0
        assert any("not taken back" in line for _, line in opened.record.lines)


async def test_a_kernel_that_no_package_brings_is_refused_before_anything_boots(machine: Lab) -> None:
    async with site(machine) as opened:
        kernel = msgspec.structs.replace(opened.wanted.target.kernel, minimum="99.1")
        target = msgspec.structs.replace(opened.wanted.target, kernel=kernel)
        wanted = msgspec.structs.replace(opened.wanted, target=target)
        async with make_scopes(wanted, opened.doors) as scopes:
            with pytest.raises(StepRefused, match="did not come in a package of apt"):
                await run(scopes, machine)
    assert boots(machine) == 0
    assert found(machine)["tool"] == "1.0"


SERVICE = "[Unit]\nDescription=made in the lab\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\n"
CHRONY = {"lib/systemd/system/chrony.service": f"{SERVICE}WantedBy=multi-user.target\nAlias=chronyd.service\n"}
KDUMP = {"lib/systemd/system/kdump-tools.service": f"{SERVICE}WantedBy=multi-user.target\n"}
# Does what Debian's does with the words of a kernel's command line, and nothing else.
GRUB = {
    "usr/sbin/update-grub": "#!/bin/sh\nset -e\nmkdir -p /boot/grub\nfor f in /etc/default/grub.d/*; do . $f; done\n"
    "echo linux /vmlinuz $GRUB_CMDLINE_LINUX_DEFAULT > /boot/grub/grub.cfg\n",
    "DEBIAN/postinst": "#!/bin/sh\nchmod 0755 /usr/sbin/update-grub\n",
}
SETTINGS = {"swap": "Ignored", "modules": [], "sysctls": {}, "timeSync": "Required", "kdump": "Required"}


@asynccontextmanager
async def set_to(lab: Lab) -> AsyncIterator[tuple[HostSettings, Site, PlannedStep]]:
    name = lab.machines[0].name
    async with site(lab, settings=SETTINGS) as opened:
        yield (
            HostSettings(),
            opened,
            PlannedStep(name=f"host-settings/{name}", step="host-settings", title="", machine=name),
        )


async def test_the_clock_and_the_kernel_of_a_container_are_its_hosts(machine: Lab) -> None:
    async with set_to(machine) as (step, opened, at):
        await step.apply(opened.scopes.write(at), await step.plan(opened.scopes.read(at)))
        assert await step.plan(opened.scopes.read(at)) == []
    assert not execute(machine, machine.machines[0].name, ["sh", "-c", "ls /lib/systemd/system/chrony.service || true"])


async def test_a_host_without_a_time_service_gets_one_and_crash_dumps_from_the_next_boot_on(machine: Lab) -> None:
    """The packages and the boot loader are stand-ins made in the lab; apt, dpkg and systemd are real."""
    name = machine.machines[0].name
    # From here on the machine takes itself for a host that is no container.
    execute(machine, name, ["rm", "/run/systemd/container"])
    async with set_to(machine) as (step, opened, at):
        with pytest.raises(StepRefused, match="cannot install a time service on host") as refused:
            await step.apply(opened.scopes.write(at), [])
        assert "set settings.timeSync to Ignored" in refused.value.remedy
        for package, files in (("chrony", CHRONY), ("kdump-tools", KDUMP), ("boot-loader", GRUB)):
            publish(machine, name, package, "99.0", files)
        execute(machine, name, ["apt-get", "-q", "update"])
        execute(machine, name, ["apt-get", "-q", "-y", "install", "boot-loader"])
        planned = [change.what for change in await step.plan(opened.scopes.read(at))]
        assert {"time service", "kdump", "memory for crash dumps"} <= set(planned)
        await step.apply(opened.scopes.write(at), [])
        assert await step.plan(opened.scopes.read(at)) == []
        facts = await survey(opened.doors.hosts[name], utc_now)
        assert facts.time.service in ("chrony", "chronyd")
        assert (facts.kdump.installed, facts.kdump.enabled, facts.kdump.configured) == (True, True, True)
        assert any("before host" in line and "booted anew" in line for _, line in opened.record.lines)


async def test_a_machine_tells_what_it_has_answered_and_what_it_is(machine: Lab) -> None:
    async with asked(machine, "today") as opened:
        await run(opened.scopes, machine)
        facts = await survey(opened.doors.hosts[machine.machines[0].name], utc_now)
        assert (facts.updates, facts.container) == (["today"], "docker")
