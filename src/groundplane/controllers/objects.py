"""Reading and writing our kinds as structs, the same way in every controller."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from groundplane.api.cluster import Cluster, ClusterSpec
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ObjectMeta, Struct
from groundplane.api.operation import Operation
from groundplane.client.contract import Client, Object
from groundplane.client.errors import NotFound
from groundplane.client.typed import RESOURCES, SECRETS, from_struct, to_struct

Kind = TypeVar("Kind", Cluster, Distribution, Foundation, Machine, Operation)


class _ClusterSpec(Struct, frozen=True):
    metadata: ObjectMeta
    spec: ClusterSpec = ClusterSpec()


class _ClusterSpecs(msgspec.Struct, frozen=True):
    items: list[_ClusterSpec]


class Objects:
    """Typed reads and writes over a Client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def find(self, struct: type[Kind], namespace: str, name: str) -> Kind | None:
        """Return the object, or None when it is not there."""
        try:
            return to_struct(await self.client.get(RESOURCES[struct], namespace, name), struct)
        except NotFound:
            return None

    async def all(self, struct: type[Kind], *, namespace: str | None = None, label_selector: str = "") -> list[Kind]:
        """Return all objects of a kind, of one namespace or of every one."""
        found = await self.client.list(RESOURCES[struct], namespace=namespace, label_selector=label_selector)
        return [to_struct(item, struct) for item in found.items]

    async def cluster_specs(self) -> list[Cluster]:
        """Return the Clusters of all namespaces without their statuses, which are most of what there is of a fleet."""
        found = await self.client.read(RESOURCES[Cluster], _ClusterSpecs)
        return [Cluster(metadata=one.metadata, spec=one.spec) for one in found.items]

    async def create(self, value: Kind) -> Kind:
        """Create the object and return it as stored."""
        return to_struct(await self.client.create(RESOURCES[type(value)], from_struct(value)), type(value))

    async def write_status(self, value: Kind, status: Struct) -> bool:
        """Replace the status if it differs; tell whether a write was needed. Conflict when the object moved on."""
        if msgspec.to_builtins(value.status) == msgspec.to_builtins(status):
            return False
        await self.client.update_status(
            RESOURCES[type(value)], from_struct(msgspec.structs.replace(value, status=status))
        )
        return True

    async def patch(self, struct: type[Kind], namespace: str, name: str, patch: dict[str, Any]) -> Kind:
        """JSON merge patch."""
        return to_struct(await self.client.patch(RESOURCES[struct], namespace, name, patch), struct)

    async def secret(self, namespace: str, name: str) -> Object | None:
        """Return a v1 Secret as a document, or None."""
        try:
            return await self.client.get(SECRETS, namespace, name)
        except NotFound:
            return None
