"""stage-runtime: the wanted runtime beside the one that runs: installed, set up, proven, with the images it will need.

Nothing of what runs is touched, and what is wrong with the new runtime is found here, where no pod waits for it. The
proof is a pod of our own, started through the CRI in the pod network: it shows the configuration, the pause image, the
cgroup driver and the CNI plugins at once. What is staged stays when a later step fails: it disturbs nothing, and the
next run finds it.
"""

from __future__ import annotations

import hashlib
import json

from groundplane.api.operation import PlannedChange
from groundplane.hosts.contract import Host, ReadHost

from .. import before, containerd, cri, docker, ledger, living, nodes, runtimes, systemd
from ..carry import PROXY, Carried
from ..carry_images import carry_to_containerd, carry_to_docker, missing_in_containerd
from ..carry_images import lacking as lacking_images
from ..carrying import carried_from, lacking
from ..errors import StepRefused
from ..install_runtime import install
from ..places import STAGE
from ..retire import other
from ..runtimes import CONTAINERD, DOCKER, Runtime, runtime_of
from ..scope import ReadScope, Scope
from .runtime import major_of, version_of

_NOTE = "staged-runtime"
_POD = "groundplane-proof"
# A unit that is bound to containerd ends with it.
_BONDS = ("BindsTo", "Requires", "PartOf", "Requisite")


class StageRuntime:
    name = "stage-runtime"
    title = "Stage the wanted runtime beside the one that runs"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        host, runtime = scope.host, runtime_of(scope.target)
        if await living.runtime_of(host) == runtime.name:
            return []
        if not await runtimes.installed(host, runtime):
            return [PlannedChange(what=runtime.name, after="installed, set up, proven")]
        carried = await _carried(scope, runtime)
        changes = []
        if await _configured(scope, runtime, carried) is not None:
            changes.append(PlannedChange(what=runtime.config, after="set up for kubelet"))
        for path in await lacking(host, carried.files, ours=[PROXY]):
            changes.append(PlannedChange(what=path, after="as Docker had it"))
        if (await ledger.note(host, _NOTE) or {}).get("proof") != await _proof(host, runtime):
            changes.append(PlannedChange(what=runtime.name, before="not proven", after="proven"))
        # kubelet clears away what it does not use: what was carried over once may be gone again.
        for name in await lacking_images(host, runtime):
            changes.append(PlannedChange(what=f"image {name}", after=f"carried over to {runtime.name}"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, runtime = scope.door, runtime_of(scope.target)
        units = ["docker.socket", "docker.service", "containerd.service"]
        left = kept_of(other(runtime))
        await _forget_earlier(scope, runtime)
        await before.note_units(host, left, units)
        await before.save(host, left, runtime.config)
        if not await runtimes.installed(host, runtime):
            await install(scope, runtime)
        carried = await _carried(scope, runtime)
        for said in carried.said:
            scope.log(said)
        edited = await _configured(scope, runtime, carried)
        files = await lacking(scope.host, carried.files, ours=[PROXY])
        due = edited is not None or PROXY in files
        await _require_free(scope, runtime, due=due)
        if due:
            await ledger.write_note(host, _NOTE, {"restart": "due"})
        for path, (content, mode) in files.items():
            await before.save(host, left, path)
            # The copies above are the way back of this change; the ledger is that of the machine, when it leaves.
            await ledger.put(host, path, content, mode=mode)
        if edited is not None:
            await _try_out(host, runtime, edited)
            await ledger.put(host, runtime.config, edited)
        await host.run(["systemctl", "daemon-reload"])
        try:
            await (_stage_docker(scope) if runtime is DOCKER else _stage_containerd(scope))
        except StepRefused:
            # Docker may stand on this containerd: it gets back the configuration that it ran with.
            await _unstage(scope, runtime)
            raise
        await ledger.write_note(host, _NOTE, {"proof": await _proof(scope.host, runtime)})


def _begun(scope: ReadScope) -> str:
    return f"stage-runtime/{scope.name}"


async def _forget_earlier(scope: Scope, runtime: Runtime) -> None:
    """Drop what an earlier Operation kept of the runtime's configuration and the units, where it is out of date.

    That is so when nothing of ours is in the configuration that is there, neither whole nor half, and the Node is Ready
    on the runtime that it has. Otherwise the copy is the only one of what was found, and stays.
    """
    host, left = scope.door, other(runtime)
    if scope.journal.get(_begun(scope)):
        return
    noted = await ledger.note(host, _NOTE) or {}
    staged = noted.get("restart") == "due" or ("proof" in noted and noted["proof"] == await _proof(scope.host, runtime))
    if not staged and await before.exists(host, kept_of(left)):
        node = await nodes.need_node(await nodes.door(scope), scope.name)
        if not nodes.not_on(node, left.name):
            await before.drop(host, kept_of(left), [runtime.config])
            await before.drop_units(host, kept_of(left))
    await scope.journal.put(_begun(scope), runtime.name)


async def _restart_due(host: ReadHost) -> bool:
    """Tell whether files of the runtime were changed and it has not been proven with them yet."""
    return (await ledger.note(host, _NOTE) or {}).get("restart") == "due"


async def _require_free(scope: Scope, runtime: Runtime, *, due: bool) -> None:
    """Refuse, before anything is written, to restart a containerd that Docker's containers end with."""
    if runtime is DOCKER or not (await systemd.look(scope.host, CONTAINERD.unit)).active:
        return
    due = due or await _restart_due(scope.host)
    if due and (bond := await _bond(scope.host)):
        raise StepRefused(
            f"cannot stage containerd on host {scope.name}: docker.service is bound to it ({bond}), so that a restart"
            " for the new configuration would stop Docker's containers",
            remedy="take the bond out of the unit (systemctl edit --full docker.service), then try again",
        )


async def _try_out(host: Host, runtime: Runtime, content: bytes) -> None:
    """Have containerd read the configuration before it depends on it."""
    if runtime is DOCKER:
        return
    path = f"{STAGE}/config.toml"
    await host.run(["mkdir", "-p", "-m", "700", STAGE])
    await host.write(path, content, mode=0o600)
    tried = await host.run(["containerd", "--config", path, "config", "dump"], check=False)
    await host.run(["rm", "-f", path])
    if not tried.ok:
        words = tried.stderr.decode("utf-8", "replace").strip().splitlines()
        raise StepRefused(
            f"cannot set up containerd on host {host.name}: it does not take its configuration:"
            f" {words[-1] if words else 'no reason given'}",
            remedy=f"mend {runtime.config} on the machine, or move it away; nothing was changed",
        )


async def _unstage(scope: Scope, runtime: Runtime) -> None:
    """Bring the runtime's files back as they were found, and have it run with them again if it ran."""
    host, kept = scope.door, kept_of(other(runtime))
    unit = next((one for one in await before.units(host, kept) if one.name == runtime.unit), None)
    for path in ("/etc/containerd/", "/etc/docker/", "/etc/systemd/"):
        await before.put_back(host, kept, below=path)
    await host.run(["systemctl", "daemon-reload"])
    await host.run(["systemctl", "reset-failed", runtime.unit], check=False)
    verb = "restart" if unit is not None and unit.active else "stop"
    await host.run(["systemctl", verb, runtime.unit], check=False, timeout=180)
    await ledger.forget_note(host, _NOTE)
    scope.log(f"{runtime.name} has the configuration that it was found with")


def kept_of(runtime: Runtime) -> str:
    """Return the name under which is kept how the node was on `runtime`."""
    return f"runtime-{runtime.name}"


async def _stage_containerd(scope: Scope) -> None:
    host = scope.door
    unit = await systemd.look(host, CONTAINERD.unit)
    due = await _restart_due(host)
    await runtimes.start(host, CONTAINERD, restart=unit.active and due)
    runtime = await cri.connect(host)
    scope.log(f"{runtime.runtime} {runtime.version} answers with the CRI {runtime.api}")
    if images := await missing_in_containerd(host):
        await carry_to_containerd(scope, images)
    if left := await missing_in_containerd(host):
        names = ", ".join(image.names[0] for image in left)
        raise StepRefused(
            f"cannot carry all images over on host {host.name}: containerd does not show {names}",
            remedy="see `journalctl -u containerd` there, and the room in /var/lib/containerd",
        )
    if problems := await runtime.problems():
        raise StepRefused(
            f"cannot use containerd on host {host.name}: {'; '.join(problems)}",
            remedy="see `journalctl -u containerd` there",
        )
    await _prove(scope, runtime)


async def _prove(scope: Scope, runtime: cri.Cri) -> None:
    """Start a pod of our own and take it away again, also one that an earlier run left."""
    parent = "/kubepods.slice" if await living.cgroup_driver(scope.host) == "systemd" else "/kubepods"
    for left, name in (await runtime.sandboxes()).items():
        if name == _POD:
            await runtime.remove_sandbox(left)
    sandbox = await runtime.run_sandbox(_POD, cgroup_parent=parent)
    await runtime.remove_sandbox(sandbox)
    await scope.door.run(["rm", "-rf", f"/var/log/pods/kube-system_{_POD}"])
    scope.log("a pod of our own ran on containerd")


async def _stage_docker(scope: Scope) -> None:
    host = scope.door
    due = await _restart_due(host)
    await runtimes.start(host, DOCKER, restart=due)
    driver = (await host.run(["docker", "info", "--format", "{{.CgroupDriver}}"])).text
    wanted = await living.cgroup_driver(scope.host)
    if driver != wanted:
        raise StepRefused(
            f"cannot use Docker on host {host.name}: its cgroup driver is {driver} and kubelet's is {wanted}",
            remedy='set "exec-opts" in /etc/docker/daemon.json, then try again',
        )
    # What kubelet would have to pull is with containerd: carried back the same way.
    await carry_to_docker(scope)


async def _bond(host: ReadHost) -> str:
    shown = await host.query(["systemctl", "show", "docker.service", *(f"--property={name}" for name in _BONDS)])
    found = (line.partition("=") for line in shown.text.splitlines())
    return next((name for name, _, value in found if "containerd.service" in value.split()), "")


async def _carried(scope: ReadScope, runtime: Runtime) -> Carried:
    """Return what of Docker's settings goes to containerd; Docker needs nothing of containerd's."""
    host = scope.host
    if runtime is DOCKER or not await runtimes.installed(host, runtime):
        return Carried()
    version = await version_of(host, runtime)
    return await carried_from(host, version=version, systemd_cgroup=await living.cgroup_driver(host) == "systemd")


async def _configured(scope: ReadScope, runtime: Runtime, carried: Carried) -> bytes | None:
    """Return the configuration to write, or None when the one that is there is right."""
    host = scope.host
    found, driver = await host.read(runtime.config), await living.cgroup_driver(host)
    if runtime is DOCKER:
        return docker.edited(found, driver=driver)
    wanted = containerd.Wanted(
        systemd_cgroup=driver == "systemd",
        sandbox_image=await living.sandbox_image(scope),
        cni_bin=(await living.cni_folders(host)).partition(":")[0],
        handlers=scope.target.runtime.handlers,
        carried=carried.config,
    )
    return containerd.edited(found, wanted, major=await major_of(host, runtime))


async def _proof(host: ReadHost, runtime: Runtime) -> str:
    """What the note says once the runtime is proven: it holds for this configuration and this version."""
    seen = [await host.digest(runtime.config), (await host.query([runtime.program, "--version"])).text]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()
