"""Watch: what changed after a revision, in order, each change as this caller sees it through its selectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from groundplane.store.contract import Change, Sink, Watch

from ..query import flag, number
from ..selectors import Predicate
from ..service import Call, Service, decode, encoder
from ..status import revision_too_large
from .listing import ListOptions, listing, parse_watch_options

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

# How a change is told to who sees all of them.
PLAIN: dict[str, EventType] = {"Added": "ADDED", "Modified": "MODIFIED", "Deleted": "DELETED"}
# kube-apiserver ends a watch after 30 to 60 minutes when the caller does not say when.
DEFAULT_SECONDS = 1800
# Events that are handed on together: what a reader has not taken of them yet is held in memory as bytes.
MOST_AT_ONCE = 64


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
    async with aclosing(batches(service, call, options, stopping)) as found:
        async for batch in found:
            for event in batch:
                yield event


async def batches(
    service: Service, call: Call, options: WatchOptions, stopping: asyncio.Event, direct: Sink | None = None
) -> AsyncGenerator[list[Event], None]:
    """Yield the events of `watching` together as they are there together, so that one write can take them all.

    What `direct` takes is not yielded: it is asked first for changes that come while the caller waits for events, and
    sees them as they are in the store, so it is for a watch without selectors.
    """
    asked = options.list.revision
    current = await service.store.revision()
    if asked is not None and asked > current:
        raise revision_too_large(asked, current)
    start = asked or current
    if options.initial or not asked:
        found = await listing(service, call, ListOptions(options.list.matches))
        for first in range(0, len(found.entries), MOST_AT_ONCE):
            chosen = found.entries[first : first + MOST_AT_ONCE]
            yield [Event("ADDED", entry.value, entry.revision) for entry in chosen]
        start = found.revision
    if options.initial and options.bookmarks:
        yield [Event("BOOKMARK", revision=start, initial_end=True)]
    async with service.store.watch(call.resource.stored, namespace=call.namespace or None, revision=start) as watch:
        stop = asyncio.ensure_future(stopping.wait())
        stop.add_done_callback(lambda _: watch.wake())
        try:
            async with aclosing(_follow(service, options, watch, stopping, direct)) as later:
                async for batch in later:
                    yield batch
        finally:
            stop.cancel()
            await asyncio.gather(stop, return_exceptions=True)


async def _follow(
    service: Service, options: WatchOptions, watch: Watch, stopping: asyncio.Event, direct: Sink | None
) -> AsyncGenerator[list[Event], None]:
    loop = asyncio.get_running_loop()
    end = loop.time() + options.seconds
    see = _view(options.list.matches)
    quiet_since = loop.time()

    def hand_on(changes: Sequence[Change]) -> bool:
        nonlocal quiet_since
        taken = direct is not None and direct(changes)
        if taken:
            quiet_since = loop.time()
        return taken

    if direct is not None:
        watch.hand_to(hand_on)
    while (left := end - loop.time()) > 0 and not stopping.is_set() and not watch.over:
        changes = await watch.take(min(left, max(0.0, quiet_since + service.bookmark_seconds - loop.time())))
        # Whatever was written up to here is among these changes, or was handed on.
        known = await service.store.revision()
        sent = False
        for first in range(0, len(changes), MOST_AT_ONCE):
            if batch := [event for change in changes[first : first + MOST_AT_ONCE] if (event := see(change))]:
                yield batch
                sent = True
        now = loop.time()
        if sent:
            quiet_since = now
        elif now >= quiet_since + service.bookmark_seconds:
            quiet_since = now
            if options.bookmarks and not stopping.is_set():
                # Also after changes that this caller does not see: it need not be told of them again.
                yield [Event("BOOKMARK", revision=known)]


def _view(matches: Predicate | None) -> Callable[[Change], Event | None]:
    """Return how a change looks through a selector: an object may come into view or go out of it."""

    def see(change: Change) -> Event | None:
        entry = change.entry
        if matches is None:
            return Event(PLAIN[change.type], entry.value, entry.revision)
        before = change.previous is not None and matches(decode(change.previous.value))
        after = change.type != "Deleted" and matches(decode(entry.value))
        if not before and not after:
            return None
        if change.previous is not None and not after and change.type == "Modified":
            # What leaves the selection is shown as it was in it, so that caches keyed by its labels find it.
            left = encoder(decode(change.previous.value))(entry.revision)
            return Event("DELETED", left, entry.revision)
        kind: EventType = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
        return Event(kind, entry.value, entry.revision)

    return see
