"""List: a consistent answer at one revision, in pages when asked for, filtered by selectors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from groundplane.store.contract import Compacted, Entry, Key

from .. import selectors
from ..selectors import Predicate
from ..service import Call, Service, decode
from ..status import Json, bad_request, expired, revision_too_large

_MATCHES = ("", "Exact", "NotOlderThan")


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of list and watch, checked. `revision` is None when the caller named none."""

    matches: Predicate | None = None
    limit: int = 0
    token: str = ""
    revision: int | None = None
    match: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer: stored entries, the snapshot's revision, and how to go on ("" = this was all)."""

    entries: list[Entry]
    revision: int
    token: str = ""
    remaining: int | None = None
    warnings: list[str] = field(default_factory=list)

    def metadata(self) -> Json:
        """Return the ListMeta."""
        meta: Json = {"resourceVersion": str(self.revision)}
        if self.token:
            meta["continue"] = self.token
        return meta


def parse_options(call: Call, query: Mapping[str, str]) -> ListOptions:
    """Read the options from the query; raises 400 naming what is malformed."""
    resource = call.resource
    matches = selectors.build(query.get("labelSelector", ""), query.get("fieldSelector", ""), resource.fields)
    match = query.get("resourceVersionMatch", "")
    text = query.get("resourceVersion", "")
    if match not in _MATCHES:
        raise bad_request(f"resourceVersionMatch: Unsupported value: {match!r}: supported values: {_MATCHES[1:]}")
    if match and not text and "sendInitialEvents" not in query:
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    token = query.get("continue", "")
    if token and text not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    return ListOptions(matches, number(query, "limit"), token, revision(text), match)


def number(query: Mapping[str, str], name: str) -> int:
    """Read a number that is not negative from the query; 0 when it is not there."""
    text = query.get(name, "") or "0"
    if not text.isdigit():
        raise bad_request(f"invalid {name}: {text!r} is not a number")
    return int(text)


def revision(text: str) -> int | None:
    """Read a resourceVersion; None when it is empty."""
    if not text:
        return None
    if not text.isdigit():
        raise bad_request(f"Invalid value: {text!r}: a resourceVersion is a number")
    return int(text)


async def listing(service: Service, call: Call, options: ListOptions) -> Listing:
    """Return the matching entries of one snapshot."""
    namespace = call.namespace or None
    at, after = await _start(service, call, options)
    found: list[Entry] = []
    while True:
        wanted = options.limit - len(found) if options.limit else 0
        try:
            page = await service.store.list(
                call.resource.stored, namespace=namespace, limit=wanted, after=after, revision=at
            )
        except Compacted as error:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter."
                if options.token
                else f"The resourceVersion for the provided list is too old: {at}"
            ) from error
        at, after = page.revision, page.after
        matches = options.matches
        found += page.entries if matches is None else [e for e in page.entries if matches(decode(e.value))]
        if after is None or (options.limit and len(found) >= options.limit):
            return Listing(found, at, _token(at, after) if after is not None else "")


async def _start(service: Service, call: Call, options: ListOptions) -> tuple[int, Key | None]:
    if options.token:
        return _read_token(options.token, call)
    asked = options.revision
    if not asked:
        return 0, None
    current = await service.store.revision()
    if asked > current:
        raise revision_too_large(asked, current)
    exact = options.match == "Exact" or (not options.match and options.limit)
    return (asked if exact else 0), None


def _token(at: int, after: Key) -> str:
    raw = msgspec.json.encode({"v": "groundplane/v1", "rv": at, "namespace": after.namespace, "name": after.name})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_token(token: str, call: Call) -> tuple[int, Key]:
    try:
        raw = msgspec.json.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), type=dict[str, str | int])
        if raw["v"] != "groundplane/v1":
            raise KeyError("v")
        return int(raw["rv"]), Key(call.resource.stored, str(raw["namespace"]), str(raw["name"]))
    except (binascii.Error, ValueError, KeyError, msgspec.DecodeError) as error:
        raise bad_request("continue key is not valid: it was not made by this server") from error
