"""Makes the scopes of an Operation's steps: who may look, who may change, and the doors between.

The cluster's door is opened from the admin kubeconfig on a control plane, not from the published one: what is on the
machine is true also while the cluster is being made. It is opened anew when that file changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import yaml

from groundplane.api.operation import PlannedStep
from groundplane.api.target import Desired
from groundplane.clusters.api import KubernetesDoor
from groundplane.hosts.contract import Host, ReadHost
from groundplane.hosts.readonly import ReadOnly
from groundplane.plan.view import api_port

from .places import ADMIN_CONF
from .scope import ClusterDoor, Delivery, Journal, ReadScope, Scope
from .waiting import Clock, SystemClock

GetKubeconfig = Callable[[], Awaitable[bytes | None]]
PutKubeconfig = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Doors:
    """What an Operation works with. `hosts` are by machine name; `log` takes a planned step's name and a line."""

    hosts: Mapping[str, Host]
    delivery: Delivery
    journal: Journal
    log: Callable[[str, str], None]
    published_kubeconfig: GetKubeconfig
    publish_kubeconfig: PutKubeconfig
    clock: Clock = field(default_factory=SystemClock)


def make_scopes(desired: Desired, doors: Doors) -> Scopes:
    """Return the scope factory of one Operation: an async context manager that closes the cluster's door."""
    return Scopes(desired, doors)


class Scopes:
    """Implements runner.ScopeFactory."""

    def __init__(self, desired: Desired, doors: Doors) -> None:
        self._desired = desired
        self._doors = doors
        self._readers: Mapping[str, ReadHost] = MappingProxyType(
            {name: ReadOnly(host) for name, host in doors.hosts.items()}
        )
        self._clusters: dict[str, KubernetesDoor] = {}

    async def __aenter__(self) -> Scopes:
        return self

    async def __aexit__(self, *_: object) -> None:
        for door in self._clusters.values():
            await door.close()
        self._clusters.clear()

    def read(self, step: PlannedStep) -> ReadScope:
        """Return the scope that can only look."""
        doors = self._doors
        return ReadScope(
            target=self._desired.target,
            machine=self._desired.machines[step.machine] if step.machine else None,
            machines=self._desired.machines,
            hosts=self._readers,
            journal=doors.journal,
            log=lambda line: doors.log(step.name, line),
            clock=doors.clock,
            cluster=self.cluster,
            published_kubeconfig=doors.published_kubeconfig,
        )

    def write(self, step: PlannedStep) -> Scope:
        """Return the scope that can change things."""
        read, doors = self.read(step), self._doors
        return Scope(
            target=read.target,
            machine=read.machine,
            machines=read.machines,
            hosts=read.hosts,
            journal=read.journal,
            log=read.log,
            clock=read.clock,
            cluster=read.cluster,
            published_kubeconfig=read.published_kubeconfig,
            writable=doors.hosts,
            delivery=doors.delivery,
            publish_kubeconfig=doors.publish_kubeconfig,
        )

    async def cluster(self) -> ClusterDoor | None:
        """Return the cluster's door, or None when no control plane has an admin kubeconfig."""
        for name in self._desired.target.control_planes:
            content = await self._readers[name].read(ADMIN_CONF)
            if content is not None:
                return self._open(content, self._desired.machines[name].spec.address)
        return None

    def _open(self, content: bytes, address: str) -> KubernetesDoor:
        """Open the API server of the machine itself: an endpoint before it may not be up yet."""
        key = f"{address} {hashlib.sha256(content).hexdigest()}"
        if key not in self._clusters:
            config = yaml.safe_load(content)
            for cluster in config["clusters"]:
                cluster["cluster"]["server"] = f"https://{address}:{api_port(self._desired.target)}"
            self._clusters[key] = KubernetesDoor(yaml.safe_dump(config).encode())
        return self._clusters[key]
