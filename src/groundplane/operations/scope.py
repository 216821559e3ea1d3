"""What a step sees: the machine at hand, the wanted state, the peers, and the doors it may use.

`ReadScope` is for planning: its hosts are ReadHosts. `Scope` is for applying. Both are made by the runner; a step
keeps nothing between calls. What cannot be observed afterwards goes into the journal before it is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from groundplane.api.distribution import Artifact
from groundplane.api.machine import Machine
from groundplane.api.target import ClusterTarget
from groundplane.hosts.contract import Host, ReadHost

from .waiting import Clock


class Delivery(Protocol):
    """Brings verified artifacts to a machine (artifacts.delivery)."""

    async def deliver(self, host: Host, artifact: Artifact, path: str, *, mode: int = 0o644) -> None:
        """Put the artifact's file at `path`; nothing is sent when the digest there is right already."""


class Journal(Protocol):
    """Durable notes of this Operation, written before the deed. Never a secret."""

    def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None:
        """Return only when the note is on disk."""


class ClusterDoor(Protocol):
    """The managed cluster's Kubernetes API as the steps need it (clusters.api implements it).

    Objects are plain dicts; missing objects are None; errors are those of clusters.errors.
    """

    async def get(self, path: str) -> dict[str, object] | None: ...

    async def apply(self, manifest: dict[str, object]) -> None:
        """Server-side apply with field manager "groundplane"."""

    async def patch(self, path: str, patch: dict[str, object]) -> None:
        """JSON merge patch."""

    async def delete(self, path: str) -> None:
        """Delete; a missing object is fine."""

    async def evict(self, namespace: str, pod: str) -> bool:
        """Evict a pod; False when a PodDisruptionBudget forbids it now."""


@dataclass(frozen=True, slots=True)
class ReadScope:
    """`machine` is None for a cluster-wide step. `hosts` and `machines` are keyed by machine name.

    `log` takes one line of text for people who follow the step; never a secret. `among` narrows a cluster-wide step.
    """

    target: ClusterTarget
    machine: Machine | None
    machines: Mapping[str, Machine]
    hosts: Mapping[str, ReadHost]
    journal: Journal
    log: Callable[[str], None]
    clock: Clock
    cluster: Callable[[], Awaitable[ClusterDoor | None]]
    published_kubeconfig: Callable[[], Awaitable[bytes | None]]
    among: Sequence[str] = field(default=(), kw_only=True)

    @property
    def concerned(self) -> list[str]:
        """The members that a cluster-wide step is about: those that the plan names, else all."""
        return [name for name in self.target.members if name in self.among or not self.among]

    @property
    def own(self) -> Machine:
        """The machine at hand; raises when the step is cluster-wide."""
        if self.machine is None:
            raise LookupError("this step has no machine: it is cluster-wide")
        return self.machine

    @property
    def name(self) -> str:
        """The name of the machine at hand; raises when the step is cluster-wide."""
        return self.own.metadata.name

    @property
    def host(self) -> ReadHost:
        """The machine at hand, to look at."""
        return self.hosts[self.name]


@dataclass(frozen=True, slots=True)
class Scope(ReadScope):
    """A ReadScope with hosts that can be written and the means to change things."""

    writable: Mapping[str, Host]
    delivery: Delivery
    publish_kubeconfig: Callable[[bytes], Awaitable[None]]

    @property
    def door(self) -> Host:
        """The machine at hand, to change."""
        return self.writable[self.name]
