"""Delete: at once, or marked and left until its finalizers have gone.

A Namespace that still holds a Cluster is not deleted: its machines would lose the keys by which they are cleaned up.
Any other content of a namespace goes with it (see `collector`).
"""

from __future__ import annotations

from groundplane.store.contract import Entry, NotThere, RevisionConflict

from ..builtin import KEPT_NAMESPACES
from ..service import Call, Service, decode, encoder, fetch
from ..status import Json, conflict, forbidden
from .delete_options import DeleteOptions

_ATTEMPTS = 5


async def delete(service: Service, call: Call, options: DeleteOptions) -> tuple[Json, bool]:
    """Delete the object; return it as it was last, and whether it has gone already."""
    for _ in range(_ATTEMPTS):
        entry = await fetch(service, call)
        obj = decode(entry.value)
        _check(call, obj, options)
        if call.resource.stored == "namespaces":
            await _check_namespace(service, call)
        try:
            return await _delete(service, call, entry, options)
        except RevisionConflict:
            continue
        except NotThere as error:
            raise call.missing() from error
    raise conflict(call.resource.group, call.resource.plural, call.name)


def _check(call: Call, obj: Json, options: DeleteOptions) -> None:
    metadata, resource = obj["metadata"], call.resource
    for label, wanted, present, why in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "modified"),
    ):
        if wanted is not None and wanted != present:
            text = f"the {label} in the precondition ({wanted}) does not match the {label} in record ({present}). "
            raise conflict(resource.group, resource.kind, call.name, f"{text}The object might have been {why}")


async def _check_namespace(service: Service, call: Call) -> None:
    if call.name in KEPT_NAMESPACES:
        raise forbidden("", "namespaces", call.name, "this namespace may not be deleted")
    clusters = await service.store.list("clusters.groundplane.dev", namespace=call.name, limit=5)
    if clusters.entries:
        names = ", ".join(entry.key.name for entry in clusters.entries)
        raise conflict("", "namespaces", call.name, f"it holds clusters: {names}; delete these first")


async def _delete(service: Service, call: Call, entry: Entry, options: DeleteOptions) -> tuple[Json, bool]:
    obj = decode(entry.value)
    metadata = obj["metadata"]
    finalizers = options.finalizers(list(metadata.get("finalizers") or []))
    dry_run = options.dry_run or call.options.dry_run
    if not finalizers and not (obj.get("spec") or {}).get("finalizers"):
        if dry_run:
            return obj, True
        gone = await service.store.delete(entry.key, expected=entry.revision, encode=encoder(obj))
        return decode(gone.value), True
    if metadata.get("deletionTimestamp") and finalizers == (metadata.get("finalizers") or []):
        return obj, False
    _mark(obj, call, finalizers, service.timestamp())
    if dry_run:
        return obj, False
    updated = await service.store.update(entry.key, encoder(obj), expected=entry.revision)
    return decode(updated.value), False


def _mark(obj: Json, call: Call, finalizers: list[str], now: str) -> None:
    metadata = obj["metadata"]
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if "deletionTimestamp" not in metadata:
        metadata["deletionTimestamp"] = now
        if call.resource.stored != "namespaces":
            metadata["deletionGracePeriodSeconds"] = 0
        if call.resource.generation:
            metadata["generation"] = metadata.get("generation", 0) + 1
    if call.resource.stored == "namespaces":
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}


def success(call: Call, obj: Json) -> Json:
    """Return the Status that answers a deletion that is done."""
    resource = call.resource
    details = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
