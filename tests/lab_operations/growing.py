"""A lab whose cluster grows and shrinks, planned as a controller does, and a client that writes and reads meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from groundplane.api.facts import ClusterFacts
from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.api.operation import Plan
from groundplane.api.target import Desired
from groundplane.artifacts.cache import Cache
from groundplane.artifacts.delivery import ArtifactDelivery
from groundplane.artifacts.sources import Depot
from groundplane.base.clock import utc_now
from groundplane.base.errors import Refused, Unavailable
from groundplane.clusters.api import KubernetesDoor, observe
from groundplane.hosts.contract import Host
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.operations import (
    CREATE,
    REMOVE,
    RENEW,
    Doors,
    Outcome,
    Runner,
    SystemClock,
    etcd,
    make_scopes,
    wait_until,
)
from groundplane.operations.etcd import Member
from groundplane.plan.create import plan_create
from groundplane.plan.planes import leave, rooted
from groundplane.plan.remove import plan_remove
from groundplane_lab import Lab

from .driver import Record, desired

STEPS = {"Create": CREATE, "Remove": REMOVE, "RenewCertificates": RENEW}


@dataclass
class Site:
    """The lab with its cluster, reached at `endpoint`: which machines are in it, and as what."""

    lab: Lab
    pool: HostPool
    endpoint: dict[str, Any]
    record: Record = field(default_factory=lambda: Record(verbose=True))
    abandoned: set[str] = field(default_factory=set)

    def host(self, name: str) -> Host:
        machine, key = self.lab.machine(name), self.lab.private_key.read_bytes()
        return self.pool.connect(
            HostAccess(name=name, address=machine.address, private_keys=(key,), host_key=machine.host_key)
        )

    def wish(self, planes: Sequence[str], workers: Sequence[str] = ()) -> Desired:
        """These machines, and no other."""
        whole = desired(self.lab, control_planes=3, controlPlane={"endpoint": self.endpoint})
        machines = {}
        for name in sorted((*planes, *workers)):
            machine = whole.machines[name]
            marks = {ANNOTATION_ABANDON: "true"} if name in self.abandoned else {}
            machines[name] = msgspec.structs.replace(
                machine,
                spec=msgspec.structs.replace(machine.spec, role="ControlPlane" if name in planes else "Worker"),
                metadata=msgspec.structs.replace(machine.metadata, annotations=marks),
            )
        target = msgspec.structs.replace(whole.target, control_planes=sorted(planes), workers=sorted(workers))
        return Desired(target=target, machines=machines)

    async def look(self, wish: Desired) -> tuple[dict[str, Any], ClusterFacts]:
        """Survey machines that are not given up, and observe the cluster."""
        names = [name for name in wish.machines if name not in self.abandoned]
        facts = await asyncio.gather(*(survey(self.host(name), now=utc_now) for name in names))
        if self.record.kubeconfig is None:
            return dict(zip(names, facts, strict=True)), ClusterFacts()
        async with KubernetesDoor(self.record.kubeconfig) as door:
            seen = await observe(door)
        return dict(zip(names, facts, strict=True)), msgspec.structs.replace(seen, kubeconfig_published=True)

    async def run(self, wish: Desired, plan: Plan) -> Outcome:
        self.record.notes.clear()
        depot = Depot(Cache(Path.home() / ".cache/groundplane"))
        doors = Doors(
            hosts={name: self.host(name) for name in wish.machines},
            delivery=ArtifactDelivery(depot, wish.target.sources),
            journal=self.record,
            log=self.record.log,
            published_kubeconfig=self.record.published,
            publish_kubeconfig=self.record.publish,
        )
        async with make_scopes(wish, doors) as scopes:
            return await Runner(plan, steps=STEPS[plan.action], scopes=scopes, recorder=self.record).run()

    async def grow(self, planes: Sequence[str], workers: Sequence[str] = ()) -> Plan:
        """Bring the cluster to these machines; nothing is left to plan afterwards."""
        wish = self.wish(planes, workers)
        facts, seen = await self.look(wish)
        wish = rooted(wish, facts, seen)
        plan = plan_create(wish, facts, seen)
        outcome = await self.run(wish, plan)
        assert outcome.phase == "Succeeded", outcome
        left = plan_create(wish, *await self.look(wish))
        assert left.steps == [], left.steps
        return plan

    async def take_out(self, name: str, planes: Sequence[str], workers: Sequence[str] = ()) -> Plan:
        """Take one machine out of a cluster of these; there is nothing left to do then."""
        wish = self.wish(planes, workers)
        facts, seen = await self.look(wish)
        wish = leave(rooted(wish, facts, seen), [name])
        plan = plan_remove(wish, facts, seen, [name])
        outcome = await self.run(wish, plan)
        assert outcome.phase == "Succeeded", outcome
        if name not in self.abandoned:
            assert plan_remove(wish, *await self.look(wish), [name]).steps == []
        return plan

    async def etcd(self, name: str) -> list[Member]:
        """The members, all of them well."""
        found = await etcd.members(self.host(name))
        assert await etcd.unwell(self.host(name), found) == ""
        return found

    async def nodes(self) -> dict[str, bool]:
        assert self.record.kubeconfig is not None
        async with KubernetesDoor(self.record.kubeconfig) as door:
            return {node.name: node.ready for node in (await observe(door)).nodes}

    async def settles(self) -> None:
        """Wait until every node is Ready: a machine that starts is reached before its kubelet tells so."""

        async def missing() -> str:
            return ", ".join(name for name, ready in (await self.nodes()).items() if not ready)

        await wait_until(missing, what="every node Ready", seconds=60, clock=SystemClock(), interval=0.3)


@dataclass
class Client:
    """Writes a number, reads it back, and goes on; what the API once took has to be there ever after.

    How long it waits at most is no matter of a test: an etcd of one member that gets a second one answers nobody until
    that one runs, which takes as long as the machines are slow.
    """

    kubeconfig: bytes
    written: int = 0
    lost: list[str] = field(default_factory=list)

    async def goes_on(self) -> None:
        """Wait until a few more got through."""
        goal = self.written + 3

        async def missing() -> str:
            return "" if self.written >= goal else f"{self.written} written"

        await wait_until(missing, what=f"{goal} written", seconds=60, clock=SystemClock(), interval=0.3)

    async def run(self) -> None:
        path = "/api/v1/namespaces/default/configmaps/counter"
        while True:
            number = self.written + 1
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "counter", "namespace": "default"},
                "data": {"number": str(number)},
            }
            # A door of its own for each: one that is open already says nothing about the way there.
            with contextlib.suppress(Unavailable, Refused):
                async with KubernetesDoor(self.kubeconfig, timeout=5) as door:
                    before: Any = await door.get(path)
                    if before is not None and int(before["data"]["number"]) < self.written:
                        self.lost.append(f"{self.written} was written, {before['data']['number']} was read")
                    await door.apply(body)
                    self.written = number
                    await asyncio.sleep(0.2)


@asynccontextmanager
async def client(kubeconfig: bytes) -> AsyncIterator[Client]:
    made = Client(kubeconfig)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
