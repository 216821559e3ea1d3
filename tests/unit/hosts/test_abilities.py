"""Abilities are detected, never assumed: each from what the kernel shows, and Unknown where nothing could be seen."""

from __future__ import annotations

import pytest

from groundplane.hosts.facts.abilities import ability_facts

V1 = [f"ability=/sys/fs/cgroup/{name}" for name in (
    "memory/memory.usage_in_bytes", "cpuset/cpuset.cpus", "cpuacct/cpuacct.usage", "blkio/blkio.reset_stats",
)]  # fmt: skip
TENCENT = [f"ability=/sys/fs/cgroup/{name}" for name in (
    "memory/system.slice/memory.meminfo", "memory/system.slice/memory.vmstat", "cpuset/cpuset.stat",
    "cpuset/cpuset.cpuinfo", "cpuset/cpuset.loadavg", "cpuacct/cpuacct.uptime", "blkio/blkio.diskstats",
    "cpu/cpu.bt_shares",
)]  # fmt: skip
CONTAINERS = [f"Container{name}" for name in ["Meminfo", "Vmstat", "Cpuinfo", "Stat", "Loadavg", "Uptime", "Diskstats"]]
NAMES = [*CONTAINERS, "Kdump", "LivePatching", "PageCacheLimit", "OfflineScheduling", "Arm64HotPatch"]
SOURCE = "config-source=/boot/config"


def states(
    *seen: str, sysctls: tuple[str, ...] = (), config: tuple[str, ...] = (), machine: str = "x86_64"
) -> dict[str, str]:
    sections = {"seen": list(seen), "sysctls": list(sysctls), "kernel-config": list(config)}
    return {one.name: one.state for one in ability_facts(sections, machine)}


def test_a_kernel_that_has_everything_shows_everything() -> None:
    found = states(
        *V1,
        *TENCENT,
        SOURCE,
        "crash-loaded=1",
        "boot=crashkernel=512M",
        "ability=/sys/kernel/kpatch",
        sysctls=("vm/overcommit_memory=0", "vm/pagecache_limit_ratio=0"),
        machine="aarch64",
    )
    assert found == dict.fromkeys(NAMES, "Present")


def test_a_kernel_that_could_be_looked_at_and_has_nothing_is_without_them() -> None:
    found = states(*V1, SOURCE, "crash-loaded=0", sysctls=("vm/overcommit_memory=0",))
    assert found == dict.fromkeys(NAMES, "Absent")


def test_where_nothing_could_be_looked_at_nothing_is_known() -> None:
    found = states("interfaces=2", machine="aarch64")
    assert found == dict.fromkeys(NAMES, "Unknown")
    assert ability_facts({}, "x86_64") == []


def test_control_groups_of_version_2_tell_nothing_unless_the_files_are_there() -> None:
    assert states("ability=/sys/fs/cgroup/cpuset.cpus")["ContainerMeminfo"] == "Unknown"
    assert states("ability=/sys/fs/cgroup/system.slice/memory.meminfo")["ContainerMeminfo"] == "Present"


def test_the_switch_of_tencentos_2_stands_for_what_it_is_documented_to_cover() -> None:
    found = states(*V1, sysctls=("kernel/stats_isolated=1",))
    assert {name for name in CONTAINERS if found[name] == "Present"} == {"ContainerMeminfo", "ContainerCpuinfo"}


@pytest.mark.parametrize(
    ("options", "machine", "live", "arm"),
    [
        (("CONFIG_LIVEPATCH=y",), "x86_64", "Present", "Absent"),
        (("CONFIG_KPATCH=m",), "aarch64", "Present", "Present"),
        (("CONFIG_BPF=y",), "aarch64", "Absent", "Absent"),
    ],
)
def test_build_options_tell_what_no_file_shows(options: tuple[str, ...], machine: str, live: str, arm: str) -> None:
    found = states(SOURCE, config=options, machine=machine)
    assert (found["LivePatching"], found["Arm64HotPatch"]) == (live, arm)


def test_kexec_without_a_loaded_kernel_is_no_kdump() -> None:
    assert states(SOURCE, config=("CONFIG_KEXEC=y",))["Kdump"] == "Unknown"


def test_the_evidence_says_what_was_seen() -> None:
    sections = {
        "seen": ["ability=/proc/bt_stat", "boot=offline_class"],
        "sysctls": ["vm/pagecache_limit_ratio=30"],
    }
    evidence = {one.name: one.evidence for one in ability_facts(sections, "x86_64")}
    assert evidence["OfflineScheduling"] == "/proc/bt_stat, booted with offline_class"
    assert evidence["PageCacheLimit"] == "vm.pagecache_limit_ratio = 30"
    assert evidence["Arm64HotPatch"] == "the CPU is x86_64"
