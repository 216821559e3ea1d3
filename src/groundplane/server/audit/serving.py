"""The audit log over the API: `auditevents` of access.groundplane.dev, the newest first, chosen by field selectors.

Reading happens in a thread, a bounded part of the log at a time (see `reading`). So an answer may have fewer events
than its limit, or none, and yet go on: its `continue` token is where.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec
from starlette.responses import Response

from groundplane.base.clock import parse_rfc3339
from groundplane.base.gotext import quoted
from groundplane.store.contract import Entry

from .. import handlers
from ..http import Incoming, answer
from ..negotiation import form
from ..query import number
from ..selectors import build
from ..service import Call
from ..status import Json, StatusError, bad_request, expired
from ..verbs.listing import Listing
from .reading import Found, Position, PositionGone, Wanted, newest

USUAL = 100
MOST = 1000


async def list_events(incoming: Incoming) -> Response:
    """List the newest events that the selectors and times leave."""
    call = incoming.call()
    audit = incoming.server.audit
    if audit is None:
        raise StatusError(404, "NotFound", "there is no audit log: audit.enabled is false in the settings file")
    wanted, before = _wanted(incoming, call), _position(incoming)
    try:
        async with audit.reading:
            found = await asyncio.to_thread(newest, audit.log.path, wanted, before)
    except PositionGone as error:
        raise expired(error.message) from error
    entries = [
        Entry(call.key._replace(name=str(position)), 0, msgspec.json.encode(_shown(call, position, event)))
        for position, event in found.events
    ]
    listing = Listing(entries, 0, str(found.after) if found.after is not None else "")
    return answer(handlers.listed(incoming, call, form(incoming.accept), listing), warnings=_warnings(found))


def _wanted(incoming: Incoming, call: Call) -> Wanted:
    query = incoming.query
    matches = build(query.get("labelSelector", ""), query.get("fieldSelector", ""), call.resource.fields)

    def chosen(position: Position, event: Json) -> bool:
        return matches is None or matches(_shown(call, position, event))

    limit = min(number(query, "limit") or USUAL, MOST)
    return Wanted(limit, chosen, _time(incoming, "sinceTime"), _time(incoming, "untilTime"))


def _time(incoming: Incoming, name: str) -> datetime | None:
    text = incoming.query.get(name, "")
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise bad_request(
            f"{name}: Invalid value: {quoted(text)}: must be a time such as 2006-01-02T15:04:05Z"
        ) from error


def _position(incoming: Incoming) -> Position | None:
    text = incoming.query.get("continue", "")
    if not text:
        return None
    try:
        return Position.parse(text)
    except ValueError as error:
        raise bad_request("invalid continue token: it was not made by this server") from error


def _shown(call: Call, position: Position, event: Json) -> Json:
    metadata = {"name": str(position), "creationTimestamp": f"{event['stageTimestamp'][:19]}Z"}
    return {
        "apiVersion": call.resource.api_version,
        "kind": call.resource.kind,
        "metadata": metadata,
        "event": event,
    }


def _warnings(found: Found) -> list[str]:
    return [f"lines of the audit log that are no events: {found.unread}"] if found.unread else []
