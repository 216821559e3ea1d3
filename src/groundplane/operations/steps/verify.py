"""verify: the cluster as a whole works: nodes Ready, system pods running, a test pod on every node reachable.

The test pods run the release's pause image, which every node has, and are reached from every machine by ping: that
shows the pod network across nodes without an image of its own, and that the scheduler works. They live in
kube-system, which is always there, and are gone afterwards. What was proven is noted in the journal, so that a run
that was cut off behind it does not prove it again.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.clusters.api import runs
from groundplane.clusters.errors import ClusterRefused

from .. import nodes
from ..artifact_set import sandbox_image_of
from ..scope import ClusterDoor, ReadScope, Scope
from ..together import together
from ..waiting import wait_until

_SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
_PROBE = "groundplane.dev/probe"
_PROBES = f"{_SYSTEM_PODS}?labelSelector={_PROBE}"
_NOTE = "verified"
_PATIENCE = 600.0


class Verify:
    name = "verify"
    title = "Verify the cluster"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await nodes.door(scope)
        changes = []
        if reason := await _nodes_missing(scope, cluster):
            changes.append(PlannedChange(what="nodes", before=reason, after="Ready"))
        if reason := await _pods_missing(scope, cluster):
            changes.append(PlannedChange(what="system pods", before=reason, after="running"))
        if scope.journal.get(_NOTE) != _proof(scope):
            changes.append(PlannedChange(what="test pod on every node", after="reachable"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)

        async def not_ready() -> str:
            return await _nodes_missing(scope, cluster)

        async def not_running() -> str:
            return await _pods_missing(scope, cluster)

        if scope.target.network.plugin != "none":
            # The test pods tolerate nodes that are not Ready, so nobody waits for another.
            await together(
                [
                    wait_until(not_ready, what="all nodes Ready", seconds=_PATIENCE, clock=scope.clock),
                    wait_until(not_running, what="the system pods running", seconds=_PATIENCE, clock=scope.clock),
                    _probe(scope, cluster),
                ]
            )
        await scope.journal.put(_NOTE, _proof(scope))


def _proof(scope: ReadScope) -> str:
    """What the journal says once it is proven: it does not hold for other members or another version."""
    seen = json.dumps([scope.target.key, scope.target.version, scope.target.members])
    return hashlib.sha256(seen.encode()).hexdigest()


async def _nodes_missing(scope: ReadScope, cluster: ClusterDoor) -> str:
    """Return which members are not Ready, or "". Without a network plugin a node cannot be: it has to be there."""
    found = {item["metadata"]["name"]: item for item in await nodes.items(cluster, nodes.NODES)}
    absent = [name for name in scope.target.members if name not in found]
    if absent:
        return f"{', '.join(absent)} not registered"
    if scope.target.network.plugin == "none":
        return ""
    waiting = [name for name in scope.target.members if not nodes.has_condition(found[name], "Ready")]
    return f"{', '.join(waiting)} not Ready" if waiting else ""


async def _pods_missing(scope: ReadScope, cluster: ClusterDoor) -> str:
    if scope.target.network.plugin == "none":
        return ""
    pods = [pod for pod in await nodes.items(cluster, _SYSTEM_PODS) if _PROBE not in nodes.meta(pod, "labels")]
    waiting = [f"{pod['metadata']['name']} {_why(pod)}" for pod in pods if not runs(pod)]
    return ", ".join(sorted(waiting)) or ("" if pods else "no pod in kube-system")


def _why(pod: dict[str, Any]) -> str:
    """Return the word by which Kubernetes says why a pod does not run, such as ImagePullBackOff."""
    status = pod.get("status") or {}
    states = [container.get("state") or {} for container in status.get("containerStatuses") or []]
    reasons = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
    return str(next((reason for reason in reasons if reason), status.get("phase", "Unknown")))


async def _probe(scope: Scope, cluster: ClusterDoor) -> None:
    image = sandbox_image_of(scope.target)
    if not image:
        scope.log("no test pod: the release has no pause image to run")
        return
    await _clear(scope, cluster)
    try:
        for name in scope.target.members:
            await _create(scope, cluster, _pod(name, image))
        addresses = await _addresses(scope, cluster)
        await together([_reach(scope, name, addresses) for name in scope.target.members])
    finally:
        await _clear(scope, cluster)


async def _create(scope: Scope, cluster: ClusterDoor, pod: dict[str, Any]) -> None:
    """Create a test pod; pods are refused before the namespace's service account is there."""

    async def missing() -> str:
        try:
            await cluster.apply(pod)
        except ClusterRefused as error:
            return str(error)
        return ""

    await wait_until(missing, what=f"test pod {pod['metadata']['name']}", seconds=60, clock=scope.clock, interval=0.5)


def _pod(node: str, image: str) -> dict[str, Any]:
    """A pod that the scheduler can put on one node only, and that needs nothing but the pause image there."""
    container = {"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent"}
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"groundplane-probe-{node}", "namespace": "kube-system", "labels": {_PROBE: "true"}},
        "spec": {
            "affinity": {"nodeAffinity": required},
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }


async def _addresses(scope: Scope, cluster: ClusterDoor) -> dict[str, str]:
    """Wait until every test pod runs; return their addresses by node."""
    found: dict[str, str] = {}

    async def missing() -> str:
        found.clear()
        for pod in await nodes.items(cluster, _PROBES):
            status = pod.get("status") or {}
            if status.get("phase") == "Running" and status.get("podIP"):
                found[str(pod["spec"]["nodeName"])] = status["podIP"]
        waiting = [name for name in scope.target.members if name not in found]
        return f"none on {', '.join(waiting)}" if waiting else ""

    await wait_until(missing, what="a running test pod on every node", seconds=180, clock=scope.clock, interval=0.5)
    return dict(found)


async def _reach(scope: Scope, name: str, addresses: dict[str, str]) -> None:
    """Wait until machine `name` reaches the test pod of every node: an echo, or a TCP port that says no."""
    host = scope.writable[name]

    async def missing() -> str:
        silent = []
        for node, address in sorted(addresses.items()):
            if (await host.run(["ping", "-c", "1", "-W", "2", address], check=False)).ok:
                continue
            # 7 is curl's "failed to connect" and comes at once when the port refuses; 28 is its time-out.
            asked = await host.run(["curl", "-s", "-m", "2", f"http://{address}:1/"], check=False)
            if asked.status != 7:
                silent.append(f"the test pod {address} of node {node}")
        return ", ".join(silent)

    await wait_until(missing, what=f"pods that host {name} reaches", seconds=60, clock=scope.clock)
    scope.log(f"host {name} reaches the test pods of {', '.join(sorted(addresses))}")


async def _clear(scope: Scope, cluster: ClusterDoor) -> None:
    """Remove the test pods, also those of a run that was cut off, and wait until they are gone."""

    async def missing() -> str:
        left = await nodes.items(cluster, _PROBES)
        for pod in left:
            await cluster.delete(f"{_SYSTEM_PODS}/{pod['metadata']['name']}?gracePeriodSeconds=0")
        return ", ".join(pod["metadata"]["name"] for pod in left)

    await wait_until(missing, what="the test pods gone", seconds=180, clock=scope.clock, interval=0.5)
