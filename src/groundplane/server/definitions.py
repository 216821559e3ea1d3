"""Publishes the definitions of the five kinds as objects, as they are in this version, when the server starts.

They go into the store past the verbs, for no caller may write them. An unchanged definition is not written again, so
that a restart is no event for those who watch.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

from groundplane.api.crd import crd
from groundplane.api.registry import KINDS
from groundplane.store.contract import Key, NotThere

from .builtin.custom_resource_definition import established
from .service import Service, decode, encoder
from .status import Json

_STORED = "customresourcedefinitions.apiextensions.k8s.io"


async def publish_definitions(service: Service) -> None:
    """Make the stored definitions those of this version; a definition that is no longer served goes away."""
    wanted = {f"{info.plural}.{info.group}": crd(info) for info in KINDS}
    # Together, so that a first start waits for one sync of the disk and not for one each.
    await asyncio.gather(*(_publish(service, Key(_STORED, "", name), made) for name, made in wanted.items()))
    for entry in (await service.store.list(_STORED)).entries:
        if entry.key.name not in wanted:
            await service.store.delete(entry.key, expected=entry.revision)


async def _publish(service: Service, key: Key, definition: Json) -> None:
    now = service.timestamp()
    fresh = established(definition, now)
    try:
        entry = await service.store.get(key)
    except NotThere:
        fresh["metadata"] = {**fresh["metadata"], "uid": str(uuid4()), "creationTimestamp": now, "generation": 1}
        await service.store.create(key, encoder(fresh))
        return
    old = decode(entry.value)
    if old["spec"] == fresh["spec"]:
        return
    fresh["metadata"] = {**old["metadata"], "generation": old["metadata"]["generation"] + 1}
    await service.store.update(key, encoder(fresh), expected=entry.revision)
