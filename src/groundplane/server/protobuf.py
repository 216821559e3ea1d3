"""Reads the protobuf bodies that kubectl sends for built-in kinds (from 1.3x on it sends nothing else for them).

An envelope is "k8s\\0" and a runtime.Unknown (apimachinery/pkg/runtime/generated.proto); the messages' fields are
those of the generated.proto files of k8s.io/api. Fields that are not in the tables here are skipped, as protobuf
demands of a reader; answers are always JSON, which the same clients accept.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from groundplane.base.clock import rfc3339
from groundplane.base.wire import Malformed, fields

from .status import Json, bad_request

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

# A field is (name, type): a scalar type, "map"/"bytemap", or a nested table; a trailing * means repeated.
_Field = tuple[str, Any]
_Table = dict[int, _Field]

_OWNER: _Table = {
    1: ("kind", "text"), 3: ("name", "text"), 4: ("uid", "text"), 5: ("apiVersion", "text"),
    6: ("controller", "bool"), 7: ("blockOwnerDeletion", "bool"),
}  # fmt: skip
_MANAGED: _Table = {
    1: ("manager", "text"), 2: ("operation", "text"), 3: ("apiVersion", "text"), 4: ("time", "time"),
    6: ("fieldsType", "text"), 7: ("fieldsV1", "fields"), 8: ("subresource", "text"),
}  # fmt: skip
_META: _Table = {
    1: ("name", "text"), 2: ("generateName", "text"), 3: ("namespace", "text"), 5: ("uid", "text"),
    6: ("resourceVersion", "text"), 7: ("generation", "int"), 8: ("creationTimestamp", "time"),
    9: ("deletionTimestamp", "time"), 10: ("deletionGracePeriodSeconds", "int"), 11: ("labels", "map"),
    12: ("annotations", "map"), 13: ("ownerReferences*", _OWNER), 14: ("finalizers*", "text"),
    17: ("managedFields*", _MANAGED),
}  # fmt: skip
_REFERENCE: _Table = {
    1: ("kind", "text"), 2: ("namespace", "text"), 3: ("name", "text"), 4: ("uid", "text"),
    5: ("apiVersion", "text"), 6: ("resourceVersion", "text"), 7: ("fieldPath", "text"),
}  # fmt: skip
_ATTRIBUTES: _Table = {
    1: ("namespace", "text"), 2: ("verb", "text"), 3: ("group", "text"), 4: ("version", "text"),
    5: ("resource", "text"), 6: ("subresource", "text"), 7: ("name", "text"),
}  # fmt: skip
_ABOUT: _Table = {
    1: ("resourceAttributes", _ATTRIBUTES), 2: ("nonResourceAttributes", {1: ("path", "text"), 2: ("verb", "text")}),
    3: ("user", "text"), 4: ("groups*", "text"), 6: ("uid", "text"),
}  # fmt: skip
_RULE: _Table = {
    1: ("verbs*", "text"), 2: ("apiGroups*", "text"), 3: ("resources*", "text"), 4: ("resourceNames*", "text"),
    5: ("nonResourceURLs*", "text"),
}  # fmt: skip
_SELECTOR: _Table = {
    1: ("matchLabels", "map"),
    2: ("matchExpressions*", {1: ("key", "text"), 2: ("operator", "text"), 3: ("values*", "text")}),
}
_BINDING: _Table = {
    1: ("metadata", _META),
    2: ("subjects*", {1: ("kind", "text"), 2: ("apiGroup", "text"), 3: ("name", "text"), 4: ("namespace", "text")}),
    3: ("roleRef", {1: ("apiGroup", "text"), 2: ("kind", "text"), 3: ("name", "text")}),
}
_MESSAGES: dict[str, _Table] = {
    "Secret": {
        1: ("metadata", _META), 2: ("data", "bytemap"), 3: ("type", "text"), 4: ("stringData", "map"),
        5: ("immutable", "bool"),
    },
    "ConfigMap": {
        1: ("metadata", _META), 2: ("data", "map"), 3: ("binaryData", "bytemap"), 4: ("immutable", "bool"),
    },
    "Lease": {
        1: ("metadata", _META),
        2: ("spec", {
            1: ("holderIdentity", "text"), 2: ("leaseDurationSeconds", "int"), 3: ("acquireTime", "microtime"),
            4: ("renewTime", "microtime"), 5: ("leaseTransitions", "int"), 6: ("strategy", "text"),
            7: ("preferredHolder", "text"),
        }),
    },
    "Namespace": {
        1: ("metadata", _META), 2: ("spec", {1: ("finalizers*", "text")}), 3: ("status", {1: ("phase", "text")}),
    },
    "Event": {
        1: ("metadata", _META), 2: ("involvedObject", _REFERENCE), 3: ("reason", "text"), 4: ("message", "text"),
        5: ("source", {1: ("component", "text"), 2: ("host", "text")}), 6: ("firstTimestamp", "time"),
        7: ("lastTimestamp", "time"), 8: ("count", "int"), 9: ("type", "text"), 10: ("eventTime", "microtime"),
        11: ("series", {1: ("count", "int"), 2: ("lastObservedTime", "microtime")}), 12: ("action", "text"),
        13: ("related", _REFERENCE), 14: ("reportingComponent", "text"), 15: ("reportingInstance", "text"),
    },
    "Role": {1: ("metadata", _META), 2: ("rules*", _RULE)},
    "ClusterRole": {
        1: ("metadata", _META), 2: ("rules*", _RULE), 3: ("aggregationRule", {1: ("clusterRoleSelectors*", _SELECTOR)}),
    },
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
    "ServiceAccount": {
        1: ("metadata", _META), 2: ("secrets*", _REFERENCE), 3: ("imagePullSecrets*", {1: ("name", "text")}),
        4: ("automountServiceAccountToken", "bool"),
    },
    "TokenRequest": {
        1: ("metadata", _META),
        2: ("spec", {
            1: ("audiences*", "text"), 4: ("expirationSeconds", "int"),
            3: ("boundObjectRef", {1: ("kind", "text"), 2: ("apiVersion", "text"), 3: ("name", "text"),
                                   4: ("uid", "text")}),
        }),
    },
    "TokenReview": {1: ("metadata", _META), 2: ("spec", {1: ("token", "text"), 2: ("audiences*", "text")})},
    "SubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _ABOUT)},
    "LocalSubjectAccessReview": {1: ("metadata", _META), 2: ("spec", _ABOUT)},
    "SelfSubjectRulesReview": {1: ("metadata", _META), 2: ("spec", {1: ("namespace", "text")})},
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectAccessReview": {
        1: ("metadata", _META),
        2: ("spec", {
            1: ("resourceAttributes", _ATTRIBUTES),
            2: ("nonResourceAttributes", {1: ("path", "text"), 2: ("verb", "text")}),
        }),
    },
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"), 2: ("preconditions", {1: ("uid", "text"), 2: ("resourceVersion", "text")}),
        3: ("orphanDependents", "bool"), 4: ("propagationPolicy", "text"), 5: ("dryRun*", "text"),
    },
}  # fmt: skip
_TYPE_META: _Table = {1: ("apiVersion", "text"), 2: ("kind", "text")}
_UNKNOWN: _Table = {1: ("typeMeta", _TYPE_META), 2: ("raw", "bytes")}


def decode(body: bytes) -> Json:
    """Return the object of an envelope; raises 400 when it is malformed or of a kind that is not read here."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body of the request is not Kubernetes protobuf: it does not start with its magic")
    try:
        envelope = _message(body[len(_MAGIC) :], _UNKNOWN)
        type_meta = envelope.get("typeMeta", {})
        table = _MESSAGES.get(type_meta.get("kind", ""))
        if table is None:
            raise bad_request(f"kind {type_meta.get('kind')!r} is not read as protobuf: send it as JSON")
        return {**type_meta, **_message(envelope.get("raw", b""), table)}
    except (Malformed, UnicodeDecodeError, msgspec.DecodeError, OverflowError) as error:
        raise bad_request("the body of the request is malformed protobuf") from error


def _message(data: bytes, table: _Table) -> Json:
    found: Json = {}
    for number, value in fields(data):
        if number not in table:
            continue
        name, kind = table[number]
        decoded = _value(value, kind)
        if kind in ("map", "bytemap"):
            found.setdefault(name, {}).update(decoded)
        elif name.endswith("*"):
            found.setdefault(name[:-1], []).append(decoded)
        elif decoded not in ("", None) and decoded != {}:
            # Go writes fields that are not pointers even when they are empty; JSON leaves them out.
            found[name] = decoded
    return found


def _value(value: int | bytes, kind: Any) -> Any:
    if kind in ("int", "bool"):
        if not isinstance(value, int):
            raise Malformed
        return bool(value) if kind == "bool" else value - (1 << 64) if value >> 63 else value
    if not isinstance(value, bytes):
        raise Malformed
    if isinstance(kind, dict):
        return _message(value, kind)
    if kind in ("map", "bytemap"):
        pair = _message(value, {1: ("key", "text"), 2: ("value", "text" if kind == "map" else "bytes")})
        given = pair.get("value", "" if kind == "map" else b"")
        return {pair.get("key", ""): given if kind == "map" else base64.b64encode(given).decode()}
    readers: dict[str, Callable[[bytes], Any]] = {
        "text": bytes.decode,
        "bytes": bytes,
        "time": _time,
        "microtime": _micro_time,
        "fields": _raw_json,
    }
    return readers[kind](value)


def _time(value: bytes) -> str | None:
    seconds = _message(value, {1: ("seconds", "int")}).get("seconds", 0)
    return rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds > 0 else None


def _micro_time(value: bytes) -> str | None:
    parts = _message(value, {1: ("seconds", "int"), 2: ("nanos", "int")})
    if parts.get("seconds", 0) <= 0:
        return None
    moment = datetime.fromtimestamp(parts["seconds"], UTC).replace(microsecond=parts.get("nanos", 0) // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _raw_json(value: bytes) -> Any:
    raw = _message(value, {1: ("raw", "bytes")}).get("raw", b"{}")
    return msgspec.json.decode(raw)
