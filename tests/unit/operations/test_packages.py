"""Package managers of each family: what they print, as their manuals show it, and what they are told.

dpkg-query(1) and apt-mark(8) of Debian 12; rpm(8), dnf(8) and yum(8) of Enterprise Linux 7 to 9; zypper(8) of SUSE 15.
apt is also run for real (tests/lab_operations/test_system.py); the others are not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.hosts.contract import ReadHost
from groundplane.hosts.readonly import ReadOnly
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.operations import StepRefused, kdump, packages
from support.scripted_host import Answer, scripted_host

DPKG = """ii  containerd 1.6.20~ds1-1+b1
hi  kubelet 1.28.2-1.1
ii  linux-image-6.1.0-13-amd64 6.1.55-1
ii  linux-image-6.1.0-18-amd64 6.1.76-1
ii  linux-image-amd64 6.1.76-1
iU  openssl 3.0.11-1~deb12u2
rc  exim4-base 4.96-15
un  docker (none)
hi  postgresql 15+248
"""
RPM = """ii containerd.io 1.6.28-3.1.el9
ii docker-ce-cli 25.0.3-1.el9
ii kernel 5.14.0-362.18.1.el9_3
ii kernel 5.14.0-362.8.1.el9_3
ii kernel-core 5.14.0-362.18.1.el9_3
ii kernel-modules 5.14.0-362.18.1.el9_3
ii kernel-modules-core 5.14.0-362.18.1.el9_3
ii kubelet 1.28.2-150500.1.1
ii openssl 3.0.7-25.el9_3
"""
LOCKS = """
type: package
match_type: glob
case_sensitive: on
solvable_name: postgresql15
"""
_OF_THE_MACHINE = {"rpm", "dpkg-query", "test"}


@asynccontextmanager
async def machine(answers: Mapping[str, str]) -> AsyncIterator[ReadHost]:
    """A machine that can only be looked at; a command is answered by its longest beginning among `answers`."""

    def script(argv: list[str]) -> Answer:
        line = " ".join(argv)
        known = max((one for one in answers if one in line), key=len, default=None)
        if known is not None:
            return Answer(stdout=answers[known].encode())
        return Answer(status=1) if argv[0] in _OF_THE_MACHINE else None

    async with scripted_host(script) as server, HostPool() as pool:
        access = HostAccess(
            name="m", address="127.0.0.1", port=server.port, password=server.password, host_key=server.host_key
        )
        yield ReadOnly(pool.connect(access))


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        (["apt-get"], packages.APT),
        (["dnf", "yum"], packages.DNF),
        (["yum"], packages.YUM),
        (["zypper"], packages.ZYPPER),
    ],
)
async def test_the_manager_is_the_one_that_the_machine_has(programs: list[str], expected: packages.Manager) -> None:
    async with machine({f"test -x /usr/bin/{program}": "" for program in programs}) as host:
        assert await packages.manager_of(host) is expected


async def test_a_machine_without_a_known_manager_is_refused() -> None:
    async with machine({}) as host:
        with pytest.raises(StepRefused, match="no package manager that is known"):
            await packages.manager_of(host)


async def test_dpkg_tells_versions_marks_and_what_is_half_done() -> None:
    async with machine({"dpkg-query -W": DPKG}) as host:
        found = await packages.installed(host, packages.APT)
        assert found.held == {"kubelet", "postgresql"}
        assert found.unfinished == {"openssl"}
        assert "exim4-base" not in found.versions
        assert "docker" not in found.versions
        assert found.kept == ["containerd", "kubelet"]
        kernel = await packages.kernel_packages(host, packages.APT, found, "6.1.0-13-amd64")
        assert kernel == ["linux-image-amd64"]


async def test_rpm_tells_versions_and_which_packages_are_the_running_kernels() -> None:
    release = "5.14.0-362.8.1.el9_3"
    answers = {"rpm -qa": RPM, f"-f /lib/modules/{release}.x86_64": "kernel-core\n"}
    async with machine(answers) as host:
        found = await packages.installed(host, packages.DNF)
        assert found.versions["kernel"] == ("5.14.0-362.18.1.el9_3", "5.14.0-362.8.1.el9_3")
        assert found.kept == ["containerd.io", "docker-ce-cli", "kubelet"]
        kernel = await packages.kernel_packages(host, packages.DNF, found, f"{release}.x86_64")
        assert kernel == ["kernel", "kernel-core", "kernel-modules", "kernel-modules-core"]
        assert await packages.kernel_packages(host, packages.DNF, found, "6.9-own") == []


async def test_zypper_keeps_its_marks_in_a_file() -> None:
    async with machine({"rpm -qa": "ii kernel-default 5.14.21-150500.55.44.1\n", "/etc/zypp/locks": LOCKS}) as host:
        found = await packages.installed(host, packages.ZYPPER)
        assert found.held == {"postgresql15"}


async def test_a_listing_that_fails_is_refused_and_not_taken_for_an_empty_machine() -> None:
    async with machine({}) as host:
        with pytest.raises(StepRefused, match="cannot list the packages"):
            await packages.installed(host, packages.DNF)


def test_dnf_and_yum_leave_packages_out_by_options_and_never_remove_a_kernel() -> None:
    for manager in (packages.DNF, packages.YUM):
        told = packages.updating(manager, ["kubelet", "containerd.io"])
        assert told[0] == manager.name
        assert {"--exclude=kubelet", "--exclude=containerd.io", "--setopt=installonly_limit=0"} <= set(told)
        assert not manager.hold


def test_apt_and_zypper_leave_packages_out_by_marks() -> None:
    for manager in (packages.APT, packages.ZYPPER):
        assert manager.hold
        assert manager.release
        assert "kubelet" not in packages.updating(manager, ["kubelet"])
    assert packages.updating(packages.ZYPPER, [])[:3] == ["zypper", "--non-interactive", "update"]
    assert packages.ZYPPER.good == (0, 102, 103)


@pytest.mark.parametrize("manager", packages.MANAGERS, ids=lambda manager: manager.name)
def test_nothing_asks_and_nothing_is_removed(manager: packages.Manager) -> None:
    for command in (packages.updating(manager, []), packages.updating(manager, [], ["kernel"]), [*manager.install]):
        assert {"-y", "--non-interactive"} & set(command)
        assert not {"dist-upgrade", "full-upgrade", "autoremove", "remove", "dup"} & set(command)
    assert packages.updating(manager, [], ["kernel"])[-1] == "kernel"


@given(st.text(max_size=300))
def test_no_text_breaks_the_reading_of_a_listing(text: str) -> None:
    found = packages.parse(text.splitlines())
    assert all(name and versions for name, versions in found.versions.items())


def test_memory_for_crash_dumps_is_added_to_grubs_words_once() -> None:
    text = 'GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet splash"\nGRUB_CMDLINE_LINUX=""\n'
    after = kdump.edited(text)
    assert after == text.replace('quiet splash"', f'quiet splash {kdump.RESERVED}"')
    assert kdump.edited(after) == after
    assert kdump.edited("GRUB_CMDLINE_LINUX_DEFAULT=''\n") == f"GRUB_CMDLINE_LINUX_DEFAULT='{kdump.RESERVED}'\n"
    assert kdump.edited("GRUB_TIMEOUT=5\n") is None
