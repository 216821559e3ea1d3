"""The in-process client: the same verbs, admission and errors as over HTTP, without the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TypeVar

import msgspec

from groundplane.base.errors import GroundplaneError, Unexpected
from groundplane.client.contract import Object, ObjectList, Resource, WatchEvent
from groundplane.client.errors import error_from_status

from . import selectors
from .query import revision
from .resources import APPLY, MERGE
from .service import Call, Options, Service, User, decode, fetch
from .status import explain, no_such_path
from .users import CONTROLLER
from .verbs import delete as deleting
from .verbs import listing, watching
from .verbs.create import create
from .verbs.delete_options import DeleteOptions
from .verbs.update import patch as patch_object
from .verbs.update import update

T = TypeVar("T")

# A watch ends by the caller's will alone; the store cuts one that does not keep up.
_FOREVER = 10 * 365 * 86400


class LocalClient:
    """Implements client.contract.Client over a Service, as user system:groundplane:controller."""

    def __init__(self, service: Service, *, user: User = CONTROLLER, manager: str = "groundplane") -> None:
        self._service = service
        self._user = user
        self._manager = manager
        self._closed = asyncio.Event()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        with _translated(f"get {resource.plural} {namespace}/{name}"):
            return decode((await fetch(self._service, self._call(resource, namespace, name))).value)

    async def list(self, resource: Resource, *, namespace: str | None = None, label_selector: str = "") -> ObjectList:
        with _translated(f"list {resource.plural}"):
            call = self._call(resource, namespace or "")
            matches = selectors.build(label_selector, "", call.resource.fields)
            found = await listing.listing(self._service, call, listing.ListOptions(matches))
            return ObjectList([decode(entry.value) for entry in found.entries], str(found.revision))

    async def read(
        self, resource: Resource, form: type[T], *, namespace: str | None = None, label_selector: str = ""
    ) -> T:
        with _translated(f"list {resource.plural}"):
            call = self._call(resource, namespace or "")
            matches = selectors.build(label_selector, "", call.resource.fields)
            found = await listing.listing(self._service, call, listing.ListOptions(matches))
        whole = b'{"items":[' + b",".join(entry.value for entry in found.entries) + b"]}"
        try:
            return msgspec.json.decode(whole, type=form)
        except msgspec.ValidationError as error:
            raise Unexpected(f"cannot read {resource.plural}: {error}") from error

    async def create(self, resource: Resource, body: Object) -> Object:
        namespace, name = _named(body)
        with _translated(f"create {resource.kind} {namespace}/{name}"):
            call = self._call(resource, namespace, name)
            return decode(await create(self._service, call, _copy(body)))

    async def update(self, resource: Resource, body: Object) -> Object:
        return await self._update(resource, body, "")

    async def update_status(self, resource: Resource, body: Object) -> Object:
        return await self._update(resource, body, "status")

    async def _update(self, resource: Resource, body: Object, subresource: str) -> Object:
        namespace, name = _named(body)
        with _translated(f"update {resource.kind} {namespace}/{name}"):
            call = self._call(resource, namespace, name, subresource=subresource)
            value, _ = await update(self._service, call, _copy(body))
            return decode(value)

    async def patch(self, resource: Resource, namespace: str, name: str, patch: Object) -> Object:
        with _translated(f"patch {resource.kind} {namespace}/{name}"):
            call = self._call(resource, namespace, name)
            value, _ = await patch_object(self._service, call, MERGE, _copy(patch))
            return decode(value)

    async def apply(
        self, resource: Resource, body: Object, *, field_manager: str, force: bool = False, dry_run: bool = False
    ) -> Object:
        namespace, name = _named(body)
        options = Options(dry_run, field_manager, "Strict", force)
        with _translated(f"apply {resource.kind} {namespace}/{name}"):
            call = self._call(resource, namespace, name, options=options)
            value, _ = await patch_object(self._service, call, APPLY, _copy(body))
            return decode(value)

    async def delete(self, resource: Resource, namespace: str, name: str, *, propagation: str = "Background") -> None:
        with _translated(f"delete {resource.kind} {namespace}/{name}"):
            call = self._call(resource, namespace, name)
            await deleting.delete(self._service, call, DeleteOptions(propagation))

    @asynccontextmanager
    async def watch(
        self, resource: Resource, *, namespace: str | None = None, resource_version: str
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        with _translated(f"watch {resource.plural}"):
            call = self._call(resource, namespace or "")
            chosen = listing.ListOptions(revision=revision(resource_version))
            options = watching.WatchOptions(chosen, bookmarks=True, seconds=_FOREVER)
        async with aclosing(watching.watching(self._service, call, options, self._closed)) as events:
            yield _events(events, resource)

    async def close(self) -> None:
        """End the watches of this client."""
        self._closed.set()

    def _call(
        self,
        resource: Resource,
        namespace: str,
        name: str = "",
        *,
        subresource: str = "",
        options: Options | None = None,
    ) -> Call:
        found = self._service.resources.find(resource.group, resource.version, resource.plural)
        if found is None:
            raise no_such_path()
        chosen = options or Options(field_manager=self._manager, field_validation="Strict")
        return Call(self._user, found, namespace, name, subresource, chosen)


async def _events(events: AsyncIterator[watching.Event], resource: Resource) -> AsyncIterator[WatchEvent]:
    with _translated(f"watch {resource.plural}"):
        async for event in events:
            if event.type == "BOOKMARK":
                yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(event.revision)}})
            else:
                yield WatchEvent(event.type, decode(event.value))


def _named(body: Object) -> tuple[str, str]:
    metadata = body.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def _copy(body: Object) -> Object:
    copied: Object = msgspec.json.decode(msgspec.json.encode(body))
    return copied


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Let out the client's errors instead of the server's, as they would come over HTTP."""
    try:
        yield
    except GroundplaneError as error:
        raise error_from_status(explain(error).body(), action=action) from error
