"""init: the first control plane, by kubeadm.

kubeadm runs as a job that outlives the connection; a later run follows it instead of starting a second one. A half
that never came up is cleared away and begun again; one whose API answers is finished phase by phase. An init that
once ended is never begun again: its API is waited for.
"""

from __future__ import annotations

import secrets
import string

from groundplane.api.operation import PlannedChange
from groundplane.base.errors import Unavailable

from .. import control_plane, nodes
from ..control_plane import preflight_skipped, run_with_config, taken
from ..errors import NotReached
from ..kubeadm import Token, init_documents, minor_of, render
from ..places import BIN, RUN
from ..scope import ClusterDoor, ReadScope, Scope
from ..waiting import wait_until

_ALPHABET = string.ascii_lowercase + string.digits
_PHASES = (
    ("upload-config", "all"),
    ("mark-control-plane",),
    ("bootstrap-token",),
    ("kubelet-finalize", "all"),
    ("addon", "kube-proxy"),
)


class Init:
    name = "init"
    title = "Initialise the control plane"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None and scope.name == scope.target.first

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if await control_plane.state(scope.host) != "ended":
            return [taken("control plane", "init")]
        missing = await _missing(scope, await nodes.door(scope))
        return [PlannedChange(what=what, after="as kubeadm init leaves it") for what in missing]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        await control_plane.follow_earlier(scope, "init")
        state = await control_plane.state(scope.host)
        if state == "half" and not await _comes_up(scope):
            await control_plane.clear_half(scope)
            state = "none"
        if state == "none":
            await _initialise(scope)
        await _finish(scope)
        await control_plane.end(scope, "init")


async def _comes_up(scope: Scope) -> bool:
    """Tell whether the half that is there has an API that answers; its containers may need a moment."""

    async def missing() -> str:
        cluster = await scope.cluster()
        if cluster is None:
            raise NotReached("there is no admin kubeconfig yet")
        try:
            await cluster.get("/api/v1/namespaces/kube-system")
        except Unavailable as error:
            return error.message
        return ""

    try:
        await wait_until(missing, what="the API server", seconds=45, clock=scope.clock)
    except NotReached:
        return False
    return True


async def _initialise(scope: Scope) -> None:
    await control_plane.begin(scope, "init")
    options = ["--skip-token-print"]
    skipped = _skipped_addons(scope)
    if reason := await preflight_skipped(scope):
        scope.log(f"kubeadm's own preflight is left out: {reason}")
        skipped.insert(0, "preflight")
    if skipped:
        options.append(f"--skip-phases={','.join(skipped)}")
    await run_with_config(scope, "init", await _config(scope), options)


async def _finish(scope: Scope) -> None:
    """Run the phases whose result is not there; each of them may be run again."""
    cluster = await nodes.door(scope)
    if not await _missing(scope, cluster):
        return
    path = f"{RUN}/kubeadm-phases.yaml"
    await scope.door.write(path, await _config(scope), mode=0o600)
    try:
        addons = [("addon", "coredns")] if not _skipped_addons(scope) else []
        for phase in (*_PHASES, *addons):
            if phase[0] == "kubelet-finalize" and minor_of(scope.target.version) < 18:
                continue
            scope.log(f"kubeadm init phase {' '.join(phase)}")
            program = f"{BIN}/kubeadm"
            await scope.door.run([program, "init", "phase", *phase, "--config", path], timeout=180)
    finally:
        await scope.door.run(["rm", "-f", path])


async def _config(scope: Scope) -> bytes:
    token = Token(f"{_random(6)}.{_random(16)}", ttl="15m0s")
    ignore = await control_plane.ignored(scope)
    return render(init_documents(scope.target, scope.own, token=token, ignore=ignore))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _skipped_addons(scope: ReadScope) -> list[str]:
    return ["addon/coredns"] if scope.target.addons.dns == "None" else []


async def _missing(scope: ReadScope, cluster: ClusterDoor) -> list[str]:
    """Return what kubeadm's last phases leave and the API does not show."""
    system = "/api/v1/namespaces/kube-system/configmaps"
    minor = minor_of(scope.target.version)
    # From 1.24 on the ConfigMap's name has no version: https://github.com/kubernetes/kubeadm/issues/1582
    kubelet = "kubelet-config" if minor >= 24 else f"kubelet-config-1.{minor}"
    wanted = {
        "ConfigMap kubeadm-config": f"{system}/kubeadm-config",
        f"ConfigMap {kubelet}": f"{system}/{kubelet}",
        "ConfigMap cluster-info": "/api/v1/namespaces/kube-public/configmaps/cluster-info",
        "DaemonSet kube-proxy": "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
    }
    if not _skipped_addons(scope):
        wanted["Deployment coredns"] = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    missing = [what for what, path in wanted.items() if await cluster.get(path) is None]
    node = await nodes.node(cluster, scope.name)
    if node is None or not any(key.startswith("node-role.kubernetes.io/") for key in nodes.meta(node, "labels")):
        missing.append(f"role of node {scope.name}")
    return missing
