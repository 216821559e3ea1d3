"""upgrade-control-plane: the static pods of one control plane, by the new release's own kubeadm, as a job.

Before it begins, the manifests are kept aside. kubeadm brings a component that does not come up back by itself; what it
could not finish is taken back from our copies. A control plane that serves the new version is never taken back: its
store may hold what the old version cannot read, and its old kubelet is allowed beside it. etcd stays on its new image
for the same reason.
"""

from __future__ import annotations

from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.base.errors import Unavailable
from groundplane.clusters.api import runs
from groundplane.hosts.contract import ReadHost

from .. import before, etcd_store, kubelet, living, nodes, planes, programs
from ..control_plane import has_crictl
from ..errors import NotReached, StepRefused
from ..jobs import Job, run_job
from ..kubeadm import clean_ignores
from ..kubeadm import upgrade as kubeadm
from ..places import ADMIN_CONF, KUBERNETES, STAGE
from ..retire import end_static_pods
from ..scope import ReadScope, Scope
from ..waiting import wait_until

SYSTEM = "/api/v1/namespaces/kube-system"
CONFIG_MAP = f"{SYSTEM}/configmaps/kubeadm-config"
_PATIENCE = 300.0
_COMING_UP = 120.0
# Not below /run, from which some systems let nothing be executed.
_SHIM = f"{STAGE}/kubeadm-path"
# kubeadm before v1.31 asks crictl for images; where there is none, this answers it from containerd's own tool.
_CRICTL = b"""#!/bin/sh
# Written by groundplane: answers kubeadm's questions where crictl is not installed.
for last; do :; done
case " $* " in
*" inspecti "*) ctr -n k8s.io images ls -q "name==$last" | grep -q . ;;
*" info "*|*" version "*) ctr version >/dev/null ;;
*) echo "crictl is not on this machine" >&2; exit 1 ;;
esac
"""


class UpgradeControlPlane:
    name = "upgrade-control-plane"
    title = "Upgrade the control plane"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name in scope.target.control_planes

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        version = scope.target.version
        changes = [
            PlannedChange(what=component, before=tag or "nothing", after=version)
            for component, tag in (await _tags(scope.host)).items()
            if tag != kubeadm.image_tag(version)
        ]
        serving = await served(scope)
        if serving != version:
            changes.append(PlannedChange(what="API server", before=serving or "no answer", after=f"serves {version}"))
        if not changes and scope.name == scope.target.first:
            noted = kubeadm.version_in(await configuration(scope))
            if noted != version:
                changes.append(PlannedChange(what="kubeadm-config", before=noted, after=version))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        host, kept = scope.door, kept_of(scope.target.version)
        await _begin(scope)
        for component in (*kubeadm.COMPONENTS, "etcd"):
            await before.save(host, kept, kubeadm.manifest_path(component))
        for path in (living.KUBELET_CONFIG, *_CREDENTIALS):
            await before.save(host, kept, path)
        await _put_back_lost(scope)
        await run_job(scope, host, await _job(scope))
        await _settle(scope, scope.target.version)
        if await etcd_store.is_stacked(scope.host):
            await etcd_store.require_health(scope)
        # It serves the new version and is not taken back: keys are not left lying in two places.
        await before.drop(host, kept, _CREDENTIALS)

    async def undo(self, scope: Scope) -> None:
        """Bring a control plane that kubeadm left in the middle back to its old manifests; a whole one stays."""
        host, kept = scope.door, kept_of(scope.target.version)
        # What an earlier Operation kept is no way back of this one's.
        if not scope.journal.get(_begun(scope)) or not await before.exists(host, kept):
            return
        await host.run(["systemctl", "stop", Job(name=_JOB, argv=()).unit], check=False)
        version = scope.target.version
        tags = set((await _tags(scope.host)).values())
        if tags == {kubeadm.image_tag(version)} and await served(scope) == version:
            scope.log(
                f"the control plane of {scope.name} stays at {version}: it serves it, and an API server is never taken"
                " back; kubelets may be older"
            )
            return
        # A kubelet that sees a static pod come back while it still ends it runs it twice, and the two fight for a port.
        await host.run(["systemctl", "stop", kubelet.UNIT], timeout=180)
        await end_static_pods(scope, [f"{component}-{scope.name}" for component in kubeadm.COMPONENTS])
        for path in (*map(kubeadm.manifest_path, kubeadm.COMPONENTS), living.KUBELET_CONFIG):
            if await host.read(path) != await before.copy_of(host, kept, path):
                await before.put_back(host, kept, below=path)
        # kubeadm writes what it renews in place: killed in the middle of that, it leaves half a file.
        for path in _CREDENTIALS:
            await before.put_back(host, kept, below=path)
        await _put_back_lost(scope)
        await host.run(["systemctl", "start", kubelet.UNIT], timeout=180)
        old = _version_of(await before.copy_of(host, kept, kubeadm.manifest_path("kube-apiserver")))
        await _settle(scope, old)
        await _note_old(scope, old)
        await before.forget(host, kept)
        await scope.journal.put(_begun(scope), "")
        scope.log(f"the control plane of {scope.name} is as it was, at {old}")


def _begun(scope: ReadScope) -> str:
    return f"upgrade-control-plane/{scope.name}"


async def _begin(scope: Scope) -> None:
    """Note that this Operation changes the control plane, which has to serve before that.

    What an earlier Operation kept of one that is whole is out of date; of one that is not, it is the only way back.
    """
    if scope.journal.get(_begun(scope)):
        return
    host, kept = scope.door, kept_of(scope.target.version)
    # A way back that was cut off may have left kubelet stopped, or a manifest away.
    await _put_back_lost(scope)
    await host.run(["systemctl", "start", kubelet.UNIT], timeout=180)
    await _require_served(scope)
    node = await nodes.need_node(await nodes.door(scope), scope.name)
    if nodes.has_condition(node, "Ready") and len(set((await _tags(scope.host)).values())) == 1:
        await before.forget(host, kept)
    await scope.journal.put(_begun(scope), scope.target.version)


async def _require_served(scope: Scope) -> None:
    """Refuse to upgrade an API server whose version cannot be seen: it could not be seen to come up again either."""

    async def missing() -> str:
        return "" if await served(scope) else "it does not answer on its own address"

    try:
        await wait_until(
            missing, what=f"the version of the API server on {scope.name}", seconds=_COMING_UP, clock=scope.clock
        )
    except NotReached as error:
        raise StepRefused(
            f"cannot upgrade the control plane of {scope.name}: {error.message}; nothing was changed",
            remedy=f"see `kubectl --kubeconfig={ADMIN_CONF} version` there, and the container of kube-apiserver",
        ) from error


def kept_of(version: str) -> str:
    """Return the name under which the manifests before an upgrade to `version` are kept."""
    return f"control-plane-{version}"


async def configuration(scope: ReadScope) -> str:
    """Return the cluster's ClusterConfiguration as text; StepRefused when there is none."""
    found = await (await nodes.door(scope)).get(CONFIG_MAP) or {}
    data = found.get("data")
    if not isinstance(data, dict) or "ClusterConfiguration" not in data:
        raise StepRefused(
            f"cannot upgrade cluster {scope.target.name}: kubeadm keeps no ClusterConfiguration in ConfigMap"
            " kube-system/kubeadm-config",
            remedy="put it there: kubeadm init phase upload-config kubeadm --config FILE",
        )
    return str(data["ClusterConfiguration"])


async def served(scope: ReadScope) -> str:
    """Return the version that the API server on this very machine serves, "" when it does not answer."""
    return str(etcd_store.json_of(await planes.ask(scope, scope.name, "/version")).get("gitVersion", ""))


_JOB = "kubeadm-upgrade"
# What kubeadm renews on the way: https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-certs/
_LEAVES = (
    "apiserver",
    "apiserver-kubelet-client",
    "apiserver-etcd-client",
    "front-proxy-client",
    "etcd/server",
    "etcd/peer",
    "etcd/healthcheck-client",
)
_CREDENTIALS = (
    *(f"{KUBERNETES}/{name}.conf" for name in ("admin", "super-admin", "controller-manager", "scheduler")),
    *(f"{KUBERNETES}/pki/{name}.{end}" for name in _LEAVES for end in ("crt", "key")),
)


async def _job(scope: Scope) -> Job:
    host, version = scope.door, scope.target.version
    program = programs.staged(version, "kubeadm")
    if await host.stat(program) is None:
        program = (await programs.program(scope.host, "kubeadm")).now
    ignore = clean_ignores(scope.target, await _ignored(scope))
    first = scope.name == scope.target.first
    argv = kubeadm.apply_command(program, version, ignore) if first else kubeadm.node_command(program, ignore)
    if await has_crictl(scope.host):
        return Job(name=_JOB, argv=argv, seconds=2400)
    await host.write(f"{_SHIM}/crictl", _CRICTL, mode=0o755)
    return Job(name=_JOB, argv=argv, seconds=2400, path=_SHIM)


async def _ignored(scope: Scope) -> list[str]:
    dns = await (await nodes.door(scope)).get(f"{SYSTEM}/configmaps/coredns")
    return [*kubeadm.IGNORED, *(kubeadm.IGNORED_WITHOUT_DNS if dns is None else ())]


async def _put_back_lost(scope: Scope) -> None:
    """A run that was cut off between two renames of kubeadm's left no manifest where one belongs."""
    for component in (*kubeadm.COMPONENTS, "etcd"):
        path = kubeadm.manifest_path(component)
        if await scope.host.stat(path) is None:
            await before.put_back(scope.door, kept_of(scope.target.version), below=path)


async def _tags(host: ReadHost) -> dict[str, str]:
    found = {}
    for component in kubeadm.COMPONENTS:
        found[component] = _version_of(await host.read(kubeadm.manifest_path(component)))
    return found


def _version_of(manifest: bytes | None) -> str:
    return kubeadm.tag_of(kubeadm.image_of(manifest))


async def _settle(scope: Scope, version: str) -> None:
    """Wait until this machine's API server serves the version and its control plane's pods run."""

    async def missing() -> str:
        found = await served(scope)
        if found != version:
            return f"the API server serves {found}" if found else "the API server does not answer"
        try:
            late = [one for component in kubeadm.COMPONENTS if (one := await _late(scope, component))]
        except Unavailable as error:
            return error.message
        return late[0] if late else ""

    try:
        await wait_until(
            missing, what=f"{scope.name} serve {version}", seconds=_PATIENCE, clock=scope.clock, interval=0.5
        )
    except NotReached as error:
        raise NotReached(
            error.message,
            remedy="look at the containers of kube-apiserver and etcd there, and at `journalctl -u kubelet`",
        ) from error


async def _late(scope: Scope, component: str) -> str:
    """Return why the API does not show a static pod as its manifest has it, or "".

    kubeadm tells by the pod that is shown whether its change was taken. One that is shown with another image is of
    before: it is only a mirror, and kubelet shows the pod anew when it is gone.
    """
    cluster, path = await nodes.door(scope), f"{SYSTEM}/pods/{component}-{scope.name}"
    pod: Any = await cluster.get(path)
    if pod is None:
        return f"{component} is not shown"
    if pod["spec"]["containers"][0]["image"] != kubeadm.image_of(
        await scope.host.read(kubeadm.manifest_path(component))
    ):
        await cluster.delete(f"{path}?gracePeriodSeconds=0")
        return f"{component} is shown as it was before"
    return "" if runs(pod) else f"not running: {component}-{scope.name}"


async def _note_old(scope: Scope, old: str) -> None:
    """Have kubeadm-config name the old version again, unless another control plane is at the new one."""
    others = [name for name in scope.target.control_planes if name != scope.name]
    wanted = kubeadm.image_tag(scope.target.version)
    for name in others:
        if wanted in (await _tags(scope.hosts[name])).values():
            return
    text = await configuration(scope)
    if kubeadm.version_in(text) != old:
        patch: nodes.Object = {"data": {"ClusterConfiguration": kubeadm.with_version(text, old)}}
        await (await nodes.door(scope)).patch(CONFIG_MAP, patch)
