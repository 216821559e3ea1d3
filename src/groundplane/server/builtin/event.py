"""Event (core/v1): a report about an object; the collector removes it after an hour."""

from __future__ import annotations

from datetime import datetime

from groundplane.api.cause import Cause, invalid
from groundplane.api.schema import Schema, validator

from ..resources import COMMON_FIELDS, Resource
from ..status import Json
from ..table import Column, age
from .common import PATCHES, TEXT, kind_schema, path
from .namespace import DEFAULT_NAMESPACE

_REFERENCE: Schema = {
    "type": "object",
    "properties": {
        name: TEXT for name in ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
    },
}
_SCHEMA = kind_schema(
    "Event is a report of an event somewhere in the cluster.",
    {
        "involvedObject": {**_REFERENCE, "description": "The object that this event is about."},
        "related": _REFERENCE,
        "reason": TEXT,
        "message": TEXT,
        "type": {"type": "string", "description": "Normal or Warning."},
        "action": TEXT,
        "count": {"type": "integer"},
        "firstTimestamp": TEXT,
        "lastTimestamp": TEXT,
        "eventTime": TEXT,
        "reportingComponent": TEXT,
        "reportingInstance": TEXT,
        "source": {"type": "object", "properties": {"component": TEXT, "host": TEXT}},
        "series": {"type": "object", "properties": {"count": {"type": "integer"}, "lastObservedTime": TEXT}},
    },
)


def _check(obj: Json, old: Json | None) -> list[Cause]:
    involved = (obj.get("involvedObject") or {}).get("namespace") or DEFAULT_NAMESPACE
    if involved != obj["metadata"]["namespace"]:
        return [invalid("involvedObject.namespace", involved, "does not match event.namespace")]
    return []


def _event_source(obj: Json) -> str:
    return path("source", "component")(obj) or path("reportingComponent")(obj)


_EVENT_FIELDS = {
    **COMMON_FIELDS,
    **{f"involvedObject.{name}": path("involvedObject", name) for name in _REFERENCE["properties"]},
    "reason": path("reason"),
    "reportingComponent": path("reportingComponent"),
    "source": _event_source,
    "type": path("type"),
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
    Column("Subobject", "string", lambda obj, _: path("involvedObject", "fieldPath")(obj), 1),
    Column("Source", "string", lambda obj, _: _event_source(obj), 1),
    Column("Message", "string", lambda obj, _: str(obj.get("message", "")).strip()),
    Column("First Seen", "string", _first_seen, 1),
    Column("Count", "string", lambda obj, _: str(obj.get("count", 1)), 1),
    Column("Name", "string", lambda obj, _: obj["metadata"]["name"], 1, format="name"),
)


def event() -> Resource:
    """Return the resource."""
    return Resource(
        group="",
        version="v1",
        plural="events",
        singular="event",
        kind="Event",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        short_names=("ev",),
        patches=PATCHES,
        check=_check,
        columns=_EVENT_COLUMNS,
        fields=_EVENT_FIELDS,
    )
