"""What validation needs to see beyond the object itself, read from the store at one revision."""

from __future__ import annotations

from groundplane.api.cause import Verdict
from groundplane.store.contract import Store

from .resources import Resource
from .status import Json


async def admit(store: Store, resource: Resource, obj: Json, old: Json | None) -> Verdict:
    """Return what the rules of the kinds say about an object."""
    return Verdict()
