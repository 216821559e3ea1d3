"""The built-in kinds of the core group: Namespace, Secret and Event, with the schema and rules of Kubernetes.

Only what Groundplane needs of each is here; fields that kube-apiserver has beyond these are refused as unknown.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from datetime import datetime
from typing import Any

from groundplane.api.cause import Cause, forbidden, invalid, required
from groundplane.api.meta import SECRET_CLOUD, SECRET_KUBECONFIG, SECRET_SSH
from groundplane.api.registry import BY_KIND
from groundplane.api.schema import Schema, object_schema, validator

from .resources import APPLY, COMMON_FIELDS, JSON_PATCH, MERGE, STRATEGIC, FieldOf, Resource, metadata_field
from .status import Json
from .table import AGE, NAME, Column, age

DEFAULT_NAMESPACE = "default"
SYSTEM_NAMESPACE = "groundplane-system"
KEPT_NAMESPACES = (DEFAULT_NAMESPACE, SYSTEM_NAMESPACE)
NAMESPACE_FINALIZER = "kubernetes"
# k8s.io/api/core/v1.MaxSecretSize
MAX_SECRET_BYTES = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}\Z")

_TEXT: Schema = {"type": "string"}
_PATCHES = (JSON_PATCH, MERGE, STRATEGIC, APPLY)
_NEEDED_KEYS = {
    SECRET_KUBECONFIG: ("kubeconfig",),
    SECRET_SSH: (),
    SECRET_CLOUD: (),
}


def _schema(description: str, properties: dict[str, Schema]) -> Schema:
    # Metadata has one shape for all kinds; it is taken from a kind of ours.
    metadata = copy.deepcopy(object_schema(BY_KIND["Machine"])["properties"]["metadata"])
    head = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": metadata}
    return {"type": "object", "description": description, "properties": {**head, **properties}}


def _map_of(schema: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": schema, "description": description}


_SECRET_SCHEMA = _schema(
    "Secret holds secret data. The total bytes of the values in the data field must be less than 1 MiB.",
    {
        "type": {"type": "string", "default": "Opaque", "description": "What the data is for; immutable."},
        "data": _map_of({"type": "string", "format": "byte"}, "The secret data, base64."),
        "stringData": _map_of(_TEXT, "Secret data as text; write-only, merged into data."),
        "immutable": {"type": "boolean", "description": "When true, data cannot be changed any more."},
    },
)
_NAMESPACE_SCHEMA = _schema(
    "Namespace provides a scope for names.",
    {
        "spec": {
            "type": "object",
            "default": {},
            "properties": {"finalizers": {"type": "array", "items": _TEXT}},
        },
        "status": {
            "type": "object",
            "properties": {"phase": {"type": "string", "enum": ["Active", "Terminating"]}},
        },
    },
)
_REFERENCE: Schema = {
    "type": "object",
    "properties": {
        name: _TEXT for name in ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
    },
}
_EVENT_SCHEMA = _schema(
    "Event is a report of an event somewhere in the cluster.",
    {
        "involvedObject": {**_REFERENCE, "description": "The object that this event is about."},
        "related": _REFERENCE,
        "reason": _TEXT,
        "message": _TEXT,
        "type": {"type": "string", "description": "Normal or Warning."},
        "action": _TEXT,
        "count": {"type": "integer"},
        "firstTimestamp": _TEXT,
        "lastTimestamp": _TEXT,
        "eventTime": _TEXT,
        "reportingComponent": _TEXT,
        "reportingInstance": _TEXT,
        "source": {"type": "object", "properties": {"component": _TEXT, "host": _TEXT}},
        "series": {"type": "object", "properties": {"count": {"type": "integer"}, "lastObservedTime": _TEXT}},
    },
)


def _prepare_secret(obj: Json, old: Json | None) -> None:
    """Fold stringData into data: it is write-only."""
    texts = obj.pop("stringData", None)
    if isinstance(texts, dict) and texts:
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    if obj.get("data") == {}:
        del obj["data"]


def _check_secret(obj: Json, old: Json | None) -> list[Cause]:
    causes, total = [], 0
    data = obj.get("data") or {}
    for key, value in data.items():
        if not _DATA_KEY.match(key) or key in (".", ".."):
            causes.append(invalid("data", key, "a valid key consists of alphanumeric characters, '-', '_' or '.'"))
        try:
            total += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            # The value itself is secret, so the cause must not show it.
            causes.append(Cause(f"data[{key}]", "FieldValueInvalid", None, "Invalid value: must be base64"))
    if total > MAX_SECRET_BYTES:
        causes.append(Cause("data", "FieldValueInvalid", None, f"Too long: must have at most {MAX_SECRET_BYTES} bytes"))
    causes += [
        required(f"data[{key}]", f"a Secret of type {obj['type']} has it")
        for key in _NEEDED_KEYS.get(obj["type"], ())
        if key not in data
    ]
    return causes + _check_secret_change(obj, old)


def _check_secret_change(obj: Json, old: Json | None) -> list[Cause]:
    if old is None:
        return []
    causes = []
    if obj["type"] != old["type"]:
        causes.append(invalid("type", obj["type"], "field is immutable"))
    if old.get("immutable"):
        if obj.get("data") != old.get("data"):
            causes.append(forbidden("data", None, "field is immutable when `immutable` is set"))
        if not obj.get("immutable"):
            causes.append(forbidden("immutable", None, "field is immutable when `immutable` is set"))
    return causes


def _prepare_namespace(obj: Json, old: Json | None) -> None:
    spec = obj.setdefault("spec", {})
    if old is None:
        spec["finalizers"] = [NAMESPACE_FINALIZER]
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = old["spec"]
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]


def _check_event(obj: Json, old: Json | None) -> list[Cause]:
    involved = (obj.get("involvedObject") or {}).get("namespace") or DEFAULT_NAMESPACE
    if involved != obj["metadata"]["namespace"]:
        return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]
    return []


def _path(*names: str) -> FieldOf:
    def read(obj: Json) -> str:
        value: Any = obj
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return "" if value is None else str(value)

    return read


def _event_source(obj: Json) -> str:
    return _path("source", "component")(obj) or _path("reportingComponent")(obj)


_EVENT_FIELDS = {
    **COMMON_FIELDS,
    **{f"involvedObject.{name}": _path("involvedObject", name) for name in _REFERENCE["properties"]},
    "reason": _path("reason"),
    "reportingComponent": _path("reportingComponent"),
    "source": _event_source,
    "type": _path("type"),
}


def _last_seen(obj: Json, now: datetime) -> str:
    series = (obj.get("series") or {}).get("lastObservedTime")
    return age(series or obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp"), now)


def _first_seen(obj: Json, now: datetime) -> str:
    return age(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _event_object(obj: Json, _: datetime) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


_EVENT_COLUMNS = (
    Column("Last Seen", "string", _last_seen),
    Column("Type", "string", lambda obj, _: obj.get("type", "")),
    Column("Reason", "string", lambda obj, _: obj.get("reason", "")),
    Column("Object", "string", _event_object),
    Column("Subobject", "string", lambda obj, _: _path("involvedObject", "fieldPath")(obj), 1),
    Column("Source", "string", lambda obj, _: _event_source(obj), 1),
    Column("Message", "string", lambda obj, _: str(obj.get("message", "")).strip()),
    Column("First Seen", "string", _first_seen, 1),
    Column("Count", "string", lambda obj, _: str(obj.get("count", 1)), 1),
    Column("Name", "string", lambda obj, _: obj["metadata"]["name"], 1, format="name"),
)


def builtin_resources() -> tuple[Resource, ...]:
    """Return the resources of the core group."""
    namespace = Resource(
        group="", version="v1", plural="namespaces", singular="namespace", kind="Namespace",
        schema=_NAMESPACE_SCHEMA, validate=validator(_NAMESPACE_SCHEMA), short_names=("ns",), namespaced=False,
        has_status=True, label_names=True, patches=_PATCHES, prepare=_prepare_namespace,
        columns=(NAME, Column("Status", "string", lambda obj, _: obj["status"]["phase"]), AGE),
        fields={"metadata.name": metadata_field("name"), "status.phase": _path("status", "phase")},
    )  # fmt: skip
    secret = Resource(
        group="", version="v1", plural="secrets", singular="secret", kind="Secret",
        schema=_SECRET_SCHEMA, validate=validator(_SECRET_SCHEMA), patches=_PATCHES,
        prepare=_prepare_secret, check=_check_secret,
        columns=(
            NAME,
            Column("Type", "string", lambda obj, _: obj["type"]),
            Column("Data", "string", lambda obj, _: str(len(obj.get("data") or {}))),
            AGE,
        ),
        fields={**COMMON_FIELDS, "type": _path("type")},
    )  # fmt: skip
    event = Resource(
        group="", version="v1", plural="events", singular="event", kind="Event",
        schema=_EVENT_SCHEMA, validate=validator(_EVENT_SCHEMA), short_names=("ev",), patches=_PATCHES,
        check=_check_event, columns=_EVENT_COLUMNS, fields=_EVENT_FIELDS,
    )  # fmt: skip
    return (namespace, secret, event)
