"""The narrow door to a managed cluster: five verbs on its Kubernetes API, and one look that yields facts.

Works with every version that is served: what differs between versions (plurals, the group of evictions) is asked of
the cluster's discovery, never computed from a version number. Implements operations.scope.ClusterDoor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from groundplane.api.facts import ClusterFacts
from groundplane.base.clock import Now, rfc3339, utc_now
from groundplane.kube.errors import NotFound, TooManyRequests
from groundplane.kube.kubeconfig import Access, Kubeconfig
from groundplane.kube.paths import Address, split_api_version
from groundplane.kube.transport import APPLY_PATCH, MERGE_PATCH, Answer, Call, Transport

from .errors import ClusterRefused, ClusterUnavailable, cluster_errors
from .stacks import node_of

FIELD_MANAGER = "groundplane"
SYSTEM_NAMESPACE = "kube-system"
READ_AT_MOST = 64 * 1024 * 1024


class KubernetesDoor:
    """One cluster, reached with the kubeconfig's current context. An async context manager; close it when done.

    The kubeconfig may come from anybody, so one that names files or commands of this machine is refused, but for the
    commands in `commands`. Somebody's own file is resolved by them, and comes in as an Access.
    """

    def __init__(self, kubeconfig: bytes | Access, *, timeout: float = 15.0, commands: Sequence[str] = ()) -> None:
        if isinstance(kubeconfig, bytes):
            parsed = Kubeconfig.parse(kubeconfig, source="the cluster's kubeconfig", commands=commands)
            self.access = parsed.access()
        else:
            self.access = kubeconfig
        self.server = self.access.server
        self._transport = Transport(self.access, timeout=timeout)
        self._discovered: dict[str, dict[str, dict[str, Any]]] = {}

    async def __aenter__(self) -> KubernetesDoor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def log_in(self) -> None:
        """Log in ahead of the first request: a kubeconfig's command runs now, and not between other things."""
        with cluster_errors():
            await self._transport.log_in()

    async def get(self, path: str) -> dict[str, Any] | None:
        """Return the object or list at `path`, which may have a query; None when there is none."""
        with cluster_errors():
            try:
                answer: dict[str, Any] = await self._transport.request(Call("GET", path, f"get {path}"))
            except NotFound:
                return None
        return answer

    async def fetch(self, path: str, *, limit: int = READ_AT_MOST) -> Answer | None:
        """Return the answer to a GET undecoded, with what it says of the server; None when there is none."""
        with cluster_errors():
            try:
                return await self._transport.fetch(Call("GET", path, f"get {path}"), limit=limit)
            except NotFound:
                return None

    async def apply(self, manifest: dict[str, Any]) -> None:
        """Server-side apply; fields that others own are taken over, since the manifest is what the user wants."""
        path = await self._path_of(manifest)
        params = {"fieldManager": FIELD_MANAGER, "force": "true"}
        call = Call("PATCH", path, f"apply {path}", params, manifest, APPLY_PATCH)
        with cluster_errors():
            await self._transport.request(call)

    async def patch(self, path: str, patch: dict[str, Any]) -> None:
        """JSON merge patch."""
        params = {"fieldManager": FIELD_MANAGER}
        with cluster_errors():
            await self._transport.request(Call("PATCH", path, f"patch {path}", params, patch, MERGE_PATCH))

    async def delete(self, path: str) -> None:
        """Delete what is at `path`; nothing there is fine."""
        with cluster_errors():
            try:
                await self._transport.request(Call("DELETE", path, f"delete {path}"))
            except NotFound:
                return

    async def evict(self, namespace: str, pod: str) -> bool:
        """Evict a pod; False when a PodDisruptionBudget forbids it now, True also when the pod is gone."""
        kind = (await self._resources("", "v1")).get("pods/eviction")
        if kind is None:
            raise ClusterRefused(f"cannot evict pod {namespace}/{pod}: {self.server} does not offer evictions")
        body = {
            "apiVersion": f"{kind.get('group') or 'policy'}/{kind.get('version') or 'v1beta1'}",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        path = Address("", "v1", "pods").object(namespace, pod, "eviction")
        with cluster_errors():
            try:
                await self._transport.request(Call("POST", path, f"evict pod {namespace}/{pod}", body=body))
            except NotFound:
                return True
            except TooManyRequests as exc:
                if any(cause.reason == "DisruptionBudget" for cause in exc.causes):
                    return False
                raise
        return True

    async def _path_of(self, manifest: dict[str, Any]) -> str:
        group, version = split_api_version(str(manifest["apiVersion"]))
        meta = manifest["metadata"]
        for name, resource in (await self._resources(group, version)).items():
            if resource["kind"] == manifest["kind"] and "/" not in name:
                address = Address(group, version, name, namespaced=bool(resource["namespaced"]))
                return address.object(str(meta.get("namespace") or "default"), str(meta["name"]))
        # A definition may be applied in the next moment, so what is missing is not remembered.
        self._discovered.pop(f"{group}/{version}", None)
        raise ClusterRefused(
            f"cannot apply {manifest['kind']} {meta['name']}: {self.server} serves no such kind in"
            f" {manifest['apiVersion']}",
            remedy="apply its definition first, or use an apiVersion that this cluster's version has",
        )

    async def _resources(self, group: str, version: str) -> dict[str, dict[str, Any]]:
        key = f"{group}/{version}"
        if key not in self._discovered:
            found = await self.get(Address(group, version, "").root) or {}
            self._discovered[key] = {str(resource["name"]): resource for resource in found.get("resources") or []}
        return self._discovered[key]


async def observe(door: KubernetesDoor, *, now: Now = utc_now) -> ClusterFacts:
    """Look at the cluster once. `reachable` is False when it does not answer; raises ClusterDenied."""
    observed_at = rfc3339(now())
    try:
        # The first request goes alone: one that fails in the TLS handshake must not leave others in theirs.
        system = await door.get(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}")
        version, nodes, pods, classes = await asyncio.gather(
            door.get("/version"),
            door.get("/api/v1/nodes"),
            door.get(f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"),
            _runtime_classes(door),
        )
    except ClusterUnavailable:
        return ClusterFacts(observed_at=observed_at, reachable=False)
    return ClusterFacts(
        observed_at=observed_at,
        reachable=True,
        # In the first moments of a cluster the namespace is not there yet.
        cluster_id=system["metadata"]["uid"] if system else "",
        version=version["gitVersion"] if version else "",
        nodes=sorted((node_of(item) for item in _items(nodes)), key=lambda node: node.name),
        system_pods_pending=sorted(pod["metadata"]["name"] for pod in _items(pods) if not runs(pod)),
        runtime_classes=sorted(one["metadata"]["name"] for one in classes),
    )


async def _runtime_classes(door: KubernetesDoor) -> list[dict[str, Any]]:
    """Return the RuntimeClasses, of the version that is served: v1 from Kubernetes 1.20 on."""
    found = await door.get("/apis/node.k8s.io/v1/runtimeclasses")
    return _items(found if found is not None else await door.get("/apis/node.k8s.io/v1beta1/runtimeclasses"))


def _items(answer: dict[str, Any] | None) -> list[dict[str, Any]]:
    return list((answer or {}).get("items") or [])


def runs(pod: dict[str, Any]) -> bool:
    """Tell whether a pod does its work: it is ready, has done it, or is on its way out.

    Of a static pod it is enough that its containers run: kubelet may notice only at its next sync, more than a minute
    later, that a start-up probe has passed (https://github.com/kubernetes/kubernetes/issues/95140).
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    if status.get("phase") == "Succeeded" or meta.get("deletionTimestamp"):
        return True
    if status.get("phase") != "Running":
        return False
    static = "kubernetes.io/config.mirror" in (meta.get("annotations") or {})
    containers = status.get("containerStatuses") or []
    alive = bool(containers) and all("running" in (container.get("state") or {}) for container in containers)
    return _condition(status, "Ready") or (static and alive)


def _condition(status: dict[str, Any], kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions") or [])
