"""Answers about objects of which nothing is in the store: lists in one piece, and single ones."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.responses import Response

from groundplane.store.contract import Entry

from . import handlers
from .http import Incoming, answer
from .negotiation import form
from .service import Call
from .status import Json, bad_request
from .verbs.listing import Listing, parse_options


def answer_list(incoming: Incoming, call: Call, objects: Iterable[Json]) -> Response:
    """Answer with those that the selectors leave, in the form that the caller takes; always in one piece."""
    options = parse_options(call, incoming.query)
    if options.token:
        raise bad_request("invalid continue token: this list is answered whole")
    chosen = [obj for obj in objects if options.matches is None or options.matches(obj)]
    entries = [Entry(call.key._replace(name=obj["metadata"]["name"]), 0, msgspec.json.encode(obj)) for obj in chosen]
    return answer(handlers.listed(incoming, call, form(incoming.accept), Listing(entries, 0)))


def answer_one(incoming: Incoming, call: Call, obj: Json, *, code: int = 200) -> Response:
    """Answer with one object."""
    return answer(handlers.shape(incoming, call, msgspec.json.encode(obj)), code=code, warnings=call.warnings)
