"""Abilities of an operating system, each told from what the running kernel shows; docs/abilities.md has the sources.

The system's name is never asked. An ability is Absent only where its place could be looked at and it was not there;
where the place itself is missing (another version of control groups, no configuration to read) it is Unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from groundplane.api.facts import AbilityFacts

from .sections import Sections, pairs, values

State = Literal["Present", "Absent", "Unknown"]

# Ability, the file that a control group has, and a file that every kernel with that hierarchy has.
_OF_CONTAINERS = (
    ("ContainerMeminfo", "memory.meminfo", ("memory.usage_in_bytes",)),
    ("ContainerVmstat", "memory.vmstat", ("memory.usage_in_bytes",)),
    ("ContainerCpuinfo", "cpuset.cpuinfo", ("cpuset.cpus",)),
    ("ContainerStat", "cpuset.stat", ("cpuset.cpus",)),
    ("ContainerLoadavg", "cpuset.loadavg", ("cpuset.cpus",)),
    ("ContainerUptime", "cpuacct.uptime", ("cpuacct.usage",)),
    ("ContainerDiskstats", "blkio.diskstats", ("blkio.reset_stats", "blkio.weight")),
)
# What the switch of TencentOS Server 2.4 is documented to cover.
_ISOLATED = {"ContainerMeminfo", "ContainerCpuinfo"}


def ability_facts(sections: Sections, machine: str) -> list[AbilityFacts]:
    """Return every ability that is looked for, in the order of docs/abilities.md."""
    seen = sections.get("seen", ())
    if not seen:
        return []
    files = values(seen, "ability")
    config = pairs(sections.get("kernel-config", ()))
    if "config-source" in pairs(seen):
        config["source"] = pairs(seen)["config-source"]
    sysctls = pairs(sections.get("sysctls", ()))
    return [
        *_of_containers(files, sysctls),
        _kdump(pairs(seen).get("crash-loaded", ""), values(seen, "boot"), config),
        _live_patching(files, config),
        _page_cache_limit(sysctls),
        _offline_scheduling(files, sysctls, values(seen, "boot"), config),
        _arm64_hot_patch(machine, files, config),
    ]


def _of_containers(files: list[str], sysctls: Mapping[str, str]) -> list[AbilityFacts]:
    by_name = {path.rpartition("/")[2]: path for path in files}
    found = []
    for name, wanted, beside in _OF_CONTAINERS:
        if wanted in by_name:
            found.append(AbilityFacts(name=name, state="Present", evidence=by_name[wanted]))
        elif name in _ISOLATED and "kernel/stats_isolated" in sysctls:
            evidence = f"kernel.stats_isolated = {sysctls['kernel/stats_isolated']}"
            found.append(AbilityFacts(name=name, state="Present", evidence=evidence))
        elif any(one in by_name for one in beside):
            found.append(AbilityFacts(name=name, state="Absent", evidence=f"no control group has {wanted}"))
        else:
            found.append(
                AbilityFacts(name=name, evidence="its control groups (version 1) are not there to be looked at")
            )
    return found


def _kdump(loaded: str, boot: list[str], config: Mapping[str, str]) -> AbilityFacts:
    reserved = next((word for word in boot if word.startswith("crashkernel=")), "")
    if loaded == "1":
        return AbilityFacts(name="Kdump", state="Present", evidence=f"a crash kernel is loaded {reserved}".rstrip())
    if loaded == "0":
        return AbilityFacts(name="Kdump", state="Absent", evidence=f"no crash kernel is loaded {reserved}".rstrip())
    return _by_config("Kdump", config, ("CONFIG_KEXEC_CORE", "CONFIG_KEXEC"), present="Unknown")


def _live_patching(files: list[str], config: Mapping[str, str]) -> AbilityFacts:
    for path in ("/sys/kernel/livepatch", "/sys/kernel/kpatch"):
        if path in files:
            return AbilityFacts(name="LivePatching", state="Present", evidence=path)
    return _by_config("LivePatching", config, ("CONFIG_LIVEPATCH", "CONFIG_KPATCH"))


def _page_cache_limit(sysctls: Mapping[str, str]) -> AbilityFacts:
    for name in ("vm/pagecache_limit_ratio", "vm/pagecache_limit_mb"):
        if name in sysctls:
            evidence = f"{name.replace('/', '.')} = {sysctls[name]}"
            return AbilityFacts(name="PageCacheLimit", state="Present", evidence=evidence)
    # Every kernel has vm.overcommit_memory: without it, the parameters could not be read at all.
    if "vm/overcommit_memory" in sysctls:
        return AbilityFacts(name="PageCacheLimit", state="Absent", evidence="no vm.pagecache_limit_ratio")
    return AbilityFacts(name="PageCacheLimit", evidence="the parameters of vm cannot be read")


def _offline_scheduling(
    files: list[str], sysctls: Mapping[str, str], boot: list[str], config: Mapping[str, str]
) -> AbilityFacts:
    shown = [path for path in files if path == "/proc/bt_stat" or path.endswith("/cpu.bt_shares")]
    shown += [name.replace("/", ".") for name in sysctls if name.startswith("kernel/sched_bt_")]
    if shown:
        switched = "booted with offline_class" if any(w.startswith("offline_class") for w in boot) else ""
        evidence = ", ".join(word for word in (shown[0], switched) if word)
        return AbilityFacts(name="OfflineScheduling", state="Present", evidence=evidence)
    return _by_config("OfflineScheduling", config, ("CONFIG_BT_SCHED", "CONFIG_BT_GROUP_SCHED"))


def _arm64_hot_patch(machine: str, files: list[str], config: Mapping[str, str]) -> AbilityFacts:
    if machine not in ("aarch64", "arm64"):
        state: State = "Absent" if machine else "Unknown"
        return AbilityFacts(name="Arm64HotPatch", state=state, evidence=f"the CPU is {machine or 'not known'}")
    if "/sys/kernel/kpatch" in files:
        return AbilityFacts(name="Arm64HotPatch", state="Present", evidence="/sys/kernel/kpatch")
    return _by_config("Arm64HotPatch", config, ("CONFIG_KPATCH", "CONFIG_LIVEPATCH"))


def _by_config(
    name: str, config: Mapping[str, str], options: tuple[str, ...], *, present: State = "Present"
) -> AbilityFacts:
    """Tell from the kernel's build options; options that cannot be read tell nothing."""
    for option in options:
        if config.get(option) in ("y", "m"):
            return AbilityFacts(name=name, state=present, evidence=f"{option}={config[option]}")
    if config.get("source"):
        return AbilityFacts(name=name, state="Absent", evidence=f"no {options[0]} in {config['source']}")
    return AbilityFacts(name=name, evidence="the kernel's configuration cannot be read")
