"""What validation is told besides the object: the other objects, and which runtimes exist for which Kubernetes.

The knowledge comes in as a Protocol, because the catalog lies above the kinds; `groundplane.catalog.runtimes` fits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..cluster import Cluster
from ..distribution import Distribution
from ..foundation import Foundation
from ..machine import Machine


class Support(Protocol):
    """Whether a runtime can be; if not, why, and what to choose."""

    @property
    def ok(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def choose(self) -> str: ...


class Runtimes(Protocol):
    """Which container runtime a Kubernetes version can run. Malformed versions raise versions.UnknownVersion.

    `known_features` are those of a network plugin; none are known of a plugin without a table.
    """

    def docker_supported(self, kubernetes: str) -> Support: ...

    def containerd_satisfiable(self, kubernetes: str, constraint: str) -> Support: ...

    def known_features(self, plugin: str) -> Sequence[str]: ...


class World(Protocol):
    """The objects of all namespaces, and the knowledge of runtimes."""

    @property
    def clusters(self) -> Sequence[Cluster]: ...

    @property
    def machines(self) -> Sequence[Machine]: ...

    @property
    def foundations(self) -> Sequence[Foundation]: ...

    @property
    def distributions(self) -> Sequence[Distribution]: ...

    @property
    def runtimes(self) -> Runtimes: ...


class AdmittingWorld(World, Protocol):
    """What a write is judged in: it is asked at every write, so no rule for a Machine looks through all Machines."""

    def machines_at(self, jump: str, address: str) -> Sequence[Machine]:
        """Return the Machines at an address, behind a jump host or ""."""
        ...
