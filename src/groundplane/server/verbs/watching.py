"""Watch: what changed after a revision, in order, each change as this caller sees it through its selectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from groundplane.store.contract import Change

from ..query import flag, number
from ..selectors import Predicate
from ..service import Call, Service, decode
from ..status import revision_too_large
from .listing import ListOptions, listing, parse_watch_options

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

# kube-apiserver ends a watch after 30 to 60 minutes when the caller does not say when.
DEFAULT_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Event:
    """One event: the object's bytes; for a bookmark the revision, and whether it ends the initial events."""

    type: EventType
    value: bytes = b""
    revision: int = 0
    initial_end: bool = False


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Options of a watch, checked."""

    list: ListOptions
    bookmarks: bool = False
    initial: bool = False
    seconds: int = DEFAULT_SECONDS


def parse_options(call: Call, query: Mapping[str, str]) -> WatchOptions:
    """Read the options from the query; raises 400 naming what is wrong."""
    chosen = parse_watch_options(call, query)
    initial = flag(query, "sendInitialEvents")
    seconds = number(query, "timeoutSeconds") or DEFAULT_SECONDS
    return WatchOptions(chosen, flag(query, "allowWatchBookmarks"), initial, seconds)


async def watching(
    service: Service, call: Call, options: WatchOptions, stopping: asyncio.Event
) -> AsyncGenerator[Event, None]:
    """Yield events until the time is over or the server stops. Raises Compacted, WatcherTooSlow."""
    asked = options.list.revision
    current = await service.store.revision()
    if asked is not None and asked > current:
        raise revision_too_large(asked, current)
    start = asked or current
    if options.initial or not asked:
        found = await listing(service, call, ListOptions(options.list.matches))
        for entry in found.entries:
            yield Event("ADDED", entry.value, entry.revision)
        start = found.revision
    if options.initial and options.bookmarks:
        yield Event("BOOKMARK", revision=start, initial_end=True)
    async for event in _follow(service, call, options, start, stopping):
        yield event


async def _follow(
    service: Service, call: Call, options: WatchOptions, start: int, stopping: asyncio.Event
) -> AsyncGenerator[Event, None]:
    loop = asyncio.get_running_loop()
    end = loop.time() + options.seconds
    see = _view(options.list.matches)
    async with service.store.watch(call.resource.stored, namespace=call.namespace or None, revision=start) as changes:
        stop = asyncio.ensure_future(stopping.wait())
        following = asyncio.ensure_future(_next(changes))
        try:
            while (left := end - loop.time()) > 0 and not stopping.is_set():
                # Whatever was written up to here reaches `following` long before a whole interval is over.
                known, wait = await service.store.revision(), min(left, service.bookmark_seconds)
                await asyncio.wait({following, stop}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    change = following.result()
                    if change is None:
                        return
                    following = asyncio.ensure_future(_next(changes))
                    if (event := see(change)) is not None:
                        yield event
                elif options.bookmarks and wait == service.bookmark_seconds and not stopping.is_set():
                    yield Event("BOOKMARK", revision=known)
        finally:
            for task in (stop, following):
                task.cancel()
            await asyncio.gather(stop, following, return_exceptions=True)


async def _next(changes: AsyncIterator[Change]) -> Change | None:
    """Return the next change, None at the end: StopAsyncIteration cannot pass through a generator."""
    return await anext(changes, None)


def _view(matches: Predicate | None) -> Callable[[Change], Event | None]:
    """Return how a change looks through a selector: an object may come into view or go out of it."""
    plain: dict[str, EventType] = {"Added": "ADDED", "Modified": "MODIFIED", "Deleted": "DELETED"}

    def see(change: Change) -> Event | None:
        entry = change.entry
        if matches is None:
            return Event(plain[change.type], entry.value, entry.revision)
        before = change.previous is not None and matches(decode(change.previous.value))
        after = change.type != "Deleted" and matches(decode(entry.value))
        if not before and not after:
            return None
        kind: EventType = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
        return Event(kind, entry.value, entry.revision)

    return see
