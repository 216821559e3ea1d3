"""What the handlers of users and tokens share: objects read from a request, and files' records shown as objects."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from starlette.responses import Response

from groundplane.base.clock import rfc3339

from .. import handlers, meta
from ..http import Incoming, answer
from ..negotiation import JSON, YAML
from ..service import Call, prepare
from ..status import Json, bad_request, conflict
from ..verbs.delete import success

BODIES = (JSON, YAML)
_IDS = UUID("6f0c0f6e-95a6-4f4e-9d0c-5f2c8f1f7a11")


def shown(call: Call, name: str, created: str, spec: Json, status: Json) -> Json:
    """Return a record as an object; its uid is another one when it is made anew under its name."""
    resource = call.resource
    metadata = {"name": name, "uid": str(uuid5(_IDS, f"{resource.plural}/{name}/{created}"))}
    if created:
        metadata["creationTimestamp"] = created
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return {**head, "spec": spec, "status": status}


def last_used(seconds: float | None) -> Json:
    """Return the part of a status that says when it was used last."""
    return {} if seconds is None else {"lastUsed": rfc3339(datetime.fromtimestamp(seconds, UTC))}


async def wanted(incoming: Incoming, call: Call, *, name: str = "") -> Json:
    """Return the object that is to be made, checked; `name` is the one that the server gives it."""
    obj = meta.check_shape(await handlers.read_body(incoming, call, BODIES), call.resource)
    if name:
        if obj["metadata"].get("name"):
            raise bad_request("metadata.name should not be set: it is found out when the object is made")
        obj["metadata"]["name"] = name
    obj.pop("status", None)
    meta.stamp_new(obj, call.resource, "", incoming.server.service.timestamp())
    return await prepare(incoming.server.service, call, obj, None)


async def is_to_go(incoming: Incoming, call: Call, obj: Json) -> bool:
    """Tell whether a deletion is meant, and not only tried; raises 409 when it is about another one of this name."""
    options = await handlers.delete_options(incoming)
    present = obj["metadata"]["uid"]
    if options.uid not in (None, present):
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {present}"
        raise conflict(call.resource.group, call.resource.plural, call.name, why)
    return not (options.dry_run or call.options.dry_run)


def answer_gone(call: Call, obj: Json) -> Response:
    """Answer a deletion."""
    return answer(success(call, obj))
