"""From objects as served to the structs of `api` and back, and where each kind is addressed."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from groundplane.api.meta import Struct
from groundplane.api.registry import KINDS
from groundplane.base.errors import Unexpected

from .contract import Object, Resource

T = TypeVar("T", bound=Struct)

SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")

RESOURCES: dict[type[Struct], Resource] = {
    info.struct: Resource(group=info.group, version=info.version, plural=info.plural, kind=info.kind) for info in KINDS
}
BY_KIND: dict[str, Resource] = {
    resource.kind: resource for resource in (*RESOURCES.values(), SECRETS, NAMESPACES, EVENTS)
}


def to_struct(document: Object, struct: type[T]) -> T:
    """Turn an object as served into its struct; Unexpected when the server served what its schema forbids."""
    try:
        return msgspec.convert(document, struct)
    except msgspec.ValidationError as exc:
        meta = document.get("metadata") or {}
        name = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
        raise Unexpected(f"cannot read {struct.__name__} {name}: {exc}") from exc


def from_struct(value: Struct) -> Object:
    """Turn a struct of one of the kinds into an object to send; apiVersion and kind are always there."""
    resource = RESOURCES[type(value)]
    document: Object = msgspec.to_builtins(value)
    return {"apiVersion": f"{resource.group}/{resource.version}", "kind": resource.kind} | document
