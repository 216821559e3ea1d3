"""One client, two ends: the in-process API server, or HTTP to any Kubernetes API that has our kinds.

Objects travel as plain dicts of JSON values; `typed` helpers convert to the structs of `api`. Errors (client.errors)
are the Kubernetes reasons: NotFound, AlreadyExists, Conflict, Invalid (with causes), Forbidden, Unauthorized, Gone
(Refused or Denied) and ServerUnavailable (Unavailable).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Object = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as it is addressed: group "" is the core group; `plural` is the path segment."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True


@dataclass(frozen=True, slots=True)
class WatchEvent:
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object


@dataclass(frozen=True, slots=True)
class ObjectList:
    items: list[Object]
    resource_version: str


class Client(Protocol):
    """The verbs that controllers and the CLI use."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Object: ...

    async def list(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = ""
    ) -> ObjectList: ...

    async def read(
        self, resource: Resource, form: type[T], *, namespace: str | None = None, label_selector: str = ""
    ) -> T:
        """Return a whole list decoded straight into `form`: a struct whose `items` name the fields that matter."""

    async def create(self, resource: Resource, body: Object) -> Object: ...

    async def update(self, resource: Resource, body: Object) -> Object: ...

    async def update_status(self, resource: Resource, body: Object) -> Object:
        """Replace the status subresource; metadata.resourceVersion is the precondition."""

    async def patch(self, resource: Resource, namespace: str, name: str, patch: Object) -> Object:
        """JSON merge patch."""

    async def apply(
        self,
        resource: Resource,
        body: Object,
        *,
        field_manager: str,
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply."""

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, propagation: str = "Background"
    ) -> None: ...

    def watch(
        self, resource: Resource, *, namespace: str | None = None, resource_version: str
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """Yield events after `resource_version`; raises Gone when that is too old; ends when the server ends it."""

    async def close(self) -> None: ...
