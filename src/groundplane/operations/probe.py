"""Test pods: they run the pause image, which a node has, and are reached from machines by ping.

That shows the pod network across nodes without an image of its own, and that the scheduler works. They live in
kube-system, which is always there, and are gone afterwards, also those of a run that was cut off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from groundplane.clusters.errors import ClusterRefused

from . import nodes
from .scope import ClusterDoor, Scope
from .together import together
from .waiting import wait_until

LABEL = "groundplane.dev/probe"
_PODS = "/api/v1/namespaces/kube-system/pods"


@dataclass(frozen=True, slots=True)
class Probe:
    """A pod of `image` on each Node in `on`, reached from each machine in `seen_from`.

    `pinned`: it is the Node's from the start. The scheduler may have been on this very node, and a new one leads only
    when the lease of the old one has run out.
    """

    image: str
    on: Sequence[str]
    seen_from: Sequence[str]
    pinned: bool = False


async def probe(
    scope: Scope, cluster: ClusterDoor, wanted: Probe, *, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run the test pods and reach them; NotReached says which pod was not reached from where.

    `meanwhile` is what else is waited for, while they come up and before anybody looks at them.
    """
    await _clear(scope, cluster, wanted.on)
    try:
        for name in wanted.on:
            await _create(scope, cluster, _pod(name, wanted.image, pinned=wanted.pinned))
        if meanwhile is not None:
            await meanwhile()
        addresses = await _addresses(scope, cluster, wanted.on)
        await together([_reach(scope, name, addresses) for name in wanted.seen_from])
    finally:
        await _clear(scope, cluster, wanted.on)


async def _create(scope: Scope, cluster: ClusterDoor, pod: dict[str, Any]) -> None:
    """Create a test pod; pods are refused before the namespace's service account is there."""

    async def missing() -> str:
        try:
            await cluster.apply(pod)
        except ClusterRefused as error:
            return str(error)
        return ""

    await wait_until(missing, what=f"test pod {pod['metadata']['name']}", seconds=60, clock=scope.clock, interval=0.5)


def _pod(node: str, image: str, *, pinned: bool) -> dict[str, Any]:
    """A pod that the scheduler can put on one node only, and that needs nothing but the pause image there."""
    container = {"name": "pause", "image": image, "imagePullPolicy": "IfNotPresent"}
    here = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _name(node), "namespace": "kube-system", "labels": {LABEL: "true"}},
        "spec": {
            **({"nodeName": node} if pinned else {"affinity": {"nodeAffinity": required}}),
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }


async def _addresses(scope: Scope, cluster: ClusterDoor, names: Sequence[str]) -> dict[str, str]:
    """Wait until every test pod runs; return their addresses by node."""
    found: dict[str, str] = {}

    async def missing() -> str:
        found.clear()
        for pod in await _ours(cluster, names):
            status = pod.get("status") or {}
            if status.get("phase") == "Running" and status.get("podIP"):
                found[str(pod["spec"]["nodeName"])] = status["podIP"]
        waiting = [name for name in names if name not in found]
        return f"none on {', '.join(waiting)}" if waiting else ""

    await wait_until(missing, what="a running test pod on every node", seconds=180, clock=scope.clock, interval=0.2)
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


async def _clear(scope: Scope, cluster: ClusterDoor, names: Sequence[str]) -> None:
    """Remove the test pods of these nodes and wait until they are gone."""

    async def missing() -> str:
        left = await _ours(cluster, names)
        for pod in left:
            await cluster.delete(f"{_PODS}/{pod['metadata']['name']}?gracePeriodSeconds=0")
        return ", ".join(pod["metadata"]["name"] for pod in left)

    await wait_until(missing, what="the test pods gone", seconds=180, clock=scope.clock, interval=0.1)


async def _ours(cluster: ClusterDoor, names: Sequence[str]) -> list[nodes.Object]:
    """Return the test pods of these nodes: other nodes may be proven at the same time."""
    wanted = {_name(name) for name in names}
    found = await nodes.items(cluster, f"{_PODS}?labelSelector={LABEL}")
    return [pod for pod in found if pod["metadata"]["name"] in wanted]


def _name(node: str) -> str:
    return f"groundplane-probe-{node}"
