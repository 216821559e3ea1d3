"""A delivery sends only what is missing, checks what arrived, and fetches each file once for all machines.

The machine here is a folder with real files; `uploads` counts what crossed, which is the cost under test.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from groundplane.api.distribution import Artifact, Source
from groundplane.artifacts import ArtifactDelivery, Depot
from groundplane.artifacts.cache import sha256_of
from groundplane.artifacts.delivery import Slots
from groundplane.hosts.contract import FileStat

from .conftest import WebSource, artifact_of

if TYPE_CHECKING:
    from groundplane.operations.scope import Delivery

CONTENT = b"kubelet" * 10000
PATH = "/usr/bin/kubelet"


class FolderMachine:
    """A machine whose files are below `root`. `gate` holds its uploads up."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root / name
        self.uploads = 0
        self.order: list[str] = []
        self.together: set[str] = set()
        self.most = 0
        self.gate: asyncio.Barrier | None = None

    def _local(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    async def digest(self, path: str) -> str | None:
        local = self._local(path)
        return sha256_of(local) if local.exists() else None

    async def stat(self, path: str) -> FileStat | None:
        local = self._local(path)
        return FileStat(mode=local.stat().st_mode & 0o7777, size=local.stat().st_size) if local.exists() else None

    async def upload(self, source: str, path: str, *, mode: int = 0o644, sha256: str = "") -> None:
        self.uploads += 1
        self.order.append(self.name)
        assert sha256 == sha256_of(Path(source))
        self.together.add(self.name)
        self.most = max(self.most, len(self.together))
        if self.gate is not None:
            await self.gate.wait()
        local = self._local(path)
        local.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, local)
        local.chmod(mode)
        self.together.discard(self.name)

    async def run(self, argv: Sequence[str]) -> object:
        assert argv[0] == "chmod"
        self._local(argv[2]).chmod(int(argv[1], 8))
        return None


@pytest.fixture
def artifact() -> Artifact:
    return artifact_of(CONTENT)


@pytest.fixture
def delivery(depot: Depot, web: WebSource) -> ArtifactDelivery:
    web.files["bin/kubelet"] = CONTENT
    return ArtifactDelivery(depot, [Source(type="HTTP", url=web.url)])


async def test_a_file_arrives_with_its_mode(delivery: ArtifactDelivery, artifact: Artifact, tmp_path: Path) -> None:
    machine = FolderMachine("shop-1", tmp_path)
    await delivery.deliver(machine, artifact, PATH, mode=0o755)
    assert (tmp_path / "shop-1/usr/bin/kubelet").read_bytes() == CONTENT
    assert await machine.stat(PATH) == FileStat(mode=0o755, size=len(CONTENT))


async def test_a_file_that_is_right_already_is_neither_fetched_nor_sent(
    delivery: ArtifactDelivery, web: WebSource, artifact: Artifact, tmp_path: Path
) -> None:
    machine = FolderMachine("shop-1", tmp_path)
    (tmp_path / "shop-1/usr/bin").mkdir(parents=True)
    (tmp_path / "shop-1/usr/bin/kubelet").write_bytes(CONTENT)
    await delivery.deliver(machine, artifact, PATH, mode=0o755)
    assert (machine.uploads, web.requests) == (0, [])
    assert await machine.stat(PATH) == FileStat(mode=0o755, size=len(CONTENT))


async def test_many_machines_at_once_cost_one_fetch_and_stay_within_the_slots(
    depot: Depot, web: WebSource, artifact: Artifact, tmp_path: Path
) -> None:
    web.files["bin/kubelet"] = CONTENT
    slots = Slots(3)
    delivery = ArtifactDelivery(depot, [Source(type="HTTP", url=web.url)], slots=slots)
    machines = [FolderMachine(f"shop-{n}", tmp_path) for n in range(9)]
    gate = asyncio.Barrier(3)
    for machine in machines:
        machine.gate = gate
        machine.together = machines[0].together
    await asyncio.gather(*[delivery.deliver(machine, artifact, PATH) for machine in machines])
    assert web.requests == ["/bin/kubelet"]
    assert [machine.uploads for machine in machines] == [1] * 9
    assert max(machine.most for machine in machines) == 3


async def test_the_machines_that_all_others_wait_for_are_served_first(
    depot: Depot, web: WebSource, artifact: Artifact, tmp_path: Path
) -> None:
    web.files["bin/kubelet"] = CONTENT
    slots = Slots(1)
    delivery = ArtifactDelivery(depot, [Source(type="HTTP", url=web.url)], slots=slots, first={"shop-3"})
    machines = [FolderMachine(f"shop-{n}", tmp_path) for n in range(1, 4)]
    for machine in machines:
        machine.order = machines[0].order
    async with slots.place(0):
        deliveries = [asyncio.create_task(delivery.deliver(machine, artifact, PATH)) for machine in machines]
        while slots.waiting < 3:
            await asyncio.sleep(0.001)
    await asyncio.gather(*deliveries)
    assert machines[0].order == ["shop-3", "shop-1", "shop-2"]


async def test_a_place_that_was_given_up_goes_to_the_next() -> None:
    slots = Slots(1)

    async def hold() -> None:
        async with slots.place(1):
            await asyncio.Event().wait()

    async with slots.place(0):
        quitter = asyncio.create_task(hold())
        while not slots.waiting:
            await asyncio.sleep(0)
        quitter.cancel()
        await asyncio.gather(quitter, return_exceptions=True)
    async with asyncio.timeout(5), slots.place(1):
        assert slots.waiting == 0


def as_the_steps_see_it(delivery: ArtifactDelivery) -> Delivery:
    """Checked by mypy: what is delivered to is a hosts.contract.Host."""
    return delivery
