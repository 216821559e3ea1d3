"""Makes the scopes of an Operation's steps: who may look, who may change, and the doors between.

The cluster's door is opened from the admin kubeconfig on a control plane, not from the published one: what is on the
machine is true also while the cluster is being made. It is opened anew when that file changes. Of several control
planes the first whose API server answers is taken, so that one that is away, or is being changed, stops nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

import yaml

from groundplane.api.operation import PlannedStep
from groundplane.api.target import Desired
from groundplane.base.errors import Unavailable
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.errors import CertificateUntrusted, ClusterDenied, ClusterRefused, ClusterUnavailable
from groundplane.hosts.contract import Host, ReadHost
from groundplane.hosts.readonly import ReadOnly
from groundplane.plan.view import DEFAULT_API_PORT, api_port

from .places import ADMIN_CONF
from .scope import ClusterDoor, Delivery, Journal, ReadScope, Scope
from .waiting import Clock, SystemClock

# An API server that is up says its version at once; one behind a dead address says nothing.
PROBE = 5.0
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
        self._answered = ""

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
            among=step.among,
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
            among=read.among,
            writable=doors.hosts,
            delivery=doors.delivery,
            publish_kubeconfig=doors.publish_kubeconfig,
        )

    async def cluster(self) -> ClusterDoor | None:
        """Return the cluster's door, or None when no control plane has an admin kubeconfig.

        When several have one and none answers, it is the first one's: whoever uses it hears why.
        """
        planes, doors, away = self._desired.target.control_planes, list[KubernetesDoor](), None
        # The one that answered last is asked first: those that are away cost time.
        for name in sorted(planes, key=lambda plane: plane != self._answered):
            try:
                content = await self._readers[name].read(ADMIN_CONF)
            except Unavailable as error:
                away = away or error
                continue
            own = [self._open(content, server) for server in self._servers(name, content)] if content else []
            doors += own
            if len(planes) == len(own) == 1:
                return own[0]
            for door in own:
                if await _answers(door):
                    self._answered = name
                    return door
        if not doors and away is not None:
            # Whether there is a cluster is not known: that is another thing than that there is none.
            raise away
        return doors[0] if doors else None

    def _servers(self, name: str, content: bytes) -> list[_Server]:
        """Return where the API server of a control plane is asked, in order; an endpoint before it may not be up yet.

        That of an adopted cluster has the certificate and perhaps the port that its owner chose: the file names both.
        """
        target, address = self._desired.target, self._desired.machines[name].spec.address
        own = _Server(f"https://{address}:{api_port(target)}")
        if target.origin == "Made":
            return [own]
        named = urlsplit(yaml.safe_load(content)["clusters"][0]["cluster"]["server"])
        tls = named.hostname or ""
        there = _Server(f"https://{address}:{named.port or DEFAULT_API_PORT}", tls)
        found = [replace(own, tls_name=tls), there, _Server(named.geturl())]
        return list({server.url: server for server in reversed(found)}.values())[::-1]

    def _open(self, content: bytes, server: _Server) -> KubernetesDoor:
        key = f"{server.url} {server.tls_name} {hashlib.sha256(content).hexdigest()}"
        if key not in self._clusters:
            config = yaml.safe_load(content)
            for cluster in config["clusters"]:
                cluster["cluster"]["server"] = server.url
                if server.tls_name:
                    cluster["cluster"]["tls-server-name"] = server.tls_name
            self._clusters[key] = KubernetesDoor(yaml.safe_dump(config).encode())
        return self._clusters[key]


@dataclass(frozen=True, slots=True)
class _Server:
    """An address of an API server; `tls_name` is what its certificate is for, empty: the address."""

    url: str
    tls_name: str = ""


async def _answers(door: KubernetesDoor) -> bool:
    """Tell whether it is an API server of the cluster that answers; one that lets us in no further does, too."""
    try:
        async with asyncio.timeout(PROBE):
            await door.get("/version")
    except (ClusterUnavailable, CertificateUntrusted, TimeoutError):
        return False
    except (ClusterDenied, ClusterRefused):
        return True
    return True
