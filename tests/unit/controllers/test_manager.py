"""All controllers together, woken by real informers and by nothing else."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from groundplane.api.cluster import Cluster
from groundplane.api.machine import Machine
from groundplane.api.meta import is_true
from groundplane.base.settings import Settings
from groundplane.base.tasks import TaskOwner
from groundplane.client.informer import Name, ObjectChange
from groundplane.client.typed import RESOURCES, SECRETS
from groundplane.controllers import wiring
from groundplane.controllers.manager import Manager

from .world import PASSWORD, World, cluster, distribution, foundation, secret, world


@contextlib.asynccontextmanager
async def managed(folder: Path) -> AsyncIterator[World]:
    async with world(folder) as site:
        home = folder / "home"
        settings = Settings(home=home, cache=folder / "cache", kubeconfig=home / "k", host="127.0.0.1", port=0)
        manager = Manager(site.client, settings, site.logbook)
        async with TaskOwner("test") as owner:
            owner.start(manager.run(), name="controllers")
            yield site


async def until(site: World, kind: type[Any], done: Callable[[], Awaitable[bool]], *, seconds: float = 20) -> None:
    """Follow the objects of a kind until `done` holds."""
    async with asyncio.timeout(seconds):
        while True:
            version = await site.store.revision()
            if await done():
                return
            async with site.client.watch(RESOURCES[kind], resource_version=str(version)) as events:
                async for event in events:
                    if event.type != "BOOKMARK":
                        break


async def test_one_apply_leads_to_surveyed_machines_and_one_operation(tmp_path: Path) -> None:
    async with managed(tmp_path) as site:
        await site.add(cluster(change={"approval": "Manual"}), secret(), distribution(), foundation())
        for number in (1, 2, 3):
            await site.add_machine(f"shop-{number}", number)

        async def waiting() -> bool:
            return (await site.get(Cluster, "shop")).status.operation_ref is not None

        await until(site, Cluster, waiting)
        operation = await site.only_operation()
        assert operation.spec.target.members == ["shop-1", "shop-2", "shop-3"]

        async def ready() -> bool:
            machines = [await site.get(Machine, name) for name in operation.spec.target.members]
            return all(is_true(machine.status.conditions, "Ready") for machine in machines)

        await until(site, Machine, ready)


async def test_a_world_at_rest_is_not_written_to(tmp_path: Path) -> None:
    async with managed(tmp_path) as site:
        await site.add_all(change={"approval": "Manual"})

        async def waiting() -> bool:
            operations = await site.operations()
            return bool(operations) and operations[0].status.phase == "AwaitingApproval"

        from groundplane.api.operation import Operation

        await until(site, Operation, waiting)

        async def said() -> bool:
            conditions = (await site.get(Cluster, "shop")).status.conditions
            return any(c.reason == "AwaitingApproval" for c in conditions)

        await until(site, Cluster, said)
        await quiet(site)


async def quiet(site: World) -> None:
    """Pass when nothing is written for a second and a half; what is under way now has five seconds to end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 6.5
    last, since = await site.store.revision(), loop.time()
    while loop.time() - since < 1.5:
        await asyncio.sleep(0.05)
        now = await site.store.revision()
        if now != last:
            last, since = now, loop.time()
        assert loop.time() < deadline, "the controllers go on writing"


async def test_a_mended_secret_wakes_its_machine_at_once(tmp_path: Path) -> None:
    async with managed(tmp_path) as site:
        await site.add(secret(password="wrong"))
        await site.add_machine("shop-1", 1)

        async def denied() -> bool:
            return any(c.reason == "HostDenied" for c in (await site.get(Machine, "shop-1")).status.conditions)

        await until(site, Machine, denied)
        data = {"password": base64.b64encode(PASSWORD.encode()).decode()}
        await site.client.patch(SECRETS, "default", "key", {"data": data})

        async def reachable() -> bool:
            return is_true((await site.get(Machine, "shop-1")).status.conditions, "Reachable")

        # A denied login is tried again by itself only after minutes.
        await until(site, Machine, reachable, seconds=10)


async def test_a_cluster_that_loses_a_machine_is_looked_at_again(tmp_path: Path) -> None:
    async with managed(tmp_path) as site:
        await site.add_all(2, change={"approval": "Manual"})

        async def counted(number: int) -> bool:
            return (await site.get(Cluster, "shop")).status.machines == number

        await until(site, Cluster, lambda: counted(3))
        await site.patch(Machine, "shop-3", spec={"clusterRef": None, "role": None})
        await until(site, Cluster, lambda: counted(2))


def test_machines_hear_what_became_known_of_their_cluster_and_not_each_look_at_it() -> None:
    def seen(**facts: object) -> dict[str, object]:
        return {"metadata": {"namespace": "default", "name": "shop"}, "status": {"facts": facts} if facts else {}}

    key = Name("default", "shop")
    native = seen(platform={"name": "native"}, version="v1.20.2", observedAt="one")
    assert wiring.learnt_of_cluster(ObjectChange(key, seen(), native))
    again = seen(platform={"name": "native"}, version="v1.20.2", observedAt="two")
    assert not wiring.learnt_of_cluster(ObjectChange(key, native, again))
    assert wiring.learnt_of_cluster(ObjectChange(key, native, seen(platform={"name": "tke"}, version="v1.20.2")))
