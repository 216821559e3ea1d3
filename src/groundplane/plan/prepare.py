"""What a machine still lacks before kubeadm may run on it: mark, host settings, runtime, binaries, images.

Facts show what a machine has, not whose it is: a kubelet or an image that merely has the right name proves nothing.
So on a machine without our mark every step is planned, and looks for itself. With the mark, the facts decide; on a
member, preparation is known to have ended, and only what a person would call broken is planned.
"""

from __future__ import annotations

from collections.abc import Iterator

from groundplane.api.facts import KernelFacts, MachineFacts
from groundplane.api.foundation import HostSettings
from groundplane.api.operation import PlannedChange

from .view import CNI_ARCHIVE, View, cgroup_driver, held_back, needed_plugins, plain_image, plain_version

_OPTIONS = {"overlay": "OVERLAY_FS", "br_netfilter": "BRIDGE_NETFILTER"}
_BINARIES = ("kubeadm", "kubelet", "kubectl")


def claim(view: View, name: str) -> list[PlannedChange]:
    """The mark that says whose the machine is."""
    if view.ours(name):
        return []
    return [PlannedChange(what="owner", after=f"cluster {view.target.key}")]


def host_settings(view: View, name: str) -> list[PlannedChange]:
    """Settings of the host that differ from what is wanted."""
    return differing_settings(view, name) or _checked(view, name, "host settings", "kept after a reboot")


def differing_settings(view: View, name: str) -> list[PlannedChange]:
    """What the survey shows to be set otherwise than wanted."""
    facts, settings = view.of(name), view.target.settings
    changes = []
    if settings.swap == "Disabled" and facts.swap > 0:
        changes.append(PlannedChange(what="swap", before="on", after="off"))
    changes += [
        PlannedChange(what=f"kernel module {module}", after="loaded")
        for module in settings.modules
        if not _has_module(facts.kernel, module)
    ]
    for key, wanted in settings.sysctls.items():
        now = _folded(facts.kernel.sysctls.get(key, ""))
        if now != _folded(wanted):
            changes.append(PlannedChange(what=f"sysctl {key}", before=now, after=_folded(wanted)))
    return [*changes, *_services(facts, settings)]


def _services(facts: MachineFacts, settings: HostSettings) -> Iterator[PlannedChange]:
    """Time service and crash dumps. Clock and kernel of a container are its host's."""
    if facts.container:
        return
    if settings.time_sync == "Required" and not facts.time.service:
        yield PlannedChange(what="time service", before="none runs", after="runs, and starts at boot")
    if settings.kdump == "Required":
        now = facts.kdump
        if not (now.installed and now.enabled):
            before = "not enabled" if now.installed else "not installed"
            yield PlannedChange(what="kdump", before=before, after="starts at boot")
        if not now.reserved and not now.configured:
            yield PlannedChange(what="memory for crash dumps", after="reserved from the next boot on")


def runtime(view: View, name: str) -> list[PlannedChange]:
    """The wanted runtime, running and set up for kubelet.

    Before a member it is always planned: a survey reads the configuration file, and cannot tell whether the daemon
    was restarted after it was written. On a member only that it runs: its settings carry living pods.
    """
    wanted, now = view.target.runtime, view.runtime(name)
    if _kept(view, name):
        return []
    changes = []
    if not (now.installed and now.active and now.enabled):
        changes.append(PlannedChange(what="runtime", before=_runs_now(view, name), after=_runtime_label(view, name)))
    if view.member(name):
        return changes
    driver = cgroup_driver(view.target)
    if now.cgroup_driver != driver:
        changes.append(PlannedChange(what=f"{wanted.name} cgroup driver", before=now.cgroup_driver, after=driver))
    if wanted.name == "containerd":
        changes += _containerd_settings(view, name)
    return changes or [
        PlannedChange(what=f"{wanted.name} configuration", before="as found", after="checked, in effect")
    ]


def binaries(view: View, name: str) -> list[PlannedChange]:
    """kubeadm, kubelet, kubectl of the wanted version, and the CNI plugins."""
    facts, version = view.of(name), plain_version(view.target.version)
    if _kept(view, name):
        return []
    present = {"kubeadm": facts.kubeadm.installed_version, "kubelet": facts.kubelet.version}
    changes = [
        PlannedChange(what=program, before=plain_version(now), after=version)
        for program, now in present.items()
        if plain_version(now) != version
    ]
    if "kubectl" not in facts.commands:
        changes.append(PlannedChange(what="kubectl", after=version))
    missing = [plugin for plugin in needed_plugins(view.target) if plugin not in facts.network.cni_plugins]
    if missing:
        changes.append(PlannedChange(what="CNI plugins", after=", ".join(missing)))
    # The step enables kubelet last, so that this stands for the unit and all files before it.
    if not facts.kubelet.enabled and not view.member(name):
        changes.append(PlannedChange(what="kubelet unit", before="not enabled", after="started at boot"))
    return changes or _checked(view, name, "Kubernetes programs", f"those of release {view.target.version}")


def images(view: View, name: str) -> list[PlannedChange]:
    """The release's images that the wanted runtime does not hold.

    A member has had them; that kubelet's garbage collection removes an unused one later is no unfinished work.
    """
    if view.member(name):
        return []
    held = {plain_image(image) for image in view.runtime(name).images} if view.ours(name) else set()
    return [
        PlannedChange(what=f"image {artifact.image}", after=f"loaded into {view.target.runtime.name}")
        for artifact in view.artifacts(name)
        if artifact.type == "Image" and plain_image(artifact.image) not in held
    ]


def missing_artifacts(view: View, name: str) -> list[str]:
    """Names of files that the machine needs and the release does not have for it."""
    needs = {change.what for change in binaries(view, name)}
    # The step brings all programs or none: what the machine has may be another build of the same version.
    wanted = [*(_BINARIES if needs - {"CNI plugins"} else ()), *([CNI_ARCHIVE] if "CNI plugins" in needs else [])]
    return [artifact for artifact in wanted if view.artifact(name, artifact) is None]


def sandbox_image(view: View, name: str) -> str:
    """The release's pause image, or "" when the release names none and the runtime keeps its own."""
    images = (artifact.image for artifact in view.artifacts(name) if artifact.type == "Image")
    return next((image for image in images if image.rpartition("/")[2].partition(":")[0] == "pause"), "")


def _containerd_settings(view: View, name: str) -> list[PlannedChange]:
    now, sandbox = view.runtime(name), sandbox_image(view, name)
    changes = []
    if not now.cri_enabled:
        changes.append(PlannedChange(what="containerd CRI plugin", before="disabled", after="enabled"))
    if sandbox and now.sandbox_image != sandbox:
        changes.append(PlannedChange(what="containerd sandbox image", before=now.sandbox_image, after=sandbox))
    return changes


def _runs_now(view: View, name: str) -> str:
    now = view.runtime(name)
    if now.installed:
        return f"{now.name} {now.version}, {'not enabled' if now.active else 'stopped'}"
    return next((runtime.name for runtime in view.of(name).runtimes if runtime.active), "")


def _runtime_label(view: View, name: str) -> str:
    now = view.runtime(name)
    return f"{now.name} {now.version}".strip() if now.installed else f"{now.name} {view.target.runtime.version}".strip()


def _kept(view: View, name: str) -> bool:
    """Tell whether a person keeps the node as it is: then it also keeps another runtime or version."""
    return view.member(name) and held_back(view, name)


def _checked(view: View, name: str, what: str, after: str) -> list[PlannedChange]:
    """What a step does on a machine that looks right but is not ours yet."""
    return [] if view.ours(name) else [PlannedChange(what=what, before="as found", after=after)]


def _has_module(kernel: KernelFacts, name: str) -> bool:
    """Loaded, or built into the kernel, which lists only loaded ones: then its option or its sysctls show it."""
    plain = name.replace("-", "_")
    if plain in {module.replace("-", "_") for module in kernel.modules}:
        return True
    if plain == "br_netfilter" and any(key.startswith("net.bridge.") for key in kernel.sysctls):
        return True
    option = _OPTIONS.get(plain, "")
    return "y" in (kernel.config.get(option), kernel.config.get(f"CONFIG_{option}"))


def _folded(text: str) -> str:
    return " ".join(text.split())
