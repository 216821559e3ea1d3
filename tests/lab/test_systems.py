"""One machine of each Debian, surveyed: the system is told apart, and the script runs on what it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from groundplane.base.clock import utc_now
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane_lab import Lab, LabSpec, down, up
from groundplane_lab.image import SUITES

pytestmark = pytest.mark.lab


@pytest.fixture(params=sorted(SUITES))
def debian(request: pytest.FixtureRequest) -> Iterator[Lab]:
    version = str(request.param)
    name = f"t-debian-{version}"
    yield up(LabSpec(name=name, machines=1, subnet=f"198.18.{int(version) + 60}.0/24", debian=version))
    down(name)


async def test_a_machine_of_each_debian_is_surveyed(debian: Lab) -> None:
    [machine] = debian.machines
    key = Path(debian.private_key).read_bytes()
    for user in ("root", "admin"):
        access = HostAccess(
            name=machine.name, address=machine.address, host_key=machine.host_key, private_keys=(key,), user=user
        )
        async with HostPool() as pool:
            facts = await survey(pool.connect(access), utc_now)
        assert (facts.os.id, facts.os.version_id, facts.os.family) == ("debian", debian.debian, "debian")
        assert facts.systemd
        assert facts.network.addresses == [f"{machine.address}/24"]
        assert facts.network.default_route
        assert abs(facts.time.offset_seconds) < 1
        assert facts.runtime("containerd").installed
        assert [handler.name for handler in facts.handlers] == ["runc"]
        assert {disk.path for disk in facts.disks} >= {"/", "/var/lib/containerd"}
        assert "CONFIG_BPF" in facts.kernel.config
        assert 22 in {one.port for one in facts.listening}
        assert len(facts.abilities) == 12
