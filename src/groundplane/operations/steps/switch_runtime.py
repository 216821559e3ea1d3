"""switch-runtime: a drained node from one container runtime to the other, and back when it does not come up.

What is changed is kept aside first. kubelet is stopped before its pods; the pods that are left are stopped and their
network given back; then kubelet's flags, crictl's configuration and kubeadm's note of the socket are switched and
kubelet is started. The old runtime, empty by then, ends only when the Node is Ready and says itself that it runs on
the new one. (A kubelet before v1.24 also looks for Docker when it starts, and goes on looking for 5 s where there is
none: cAdvisor, container/docker/factory.go, RootDir.)
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from groundplane.api.operation import PlannedChange
from groundplane.base.errors import Unavailable
from groundplane.hosts.contract import Host, ReadHost

from .. import before, cordon, kubelet, kubelet_flags, leaders, living, nodes, runtimes, systemd
from ..carrying import carried_from
from ..kubeadm.versions import cri_socket, minor_of
from ..retire import other, retire, unit_names
from ..runtimes import CONTAINERD, DOCKER, Runtime, runtime_of
from ..scope import ReadScope, Scope
from ..together import together
from .runtime import version_of
from .stage_runtime import kept_of

_KUBELETS = (kubelet_flags.PATH, living.KUBELET_CONFIG, living.CRICTL, living.INSTANCE_CONFIG)


class SwitchRuntime:
    name = "switch-runtime"
    title = "Switch the container runtime"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        runtime = runtime_of(scope.target)
        version = await kubelet.version(scope)
        changes = await _host_changes(scope.host, runtime, minor_of(version))
        try:
            node = await nodes.need_node(await nodes.door(scope), scope.name)
        except Unavailable:
            # The API may be on this node, and away because a run was cut off while nothing ran here.
            if changes and scope.journal.get(_begun(scope)):
                return changes
            raise
        if missing := nodes.not_on(node, runtime.name):
            changes.append(PlannedChange(what=f"node {scope.name}", before=missing, after=f"Ready on {runtime.name}"))
        socket = cri_socket(runtime.name, version)
        now = nodes.meta(node, "annotations").get(living.SOCKET_ANNOTATION)
        if now is not None and now != socket:
            changes.append(PlannedChange(what=f"annotation {living.SOCKET_ANNOTATION}", before=now, after=socket))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, runtime = scope.door, runtime_of(scope.target)
        version = await kubelet.version(scope)
        minor, led = minor_of(version), dict[str, str]()
        if await _host_changes(scope.host, runtime, minor):
            led = await _leading(scope)
            await _keep(scope, runtime)
            await host.run(["systemctl", "stop", kubelet.UNIT], timeout=180)
            await retire(scope, other(runtime))
            await _write(host, runtime, minor)
            await _take_log_limits(scope, runtime)
            await _units_back(host, runtime)
            await _start_runtime(host, runtime)
            await systemd.start(host, kubelet.UNIT)
        await _settle(scope, runtime)
        await together(
            [
                leaders.release(scope, await nodes.door(scope), led),
                _annotate(scope, cri_socket(runtime.name, version)),
                _end(host, other(runtime)),
            ]
        )
        # It is where it was once: how it was there is no way back any more.
        await before.forget(host, kept_of(runtime))

    async def undo(self, scope: Scope) -> None:
        """Bring the node back to the runtime that it left, with the files that it had, and wait until it is Ready."""
        host, back = scope.door, other(runtime_of(scope.target))
        # What an earlier Operation kept is no way back of this one's.
        if not scope.journal.get(_begun(scope)):
            return
        if not await _left(scope.host, back):
            await scope.journal.put(_begun(scope), "")
            return
        scope.log(f"bringing the node back to {back.name}")
        await _close(scope)
        await host.run(["systemctl", "stop", kubelet.UNIT], timeout=180)
        await retire(scope, other(back))
        for path in ("/var/lib/kubelet/", living.CRICTL):
            await before.put_back(host, kept_of(back), below=path)
        if back is DOCKER:
            # Docker stands on containerd, so what broke that one would keep Docker down as well.
            await before.put_back(host, kept_of(back), below=CONTAINERD.config)
            await systemd.bring_up(host, CONTAINERD.unit, restart=True, check=False)
        await _units_back(host, back)
        await _start_runtime(host, back)
        await systemd.start(host, kubelet.UNIT)
        await _settle(scope, back)
        await _annotate(scope, cri_socket(back.name, await kubelet.version(scope)))
        await scope.journal.put(_begun(scope), "")
        scope.log(f"node {scope.name} is Ready on {back.name} again")


def _begun(scope: ReadScope) -> str:
    return f"switch-runtime/{scope.name}"


async def _leading(scope: Scope) -> dict[str, str]:
    """Return what leads from this node and is about to be stopped; nothing where the API is away already."""
    if scope.name not in scope.target.control_planes:
        return {}
    try:
        return await leaders.on_node(await nodes.door(scope), scope.name)
    except Unavailable as error:
        scope.log(f"not looked who leads, the API does not answer: {error.message}")
        return {}


async def _keep(scope: Scope, runtime: Runtime) -> None:
    """Keep kubelet's files aside as they are before the switch.

    What an earlier Operation kept of a node that is whole on the old runtime is out of date; of one that is not, it is
    the only way back.
    """
    host, left = scope.door, other(runtime)
    if not scope.journal.get(_begun(scope)):
        node = await nodes.need_node(await nodes.door(scope), scope.name)
        if not nodes.not_on(node, left.name) and await living.runtime_of(scope.host) == left.name:
            await before.drop(host, kept_of(left), _KUBELETS)
        await scope.journal.put(_begun(scope), runtime.name)
    for path in _KUBELETS:
        await before.save(host, kept_of(left), path)


async def _close(scope: Scope) -> None:
    """Close the node for pods, with our mark, where it was opened meanwhile: its pods are about to be stopped."""
    try:
        cluster = await nodes.door(scope)
        node = await nodes.node(cluster, scope.name)
    except Unavailable as error:
        scope.log(f"not looked whether the node is open for pods, the API does not answer: {error.message}")
        return
    if node is not None and cordon.is_open(node):
        await cordon.close(scope, cluster)
        scope.log(f"cordoned node {scope.name}, for it was open")


async def _host_changes(host: ReadHost, runtime: Runtime, minor: int) -> list[PlannedChange]:
    changes = []
    left = other(runtime)
    if kubelet_flags.edited(await host.read(kubelet_flags.PATH), runtime.name, minor=minor) is not None:
        changes.append(PlannedChange(what=kubelet_flags.PATH, before=left.name, after=runtime.name))
    for path, content in (await _others(host, runtime)).items():
        changes.append(PlannedChange(what=path, after=str(len(content)) + " bytes, the socket of " + runtime.name))
    ended = unit_names(left)
    units = await systemd.look_at(host, [*ended, runtime.unit, kubelet.UNIT])
    for unit in units:
        if unit.name in ended and (unit.active or unit.enabled):
            changes.append(PlannedChange(what=unit.name, before="running", after="stopped, not started at boot"))
        if unit.name not in ended and not (unit.active and unit.enabled):
            changes.append(PlannedChange(what=unit.name, before="not running", after="running, started at boot"))
    return changes


async def _others(host: ReadHost, runtime: Runtime) -> dict[str, bytes]:
    """Return the other files that name the runtime's socket and are there with another one: what to write."""
    socket = kubelet_flags.CONTAINERD_SOCKET if runtime is CONTAINERD else "unix:///var/run/dockershim.sock"
    found: dict[str, bytes] = {}
    for path, keys in _FILES.items():
        content = await host.read(path)
        document = yaml.safe_load(content) if content else None
        if not isinstance(document, dict) or all(document.get(key, socket) == socket for key in keys):
            continue
        document.update({key: socket for key in keys if key in document})
        found[path] = yaml.safe_dump(document, sort_keys=False).encode()
    return found


_FILES: Mapping[str, tuple[str, ...]] = {
    living.CRICTL: ("runtime-endpoint", "image-endpoint"),
    living.INSTANCE_CONFIG: ("containerRuntimeEndpoint",),
}


async def _write(host: Host, runtime: Runtime, minor: int) -> None:
    now, former = await host.read(kubelet_flags.PATH), await before.copy_of(host, kept_of(runtime), kubelet_flags.PATH)
    flags = kubelet_flags.edited(now, runtime.name, minor=minor, former=former)
    if flags is not None:
        await host.write(kubelet_flags.PATH, flags)
    for path, content in (await _others(host, runtime)).items():
        await host.write(path, content)
    if await before.put_back(host, kept_of(runtime), below=living.CRICTL):
        return
    if runtime is CONTAINERD and await host.stat(living.CRICTL) is None:
        lines = [f"{key}: {kubelet_flags.CONTAINERD_SOCKET}\n" for key in _FILES[living.CRICTL]]
        await host.write(living.CRICTL, "".join(lines).encode())


async def _take_log_limits(scope: Scope, runtime: Runtime) -> None:
    """Have kubelet limit logs as Docker did, where its configuration says nothing of it; on the way back it is gone."""
    host = scope.door
    if runtime is DOCKER:
        return
    carried = await carried_from(scope.host, version=await version_of(scope.host, runtime), systemd_cgroup=True)
    document = await living.kubelet_config(scope.host)
    missing = {key: value for key, value in carried.kubelet.items() if key not in document}
    if document and missing:
        content = yaml.safe_dump({**document, **missing}, sort_keys=False).encode()
        await host.write(living.KUBELET_CONFIG, content)


async def _end(host: Host, runtime: Runtime) -> None:
    """Stop the runtime that was left, once the node is well without it, its socket with it, or it would come again."""
    units = await systemd.look_at(host, unit_names(runtime))
    if left := [unit.name for unit in units if unit.active or unit.enabled]:
        await host.run(["systemctl", "disable", "--now", *left], timeout=180)


async def _start_runtime(host: Host, runtime: Runtime) -> None:
    if not (await systemd.look(host, runtime.unit)).enabled:
        await host.run(["systemctl", "enable", runtime.unit])
    await runtimes.start(host, runtime)


async def _settle(scope: Scope, runtime: Runtime) -> None:
    await kubelet.settle(scope, f"Ready on {runtime.name}", lambda node: nodes.not_on(node, runtime.name))


async def _annotate(scope: Scope, socket: str) -> None:
    """Tell kubeadm which socket this node has; a node whose kubeadm keeps it in a file has no such annotation."""
    cluster = await nodes.door(scope)
    node = await nodes.need_node(cluster, scope.name)
    if nodes.meta(node, "annotations").get(living.SOCKET_ANNOTATION, socket) != socket:
        patch: nodes.Object = {"metadata": {"annotations": {living.SOCKET_ANNOTATION: socket}}}
        await cluster.patch(f"{nodes.NODES}/{scope.name}", patch)


async def _left(host: ReadHost, back: Runtime) -> bool:
    """Tell whether the switch away from `back` has begun on this machine."""
    if kubelet_flags.PATH not in await before.saved(host, kept_of(back)):
        return False
    if await living.runtime_of(host) != back.name:
        return True
    running = await systemd.look_at(host, [*unit_names(back), back.unit, kubelet.UNIT])
    return not all(unit.active for unit in running)


async def _units_back(host: Host, runtime: Runtime) -> None:
    """Enable and start the units of the runtime as they were found."""
    for unit in await before.units(host, kept_of(runtime)):
        if unit.name in unit_names(runtime) and unit.known:
            if unit.enabled:
                await host.run(["systemctl", "enable", unit.name])
            if unit.active and unit.name.endswith(".socket"):
                await host.run(["systemctl", "start", unit.name], timeout=60)
