"""Two writes at the same moment cannot both pass a rule that either of them breaks for the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from .conftest import GROUP, Start

MACHINES = f"{GROUP}/machines"
MERGE = {"content-type": "application/merge-patch+json"}


def machine(name: str, address: str, jump: str = "") -> dict[str, Any]:
    ssh = {"ssh": {"jump": {"address": jump}}} if jump else {}
    return {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Machine",
        "metadata": {"name": name},
        "spec": {"address": address, **ssh},
    }


async def test_of_many_machines_of_one_address_exactly_one_is_created(start: Start) -> None:
    async with start() as running:
        bodies = [machine(f"m{n}", "198.18.7.1") for n in range(20)]
        answers = await asyncio.gather(*(running.http.post(MACHINES, json=body) for body in bodies))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 422: 19}
        assert "one host is one Machine" in next(a for a in answers if a.status_code == 422).json()["message"]
        assert len((await running.http.get(MACHINES)).json()["items"]) == 1


async def test_of_many_machines_that_move_to_one_address_exactly_one_arrives(start: Start) -> None:
    async with start() as running:
        for n in range(8):
            await running.http.post(MACHINES, json=machine(f"m{n}", f"198.18.7.{n + 1}"))
        move = {"spec": {"address": "198.18.7.99"}}
        urls = [f"{MACHINES}/m{n}" for n in range(8)]
        answers = await asyncio.gather(*(running.http.patch(url, json=move, headers=MERGE) for url in urls))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 422: 7}


async def test_machines_of_one_address_behind_different_jump_hosts_do_not_refuse_each_other(start: Start) -> None:
    async with start() as running:
        bodies = [machine(f"m{n}", "198.18.7.1", jump=f"198.18.8.{n + 1}") for n in range(5)]
        answers = await asyncio.gather(*(running.http.post(MACHINES, json=body) for body in bodies))
        assert {answer.status_code for answer in answers} == {201}


async def test_a_write_with_another_address_does_not_wait_for_a_held_one(start: Start) -> None:
    async with start() as running:
        service = running.service
        resource = service.resources.by_stored["machines.groundplane.dev"]
        async with service.admission.claim(resource, machine("held", "198.18.7.1")):
            waiting = asyncio.ensure_future(running.http.post(MACHINES, json=machine("a", "198.18.7.1")))
            passed = await running.http.post(MACHINES, json=machine("b", "198.18.7.2"))
            assert passed.status_code == 201
            assert not waiting.done()
        assert (await waiting).status_code == 201


async def test_an_address_is_free_again_when_its_machine_moved_or_is_gone(start: Start) -> None:
    async with start() as running:
        url = "/apis/groundplane.dev/v1alpha1/namespaces/default/machines"
        body = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Machine"}

        async def put_up(name: str, address: str) -> int:
            machine = {**body, "metadata": {"name": name}, "spec": {"address": address}}
            return (await running.http.post(url, json=machine)).status_code

        assert await put_up("one", "10.0.0.1") == 201
        assert await put_up("two", "10.0.0.1") == 422
        merge = {"content-type": "application/merge-patch+json"}
        moved = await running.http.patch(f"{url}/one", json={"spec": {"address": "10.0.0.2"}}, headers=merge)
        assert moved.status_code == 200
        assert await put_up("two", "10.0.0.1") == 201
        assert await put_up("three", "10.0.0.2") == 422
        assert (await running.http.delete(f"{url}/one")).status_code == 200
        assert await put_up("three", "10.0.0.2") == 201
