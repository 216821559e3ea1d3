"""The controllers on real parts: store, admission, in-process client, SSH to scripted machines; only time is ours."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import SECRET_SSH, Condition, find_condition
from groundplane.api.operation import Operation, OperationPhase
from groundplane.artifacts.cache import Cache
from groundplane.artifacts.sources import Depot
from groundplane.base.clock import utc_now
from groundplane.base.logbook import Logbook
from groundplane.base.settings import Settings
from groundplane.catalog import runtimes
from groundplane.client.contract import Object
from groundplane.client.errors import Conflict
from groundplane.client.informer import Name, ObjectChange
from groundplane.client.typed import EVENTS, RESOURCES, SECRETS
from groundplane.controllers.access import Access
from groundplane.controllers.cluster import (
    Adoption,
    ClusterReconciler,
    Identities,
    ImportedReconciler,
    Memberships,
)
from groundplane.controllers.distribution import DistributionReconciler
from groundplane.controllers.fleet import FleetIndex
from groundplane.controllers.foundation import FoundationReconciler
from groundplane.controllers.machine import MachineReconciler
from groundplane.controllers.members import Members
from groundplane.controllers.objects import Kind, Objects
from groundplane.controllers.operation import OperationReconciler, Uploads
from groundplane.controllers.schedule import Schedule
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.server.admission import Admission
from groundplane.server.collector import create_namespaces
from groundplane.server.local import LocalClient
from groundplane.server.service import Service
from groundplane.store.contract import Store
from groundplane.store.memory import open_memory

from .site import Host, Site, site

NAMESPACE = "default"
PASSWORD = "scripted"
GROUP = "groundplane.dev/v1alpha1"
_BINARY = {"type": "Binary", "sha256": "0" * 64, "architecture": "amd64"}
_IMAGE = {"type": "Image", "sha256": "0" * 64, "architecture": "amd64"}
SETTLE = 3


class Clock:
    """The present, moved on by the test."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


def document(kind: str, name: str, **spec: Any) -> Object:
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}


def distribution() -> Object:
    """A release with everything that a control plane and a worker need; its files are nowhere."""
    binaries = [{"name": name, "path": name, **_BINARY} for name in ("kubeadm", "kubelet", "kubectl")]
    archive = [{**_BINARY, "name": "cni-plugins", "path": "cni.tgz", "type": "Archive"}]
    images = [
        {"name": name, "path": f"{name}.tar", "image": f"k8s.gcr.io/{name}:{tag}", **_IMAGE}
        for name, tag in (
            ("kube-apiserver", "v1.20.2"),
            ("kube-controller-manager", "v1.20.2"),
            ("kube-scheduler", "v1.20.2"),
            ("kube-proxy", "v1.20.2"),
            ("pause", "3.2"),
            ("etcd", "3.4.13-0"),
            ("coredns", "1.7.0"),
        )
    ]
    release = {"version": "v1.20.2", "artifacts": [*binaries, *archive, *images]}
    return document(
        "Distribution", "native", sources=[{"type": "HTTP", "url": "https://127.0.0.1:1"}], releases=[release]
    )


def foundation(name: str = "ground") -> Object:
    return document(
        "Foundation",
        name,
        operatingSystem={"settings": {"swap": "Disabled", "timeSync": "Ignored"}},
        kubernetes={"distribution": "native", "version": "v1.20.2"},
        runtime={"name": "containerd"},
    )


def cluster(name: str = "shop", **spec: Any) -> Object:
    return document("Cluster", name, **({"foundationRef": {"name": "ground"}, "addons": {"dns": "None"}} | spec))


def secret(name: str = "key", password: str = PASSWORD) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": SECRET_SSH,
        "data": {"password": base64.b64encode(password.encode()).decode()},
    }


@dataclass
class World:
    """`look` lets a controller look at one object once."""

    store: Store
    client: LocalClient
    objects: Objects
    site: Site
    clock: Clock
    access: Access
    events: EventRecorder
    logbook: Logbook
    reconcilers: dict[type[Any], Any]
    identities: Identities
    imported: ImportedReconciler
    memberships: Memberships
    adoption: Adoption
    fleet: FleetIndex
    schedule: Schedule
    known: dict[str, Object] = field(default_factory=dict)

    async def sum_up(self, foundation: str = "ground") -> None:
        """Tell the fleet of every Cluster that changed since the last time, as its informer does, and look."""
        listed = {item["metadata"]["name"]: item for item in (await self.client.list(RESOURCES[Cluster])).items}
        for name in {**self.known, **listed}:
            old, new = self.known.get(name), listed.get(name)
            if old != new:
                self.fleet.notice(ObjectChange(Name(NAMESPACE, name), old, new))
        self.known = listed
        await self.look(Foundation, foundation)

    async def look(self, kind: type[Any], name: str) -> Again:
        """Let the kind's controller look; a conflict is tried again at once, as its loop does after a moment."""
        for _ in range(5):
            with contextlib.suppress(Conflict):
                again: Again = await self.reconcilers[kind](ObjectKey(NAMESPACE, name))
                return again
        raise AssertionError(f"{kind.__name__} {name}: five conflicts in a row")

    async def look_settled(self, name: str = "shop") -> None:
        """Let the Cluster controller look until inputs that stay the same have been acted upon."""
        for _ in range(3):
            await self.look(Cluster, name)
            self.clock.advance(SETTLE)
        await self.look(Cluster, name)

    async def writes(self, kind: type[Any], name: str) -> int:
        """Count what one look writes."""
        before = await self.store.revision()
        await self.look(kind, name)
        return await self.store.revision() - before

    async def add(self, *documents: Object) -> None:
        for one in documents:
            resource = SECRETS if one["kind"] == "Secret" else RESOURCES[_struct(one["kind"])]
            await self.client.create(resource, one)

    async def add_all(self, workers: int = 1, name: str = "shop", **spec: Any) -> list[Host]:
        """Everything for one cluster with one control plane."""
        await self.add(secret(), distribution(), foundation(), cluster(name, **spec))
        return [await self.add_machine(f"{name}-{n}", n, cluster=name) for n in range(1, workers + 2)]

    async def add_machine(self, name: str, number: int, *, cluster: str = "shop", key: str = "key") -> Host:
        """Switch a host on and make its Machine; the first is the control plane."""
        host = await self.site.add(name, f"198.18.9.{10 + number}")
        await self.add(self.machine(host, cluster, "ControlPlane" if number == 1 else "Worker", key))
        return host

    def machine(self, host: Host, cluster: str, role: str, key: str = "key") -> Object:
        jump = {
            "address": "localhost",
            "port": self.site.port,
            "secretRef": {"name": key},
            "hostKey": self.site.host_key,
        }
        ssh = {"secretRef": {"name": key}, "jump": jump}
        return document("Machine", host.name, address=host.address, clusterRef={"name": cluster}, role=role, ssh=ssh)

    async def get(self, kind: type[Kind], name: str) -> Kind:
        found = await self.objects.find(kind, NAMESPACE, name)
        assert found is not None, f"{kind.__name__} {name} is gone"
        return found

    async def condition(self, kind: type[Kind], name: str, condition: str) -> Condition:
        found = find_condition((await self.get(kind, name)).status.conditions, condition)
        assert found is not None, condition
        return found

    async def operations(self, action: str = "") -> list[Operation]:
        found = await self.objects.all(Operation, namespace=NAMESPACE)
        return sorted(
            (o for o in found if action in ("", o.spec.plan.action)), key=lambda o: int(o.metadata.resource_version)
        )

    async def only_operation(self, action: str = "") -> Operation:
        found = await self.operations(action)
        assert len(found) == 1, [(o.metadata.name, o.status.phase) for o in found]
        return found[0]

    async def end(self, operation: Operation, phase: OperationPhase, *, started: bool = True) -> None:
        """Say that an Operation has ended, in its controller's place."""
        status = msgspec.structs.replace(
            operation.status,
            phase=phase,
            progress="said by the test",
            started_at="2026-01-01T00:00:00Z" if started else "",
        )
        await self.objects.write_status(await self.get(Operation, operation.metadata.name), status)

    async def patch(self, kind: type[Any], name: str, **patch: Any) -> None:
        await self.client.patch(RESOURCES[kind], NAMESPACE, name, patch)

    async def annotate(self, kind: type[Any], name: str, key: str, value: str) -> None:
        await self.patch(kind, name, metadata={"annotations": {key: value}})

    async def delete(self, kind: type[Any] | str, name: str) -> None:
        resource = SECRETS if kind == "Secret" else RESOURCES[kind]
        await self.client.delete(resource, NAMESPACE, name)

    async def told(self, reason: str) -> list[Object]:
        """The events with this reason."""
        return [e for e in (await self.client.list(EVENTS)).items if e["reason"] == reason]

    async def finalizers(self, kind: type[Any] | str, name: str) -> list[str]:
        resource = SECRETS if kind == "Secret" else RESOURCES[kind]
        found: list[str] = (await self.client.get(resource, NAMESPACE, name))["metadata"].get("finalizers", [])
        return found


def _struct(kind: str) -> type[Any]:
    return {struct.__name__: struct for struct in RESOURCES}[kind]


def settings(folder: Path, *plugins: str) -> Settings:
    """Settings of a Groundplane in the folder, which may run these commands to log in."""
    return Settings(
        home=folder, cache=folder / "cache", kubeconfig=folder / "k", host="127.0.0.1", port=0, exec_plugins=plugins
    )


def _world(folder: Path, store: Store, client: LocalClient, machines: Site, clock: Clock) -> World:
    """Put the controllers together, each as its manager does."""
    objects, events = Objects(client), EventRecorder(client, now=clock)
    fleet, identities, schedule = FleetIndex(), Identities(), Schedule()
    access, members = Access(objects, now=clock), Members(objects, now=clock, survey_every=600)
    logbook, uploads = Logbook(folder / "logs"), Uploads(Depot(Cache(folder / "cache")))
    operation = OperationReconciler(objects, access, members, events, logbook=logbook, uploads=uploads, now=clock)
    cluster, memberships = ClusterReconciler(objects, access, members, events, now=clock), Memberships()
    adoption = Adoption(objects, access, memberships, cluster.deletion, now=clock)
    may_run = settings(folder, "/bin/false")
    imported = ImportedReconciler(objects, identities, adoption, events, settings=may_run, now=clock)
    return World(
        store,
        client,
        objects,
        machines,
        clock,
        access,
        events,
        logbook,
        reconcilers={
            Cluster: cluster,
            Machine: MachineReconciler(objects, access, events, schedule=schedule, now=clock),
            Operation: operation,
            Foundation: FoundationReconciler(objects, fleet, events, now=clock),
            Distribution: DistributionReconciler(objects, now=clock),
        },
        identities=identities,
        imported=imported,
        memberships=memberships,
        adoption=adoption,
        fleet=fleet,
        schedule=schedule,
    )


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Run a world without objects."""
    clock = Clock()
    store = await open_memory()
    service = Service(store, Admission(store, runtimes))
    await create_namespaces(service)
    try:
        async with site(clock) as machines:
            made = _world(folder, store, LocalClient(service), machines, clock)
            try:
                yield made
            finally:
                await made.access.close()
    finally:
        await store.close()
