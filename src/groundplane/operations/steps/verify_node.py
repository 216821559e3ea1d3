"""verify-node: a changed node works before it is opened: Ready, its own pods run anew, a test pod on it is reached.

What survives a drain (static pods, those of DaemonSets) has to run on the runtime that the node is on now: a pod that
only looks as if it ran is one of the old runtime's. A control plane has to answer on its own address.
"""

from __future__ import annotations

from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.clusters.api import runs

from .. import cordon, living, nodes, planes, proven, static_pods
from ..probe import LABEL, Probe, probe
from ..scope import ClusterDoor, ReadScope, Scope
from ..waiting import wait_until

_MIRROR = "kubernetes.io/config.mirror"
_PATIENCE = 300.0


class VerifyNode:
    name = "verify-node"
    title = "Verify the node"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.machine is not None

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        if proven.is_proven(scope):
            return []
        proof = "Ready, its pods run anew, a test pod is reached"
        return [PlannedChange(what=f"node {scope.name}", after=proof)]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)

        async def missing() -> str:
            return await _missing(scope, cluster)

        async def works() -> None:
            what = f"node {scope.name} work"
            await wait_until(missing, what=what, seconds=_PATIENCE, clock=scope.clock, interval=0.2)

        image = await living.sandbox_image(scope)
        if image:
            pinned = scope.name in scope.target.control_planes
            seen_from = await _neighbours(scope, cluster)
            wanted = Probe(image, on=[scope.name], seen_from=seen_from, pinned=pinned)
            await probe(scope, cluster, wanted, meanwhile=works)
        else:
            await works()
            scope.log("no test pod: it is not known which pause image this node has")
        await proven.note(scope)

    async def undo(self, scope: Scope) -> None:
        """What was proven is about to be taken back."""
        await proven.withdraw(scope)


async def _neighbours(scope: ReadScope, cluster: ClusterDoor) -> list[str]:
    """Return the machine itself and one other member: the pod network is proven within the node and across.

    The other one is Ready, and rather one that is open for pods, for that one is not being changed itself.
    """
    found = {item["metadata"]["name"]: item for item in await nodes.items(cluster, nodes.NODES)}
    ready = [name for name in scope.target.members if name in found and nodes.has_condition(found[name], "Ready")]
    others = sorted(
        (name for name in ready if name != scope.name),
        key=lambda name: not cordon.is_open(found[name]),
    )
    return [scope.name, *others[:1]]


async def _missing(scope: ReadScope, cluster: ClusterDoor) -> str:
    node = await nodes.need_node(cluster, scope.name)
    if not nodes.has_condition(node, "Ready"):
        return "it is not Ready"
    runtime = str(((node.get("status") or {}).get("nodeInfo") or {}).get("containerRuntimeVersion", ""))
    pods = await nodes.items(cluster, f"{nodes.PODS}?fieldSelector=spec.nodeName%3D{scope.name}")
    staying = [pod for pod in pods if _stays(pod)]
    words = [f"{pod['metadata']['name']} {why}" for pod in staying if (why := _not_anew(pod, runtime))]
    words += [f"{name} is not shown by kubelet yet" for name in await static_pods.not_shown(scope, pods, [scope.name])]
    if words:
        return ", ".join(sorted(words))
    if scope.name in scope.target.control_planes:
        return await _api_silent(scope)
    return ""


def _stays(pod: dict[str, Any]) -> bool:
    meta = pod["metadata"]
    if LABEL in nodes.meta(pod, "labels") or meta.get("deletionTimestamp"):
        return False
    owners = meta.get("ownerReferences") or []
    return any(owner.get("kind") == "DaemonSet" for owner in owners) or _MIRROR in nodes.meta(pod, "annotations")


def _not_anew(pod: dict[str, Any], runtime: str) -> str:
    """Return why a pod does not run on the runtime of its node, or ""."""
    scheme = runtime.partition("://")[0]
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    if any(not str(one.get("containerID", "")).startswith(f"{scheme}://") for one in containers) or not containers:
        return f"does not run on {scheme} yet{_waiting(containers)}"
    return "" if runs(pod) else "is not ready"


def _waiting(containers: list[dict[str, Any]]) -> str:
    """Return in brackets what the containers wait for, such as ImagePullBackOff."""
    states = [((one.get("state") or {}).get("waiting") or {}).get("reason", "") for one in containers]
    return f" ({', '.join(sorted(set(filter(None, states))))})" if any(states) else ""


async def _api_silent(scope: ReadScope) -> str:
    """Return why the control plane's own API server does not answer, or ""."""
    url = f"https://{scope.own.spec.address}:{await planes.own_port(scope, scope.name)}/healthz"
    asked = await scope.host.query(["curl", "-sk", "-m", "5", "--noproxy", "*", url])
    return "" if asked.ok and asked.text == "ok" else f"its API server says {asked.text[:100] or 'nothing'}"
