"""The virtual IP of control planes, kept by real keepalived on lab machines: it goes where an API server can be used.

The cluster is made with one control plane behind the address, grows to three, loses the API server that is behind it,
then the machine, and shrinks again; a client writes and reads at the address all the time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from groundplane.base.clock import utc_now
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostPool
from groundplane.operations import SystemClock, virtual_ip, wait_until
from groundplane.operations.virtual_ip import CONFIG, SCRIPT, UNIT
from groundplane_lab import Lab, LabSpec, down, execute, fresh_all, power_off, up
from groundplane_lab.lab import start

from .growing import Client, Site, client

pytestmark = pytest.mark.lab

SPEC = LabSpec("t-vip", machines=3, subnet="198.18.69.0/24")
ADDRESS = "198.18.69.200"
ONE, TWO, THREE = "t-vip-1", "t-vip-2", "t-vip-3"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"


@pytest.fixture(scope="module")
def _machines() -> Iterator[Lab]:
    yield up(SPEC)
    down(SPEC.name)


@pytest.fixture
def lab(_machines: Lab) -> Lab:
    """Three clean machines."""
    return fresh_all(_machines)


@asynccontextmanager
async def site(lab: Lab, address: str = ADDRESS) -> AsyncIterator[Site]:
    async with HostPool() as pool:
        yield Site(lab, pool, {"host": address, "provider": "VirtualIP"})


async def holders(here: Site, *names: str) -> list[str]:
    """Those of the machines that have the address now."""
    return [name for name in names if await virtual_ip.holds(here.host(name), ADDRESS)]


async def moved(here: Site, *to: str) -> str:
    """Wait until one of these machines has the address."""
    found: list[str] = []

    async def missing() -> str:
        found[:] = await holders(here, *to)
        return "" if len(found) == 1 else f"{found} have it"

    await wait_until(missing, what=f"the address on one of {to}", seconds=30, clock=SystemClock(), interval=0.3)
    return found[0]


async def test_the_address_follows_an_api_server_that_can_be_used(lab: Lab) -> None:
    async with site(lab) as here:
        plan = await here.grow([TWO])
        assert "virtual-ip/t-vip-2" in {step.name for step in plan.steps}
        assert await holders(here, ONE, TWO, THREE) == [TWO]
        assert here.record.kubeconfig is not None
        assert f"https://{ADDRESS}:6443".encode() in here.record.kubeconfig
        async with client(here.record.kubeconfig) as busy:
            await here.grow([ONE, TWO, THREE])
            # The first API server starts anew when etcd gets its second member, so the address is elsewhere by now.
            now = await moved(here, ONE, TWO, THREE)
            now = await an_api_server_fails(here, busy, now)
            now = await a_machine_fails(here, busy, now)
            await the_holder_is_taken_out(here, busy, now)
        assert busy.lost == []


async def an_api_server_fails(here: Site, busy: Client, name: str) -> str:
    """Its manifest is taken away, and put back when the address is elsewhere: there it stays."""
    execute(here.lab, name, ["mv", _MANIFEST, "/root/kube-apiserver.yaml"])
    now = await moved(here, *(one for one in (ONE, TWO, THREE) if one != name))
    assert await holders(here, name) == []
    await busy.goes_on()
    execute(here.lab, name, ["mv", "/root/kube-apiserver.yaml", _MANIFEST])
    execute(here.lab, name, ["sh", "-c", f"until {SCRIPT}; do sleep 0.3; done"])
    await busy.goes_on()
    assert await holders(here, ONE, TWO, THREE) == [now]
    return now


async def a_machine_fails(here: Site, busy: Client, name: str) -> str:
    power_off(here.lab, name)
    now = await moved(here, *(one for one in (ONE, TWO, THREE) if one != name))
    await busy.goes_on()
    start(here.lab, name)
    execute(here.lab, name, ["sh", "-c", f"until {SCRIPT}; do sleep 0.3; done"])
    await busy.goes_on()
    await here.settles()
    assert await holders(here, ONE, TWO, THREE) == [now]
    return now


async def the_holder_is_taken_out(here: Site, busy: Client, name: str) -> None:
    stay = [one for one in (ONE, TWO, THREE) if one != name]
    plan = await here.take_out(name, [ONE, TWO, THREE])
    assert [step.name for step in plan.steps if step.step == "virtual-ip"] == [f"virtual-ip/{one}" for one in stay]
    assert len(await holders(here, *stay)) == 1
    await busy.goes_on()
    facts = await survey(here.host(name), now=utc_now)
    assert (facts.virtual_ip.address, facts.virtual_ip.active) == ("", False)
    for path in (CONFIG, SCRIPT):
        assert await here.host(name).stat(path) is None
    assert execute(here.lab, name, ["sh", "-c", f"systemctl is-enabled {UNIT} || true"]).strip() == "disabled"
    left = (await here.host(stay[0]).query(["cat", CONFIG])).text
    assert here.lab.machine(name).address not in left


async def test_an_address_that_somebody_has_is_not_taken(lab: Lab) -> None:
    taken = lab.machine(THREE).address
    async with site(lab, taken) as here:
        with pytest.raises(AssertionError, match="another machine has it"):
            await here.grow([ONE])
        assert not (await here.host(ONE).query(["systemctl", "is-active", UNIT])).ok
        assert (await here.host(ONE).query(["ip", "-o", "addr", "show", "to", taken])).text.strip() == ""
