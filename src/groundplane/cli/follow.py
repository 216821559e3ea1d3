"""Following objects: first what is there, then each change, until the caller has seen enough.

A watch that ends is taken up again; one that has fallen too far behind starts over with a list. The caller may so
see the same state twice, never miss the last one. A server that cannot be reached is asked again with back-off
until the patience is used up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from groundplane.base.errors import Unavailable
from groundplane.client.contract import Client, Object, Resource, WatchEvent
from groundplane.client.errors import Gone

_FIRST_WAIT = 0.2
_LONGEST_WAIT = 5.0
_PATIENCE = 8


async def follow(
    client: Client, resource: Resource, namespace: str | None, *, version: str = "", gate: asyncio.Lock | None = None
) -> AsyncGenerator[WatchEvent, None]:
    """Yield ADDED for each object there is and BOOKMARK for "that is all", then every change.

    Never ends by itself; leave it with `aclosing`, so that its connection is closed at once.
    With `version`, begin after it instead of with what there is. `gate` is held while a connection is opened: who
    cancels the follower with the gate in hand never does so in the middle of a TLS handshake, where httpx2 would
    leave the socket behind.
    """
    failures = 0
    gate = gate or asyncio.Lock()
    while True:
        try:
            if not version:
                async with gate:
                    listed = await client.list(resource, namespace=namespace)
                for item in listed.items:
                    yield WatchEvent("ADDED", item)
                version = listed.resource_version
                yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": version}})
            async with AsyncExitStack() as stack:
                watch = client.watch(resource, namespace=namespace, resource_version=version)
                async with gate:
                    events = await stack.enter_async_context(watch)
                async for event in events:
                    failures = 0
                    version = _version(event.object) or version
                    if event.type != "BOOKMARK":
                        yield event
        except Gone:
            version = ""
        except Unavailable:
            failures += 1
            if failures >= _PATIENCE:
                raise
            await asyncio.sleep(min(_LONGEST_WAIT, _FIRST_WAIT * 2**failures))


def _version(item: Object) -> str:
    return str(item.get("metadata", {}).get("resourceVersion", ""))
