"""verify: the cluster as a whole works: nodes Ready, system pods running, a test pod on every node reachable.

The test pods run the release's pause image, which every node has, and are reached from every machine by ping: that
shows the pod network across nodes without an image of its own, and that the scheduler works. When the plan is about
some nodes only, such as new ones, those are proven, against one that was there: the others are asked nothing. They
live in kube-system, which is always there, and are gone afterwards. What was proven is noted in the journal, so that
a run that was cut off behind it does not prove it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from groundplane.api.operation import PlannedChange
from groundplane.clusters.api import runs

from .. import nodes, static_pods
from ..artifact_set import sandbox_image_of
from ..probe import LABEL, Probe, probe
from ..scope import ClusterDoor, ReadScope, Scope
from ..together import together
from ..waiting import wait_until

_SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
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
        if reason := await pods_missing(scope, cluster):
            changes.append(PlannedChange(what="system pods", before=reason, after="running"))
        if scope.journal.get(_NOTE) != _proof(scope):
            changes.append(PlannedChange(what="test pod on every node", after="reachable"))
        return changes

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)

        async def not_ready() -> str:
            return await _nodes_missing(scope, cluster)

        async def not_running() -> str:
            return await pods_missing(scope, cluster)

        if not _without_network(scope):
            # The test pods tolerate nodes that are not Ready, so nobody waits for another.
            await together(
                [
                    wait_until(not_ready, what="all nodes Ready", seconds=_PATIENCE, clock=scope.clock),
                    wait_until(not_running, what="the system pods running", seconds=_PATIENCE, clock=scope.clock),
                    _probe(scope, cluster),
                ]
            )
        await scope.journal.put(_NOTE, _proof(scope))


def _without_network(scope: ReadScope) -> bool:
    """Tell whether a cluster that we made waits for the network that its owner brings: no node is Ready before."""
    return scope.target.network.plugin == "none" and scope.target.origin == "Made"


def _proof(scope: ReadScope) -> str:
    """What the journal says once it is proven: it does not hold for other members or another version."""
    seen = json.dumps([scope.target.key, scope.target.version, scope.concerned])
    return hashlib.sha256(seen.encode()).hexdigest()


async def _nodes_missing(scope: ReadScope, cluster: ClusterDoor) -> str:
    """Return which members are not Ready, or "". Without a network plugin a node cannot be: it has to be there."""
    found = {item["metadata"]["name"]: item for item in await nodes.items(cluster, nodes.NODES)}
    absent = [name for name in scope.concerned if name not in found]
    if absent:
        return f"{', '.join(absent)} not registered"
    if _without_network(scope):
        return ""
    waiting = [name for name in scope.concerned if not nodes.has_condition(found[name], "Ready")]
    return f"{', '.join(waiting)} not Ready" if waiting else ""


async def pods_missing(scope: ReadScope, cluster: ClusterDoor, *, spared: Collection[str] = ()) -> str:
    """Return which system pods do not run and why, or ""; without a network plugin of its own a cluster has to wait.

    A control plane's pod that the API does not show is one of them. Those on the nodes in `spared` are not looked at.
    """
    if _without_network(scope):
        return ""
    found = await nodes.items(cluster, _SYSTEM_PODS)
    pods = [pod for pod in found if LABEL not in nodes.meta(pod, "labels") and _concerns(scope, pod)]
    pods = [pod for pod in pods if (pod.get("spec") or {}).get("nodeName") not in spared]
    waiting = [f"{pod['metadata']['name']} {_why(pod)}" for pod in pods if not runs(pod)]
    looked_at = [name for name in scope.concerned if name not in spared]
    waiting += [f"{name} not shown by kubelet yet" for name in await static_pods.not_shown(scope, pods, looked_at)]
    return ", ".join(sorted(waiting)) or ("" if pods else "no pod in kube-system")


def _concerns(scope: ReadScope, pod: dict[str, Any]) -> bool:
    """Tell whether the pod is of the nodes that are verified; what waits for a place is only when all of them are."""
    node = (pod.get("spec") or {}).get("nodeName")
    return not scope.among or node in scope.concerned


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
    known = await _known(scope, cluster)
    names = [*scope.concerned, *known]
    # What images a node has that we did not make is not known.
    on = names if scope.target.origin == "Made" else scope.concerned
    await probe(scope, cluster, Probe(image, on=on, seen_from=names))


async def _known(scope: Scope, cluster: ClusterDoor) -> list[str]:
    """Return one Ready node that was there before, for new ones to be reached from; none when all are verified."""
    ready = {n["metadata"]["name"] for n in await nodes.items(cluster, nodes.NODES) if nodes.has_condition(n, "Ready")}
    others = [name for name in scope.target.members if name not in scope.concerned and name in ready]
    return others[:1]
