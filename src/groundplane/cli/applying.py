"""Applying documents one after another, and saying of each what it meant: created, configured or unchanged."""

from __future__ import annotations

from collections.abc import Sequence

import click

from groundplane.base.errors import GroundplaneError
from groundplane.client.contract import Object
from groundplane.client.errors import NotFound

from .kinds import CLUSTER, display
from .manifests import Document
from .session import Api
from .waiting import ClusterKey

FIELD_MANAGER = "groundplane-cli"


async def apply_all(api: Api, documents: Sequence[Document], *, dry_run: bool, force: bool) -> bool:
    """Apply every document and tell whether anything changed. An error names the document it came from."""
    changed = False
    for document in documents:
        try:
            outcome = await _apply(api, document, dry_run=dry_run, force=force)
        except GroundplaneError as exc:
            exc.message = f"{document.origin}: {exc.message}"
            raise
        changed = changed or outcome != "unchanged"
        suffix = " (dry run)" if dry_run else ""
        click.echo(f"{display(document.resource, document.name)} {outcome}{suffix}")
    return changed


def clusters_in(api: Api, documents: Sequence[Document]) -> dict[ClusterKey, int]:
    """Return the Clusters among the documents, each with the number of Machines that the documents give it."""
    found = {(_namespace(api, d), d.name): 0 for d in documents if d.resource == CLUSTER}
    for document in documents:
        reference = document.body.get("spec", {}).get("clusterRef") if document.resource.kind == "Machine" else None
        key = (_namespace(api, document), reference.get("name", "")) if reference else ("", "")
        if key in found:
            found[key] += 1
    return found


async def _apply(api: Api, document: Document, *, dry_run: bool, force: bool) -> str:
    namespace = _namespace(api, document)
    body = document.body
    if document.resource.namespaced:
        body = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    before = await _find(api, document, namespace)
    after = await api.client.apply(document.resource, body, field_manager=FIELD_MANAGER, force=force, dry_run=dry_run)
    if before is None:
        return "created"
    return "unchanged" if _content(before) == _content(after) else "configured"


async def _find(api: Api, document: Document, namespace: str) -> Object | None:
    try:
        return await api.client.get(document.resource, namespace, document.name)
    except NotFound:
        return None


def _namespace(api: Api, document: Document) -> str:
    if not document.resource.namespaced:
        return ""
    return str(document.body["metadata"].get("namespace") or api.namespace)


def _content(body: Object) -> Object:
    """What a person wrote: no status (controllers write it meanwhile) and no bookkeeping."""
    metadata = body.get("metadata", {})
    kept = {key: metadata.get(key) or {} for key in ("labels", "annotations")}
    return {key: value for key, value in body.items() if key not in ("metadata", "status")} | {"metadata": kept}
