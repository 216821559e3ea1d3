"""All controllers as one: made from a Client, run until stopped. The same in both engines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_UNIFY
from groundplane.api.operation import Operation
from groundplane.artifacts.cache import Cache
from groundplane.artifacts.sources import Depot
from groundplane.base.clock import Now, utc_now
from groundplane.base.logbook import Logbook
from groundplane.base.settings import Settings
from groundplane.base.tasks import TaskOwner
from groundplane.client.contract import Client
from groundplane.client.informer import Informer, ObjectChange
from groundplane.client.typed import RESOURCES, SECRETS
from groundplane.engine.events import EventRecorder
from groundplane.engine.loop import Controller
from groundplane.engine.queue import ObjectKey

from . import wiring
from .access import Access
from .cluster import Adoption, ClusterReconciler, Identities, ImportedReconciler, Memberships
from .distribution import DistributionReconciler
from .fleet import FleetIndex
from .foundation import FoundationReconciler
from .machine import MachineReconciler
from .members import Members
from .objects import Objects
from .operation import OperationReconciler, Uploads
from .schedule import Schedule
from .terminals import Terminals

OPERATIONS_AT_ONCE = 16
# One survey of a fleet changes many Clusters within moments: their Foundation is summed up once for all of them.
SUM_UP_AFTER = 2.0
# A cluster that does not answer holds one for as long as it is waited for; waiting costs next to nothing.
IMPORTED_AT_ONCE = 256
# Most of them wait for an answer, and one that gets none is not to delay the others.
MACHINES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Informers:
    """What the controllers watch."""

    clusters: Informer
    machines: Informer
    operations: Informer
    foundations: Informer
    distributions: Informer
    secrets: Informer

    def all(self) -> tuple[Informer, ...]:
        """Return all of them."""
        return (self.clusters, self.machines, self.operations, self.foundations, self.distributions, self.secrets)


class Manager:
    """Runs the controllers of the five kinds."""

    def __init__(self, client: Client, settings: Settings, logbook: Logbook, *, now: Now = utc_now) -> None:
        objects = Objects(client)
        events = EventRecorder(client, now=now)
        self._access = Access(objects, now=now)
        self.terminals = Terminals(objects, self._access)
        members = Members(objects, now=now, survey_every=settings.survey_every)
        uploads = Uploads(Depot(Cache(settings.cache)))
        self._operation = OperationReconciler(
            objects, self._access, members, events, logbook=logbook, uploads=uploads, now=now
        )
        self._fleet = FleetIndex()
        cluster = ClusterReconciler(objects, self._access, members, events, now=now)
        self._identities = Identities()
        self._memberships = Memberships()
        adoption = Adoption(objects, self._access, self._memberships, cluster.deletion, now=now)
        imported = ImportedReconciler(objects, self._identities, adoption, events, settings=settings, now=now)
        self.clusters = Controller("cluster", cluster)
        self.imported = Controller("imported", imported, workers=IMPORTED_AT_ONCE)
        self._schedule = Schedule(timedelta(seconds=settings.survey_every))
        machine = MachineReconciler(objects, self._access, events, schedule=self._schedule, now=now)
        self.machines = Controller("machine", machine, workers=MACHINES_AT_ONCE)
        self.operations = Controller("operation", self._operation, workers=OPERATIONS_AT_ONCE)
        self.foundations = Controller(
            "foundation", FoundationReconciler(objects, self._fleet, events, now=now), workers=1
        )
        self.distributions = Controller("distribution", DistributionReconciler(objects, now=now), workers=1)
        self._controllers = (
            self.clusters,
            self.imported,
            self.machines,
            self.operations,
            self.foundations,
            self.distributions,
        )
        self._informers = self._watch(client)

    async def listed(self) -> None:
        """Wait until the controllers have seen every object."""
        for informer in self._informers.all():
            await informer.synced.wait()

    def queued(self) -> dict[str, int]:
        """Return how many objects wait for each controller."""
        return {controller.name: len(controller.queue) for controller in self._controllers}

    def trouble(self) -> str:
        """Tell why nothing is reconciled, "" when it is."""
        waiting = [informer.resource.plural for informer in self._informers.all() if not informer.synced.is_set()]
        return f"not yet listed: {', '.join(waiting)}" if waiting else ""

    async def run(self) -> None:
        """Run until cancelled; then every task and every connection is closed."""
        informers = self._informers.all()
        try:
            async with TaskOwner("controllers") as owner:
                for informer in informers:
                    owner.start(informer.run(), name=f"watch-{informer.resource.plural}")
                for informer in informers:
                    await informer.synced.wait()
                workers = [owner.start(controller.run(), name=controller.name) for controller in self._controllers]
                await workers[0]
        finally:
            await self._access.close()

    def _watch(self, client: Client) -> Informers:
        return Informers(
            clusters=Informer(client, RESOURCES[Cluster], changed=self._on_cluster),
            machines=Informer(client, RESOURCES[Machine], changed=self._on_machine),
            operations=Informer(client, RESOURCES[Operation], changed=self._on_operation),
            foundations=Informer(client, RESOURCES[Foundation], changed=self._on_foundation),
            distributions=Informer(client, RESOURCES[Distribution], changed=self._on_distribution),
            secrets=Informer(client, SECRETS, changed=self._on_secret),
        )

    def _on_cluster(self, change: ObjectChange) -> None:
        for foundation in {*self._fleet.notice(change), *wiring.conducted_foundation(wiring.document_of(change))}:
            self.foundations.queue.add(foundation, delay=SUM_UP_AFTER)
        self._wake_clusters(self._identities.take(change))
        key, by_person = wiring.key_of(wiring.document_of(change)), wiring.by_person(change)
        if by_person:
            self._wake_clusters([key])
        # A Cluster that is new to us has its Machines come by themselves.
        if change.old is not None and (by_person or wiring.learnt_of_cluster(change)):
            wiring.wake(self.machines, wiring.machines_of_clusters({key}, self._informers.machines.list()))

    def _on_machine(self, change: ObjectChange) -> None:
        self._memberships.take(change)
        document = wiring.document_of(change)
        if wiring.by_person(change):
            self.machines.queue.add(wiring.key_of(document))
        self._wake_clusters(wiring.clusters_of_machine(change))

    def _on_operation(self, change: ObjectChange) -> None:
        document = wiring.document_of(change)
        ended = self._schedule.changes.take(document)
        if ended is not None:
            wiring.wake(self.machines, wiring.machines_of_clusters({ended}, self._informers.machines.list()))
        if wiring.by_person(change):
            self._operation.notice(change)
            self.operations.queue.add(wiring.key_of(document))
        self._wake_clusters(wiring.clusters_of_operation(document))
        for key in wiring.clusters_of_operation(document):
            cluster = self._informers.clusters.get(*key)
            if cluster is not None and wiring.annotation(document, ANNOTATION_UNIFY):
                wiring.wake(self.foundations, wiring.conducted_foundation(cluster))

    def _on_foundation(self, change: ObjectChange) -> None:
        if wiring.by_person(change):
            document = wiring.document_of(change)
            self.foundations.queue.add(wiring.key_of(document))
            clusters = set(wiring.clusters_using(document, self._informers.clusters.list()))
            self._wake_clusters(clusters)
            wiring.wake(self.machines, wiring.machines_of_clusters(clusters, self._informers.machines.list()))

    def _on_distribution(self, change: ObjectChange) -> None:
        if wiring.by_person(change):
            document = wiring.document_of(change)
            self.distributions.queue.add(wiring.key_of(document))
            self._wake_clusters(wiring.clusters_using(document, self._informers.clusters.list()))

    def _on_secret(self, change: ObjectChange) -> None:
        document = wiring.document_of(change)
        reached = list(wiring.machines_of_secret(document, self._informers.machines.list()))
        wiring.wake(self.machines, reached)
        self._wake_adopted(reached)
        wiring.wake(self.imported, wiring.clusters_of_secret(document, self._informers.clusters.list()))

    def _wake_adopted(self, machines: Iterable[ObjectKey]) -> None:
        """Ask for a look at the imported Clusters of these Machines: how they are reached is another way now."""
        for key in machines:
            document = self._informers.machines.get(*key)
            reference = document.get("spec", {}).get("clusterRef") if document else None
            if reference:
                self.imported.queue.add(ObjectKey(key.namespace, reference["name"]))

    def _wake_clusters(self, keys: Iterable[ObjectKey]) -> None:
        """Ask the controller of each Cluster's provider to look; one that is not seen yet, or any more, is both's."""
        for key in keys:
            document = self._informers.clusters.get(*key)
            provider = document.get("spec", {}).get("provider") if document else None
            if provider != "Imported":
                self.clusters.queue.add(key)
            if document is None or provider == "Imported":
                self.imported.queue.add(key)
