"""A cluster grows to three control planes and shrinks again, loses its first one, and has a dead one replaced.

One cluster goes through all of it behind a load balancer of the user's, while a client writes and reads through the
API without pause. Each plan is made from real surveys, as a controller makes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from groundplane.api.facts import ClusterFacts, MachineFacts
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
from groundplane.operations import CREATE, REMOVE, RENEW, Doors, Outcome, Runner, etcd, make_scopes
from groundplane.operations.etcd import Member
from groundplane.plan.create import plan_create
from groundplane.plan.planes import leave, rooted
from groundplane.plan.remove import plan_remove
from groundplane.plan.renew import plan_renew
from groundplane_lab import Lab, LabSpec, down, fresh, fresh_all, power_off, up

from .driver import Record, desired

SPEC = LabSpec("t-scale", machines=3, subnet="198.18.63.0/24")
GATEWAY = "198.18.63.1"
PORT = 16443
STEPS = {"Create": CREATE, "Remove": REMOVE, "RenewCertificates": RENEW}
ONE, TWO, THREE = "t-scale-1", "t-scale-2", "t-scale-3"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield fresh_all(up(SPEC))
    down(SPEC.name)


@dataclass
class Balancer:
    """A load balancer of the user's: a new connection goes to the first API server that takes it."""

    addresses: list[str]
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def close(self) -> None:
        """End the connections that are still open."""
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        await asyncio.wait({task})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for address in self.addresses:
            try:
                async with asyncio.timeout(2):
                    there = await asyncio.open_connection(address, 6443)
            except (OSError, TimeoutError):
                continue
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()


@dataclass
class Site:
    """The lab with its cluster: which machines are in it, and as what."""

    lab: Lab
    pool: HostPool
    record: Record = field(default_factory=lambda: Record(verbose=True))
    abandoned: set[str] = field(default_factory=set)

    def host(self, name: str) -> Host:
        machine, key = self.lab.machine(name), self.lab.private_key.read_bytes()
        return self.pool.connect(
            HostAccess(name=name, address=machine.address, private_keys=(key,), host_key=machine.host_key)
        )

    def wish(self, planes: Sequence[str], workers: Sequence[str] = ()) -> Desired:
        """These machines, and no other."""
        endpoint = {"host": GATEWAY, "port": PORT, "provider": "External"}
        whole = desired(self.lab, control_planes=3, controlPlane={"endpoint": endpoint})
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


@asynccontextmanager
async def site(lab: Lab) -> AsyncIterator[Site]:
    addresses = [machine.address for machine in lab.machines]
    balancer = Balancer(addresses)
    door = await asyncio.start_server(balancer, GATEWAY, PORT)
    async with HostPool() as pool:
        try:
            yield Site(lab, pool)
        finally:
            door.close()
            await balancer.close()


@dataclass
class Client:
    """Writes a number, reads it back, and goes on; what the API once took has to be there ever after."""

    kubeconfig: bytes
    written: int = 0
    lost: list[str] = field(default_factory=list)
    longest: float = 0.0

    async def run(self) -> None:
        path = "/api/v1/namespaces/default/configmaps/counter"
        last = time.monotonic()
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
                self.longest = max(self.longest, time.monotonic() - last)
                last = time.monotonic()
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


# kubeadm gives its CA the serial number 0.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
async def test_one_three_one_with_the_first_control_plane_gone_and_a_dead_one_replaced(lab: Lab) -> None:
    async with site(lab) as here:
        await here.grow([TWO])
        founded = [member.name for member in await here.etcd(TWO)]
        assert founded == [TWO]
        assert here.record.kubeconfig is not None
        async with client(here.record.kubeconfig) as busy:
            # The new ones come before the living one by name.
            await here.grow([ONE, TWO, THREE])
            assert {member.name for member in await here.etcd(TWO)} == {ONE, TWO, THREE}
            assert await here.nodes() == {ONE: True, TWO: True, THREE: True}

            await a_dead_one_is_replaced(here)
            await certificates_are_renewed(here)
            await the_first_one_goes(here)
        assert busy.lost == []
        assert busy.written > 20
        assert busy.longest < 30


async def a_dead_one_is_replaced(here: Site) -> None:
    power_off(here.lab, THREE)
    wish = here.wish([ONE, TWO, THREE])
    alive = here.wish([ONE, TWO])
    facts, seen = await here.look(alive)
    with pytest.raises(Unavailable, match=f"cannot take {THREE} out") as refused:
        plan_remove(rooted(wish, facts, seen), facts, seen, [THREE])
    assert ANNOTATION_ABANDON in refused.value.remedy

    here.abandoned.add(THREE)
    plan = await here.take_out(THREE, [ONE, TWO, THREE])
    assert {step.step for step in plan.steps} == {"etcd-member", "delete-node", "routes"}
    assert {member.name for member in await here.etcd(ONE)} == {ONE, TWO}
    assert THREE not in await here.nodes()
    here.abandoned.clear()
    here.lab = fresh(here.lab, THREE)
    plan = await here.grow([ONE, TWO], [THREE])
    assert {step.machine for step in plan.steps} == {THREE, ""}
    assert await here.nodes() == {ONE: True, TWO: True, THREE: True}


async def certificates_are_renewed(here: Site) -> None:
    wish = here.wish([ONE, TWO], [THREE])
    facts, seen = await here.look(wish)
    before = {name: leaves(facts[name]) for name in (ONE, TWO)}
    assert before[ONE]
    published = here.record.kubeconfig
    plan = plan_renew(rooted(wish, facts, seen), facts, seen)
    outcome = await here.run(wish, plan)
    assert outcome.phase == "Succeeded", outcome
    facts, _ = await here.look(wish)
    for name, found in before.items():
        assert all(end > found[path] for path, end in leaves(facts[name]).items()), name
        assert not (await here.host(name).query(["ls", "/var/lib/groundplane/renewal"])).ok
    assert here.record.kubeconfig != published
    assert await here.nodes() == {ONE: True, TWO: True, THREE: True}
    assert {member.name for member in await here.etcd(ONE)} == {ONE, TWO}
    assert any("/etc/kubernetes/pki/ca.crt ends 20" in note for note in plan.notes)


def leaves(facts: MachineFacts) -> dict[str, str]:
    """The ends of what kubeadm signed for the control plane, by path."""
    found = [one for one in facts.certificates if one.path.startswith("/etc/kubernetes/") and not one.authority]
    return {one.path: one.not_after for one in found if not one.path.endswith("kubelet.conf")}


async def the_first_one_goes(here: Site) -> None:
    plan = await here.take_out(TWO, [ONE, TWO], [THREE])
    assert [step.step for step in plan.steps] == [
        "drain", "etcd-member", "reset", "delete-node", "restore", "routes"
    ]  # fmt: skip
    assert [member.name for member in await here.etcd(ONE)] == [ONE]
    assert await here.nodes() == {ONE: True, THREE: True}
    assert (await survey(here.host(TWO), now=utc_now)).kubeadm.owner == ""

    await here.take_out(THREE, [ONE], [THREE])
    assert await here.nodes() == {ONE: True}
    wish = here.wish([ONE])
    facts, seen = await here.look(wish)
    with pytest.raises(Refused, match="no control plane would be left"):
        plan_remove(rooted(wish, facts, seen), facts, seen, [ONE])
