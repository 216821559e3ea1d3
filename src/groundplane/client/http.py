"""The client's far end: HTTP to any Kubernetes API that has our kinds. Implements client.contract.Client.

Lists are read in pages of one snapshot; when the server forgets the snapshot between two pages, the whole list is
read at once instead, so a caller never sees a mixture. The errors are those of `client.errors`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from groundplane.kube.kubeconfig import Access
from groundplane.kube.paths import Address
from groundplane.kube.transport import APPLY_PATCH, MERGE_PATCH, Call, Transport

from .contract import Object, ObjectList, Resource, WatchEvent
from .errors import Gone, ServerUnavailable, error_from_status

T = TypeVar("T")

_PAGE = 500


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Seconds: `timeout` bounds each request; the server is asked to end a watch after `watch`, and a watch
    that is silent for `silence` is taken as cut."""

    timeout: float = 30.0
    watch: float = 240.0
    silence: float = 255.0


class HttpClient:
    """One server, as `access` tells. Close it, or use it as an async context manager."""

    def __init__(self, access: Access, options: HttpOptions | None = None) -> None:
        self._options = options or HttpOptions()
        self._transport = Transport(access, timeout=self._options.timeout)
        self.server = access.server

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        path = _address(resource).object(namespace, name)
        return await self._send(Call("GET", path, _action("get", resource, namespace, name)))

    async def list(self, resource: Resource, *, namespace: str | None = None, label_selector: str = "") -> ObjectList:
        try:
            return await self._list(resource, namespace, label_selector, limit=_PAGE)
        except Gone:
            return await self._list(resource, namespace, label_selector, limit=0)

    async def read(
        self, resource: Resource, form: type[T], *, namespace: str | None = None, label_selector: str = ""
    ) -> T:
        """Return a whole list by one request, decoded straight into `form`, which names the fields that matter."""
        path = _address(resource).collection(namespace)
        action = _action("list", resource, namespace or "", "")
        params = {"labelSelector": label_selector} if label_selector else None
        found: T = await self._transport.read(Call("GET", path, action, params=params), form)
        return found

    async def create(self, resource: Resource, body: Object) -> Object:
        namespace, name = _names(body)
        path = _address(resource).collection(namespace)
        return await self._send(Call("POST", path, _action("create", resource, namespace, name), body=body))

    async def update(self, resource: Resource, body: Object) -> Object:
        return await self._put(resource, body, "")

    async def update_status(self, resource: Resource, body: Object) -> Object:
        return await self._put(resource, body, "status")

    async def patch(self, resource: Resource, namespace: str, name: str, patch: Object) -> Object:
        path = _address(resource).object(namespace, name)
        action = _action("patch", resource, namespace, name)
        return await self._send(Call("PATCH", path, action, body=patch, content_type=MERGE_PATCH))

    async def apply(
        self,
        resource: Resource,
        body: Object,
        *,
        field_manager: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        namespace, name = _names(body)
        path = _address(resource).object(namespace, name)
        params = {"fieldManager": field_manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        action = _action("apply", resource, namespace, name)
        return await self._send(Call("PATCH", path, action, params=params, body=body, content_type=APPLY_PATCH))

    async def delete(self, resource: Resource, namespace: str, name: str, *, propagation: str = "Background") -> None:
        path = _address(resource).object(namespace, name)
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        await self._send(Call("DELETE", path, _action("delete", resource, namespace, name), body=body))

    @asynccontextmanager
    async def watch(
        self, resource: Resource, *, namespace: str | None = None, resource_version: str
    ) -> AsyncIterator[AsyncIterator[WatchEvent]]:
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, round(self._options.watch))),
        }
        action = _action("watch", resource, namespace or "", "")
        call = Call("GET", _address(resource).collection(namespace), action, params=params)
        async with self._transport.lines(call, silence=self._options.silence) as lines:
            events = _events(lines, f"{action} at {self.server}")
            try:
                yield events
            finally:
                await events.aclose()

    @asynccontextmanager
    async def lines(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        subresource: str,
        *,
        params: Mapping[str, str] | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the lines of a streamed subresource, such as an Operation's log, as they come."""
        path = _address(resource).object(namespace, name, subresource)
        action = _action(f"read {subresource} of", resource, namespace, name)
        async with self._transport.lines(Call("GET", path, action, params=params)) as lines:
            yield lines

    async def close(self) -> None:
        await self._transport.close()

    async def _list(self, resource: Resource, namespace: str | None, selector: str, *, limit: int) -> ObjectList:
        path = _address(resource).collection(namespace)
        action = _action("list", resource, namespace or "", "")
        params = {"labelSelector": selector} if selector else {}
        if limit:
            params["limit"] = str(limit)
        items: list[Object] = []
        while True:
            page = await self._send(Call("GET", path, action, params=params))
            meta = _checked_page(page, action)
            items += page.get("items") or []
            if not meta.get("continue"):
                break
            params["continue"] = meta["continue"]
        for item in items:
            # Kubernetes leaves these out of the items of its own kinds.
            item.setdefault(
                "apiVersion", f"{resource.group}/{resource.version}" if resource.group else resource.version
            )
            item.setdefault("kind", resource.kind)
        return ObjectList(items, str(meta.get("resourceVersion") or ""))

    async def _put(self, resource: Resource, body: Object, subresource: str) -> Object:
        namespace, name = _names(body)
        path = _address(resource).object(namespace, name, subresource)
        verb = f"update {subresource} of" if subresource else "update"
        return await self._send(Call("PUT", path, _action(verb, resource, namespace, name), body=body))

    async def _send(self, call: Call) -> Object:
        answer: Object = await self._transport.request(call)
        return answer


async def _events(lines: AsyncIterator[bytes], action: str) -> AsyncGenerator[WatchEvent, None]:
    async for line in lines:
        try:
            event = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ServerUnavailable(f"cannot {action}: the server sent something that is no watch event") from exc
        if event.type == "ERROR":
            raise error_from_status(event.object, action=action)
        if not _identified(event.object, named=event.type != "BOOKMARK"):
            raise ServerUnavailable(f"cannot {action}: the server sent an event of no object")
        yield WatchEvent(event.type, event.object)


class _Line(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: dict[str, Any]


def _identified(body: object, *, named: bool = True) -> bool:
    """Tell whether this is an object that a copy can be kept of."""
    meta = body.get("metadata") if isinstance(body, dict) else None
    return isinstance(meta, dict) and bool(meta.get("resourceVersion")) and (not named or bool(meta.get("name")))


def _checked_page(page: Object, action: str) -> Object:
    """Return the metadata of a page of a list; what a proxy or the like answered instead is no empty list."""
    meta = page.get("metadata") if isinstance(page, dict) else None
    items = (page.get("items") or []) if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(items, list) or not all(map(_identified, items)):
        raise ServerUnavailable(f"cannot {action}: the server answered with something that is no list")
    return meta


def _address(resource: Resource) -> Address:
    return Address(resource.group, resource.version, resource.plural, resource.namespaced)


def _action(verb: str, resource: Resource, namespace: str, name: str) -> str:
    what = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    where = f" in namespace {namespace}" if namespace else ""
    return f"{verb} {what}/{name}{where}" if name else f"{verb} {what}{where}"


def _names(body: Object) -> tuple[str, str]:
    meta = body.get("metadata") or {}
    return str(meta.get("namespace") or ""), str(meta.get("name") or meta.get("generateName") or "")
