"""Create: name it, stamp it, check it, store it; refused in a namespace that is not there or goes away."""

from __future__ import annotations

from typing import Any

import msgspec

from groundplane.store.contract import AlreadyThere, Key, NotThere

from .. import meta
from ..managed import track_update
from ..service import Call, Service, encoder, prepare, writer
from ..status import Json, already_exists, bad_request, forbidden, name_conflict, not_found

# A generated name may be taken by chance; kube-apiserver tries as often.
_NAME_ATTEMPTS = 8


class _Times(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Leaving(msgspec.Struct):
    """As much of a Namespace as says whether it goes away."""

    metadata: _Times


async def create(service: Service, call: Call, body: Any, *, applied: bool = False) -> bytes:
    """Store a new object and return it. `applied`: the body carries its managedFields already."""
    resource = call.resource
    obj = meta.check_shape(meta.named_kind(body, resource), resource)
    given = obj["metadata"].get("namespace")
    if resource.namespaced and given and given != call.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if resource.namespaced:
        await require_namespace(service, call, obj["metadata"])
    if obj["metadata"].get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    if resource.has_status:
        obj.pop("status", None)
    generated = not obj["metadata"].get("name") and bool(obj["metadata"].get("generateName"))
    now = service.timestamp()
    meta.stamp_new(obj, resource, call.namespace, now)
    async with service.admission.claim(resource, obj):
        clean = await prepare(service, call, obj, None)
        if not applied:
            clean["metadata"].pop("managedFields", None)
            track_update(None, clean, writer(service, call, now))
        return await _store_named(service, call, clean, generated=generated)


async def _store_named(service: Service, call: Call, clean: Json, *, generated: bool) -> bytes:
    for _ in range(_NAME_ATTEMPTS):
        try:
            return await _store(service, call, clean)
        except AlreadyThere:
            if not generated:
                break
            clean["metadata"]["name"] = meta.generate_name(str(clean["metadata"]["generateName"]))
            # Some kinds say their name once more, as a Namespace does in a label.
            call.resource.prepare(clean, None)
    resource, name = call.resource, str(clean["metadata"]["name"])
    raise (name_conflict if generated else already_exists)(resource.group, resource.plural, name)


async def _store(service: Service, call: Call, obj: Json) -> bytes:
    key = call.key._replace(name=obj["metadata"]["name"])
    if not call.options.dry_run:
        return (await service.store.create(key, encoder(obj))).value
    try:
        await service.store.get(key)
    except NotThere:
        return msgspec.json.encode(obj)
    raise AlreadyThere(f"cannot create {'/'.join(key)}: it is there already")


async def require_namespace(service: Service, call: Call, given: Json) -> None:
    """Raise 404 when the call's namespace is not there, 403 when it is being deleted."""
    try:
        entry = await service.store.get(Key("namespaces", "", call.namespace))
    except NotThere as error:
        raise not_found("", "namespaces", call.namespace) from error
    if msgspec.json.decode(entry.value, type=_Leaving).metadata.deletion_timestamp:
        why = f"unable to create new content in namespace {call.namespace} because it is being terminated"
        # As in kube-apiserver: a name that is still to be made up is told by its beginning.
        name = str(call.name or given.get("name") or given.get("generateName") or "Unknown")
        refused = forbidden(call.resource.group, call.resource.plural, name, why)
        cause = f"namespace {call.namespace} is being terminated"
        refused.details["causes"] = [
            {"reason": "NamespaceTerminating", "message": cause, "field": "metadata.namespace"}
        ]
        raise refused
