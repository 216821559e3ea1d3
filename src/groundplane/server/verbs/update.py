"""Update, patch and server-side apply: all of them turn the present object into another, at one revision.

`rewrite` is the one place where a stored object is replaced. A write that changes nothing is not stored; a conflict
is answered when the caller said which revision it meant, and tried again when it did not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from groundplane.api.cause import Cause
from groundplane.api.cause import invalid as wrong
from groundplane.api.schema import unknown_fields
from groundplane.base.gotext import quoted
from groundplane.store.contract import Entry, NotThere, RevisionConflict

from .. import managed, meta, patching
from ..resources import APPLY, JSON_PATCH, MERGE, STRATEGIC
from ..service import Call, Service, decode, encoder, fetch, prepare, writer
from ..status import Json, StatusError, Undecodable, bad_request, conflict, invalid, unsupported_media_type
from .create import create

# A patch is computed anew when somebody else wrote in between; kube-apiserver gives up after as many tries.
_ATTEMPTS = 5

# Given the present object (a copy of its own), returns the wanted one.
Transform = Callable[[Json], Any]


async def update(service: Service, call: Call, body: Any) -> tuple[bytes, bool]:
    """Replace an object (PUT); return it and whether it was created, which kinds of RBAC are."""
    obj = meta.check_shape(meta.named_kind(body, call.resource), call.resource)
    _check_address(call, obj["metadata"])

    def transform(old: Json) -> Json:
        fresh: Json = msgspec.json.decode(msgspec.json.encode(obj))
        given, present = fresh["metadata"].get("uid"), old["metadata"]["uid"]
        if given and given != present:
            why = f"Precondition failed: UID in precondition: {given}, UID in object meta: {present}"
            raise conflict(call.resource.group, call.resource.plural, call.name, why)
        if "managedFields" not in fresh["metadata"] and "managedFields" in old["metadata"]:
            fresh["metadata"]["managedFields"] = old["metadata"]["managedFields"]
        return fresh

    try:
        await _require_revision(service, call, obj["metadata"])
        return await rewrite(service, call, transform), False
    except StatusError as error:
        creates = call.resource.creates_on_update and not call.subresource
        # A conflict has the same details.
        if not creates or error.reason != "NotFound" or error.details != call.missing().details:
            raise
    if obj["metadata"].get("resourceVersion") or obj["metadata"].get("uid"):
        raise call.missing()
    service.authorizer.require(call.user, call.asked("create"))
    return await create(service, call, obj), True


def _check_address(call: Call, given: Json) -> None:
    name, namespace = given.get("name"), given.get("namespace")
    if not name:
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        )
    if name != call.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({call.name})")
    if namespace and call.resource.namespaced and namespace != call.namespace:
        where = f"the namespace on the request ({call.namespace})"
        raise bad_request(f"the namespace of the object ({namespace}) does not match {where}")


async def _require_revision(service: Service, call: Call, given: Json) -> None:
    """Refuse to overwrite what the caller may not have seen; only the built-in kinds allow it."""
    revision = given.get("resourceVersion", "")
    _check_number(revision)
    if revision not in ("", "0"):
        return
    given.pop("resourceVersion", None)
    if call.resource.needs_revision:
        await fetch(service, call)
        raise _without_revision(call)


def _check_number(revision: str) -> None:
    if revision and not (revision.isascii() and revision.isdigit()):
        raise bad_request(f"strconv.ParseUint: parsing {quoted(revision)}: invalid syntax")


def _without_revision(call: Call) -> StatusError:
    why = "Invalid value: 0x0: must be specified for an update"
    cause = Cause("metadata.resourceVersion", "FieldValueInvalid", 0, why)
    return invalid(call.resource.group, call.resource.plural, call.name, [cause])


async def patch(service: Service, call: Call, content_type: str, body: Any) -> tuple[bytes, bool]:
    """Patch an object; return it and whether it was created (server-side apply only)."""
    if content_type not in call.resource.patches:
        raise unsupported_media_type(call.resource.patches)
    if content_type == APPLY:
        return await _apply(service, call, body)
    functions: dict[str, Callable[[Json, Any], Any]] = {
        MERGE: patching.merge,
        JSON_PATCH: patching.json_patch,
        STRATEGIC: patching.strategic,
    }
    body = {} if body is None and content_type == STRATEGIC else body
    fits = (dict,) if content_type == STRATEGIC else (dict, list)
    if content_type != JSON_PATCH and not isinstance(body, fits):
        raise bad_request("error decoding patch: the patch is not a JSON object")
    function = functions[content_type]
    try:
        return await rewrite(service, call, lambda old: _patched(call, function(old, body))), False
    except Undecodable as error:
        # What the patch made is not repeated here: it may hold a secret.
        cause = Cause("patch", "FieldValueInvalid", None, f"Invalid value: {error.message}")
        raise invalid("", "", "", [cause]) from error


def _patched(call: Call, made: Any) -> Any:
    """Refuse what only a PUT says by a precondition: another uid, and for our kinds no revision or another version."""
    if not isinstance(made, dict) or not isinstance(made.get("metadata", {}), dict):
        return made
    version = made.get("apiVersion")
    if call.resource.custom and isinstance(version, str) and version not in ("", call.resource.api_version):
        rule = f"must be {call.resource.api_version}"
        raise call.invalid(call.name, [wrong("apiVersion", version, rule)])
    metadata = made.get("metadata") or {}
    revision = metadata.get("resourceVersion")
    if isinstance(revision, str):
        _check_number(revision)
    known = made.get("kind") == call.resource.kind and metadata.get("name")
    if known and call.resource.needs_revision and revision in (None, "", "0"):
        raise _without_revision(call)
    return made


async def _apply(service: Service, call: Call, body: Any) -> tuple[bytes, bool]:
    config = _applicable(call, body)

    def transform(old: Json) -> Json:
        expected = config["metadata"].get("resourceVersion")
        if expected and expected != old["metadata"]["resourceVersion"]:
            raise conflict(call.resource.group, call.resource.plural, call.name)
        return managed.apply(old, config, writer(service, call), force=call.options.force)

    try:
        return await rewrite(service, call, transform, applied=True), False
    except StatusError as error:
        if error.reason != "NotFound" or call.subresource:
            raise
    if uid := config["metadata"].get("uid"):
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(call.resource.group, call.resource.plural, call.name, why)
    # Who may only patch makes nothing new.
    service.authorizer.require(call.user, call.asked("create"))
    bare: Json = {key: config[key] for key in ("apiVersion", "kind")}
    bare["metadata"] = {"name": call.name}
    fresh = managed.apply(bare, config, writer(service, call), force=True)
    return await create(service, call, fresh, applied=True), True


def _applicable(call: Call, body: Any) -> Json:
    """Return the body of an apply as an object of this kind that names this object."""
    resource, body = call.resource, {} if body is None else body
    if isinstance(body, dict):
        version, kind = body.get("apiVersion") or "", body.get("kind") or ""
        if version != resource.api_version:
            versions = f"Specified patch version: {version}, expected: {resource.api_version}"
            raise bad_request(f"Incorrect version specified in apply patch. {versions}")
        if kind != resource.kind:
            raise _untyped(f"no corresponding type for {version}, Kind={kind}")
    config = meta.check_shape(body, resource)
    if config["metadata"].get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    _check_address(call, config["metadata"])
    # Not even Warn lets it pass: an owner of what is not there would never let go of it.
    for unknown in unknown_fields(config, resource.schema):
        raise _untyped(f".{unknown}: field not declared in schema")
    return config


def _untyped(why: str) -> StatusError:
    return bad_request(f"failed to create typed patch object: {why}")


async def rewrite(service: Service, call: Call, transform: Transform, *, applied: bool = False) -> bytes:
    """Replace the object by what `transform` makes of it and return its bytes."""
    for _ in range(_ATTEMPTS):
        entry = await fetch(service, call)
        old = decode(entry.value)
        wanted = transform(decode(entry.value))
        _check_preconditions(call, wanted, old)
        try:
            async with service.admission.claim(call.resource, wanted, old):
                new = await _finish(service, call, wanted, old, applied=applied)
                return await _store(service, call, entry, new) if _differs(new, old) else entry.value
        except RevisionConflict:
            continue
        except NotThere as error:
            raise call.missing() from error
    raise conflict(call.resource.group, call.resource.plural, call.name)


def _check_preconditions(call: Call, wanted: Any, old: Json) -> None:
    obj = meta.check_shape(wanted, call.resource)
    given, present = obj["metadata"], old["metadata"]
    _check_address(call, given)
    if given.get("resourceVersion", present["resourceVersion"]) != present["resourceVersion"]:
        raise conflict(call.resource.group, call.resource.plural, call.name)
    if given.get("uid") and given["uid"] != present["uid"]:
        raise call.invalid(call.name, [wrong("metadata.uid", given["uid"], "field is immutable")])


async def _finish(service: Service, call: Call, wanted: Json, old: Json, *, applied: bool) -> Json:
    resource = call.resource
    if call.subresource == "status":
        entries = wanted["metadata"].get("managedFields")
        status = wanted.get("status")
        wanted = decode(msgspec.json.encode(old))
        wanted.pop("status", None)
        if status is not None:
            wanted["status"] = status
        if entries is not None:
            wanted["metadata"]["managedFields"] = entries
    elif resource.has_status:
        wanted.pop("status", None)
        if "status" in old:
            wanted["status"] = old["status"]
    causes = meta.changed_deletion(wanted, old)
    meta.keep_system_fields(wanted, old)
    if causes:
        raise call.invalid(call.name, causes)
    new = await prepare(service, call, wanted, old)
    if not applied:
        managed.track_update(old, new, writer(service, call))
    if resource.generation and _wish(new) != _wish(old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return new


def _wish(obj: Json) -> Json:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def _differs(new: Json, old: Json) -> bool:
    """Tell whether storing `new` would change anything; the times of field owners alone are no change."""
    return _timeless(new) != _timeless(old)


def _timeless(obj: Json) -> Json:
    entries = [{**entry, "time": ""} for entry in obj["metadata"].get("managedFields") or []]
    ordered = sorted(entries, key=lambda entry: msgspec.json.encode(entry, order="sorted"))
    return {**obj, "metadata": {**obj["metadata"], "managedFields": ordered}}


async def _store(service: Service, call: Call, entry: Entry, new: Json) -> bytes:
    if call.options.dry_run:
        return msgspec.json.encode(new)
    gone = new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers")
    if gone and not (new.get("spec") or {}).get("finalizers"):
        return (await service.store.delete(entry.key, expected=entry.revision, encode=encoder(new))).value
    return (await service.store.update(entry.key, encoder(new), expected=entry.revision)).value
