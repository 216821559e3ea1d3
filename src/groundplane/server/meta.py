"""Object metadata: what the server sets itself. The rules for what the caller sets are in `metarules`."""

from __future__ import annotations

import random
from typing import Any

from groundplane.api.cause import Cause, json_type
from groundplane.api.cause import invalid as wrong
from groundplane.base.clock import parse_rfc3339
from groundplane.base.ids import new_uid

from .resources import Resource
from .status import Json, StatusError, Undecodable, invalid

# Kubernetes' own alphabet for generated names: no vowels, nothing that is easily misread.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_MAX_GENERATED_BASE = 63 - _SUFFIX_LENGTH
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
# What a caller can never change after creation.
SYSTEM_FIELDS = (
    "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "generation", "generateName", "selfLink", "resourceVersion",
)  # fmt: skip

_names = random.SystemRandom()


def check_shape(body: Any, resource: Resource) -> Json:
    """Refuse a body that is no object of this resource; return it. A built-in kind need not be named in it."""
    if not isinstance(body, dict):
        raise _unrecognized(resource, f"a JSON object is expected, not {json_type(body)}")
    _check_kind(body, resource)
    if body.setdefault("metadata", {}) is None:
        body["metadata"] = {}
    if not isinstance(body["metadata"], dict):
        raise unhandled(resource, f"metadata: an object is expected, not {json_type(body['metadata'])}")
    _check_types(body["metadata"], resource)
    return body


def _check_kind(body: Json, resource: Resource) -> None:
    version, kind = body.get("apiVersion"), body.get("kind")
    if kind in (None, ""):
        raise unhandled(resource, "Object 'Kind' is missing")
    if version in (None, ""):
        raise Undecodable("Object 'apiVersion' is missing")
    if not isinstance(version, str) or not isinstance(kind, str):
        raise _unrecognized(resource, "apiVersion and kind are texts")
    if version != resource.api_version:
        expected = f"does not match the expected API version ({resource.api_version})"
        raise Undecodable(f"the API version in the data ({version}) {expected}")
    if kind == resource.kind:
        return
    if not resource.custom:
        raise Undecodable(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}')
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    raise invalid(resource.group, kind, str(name or ""), [wrong("kind", kind, f"must be {resource.kind}")])


_TEXTS = ("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink")
_NUMBERS = ("generation", "deletionGracePeriodSeconds")
_TIMES = ("creationTimestamp", "deletionTimestamp")


def _check_types(metadata: Json, resource: Resource) -> None:
    """Refuse what the server would overwrite, had it been of the right type; null is the same as nothing."""
    for names, fits, what in ((_TEXTS, _is_text, "a text"), (_NUMBERS, _is_number, "a whole number"),
                              (_TIMES, _is_time, "a time such as 2006-01-02T15:04:05Z")):  # fmt: skip
        for name in names:
            value = metadata.get(name)
            if value is None:
                metadata.pop(name, None)
            elif not fits(value):
                raise unhandled(resource, f"metadata.{name}: {what} is expected, not {json_type(value)}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_rfc3339(value)
    except ValueError:
        return False
    return True


def unhandled(resource: Resource, why: str) -> StatusError:
    """Return the error about a body that cannot be decoded as an object of this resource."""
    kind = resource.kind
    return Undecodable(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {why}')


def _unrecognized(resource: Resource, why: str) -> StatusError:
    return Undecodable(f"the object provided is unrecognized (must be of type {resource.kind}): {why}")


def named_kind(body: Any, resource: Resource) -> Any:
    """Fill in the kind of a built-in resource where the body does not name it: most typed clients leave it out."""
    if resource.custom:
        return body
    body = {} if body is None else body
    if isinstance(body, dict):
        body["apiVersion"] = body.get("apiVersion") or resource.api_version
        body["kind"] = body.get("kind") or resource.kind
    return body


def generate_name(base: str) -> str:
    """Return `base` with a random ending, as generateName asks for."""
    suffix = "".join(_names.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return base[:_MAX_GENERATED_BASE] + suffix


def stamp_new(obj: Json, resource: Resource, namespace: str, now: str) -> None:
    """Set what the server decides about a new object."""
    meta = obj["metadata"]
    for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        meta.pop(name, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(str(meta["generateName"]))
    if resource.namespaced:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = now
    if resource.generation:
        meta["generation"] = 1


def keep_system_fields(obj: Json, old: Json) -> None:
    """Put what a caller cannot change back to what it was."""
    for name in SYSTEM_FIELDS:
        if name in old["metadata"]:
            obj["metadata"][name] = old["metadata"][name]
        else:
            obj["metadata"].pop(name, None)


def changed_deletion(obj: Json, old: Json) -> list[Cause]:
    """Return what is wrong with an object that a caller marks as being deleted: only a deletion does that."""
    given, present = obj["metadata"], old["metadata"]
    if present.get("deletionTimestamp"):
        return []
    names = ("deletionTimestamp", "deletionGracePeriodSeconds")
    return [wrong(f"metadata.{name}", given[name], "field is immutable") for name in names if name in given]
