"""One run of one Operation: the frozen plan and target, the doors, the record, put together for the runner."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from groundplane.api.machine import Machine
from groundplane.api.operation import Operation
from groundplane.api.target import Desired
from groundplane.artifacts.delivery import ArtifactDelivery, Slots
from groundplane.artifacts.sources import Depot
from groundplane.client.contract import Object
from groundplane.hosts.contract import Host
from groundplane.operations import ACTIONS, Doors, Outcome, Runner, make_scopes

from ..members import Members
from .record import Record


@dataclass(frozen=True, slots=True)
class Uploads:
    """What all Operations of the process share: the way to the files, and how many are sent at once."""

    depot: Depot
    slots: Slots = field(default_factory=Slots)


@dataclass(frozen=True, slots=True)
class Execution:
    """`cluster` is the Cluster as a document; `machines` are the target's members."""

    operation: Operation
    machines: list[Machine]
    cluster: Object
    record: Record

    async def run(
        self, hosts: Mapping[str, Host], members: Members, uploads: Uploads, cancel: asyncio.Event
    ) -> Outcome:
        """Run the plan to its end. Cancelled from outside, it leaves the Operation Running, to be run again."""
        spec = self.operation.spec
        namespace = self.operation.metadata.namespace

        async def published() -> bytes | None:
            return await members.kubeconfig(namespace, spec.cluster_ref.name, uid=self.cluster["metadata"]["uid"])

        async def publish(kubeconfig: bytes) -> None:
            await members.publish(self.cluster, kubeconfig)

        # All others wait for the first control plane, so what it needs goes first. A deletion may have none left.
        first = {hosts[name].name for name in spec.target.control_planes[:1]}
        doors = Doors(
            hosts=hosts,
            delivery=ArtifactDelivery(uploads.depot, spec.target.sources, slots=uploads.slots, first=first),
            journal=self.record,
            log=self.record.log,
            published_kubeconfig=published,
            publish_kubeconfig=publish,
        )
        desired = Desired(target=spec.target, machines={m.metadata.name: m for m in self.machines})
        async with make_scopes(desired, doors) as scopes:
            runner = Runner(
                spec.plan,
                steps=ACTIONS[spec.plan.action],
                scopes=scopes,
                recorder=self.record,
                cancel=cancel,
                previous=dict(self.record.steps),
            )
            return await runner.run()
