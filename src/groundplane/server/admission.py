"""Admission: the rules of the kinds, told of all other objects as they are in the store.

A change that leaves the spec alone is not judged again.

One rule is broken by two objects that do not see each other: two Machines of one address. Whoever writes a Machine
therefore holds its address (`Admission.claim`) from the judgement until the write is stored; writes with other
addresses, and all other kinds, do not wait. A rule that looks from one kind to another needs no claim: had both been
written one after the other, in the order in which they were judged, they would have passed as well.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
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
_MACHINES = f"machines.{GROUP}"


class _Jump(msgspec.Struct, frozen=True):
    address: str = ""


class _SSH(msgspec.Struct, frozen=True):
    jump: _Jump | None = None


class _Spec(msgspec.Struct, frozen=True):
    address: str = ""
    ssh: _SSH = _SSH()


class _Reached(msgspec.Struct, frozen=True):
    """As much of a Machine as says where it is."""

    spec: _Spec = _Spec()

    @property
    def place(self) -> tuple[str, str]:
        return (self.spec.ssh.jump.address if self.spec.ssh.jump else "", self.spec.address)


class Snapshot:
    """validation.World over the store as it is now: it follows the store, and is brought up to date before each use.

    Machines may be many: where they are is kept for all of them, the rest is decoded when a rule asks for it.
    """

    def __init__(self, store: Store, runtimes: validation.Runtimes) -> None:
        self._runtimes = runtimes
        self._following = store.follow(f"{plural}.{GROUP}" for plural in _SEEN)
        self._entries: dict[str, dict[Key, Entry]] = {f"{plural}.{GROUP}": {} for plural in _SEEN}
        self._decoded: dict[Key, object] = {}
        self._place_of: dict[Key, tuple[str, str]] = {}
        self._at: dict[tuple[str, str], list[Key]] = {}

    def catch_up(self) -> None:
        """Take in what was written since the last time."""
        for key, entry in self._following.take().items():
            entries = self._entries[key.resource]
            self._decoded.pop(key, None)
            if entry is None:
                entries.pop(key, None)
            else:
                entries[key] = entry
            if key.resource == _MACHINES:
                self._move(key, entry)

    def _move(self, key: Key, entry: Entry | None) -> None:
        before = self._place_of.pop(key, None)
        if before is not None:
            self._at[before].remove(key)
            if not self._at[before]:
                del self._at[before]
        if entry is not None:
            place = msgspec.json.decode(entry.value, type=_Reached).place
            self._place_of[key] = place
            self._at.setdefault(place, []).append(key)

    @property
    def clusters(self) -> list[Cluster]:
        return self._all("clusters", Cluster)

    @property
    def machines(self) -> list[Machine]:
        return self._all("machines", Machine)

    @property
    def foundations(self) -> list[Foundation]:
        return self._all("foundations", Foundation)

    @property
    def distributions(self) -> list[Distribution]:
        return self._all("distributions", Distribution)

    @property
    def runtimes(self) -> validation.Runtimes:
        return self._runtimes

    def machines_at(self, jump: str, address: str) -> list[Machine]:
        entries = self._entries[_MACHINES]
        return [self._one(entries[key], Machine) for key in sorted(self._at.get((jump, address), ()))]

    def _all(self, plural: str, kind: type[T]) -> list[T]:
        entries = self._entries[f"{plural}.{GROUP}"]
        return [self._one(entries[key], kind) for key in sorted(entries)]

    def _one(self, entry: Entry, kind: type[T]) -> T:
        found = self._decoded.get(entry.key)
        if isinstance(found, kind):
            return found
        value = self._decoded[entry.key] = msgspec.json.decode(entry.value, type=kind)
        return value


@dataclass(slots=True)
class _Claim:
    """The lock of one claim, and how many hold or want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class _Holding:
    """One holding of a claim, from before it is waited for. A class, for a generator costs each write some time."""

    __slots__ = ("_claim", "_claims", "_wanted")

    def __init__(self, claims: dict[tuple[str, str], _Claim], wanted: tuple[str, str]) -> None:
        self._claims = claims
        self._wanted = wanted

    async def __aenter__(self) -> None:
        self._claim = self._claims.setdefault(self._wanted, _Claim())
        self._claim.users += 1
        try:
            await self._claim.lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._claim.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._claim.users -= 1
        if not self._claim.users:
            del self._claims[self._wanted]


_NOTHING = nullcontext[None]()


class Admission:
    """Judges objects of our kinds; those of other groups have no rules here."""

    def __init__(self, store: Store, runtimes: validation.Runtimes) -> None:
        self._snapshot = Snapshot(store, runtimes)
        self._claims: dict[tuple[str, str], _Claim] = {}

    def claim(self, resource: Resource, obj: Json, old: Json | None = None) -> AbstractAsyncContextManager[None]:
        """Hold, for the block, what no other object may have at the same time; nobody waits for another claim."""
        wanted = _claimed(resource, obj)
        if wanted is None or (old is not None and old.get("spec") == obj.get("spec")):
            return _NOTHING
        return _Holding(self._claims, wanted)

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
        self._snapshot.catch_up()
        return validation.admit(new, before, self._snapshot)  # type: ignore[arg-type]


def _claimed(resource: Resource, obj: Json) -> tuple[str, str] | None:
    """Return what tells the host of a Machine apart, as `validation` does; None of anything that has no such rule."""
    if resource.group != GROUP or resource.kind != "Machine":
        return None
    spec = _child(obj, "spec")
    return (str(_child(_child(_child(spec, "ssh"), "jump"), "address")), str(_child(spec, "address")))


def _child(value: Any, name: str) -> Any:
    return (value.get(name) or "") if isinstance(value, dict) else ""
