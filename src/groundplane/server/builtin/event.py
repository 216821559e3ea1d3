"""Event (core/v1): a report about an object; the collector removes it after an hour."""

from __future__ import annotations

from datetime import datetime

from groundplane.api.cause import Cause, invalid
from groundplane.api.schema import Schema, validator

from ..resources import COMMON_FIELDS, Resource
from ..status import Json
from ..table import Column, age
from .common import PATCHES, check_times, kind_schema, object_of, path, text
from .namespace import DEFAULT_NAMESPACE

_REFERENCE: Schema = object_of(
    "ObjectReference contains enough information to let you inspect or modify the referred object.",
    {
        "apiVersion": text("API version of the referent."),
        "fieldPath": text("If referring to a piece of an object instead of an entire object, the path to that piece."),
        "kind": text("Kind of the referent."),
        "name": text("Name of the referent."),
        "namespace": text("Namespace of the referent."),
        "resourceVersion": text("Specific resourceVersion to which this reference is made, if any."),
        "uid": text("UID of the referent."),
    },
)
_SOURCE = object_of(
    "The component reporting this event.",
    {
        "component": text("Component from which the event is generated."),
        "host": text("Node name on which the event is generated."),
    },
)
_SERIES = object_of(
    "Data about the Event series this event represents, or nothing if it is a singleton Event.",
    {
        "count": {"type": "integer", "description": "Number of occurrences in this series up to the last heartbeat."},
        "lastObservedTime": text("Time of the last occurrence observed."),
    },
)
_SCHEMA = kind_schema(
    "Event is a report of an event somewhere in the cluster. Events have a limited retention time, and triggers and "
    "messages may evolve with time.",
    {
        "involvedObject": {**_REFERENCE, "description": "The object that this event is about."},
        "related": {**_REFERENCE, "description": "Optional secondary object for more complex actions."},
        "reason": text("A short, machine understandable string that gives the reason for the transition."),
        "message": text("A human-readable description of the status of this operation."),
        "type": text("Type of this event (Normal, Warning), new types could be added in the future."),
        "action": text("What action was taken or failed regarding the object."),
        "count": {"type": "integer", "description": "The number of times this event has occurred."},
        "firstTimestamp": text("The time at which the event was first recorded."),
        "lastTimestamp": text("The time at which the most recent occurrence of this event was recorded."),
        "eventTime": text("Time when this Event was first observed."),
        "reportingComponent": text("Name of the controller that emitted this Event."),
        "reportingInstance": text("ID of the controller instance."),
        "source": _SOURCE,
        "series": _SERIES,
    },
)


def _check(obj: Json, old: Json | None) -> list[Cause]:
    causes = check_times(obj, "firstTimestamp", "lastTimestamp", "eventTime")
    causes += check_times(obj.get("series") or {}, "lastObservedTime", below="series.")
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    if (involved or DEFAULT_NAMESPACE) != obj["metadata"]["namespace"]:
        causes.append(invalid("involvedObject.namespace", involved, "does not match event.namespace"))
    return causes


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
    Column("Count", "string", lambda obj, _: obj.get("count", 1), 1),
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
        # As in Kubernetes: recorders make up names such as "m1." with an ending.
        path_names=True,
        check=_check,
        columns=_EVENT_COLUMNS,
        fields=_EVENT_FIELDS,
    )
