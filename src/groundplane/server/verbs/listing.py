"""List: a consistent answer at one revision, in pages when asked for, filtered by selectors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from groundplane.api.cause import Cause, forbidden, not_supported
from groundplane.store.contract import Compacted, Entry, Key, NotThere

from .. import selectors
from ..query import number, revision
from ..selectors import Predicate
from ..service import Call, Service, decode
from ..status import Json, StatusError, bad_request, expired, invalid, revision_too_large

_MATCH, _EXACT, _NOT_OLDER = "resourceVersionMatch", "Exact", "NotOlderThan"
_FORMAT = "groundplane/v1"
# In place of a revision: go on at the newest one.
_NEWEST = -1
_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Options of list and watch, checked. `revision` is None when the caller named none.

    `name`: no object of another name can match.
    """

    matches: Predicate | None = None
    name: str = ""
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
        if self.remaining:
            meta["remainingItemCount"] = self.remaining
        return meta


def parse_options(call: Call, query: Mapping[str, str]) -> ListOptions:
    """Read the options of a list from the query; raises 400 and 422 naming what is wrong."""
    _refuse(_list_causes(query))
    return _options(call, query)


def parse_watch_options(call: Call, query: Mapping[str, str]) -> ListOptions:
    """Read the options of a watch from the query; raises 400 and 422 naming what is wrong."""
    _refuse(_watch_causes(query))
    # A token says where a list goes on; a watch has no use for it, and kube-apiserver does not look at it.
    return _options(call, {name: value for name, value in query.items() if name != "continue"})


def _options(call: Call, query: Mapping[str, str]) -> ListOptions:
    resource = call.resource
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    matches, name = selectors.select(labels, fields, resource.fields)
    token, text = query.get("continue", ""), query.get("resourceVersion", "")
    if token:
        _read_token(token, call)
        if text not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
    asked = revision(text)
    number(query, "timeoutSeconds")
    return ListOptions(matches, name, number(query, "limit"), token, asked, query.get("resourceVersionMatch", ""))


# apimachinery/pkg/apis/meta/internalversion/validation: the rules and texts of the next two functions.


def _list_causes(query: Mapping[str, str]) -> list[Cause]:
    causes: list[Cause] = []
    match, given = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    if match and not given:
        causes.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
    if match and query.get("continue"):
        causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    if match not in ("", _EXACT, _NOT_OLDER):
        causes.append(not_supported(_MATCH, match, (_EXACT, _NOT_OLDER, "")))
    if match == _EXACT and given == "0":
        causes.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in query:
        causes.append(forbidden("sendInitialEvents", None, "sendInitialEvents is forbidden for list"))
    return causes


def _watch_causes(query: Mapping[str, str]) -> list[Cause]:
    causes: list[Cause] = []
    match, initial = query.get("resourceVersionMatch", ""), "sendInitialEvents" in query
    if initial and match != _NOT_OLDER:
        causes.append(_forbidden(f"sendInitialEvents requires setting resourceVersionMatch to {_NOT_OLDER}"))
    if match and not initial:
        causes.append(_forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"))
    if match not in ("", _NOT_OLDER):
        causes.append(not_supported(_MATCH, match, (_NOT_OLDER,)))
    if match and query.get("continue"):
        causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    return causes


def _forbidden(rule: str) -> Cause:
    return forbidden(_MATCH, None, rule)


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise invalid("meta.k8s.io", "ListOptions", "", causes)


async def listing(service: Service, call: Call, options: ListOptions) -> Listing:
    """Return the matching entries of one snapshot."""
    namespace = call.namespace or None
    at, after = await _start(service, call, options)
    if options.name and not at and after is None and (call.namespace or not call.resource.namespaced):
        return await _one(service, call, options)
    found: list[Entry] = []
    while True:
        wanted = options.limit - len(found) if options.limit else 0
        try:
            page = await service.store.list(
                call.resource.stored, namespace=namespace, limit=wanted, after=after, revision=at
            )
        except Compacted as error:
            raise _too_old(options, after) from error
        at, after = page.revision, page.after
        matches = options.matches
        found += page.entries if matches is None else [e for e in page.entries if matches(decode(e.value))]
        if after is None or (options.limit and len(found) >= options.limit):
            if after is None:
                return Listing(found, at)
            # With a selector nobody knows how many of the rest would match.
            return Listing(found, at, _token(at, after), page.remaining if matches is None else None)


async def _one(service: Service, call: Call, options: ListOptions) -> Listing:
    """Return the one object that can match, or none, without looking at the others."""
    current = await service.store.revision()
    key = Key(call.resource.stored, call.namespace if call.resource.namespaced else "", options.name)
    try:
        entry = await service.store.get(key)
    except NotThere:
        return Listing([], current)
    matches = options.matches is None or options.matches(decode(entry.value))
    # It may have been written since.
    return Listing([entry] if matches else [], max(current, entry.revision))


async def _start(service: Service, call: Call, options: ListOptions) -> tuple[int, Key | None]:
    if options.token:
        return _read_token(options.token, call)
    asked = options.revision
    if not asked:
        return 0, None
    current = await service.store.revision()
    if asked > current:
        raise revision_too_large(asked, current)
    exact = options.match == _EXACT or (not options.match and options.limit)
    return (asked if exact else 0), None


def _too_old(options: ListOptions, after: Key | None) -> StatusError:
    if options.token and after is not None:
        return expired(_INCONSISTENT, token=_token(_NEWEST, after))
    return expired("The resourceVersion for the provided list is too old.")


def _token(at: int, after: Key) -> str:
    raw = msgspec.json.encode({"v": _FORMAT, "rv": at, "namespace": after.namespace, "name": after.name})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class _Token(msgspec.Struct):
    v: str
    rv: int
    namespace: str
    name: str


def _read_token(text: str, call: Call) -> tuple[int, Key]:
    opening = "invalid continue token: continue key is not valid"
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise bad_request(f"{opening}: it was not made by this server") from error
    if token.v != _FORMAT:
        raise bad_request(f'{opening}: server does not recognize this encoded version "{token.v}"')
    if token.rv < _NEWEST:
        raise bad_request(f"{opening}: incorrect encoded start resourceVersion (version {_FORMAT})")
    # What is older than the first revision is the newest: the reader chose to go on without one snapshot.
    return max(token.rv, 0), Key(call.resource.stored, token.namespace, token.name)
