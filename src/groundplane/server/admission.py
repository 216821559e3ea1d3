"""Admission: the rules of the kinds, told of all other objects as they are at one revision of the store.

A change that leaves the spec alone is not judged again. The other objects are decoded only when a rule asks for
them, and once per revision of each.

One rule is broken by two objects that do not see each other: two Machines of one address. Whoever writes a Machine
therefore holds its address (`Admission.claim`) from the judgement until the write is stored; writes with other
addresses, and all other kinds, do not wait. A rule that looks from one kind to another needs no claim: had both been
written one after the other, in the order in which they were judged, they would have passed as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from groundplane.api import validation
from groundplane.api.cause import Cause, Verdict
from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import GROUP
from groundplane.api.registry import BY_KIND
from groundplane.store.contract import Entry, Key, Store

from .resources import Resource
from .status import Json

T = TypeVar("T", Cluster, Distribution, Foundation, Machine)

_SEEN = ("clusters", "machines", "foundations", "distributions")


@dataclass(slots=True)
class _Decoded:
    """Objects decoded before, by key; used again while their revision is the same."""

    known: dict[Key, tuple[int, object]] = field(default_factory=dict)

    def all(self, entries: list[Entry], kind: type[T]) -> list[T]:
        return [self.one(entry, kind) for entry in entries]

    def one(self, entry: Entry, kind: type[T]) -> T:
        found = self.known.get(entry.key)
        if found is not None and found[0] == entry.revision and isinstance(found[1], kind):
            return found[1]
        value = msgspec.json.decode(entry.value, type=kind)
        self.known[entry.key] = (entry.revision, value)
        return value


@dataclass(frozen=True, slots=True)
class Snapshot:
    """validation.World over one revision of the store."""

    entries: dict[str, list[Entry]]
    decoded: _Decoded
    runtimes: validation.Runtimes

    @property
    def clusters(self) -> list[Cluster]:
        return self.decoded.all(self.entries["clusters"], Cluster)

    @property
    def machines(self) -> list[Machine]:
        return self.decoded.all(self.entries["machines"], Machine)

    @property
    def foundations(self) -> list[Foundation]:
        return self.decoded.all(self.entries["foundations"], Foundation)

    @property
    def distributions(self) -> list[Distribution]:
        return self.decoded.all(self.entries["distributions"], Distribution)


@dataclass(slots=True)
class _Claim:
    """The lock of one claim, and how many hold or want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class Admission:
    """Judges objects of our kinds; those of other groups have no rules here."""

    def __init__(self, store: Store, runtimes: validation.Runtimes) -> None:
        self._store = store
        self._runtimes = runtimes
        self._decoded = _Decoded()
        self._claims: dict[tuple[str, str], _Claim] = {}

    @asynccontextmanager
    async def claim(self, resource: Resource, obj: Json, old: Json | None = None) -> AsyncIterator[None]:
        """Hold, for the block, what no other object may have at the same time; nobody waits for another claim."""
        wanted = _claimed(resource, obj)
        if wanted is None or (old is not None and old.get("spec") == obj.get("spec")):
            yield
            return
        claim = self._claims.setdefault(wanted, _Claim())
        claim.users += 1
        try:
            async with claim.lock:
                yield
        finally:
            claim.users -= 1
            if not claim.users:
                del self._claims[wanted]

    async def judge(self, resource: Resource, obj: Json, old: Json | None) -> Verdict:
        """Return causes and warnings for an object that fits its schema."""
        if resource.group != GROUP or (old is not None and old.get("spec") == obj.get("spec")):
            return Verdict()
        struct = BY_KIND[resource.kind].struct
        try:
            new = msgspec.convert(obj, type=struct)
        except msgspec.ValidationError as error:
            return Verdict(causes=[Cause("", "FieldValueInvalid", None, f"Invalid value: {error}")])
        before = None if old is None else msgspec.convert(old, type=struct)
        return validation.admit(new, before, await self._snapshot())  # type: ignore[arg-type]

    async def _snapshot(self) -> Snapshot:
        entries: dict[str, list[Entry]] = {}
        revision = 0
        for plural in _SEEN:
            page = await self._store.list(f"{plural}.{GROUP}", revision=revision)
            entries[plural], revision = page.entries, page.revision
        return Snapshot(entries, self._decoded, self._runtimes)


def _claimed(resource: Resource, obj: Json) -> tuple[str, str] | None:
    """Return what tells the host of a Machine apart, as `validation` does; None of anything that has no such rule."""
    if resource.group != GROUP or resource.kind != "Machine":
        return None
    spec = _child(obj, "spec")
    return (str(_child(_child(_child(spec, "ssh"), "jump"), "address")), str(_child(spec, "address")))


def _child(value: Any, name: str) -> Any:
    return (value.get(name) or "") if isinstance(value, dict) else ""
