"""Requests to resources: from HTTP to one verb, and its result back in the form that was asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
from starlette.responses import Response

from groundplane.api.cause import forbidden as cause_forbidden
from groundplane.api.cause import required
from groundplane.base.errors import GroundplaneError
from groundplane.base.gotext import quoted
from groundplane.store.contract import Sink

from . import shown, table
from .frames import event_line
from .http import WRITE_TYPES, Incoming, Stream, answer
from .negotiation import JSON, JSON_TYPES, YAML_TYPES, Form, encode, form, require_stream
from .protobuf import PROTOBUF
from .query import flag, revision
from .resources import APPLY
from .service import Call, decode, fetch
from .status import Json, StatusError, explain, invalid, revision_too_large, unsupported_media_type
from .strict import duplicates
from .verbs import delete as deleting
from .verbs import listing, watching
from .verbs.create import create
from .verbs.delete_options import DeleteOptions
from .verbs.delete_options import parse_options as parse_delete_options
from .verbs.update import patch as patch_object
from .verbs.update import update

_CHUNK = 32 * 1024
_INCLUDES = ("None", "Metadata", "Object")


def _include(incoming: Incoming) -> str:
    given = incoming.query.get("includeObject") or "Metadata"
    if given in _INCLUDES:
        return given
    rule = "must be 'Metadata', 'Object', 'None', or empty"
    why = f"includeObject: Invalid value: {quoted(given)}: {rule}"
    raise StatusError(400, "BadRequest", f"Unable to convert to Table as requested: {why}")


def _reader(incoming: Incoming, call: Call, wanted: Form) -> shown.Reader:
    """Return how the objects of a list or watch are read for the form in which they go out."""
    if wanted == "object" or (wanted == "table" and _include(incoming) == "Object"):
        return decode
    columns = call.resource.columns if wanted == "table" else ()
    return shown.reader(call.resource, columns, managed=not flag(incoming.query, "omitManagedFields"))


@dataclass(frozen=True, slots=True)
class _Told:
    """How the events of a watch go out."""

    form: Form
    include: str
    read: shown.Reader


def shape(incoming: Incoming, call: Call, value: bytes) -> bytes | Json:
    """Return one object in the form that the caller accepts."""
    wanted = form(incoming.accept)
    if wanted == "object":
        return value
    obj = decode(value)
    if wanted == "partial":
        return table.partial(obj)
    meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
    now = incoming.server.service.now()
    return table.table(call.resource.columns, [obj], meta=meta, now=now, include=_include(incoming))


async def get_one(incoming: Incoming) -> Response:
    call = incoming.call()
    asked = revision(incoming.query.get("resourceVersion", ""))
    current = await incoming.server.service.store.revision()
    if asked is not None and asked > current:
        raise revision_too_large(asked, current)
    entry = await fetch(incoming.server.service, call)
    return answer(shape(incoming, call, entry.value))


async def get_many(incoming: Incoming) -> Response | Stream:
    call = incoming.call()
    wanted = form(incoming.accept)
    if flag(incoming.query, "watch"):
        require_stream(incoming.accept)
        return await _watch(incoming, call, wanted)
    options = listing.parse_options(call, incoming.query)
    found = await listing.listing(incoming.server.service, call, options)
    return answer(listed(incoming, call, wanted, found))


def listed(incoming: Incoming, call: Call, wanted: Form, found: listing.Listing) -> bytes | Json:
    """Return a list in the form that the caller accepts."""
    resource = call.resource
    if wanted == "object":
        # The stored bytes go out as they are; only the envelope is made here.
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": found.metadata()}
        opening = msgspec.json.encode(head)[:-1]
        return opening + b',"items":[' + b",".join(entry.value for entry in found.entries) + b"]}"
    read = _reader(incoming, call, wanted)
    objects = [read(entry.value) for entry in found.entries]
    if wanted == "table":
        now = incoming.server.service.now()
        return table.table(resource.columns, objects, meta=found.metadata(), now=now, include=_include(incoming))
    items = [table.partial(obj) for obj in objects]
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": found.metadata(),
        "items": items,
    }


async def _watch(incoming: Incoming, call: Call, wanted: Form) -> Stream:
    options = watching.parse_options(call, incoming.query)
    direct = _direct(incoming, wanted, options)
    events = watching.batches(incoming.server.service, call, options, incoming.server.stopping, direct)
    chunks = _chunks(incoming, call, events, _Told(wanted, _include(incoming), _reader(incoming, call, wanted)))
    return Stream(chunks, incoming.server, media_type=JSON)


def _direct(incoming: Incoming, wanted: Form, options: watching.WatchOptions) -> Sink | None:
    """Return what writes changes to the caller's connection at once, where all callers are told the same of them."""
    push = incoming.scope.get("groundplane.push")
    if push is None or wanted != "object" or options.list.matches is not None:
        return None
    frames = incoming.server.frames
    return lambda changes: len(changes) <= watching.MOST_AT_ONCE and push(frames.of(changes))


async def _chunks(
    incoming: Incoming, call: Call, events: AsyncGenerator[list[watching.Event], None], how: _Told
) -> AsyncIterator[bytes]:
    numbers = count()
    try:
        async with aclosing(events) as following:
            async for batch in following:
                for chunk in _joined(_line(incoming, call, event, how, next(numbers)) for event in batch):
                    yield chunk
    except GroundplaneError as error:
        status = explain(error)
        yield b'{"type":"ERROR","object":' + msgspec.json.encode(status.body()) + b"}\n"


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join small lines into chunks; what a slow reader leaves of one chunk is held for it."""
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)


def _line(incoming: Incoming, call: Call, event: watching.Event, how: _Told, number: int) -> bytes:
    value = _bookmark(call, event, how.form) if event.type == "BOOKMARK" else event.value
    if how.form != "object" and event.type != "BOOKMARK":
        shaped = _event_object(incoming, call, how.read(value), how)
        if number > 0 and how.form == "table":
            # The columns are told once.
            shaped["columnDefinitions"] = None
        value = msgspec.json.encode(shaped)
    return event_line(event.type, value)


def _event_object(incoming: Incoming, call: Call, obj: Json, how: _Told) -> Json:
    if how.form == "partial":
        return table.partial(obj)
    meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
    now = incoming.server.service.now()
    return table.table(call.resource.columns, [obj], meta=meta, now=now, include=how.include)


def _bookmark(call: Call, event: watching.Event, wanted: Form) -> bytes:
    metadata: Json = {"resourceVersion": str(event.revision)}
    if wanted == "table":
        return msgspec.json.encode(table.table(call.resource.columns, [], meta=metadata, now=datetime.now(UTC)))
    if event.initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    if wanted == "partial":
        return msgspec.json.encode(table.partial({"metadata": metadata}))
    head = {"kind": call.resource.kind, "apiVersion": call.resource.api_version, "metadata": metadata}
    return msgspec.json.encode(head)


async def read_body(incoming: Incoming, call: Call, types: tuple[str, ...] = WRITE_TYPES) -> Any:
    """Return the decoded body, having noted in the call what it gives twice."""
    raw = await incoming.body()
    document = await incoming.decoded(raw, types)
    if call.options.field_validation != "Ignore" and incoming.content_type != PROTOBUF:
        is_yaml = incoming.content_type in YAML_TYPES
        call.duplicates.extend(await incoming.aside(raw, lambda: duplicates(raw, document, is_yaml=is_yaml)))
    return document


async def post(incoming: Incoming) -> Response:
    call = incoming.call()
    value = await create(incoming.server.service, call, await read_body(incoming, call))
    return answer(shape(incoming, call, value), code=201, warnings=call.warnings)


async def put(incoming: Incoming) -> Response:
    call = incoming.call()
    value, created = await update(incoming.server.service, call, await read_body(incoming, call))
    return answer(shape(incoming, call, value), code=201 if created else 200, warnings=call.warnings)


def _check_patch_options(incoming: Incoming) -> None:
    causes = []
    if incoming.content_type != APPLY:
        if "force" in incoming.query:
            causes.append(cause_forbidden("force", None, "may not be specified for non-apply patch"))
    elif not incoming.query.get("fieldManager"):
        causes.append(required("fieldManager", "is required for apply patch"))
    if causes:
        raise invalid("meta.k8s.io", "PatchOptions", "", causes)


async def patch(incoming: Incoming) -> Response:
    call = incoming.call()
    if incoming.content_type not in call.resource.patches:
        raise unsupported_media_type(call.resource.patches)
    _check_patch_options(incoming)
    body = await read_body(incoming, call, (*JSON_TYPES[1:], *YAML_TYPES[1:]))
    value, created = await patch_object(incoming.server.service, call, incoming.content_type, body)
    return answer(shape(incoming, call, value), code=201 if created else 200, warnings=call.warnings)


async def delete_options(incoming: Incoming) -> DeleteOptions:
    """Return how a deletion is meant: from the body, or else the query."""
    raw = await incoming.body()
    body: Any = None
    if raw:
        body = await incoming.decoded(raw)
    return parse_delete_options(body, incoming.query)


async def delete_one(incoming: Incoming) -> Response:
    call = incoming.call()
    options = await delete_options(incoming)
    obj, gone = await deleting.delete(incoming.server.service, call, options)
    if gone and not call.resource.returns_deleted:
        return answer(deleting.success(call, obj))
    # The old way to ask for what is the background policy now; its answer tells that the object is still there.
    return answer(shape(incoming, call, encode(obj)), code=202 if options.orphan is False else 200)


async def delete_many(incoming: Incoming) -> Response:
    """Delete everything that the selectors match; what goes away meanwhile is no error."""
    call = incoming.call()
    options = await delete_options(incoming)
    chosen = listing.parse_options(call, incoming.query)
    found = await listing.listing(incoming.server.service, call, chosen)
    for entry in found.entries:
        one = Call(call.user, call.resource, entry.key.namespace, entry.key.name, options=call.options)
        try:
            await deleting.delete(incoming.server.service, one, options)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
    return answer(listed(incoming, call, form(incoming.accept), found))


async def log(incoming: Incoming) -> Stream:
    """Stream the log of an Operation as JSON lines."""
    call = incoming.call()
    if not call.resource.has_log or incoming.server.log is None:
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    entry = await fetch(incoming.server.service, call)
    uid = decode(entry.value)["metadata"]["uid"]
    follow = incoming.query.get("follow") in ("true", "1")
    lines = incoming.server.log.read(uid, step=incoming.query.get("step", ""), follow=follow)
    return Stream(lines, incoming.server, media_type="application/x-ndjson")
