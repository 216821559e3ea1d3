"""network-manifest: the user's own network plugin, applied as it is written.

A ConfigMap in kube-system keeps the digest of what was applied, written last: a changed manifest, or one that was
applied in part, is applied again, and what others change in the cluster afterwards is theirs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import yaml

from groundplane.api.operation import PlannedChange
from groundplane.clusters.errors import ClusterRefused

from .. import nodes
from ..errors import StepRefused
from ..scope import ClusterDoor, ReadScope, Scope
from ..waiting import wait_until

RECORD = "groundplane-network"
_PATH = f"/api/v1/namespaces/kube-system/configmaps/{RECORD}"
_FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount")


class NetworkManifest:
    name = "network-manifest"
    title = "Apply the network plugin"

    def wanted(self, scope: ReadScope) -> bool:
        return scope.target.network.plugin == "manifest"

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        found: Any = await (await nodes.door(scope)).get(_PATH)
        wanted = digest(documents(scope.target.network.manifest))
        if found is not None and (found.get("data") or {}).get("digest") == wanted:
            return []
        return [PlannedChange(what=_name(m), after="applied") for m in documents(scope.target.network.manifest)]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)
        manifests = documents(scope.target.network.manifest)
        for manifest in manifests:
            await _apply(scope, cluster, manifest)
        metadata = {"name": RECORD, "namespace": "kube-system"}
        record: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"digest": digest(manifests)},
        }
        await cluster.apply(record)


async def _apply(scope: Scope, cluster: ClusterDoor, manifest: dict[str, Any]) -> None:
    """Apply one object; one of a kind that has just been defined is refused until the API serves it."""

    async def missing() -> str:
        try:
            await cluster.apply(manifest)
        except ClusterRefused as error:
            return str(error)
        return ""

    await wait_until(missing, what=f"{_name(manifest)} applied", seconds=30, clock=scope.clock)
    scope.log(f"applied {_name(manifest)}")


def documents(text: str) -> list[dict[str, Any]]:
    """Return the manifest's objects, lists taken apart, in an order in which they can be applied."""
    try:
        parsed = [document for document in yaml.safe_load_all(text) if document]
    except yaml.YAMLError as exc:
        raise StepRefused(f"cannot read network.manifest: {exc}", remedy="correct the manifest in the Cluster") from exc
    objects: list[dict[str, Any]] = []
    for document in parsed:
        is_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List")
        objects += document.get("items") or [] if is_list else [document]
    for found in objects:
        if not isinstance(found, dict) or not all(found.get(key) for key in ("apiVersion", "kind", "metadata")):
            raise StepRefused(
                "cannot apply network.manifest: a document in it has no apiVersion, kind or metadata",
                remedy="correct the manifest in the Cluster",
            )
    rank = {kind: position for position, kind in enumerate(_FIRST)}
    return sorted(objects, key=lambda found: rank.get(found["kind"], len(_FIRST)))


def digest(manifests: list[dict[str, Any]]) -> str:
    """Return the digest of what was applied."""
    return hashlib.sha256(json.dumps(manifests, sort_keys=True, default=str).encode()).hexdigest()


def _name(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata'].get('name', '')}"
