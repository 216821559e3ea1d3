"""One check for each dimension: a ground held against a standard. Wanting nothing is met by everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from groundplane.api.assessment import Dimension, Remedy
from groundplane.api.facts import KdumpFacts, MachineFacts, PodNetworkFacts, sysctl_surveyed
from groundplane.api.foundation import HostSettings, RuntimeChoice
from groundplane.base.sizes import mib
from groundplane.base.words import counted
from groundplane.catalog.releases import fixes_since
from groundplane.catalog.runtimes import docker_supported

from . import features, reading
from .difference import NOTHING, Difference, Differences
from .ground import Ground
from .standard import Standard

_FIXES_SHOWN = 2

Check = Callable[[Ground, Standard, str], Differences]


def operating_system(ground: Ground, standard: Standard, _: str) -> Differences:
    """The Foundation's lists; with both empty every system will do."""
    accepted = [*standard.system.recommended, *standard.system.allowed]
    if not accepted:
        return NOTHING
    if not ground.system.id:
        return None if not ground.system_text else (_foreign_system(ground, standard),)
    if any(entry.accepts(ground.system.id, ground.system.version) for entry in accepted):
        return NOTHING
    return (_foreign_system(ground, standard),)


def _foreign_system(ground: Ground, standard: Standard) -> Difference:
    first = (standard.system.recommended or standard.system.allowed)[0]
    wanted = " or ".join(
        f"{entry.id} {'/'.join(entry.versions)}".strip()
        for entry in [*standard.system.recommended, *standard.system.allowed]
    )
    same = any(
        entry.id.lower() == ground.system.id.lower()
        for entry in [*standard.system.recommended, *standard.system.allowed]
    )
    cost = (
        "its packages, kernel and security fixes are another release's than those of the other nodes"
        if same
        else "its packages, kernel and security fixes come from another vendor than those of the other nodes"
    )
    text = f"replace the node by one with {first.id} {first.versions[-1] if first.versions else ''}".rstrip()
    return Difference(
        found=ground.system_text or ground.system.id,
        wanted=wanted,
        cost=cost,
        remedy=Remedy(action="ReinstallOperatingSystem", text=f"{text}, or add its system to the Foundation"),
    )


def kernel(ground: Ground, standard: Standard, _: str) -> Differences:
    """The Foundation's floor."""
    floor = standard.system.kernel.minimum
    if not floor:
        return NOTHING
    reached = reading.kernel_reaches(ground.kernel, floor)
    if reached is None:
        return None
    if reached:
        return NOTHING
    blocked = features.blocked_below(ground.kernel, standard)
    cost = f"blocks {', '.join(blocked)}" if blocked else "it lacks what the Foundation's floor was chosen for"
    return (
        Difference(
            found=ground.kernel,
            wanted=f">={floor}",
            cost=cost,
            severity="High" if blocked else "Medium",
            remedy=Remedy(action="UpgradeKernel", text=f"boot a kernel from {floor} on"),
        ),
    )


def settings(ground: Ground, standard: Standard, _: str) -> Differences:
    """Host settings. They are known of machines that were looked at over SSH only."""
    if standard.settings is None:
        return NOTHING
    if ground.machine is None:
        return None
    found = tuple(_settings(ground.machine, standard.settings))
    known = ground.machine.kernel.sysctls
    unseen = any(name not in known and not sysctl_surveyed(name) for name in standard.settings.sysctls)
    return None if unseen and not found else found


def _settings(machine: MachineFacts, wanted: HostSettings) -> Iterator[Difference]:
    if wanted.swap == "Disabled" and machine.swap:
        cost = "limits of memory do not hold, and a kubelet refuses to start with it unless told otherwise"
        yield _setting("swap", f"on ({mib(machine.swap)})", "Disabled", cost)
    # The clock and the kernel of a container are its host's.
    if wanted.time_sync == "Required" and not machine.time.service and not machine.container:
        cost = "certificates, leases and logs rest on a clock that nobody keeps right"
        yield _setting("timeSync", "no time service runs", "Required", cost)
    if wanted.kdump == "Required" and not machine.container:
        yield from _kdump(machine.kdump)
    for module in wanted.modules:
        if module not in machine.kernel.modules:
            yield _setting(f"module {module}", "not loaded", "loaded", "what needs the module fails on this node alone")
    for name, value in sorted(wanted.sysctls.items()):
        found = machine.kernel.sysctls.get(name)
        if found is None and not sysctl_surveyed(name):
            continue
        if found != " ".join(value.split()):
            cost = "the node behaves unlike its neighbours under the same load"
            yield _setting(f"sysctl {name}", "not set" if found is None else found, value, cost)


def _kdump(found: KdumpFacts) -> Iterator[Difference]:
    cost = "why a kernel fell over cannot be told afterwards"
    if not found.installed:
        yield _setting("kdump", "not installed", "Required", cost)
    elif not found.enabled:
        yield _setting("kdump", "not started at boot", "Required", cost)
    elif not found.reserved and not found.configured:
        yield _setting("kdump", "no memory is reserved for it", "Required", cost)
    elif not found.reserved:
        remedy = Remedy(action="TuneHost", text="boot the node anew: memory for crash dumps is reserved at boot only")
        yield Difference("set up, memory is reserved at the next boot", "Required", cost, remedy, "kdump", "Low")
    elif not found.active:
        yield _setting("kdump", "no crash kernel is loaded", "Required", cost)


def _setting(subject: str, found: str, wanted: str, cost: str) -> Difference:
    remedy = Remedy(action="TuneHost", text=f"set {subject} as the Foundation says")
    return Difference(found=found, wanted=wanted, cost=cost, remedy=remedy, subject=subject)


def distribution(_: Ground, standard: Standard, platform: str) -> Differences:
    """The kind of Kubernetes. An unknown one is unknown, not foreign."""
    if not standard.distribution or standard.distribution == platform:
        return NOTHING
    if platform in ("", "unknown"):
        return None
    convertible = (platform, standard.distribution) == ("native", "tke")
    remedy = (
        Remedy(action="ConvertDistribution", text="convert it in place, on the same core version")
        if convertible
        else Remedy(text=f"{platform} cannot be turned into {standard.distribution} in place: move its workloads")
    )
    cost = "patches, support dates and defaults are another vendor's"
    return (Difference(found=platform, wanted=standard.distribution, cost=cost, remedy=remedy),)


def version(ground: Ground, standard: Standard, _: str) -> Differences:
    """The kubelet's version; that of the API server is held against it by the cluster as a whole."""
    return version_difference(ground.kubelet, standard.version)


def version_difference(found: str, wanted: str) -> Differences:
    """Hold one component's version against the wanted one."""
    if not wanted:
        return NOTHING
    if not found:
        return None
    if found == wanted or reading.kubernetes(found) == reading.kubernetes(wanted) is not None:
        return NOTHING
    rises = reading.rises(found, wanted)
    if rises is None:
        remedy = Remedy(text=f"{found} and {wanted} have no order: decide which build the Foundation is to name")
        return (Difference(found, wanted, "whether fixes are missing cannot be told from the versions", remedy),)
    if not rises:
        remedy = Remedy(text="a Kubernetes is never taken back to an older version: raise the Foundation's")
        return (
            Difference(found, wanted, "it is ahead of the fleet, and tested by nobody else", remedy, severity="Low"),
        )
    steps = "" if reading.minor(found) == reading.minor(wanted) else ", one minor at a time"
    remedy = Remedy(action="UpgradeKubernetes", text=f"upgrade it to {wanted}{steps}")
    return (Difference(found, wanted, _behind(found, wanted), remedy),)


def _behind(found: str, wanted: str) -> str:
    left, right = reading.minor(found), reading.minor(wanted)
    if left is None or right is None or left == right:
        return _missing_fixes(found) or "fixes that the other nodes have are missing"
    steps = right[1] - left[1]
    return f"it is {counted(steps, 'minor')} behind: APIs and fixes differ, and each is an upgrade"


def _missing_fixes(found: str) -> str:
    """Say what later builds of the TKE distribution change in this one, vulnerabilities first; "" for other builds."""
    fixes = fixes_since(found) if "-tke." in found else ()
    if not fixes:
        return ""
    shown = sorted(fixes, key=lambda fix: not fix.startswith("CVE-"))[:_FIXES_SHOWN]
    more = f" and {len(fixes) - len(shown)} more" if len(fixes) > len(shown) else ""
    return f"it lacks what later builds change: {'; '.join(shown)}{more}"


def runtime(ground: Ground, standard: Standard, _: str) -> Differences:
    """Name, version and OCI runtimes of the container runtime."""
    wanted = standard.runtime
    if wanted is None:
        return NOTHING
    if not ground.runtime:
        return None
    if ground.runtime != wanted.name:
        return (_other_runtime(ground, wanted, standard.version),)
    if wanted.version and reading.constraint_met(ground.runtime_version, wanted.version) is not True:
        remedy = Remedy(action="UpgradeRuntime", text=f"bring {wanted.name} to {wanted.version}")
        cost = "fixes that the other nodes have are missing, and it may not serve the next Kubernetes"
        return (Difference(_runtime(ground), f"{wanted.name} {wanted.version}", cost, remedy),)
    return tuple(_handlers(ground, wanted))


def _other_runtime(ground: Ground, wanted: RuntimeChoice, version: str) -> Difference:
    cost = "images, logs and limits are handled by other code than on the other nodes"
    grave = False
    if ground.runtime == "docker":
        grave = bool(version) and reading.minor(version) is not None and not docker_supported(_plain(version)).ok
        cost = "Kubernetes has no Docker runtime from 1.24 on: it blocks every upgrade past 1.23"
    text = f"migrate it to {wanted.name}, node by node" if wanted.name == "containerd" else f"move it to {wanted.name}"
    return Difference(
        found=_runtime(ground),
        wanted=f"{wanted.name} {wanted.version}".rstrip(),
        cost=cost,
        severity="High" if grave else "Medium",
        remedy=Remedy(action="MigrateRuntime", text=text),
    )


def _handlers(ground: Ground, wanted: RuntimeChoice) -> Iterator[Difference]:
    if ground.machine is None:
        return
    installed = {handler.name for handler in ground.machine.handlers}
    for name in wanted.handlers:
        if name not in installed:
            remedy = Remedy(action="UpgradeRuntime", text=f"install {name}")
            yield Difference("not installed", name, "Pods that ask for it cannot run here", remedy, subject=name)


def _runtime(ground: Ground) -> str:
    return f"{ground.runtime} {ground.runtime_version}".rstrip()


def _plain(version: str) -> str:
    found = reading.minor(version)
    return f"{found[0]}.{found[1]}.0" if found else version


def network(ground: Ground, standard: Standard, found: PodNetworkFacts) -> Differences:
    """Network plugin, wanted features that are off, and those that this ground's kernel cannot carry."""
    if not standard.plugin:
        return NOTHING
    if not found.plugin:
        return None
    differences = list(_plugin(found, standard))
    differences += features.differences(ground, standard, found)
    return tuple(differences)


def _plugin(found: PodNetworkFacts, standard: Standard) -> Iterator[Difference]:
    if found.plugin != standard.plugin:
        remedy = Remedy(action="ChangeNetwork", text=f"replace {found.plugin} by {standard.plugin}")
        cost = "policies, features and limits of the pod network are another plugin's"
        yield Difference(found.plugin, standard.plugin, cost, remedy, subject="plugin")
        return
    for name in standard.features:
        if name not in found.features:
            remedy = Remedy(action="ChangeNetwork", text=f"switch {name} on in {found.plugin}'s configuration")
            yield Difference("off", "on", "workloads that count on it behave otherwise here", remedy, subject=name)


CHECKS: dict[Dimension, Check] = {
    "OperatingSystem": operating_system,
    "Kernel": kernel,
    "Settings": settings,
    "Distribution": distribution,
    "Version": version,
    "Runtime": runtime,
}
