"""A cluster grows to three control planes and shrinks again, loses its first one, and has a dead one replaced.

One cluster goes through all of it behind a load balancer of the user's, while a client writes and reads through the
API without pause. Each plan is made from real surveys, as a controller makes it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from groundplane.api.facts import MachineFacts
from groundplane.api.meta import ANNOTATION_ABANDON
from groundplane.base.clock import utc_now
from groundplane.base.errors import Refused, Unavailable
from groundplane.clusters.api import KubernetesDoor
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostPool
from groundplane.operations import SystemClock, wait_until
from groundplane.plan.planes import rooted
from groundplane.plan.remove import plan_remove
from groundplane.plan.renew import plan_renew
from groundplane_lab import Lab, LabSpec, down, fresh, fresh_all, power_off, up

from .growing import Site, client

SPEC = LabSpec("t-scale", machines=3, subnet="198.18.63.0/24")
GATEWAY = "198.18.63.1"
PORT = 16443
KUBEADM = "/usr/local/bin/kubeadm"
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
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:
            # What is still to be sent would be waited for.
            writer.transport.abort()
            raise
        finally:
            # Here and now, also while it looks for a server: a connection must not outlive the loop.
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for address in self.addresses:
            try:
                async with asyncio.timeout(2):
                    there = await asyncio.open_connection(address, 6443)
            except (OSError, TimeoutError):
                continue
            await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()


@asynccontextmanager
async def site(lab: Lab) -> AsyncIterator[Site]:
    addresses = [machine.address for machine in lab.machines]
    balancer = Balancer(addresses)
    door = await asyncio.start_server(balancer, GATEWAY, PORT)
    async with HostPool() as pool:
        try:
            yield Site(lab, pool, {"host": GATEWAY, "port": PORT, "provider": "External"})
        finally:
            door.close()
            await balancer.close()


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

            await busy.goes_on()
            await every_node_hears_of_a_service(here)
            changes = (a_dead_one_is_replaced, a_renewal_fails_half_way, certificates_are_renewed, the_first_one_goes)
            for change in changes:
                await change(here)
                await busy.goes_on()
        assert busy.lost == []


async def every_node_hears_of_a_service(here: Site) -> None:
    """A watch that was given out while the only member of etcd got a second one would be deaf for minutes."""
    assert here.record.kubeconfig is not None
    async with KubernetesDoor(here.record.kubeconfig) as door:
        await door.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "heard", "namespace": "default"},
                "spec": {"ports": [{"port": 80, "protocol": "TCP"}]},
            }
        )

    async def missing() -> str:
        rules = {name: await here.host(name).query(["iptables-save"]) for name in (ONE, TWO, THREE)}
        return ", ".join(name for name, shown in rules.items() if "default/heard" not in shown.text)

    await wait_until(missing, what="kube-proxy's rules of a new Service", seconds=60, clock=SystemClock())


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


_HALF_WAY = f"""#!/bin/sh
[ "$1" = certs ] || exec {KUBEADM}.whole "$@"
{KUBEADM}.whole certs renew apiserver && {KUBEADM}.whole certs renew etcd-server
echo "error: no more of them" >&2
exit 1
"""


async def a_renewal_fails_half_way(here: Site) -> None:
    """kubeadm has renewed some of the certificates when it fails: all are as they were, and in use."""
    wish = here.wish([ONE, TWO], [THREE])
    facts, seen = await here.look(wish)
    before = {name: leaves(facts[name]) for name in (ONE, TWO)}
    published = here.record.kubeconfig
    host = here.host(ONE)
    await host.run(["mv", KUBEADM, f"{KUBEADM}.whole"])
    await host.write(KUBEADM, _HALF_WAY.encode(), mode=0o755)
    outcome = await here.run(wish, plan_renew(rooted(wish, facts, seen), facts, seen))
    await host.run(["mv", f"{KUBEADM}.whole", KUBEADM])

    assert outcome.phase == "Failed"
    assert "no more of them" in outcome.message
    facts, _ = await here.look(wish)
    assert {name: leaves(facts[name]) for name in (ONE, TWO)} == before
    assert here.record.kubeconfig == published
    assert await here.nodes() == {ONE: True, TWO: True, THREE: True}
    assert {member.name for member in await here.etcd(ONE)} == {ONE, TWO}


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
