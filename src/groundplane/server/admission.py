"""Admission: the rules of the kinds, told of all other objects as they are at one revision of the store.

A change that leaves the spec alone is not judged again. The other objects are decoded only when a rule asks for
them, and once per revision of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

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


class Admission:
    """Judges objects of our kinds; those of other groups have no rules here."""

    def __init__(self, store: Store, runtimes: validation.Runtimes) -> None:
        self._store = store
        self._runtimes = runtimes
        self._decoded = _Decoded()

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
