"""Write load from several clients on one server until it dies, and a watch that goes on over its lives."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Any

import httpx2

from groundplane.client.contract import Object, Resource
from groundplane.client.http import HttpClient, HttpOptions
from groundplane.kube.errors import Gone, ServerUnavailable
from groundplane.kube.kubeconfig import Access

from .ledger import Film, Ledger, State

CONFIGMAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
NAMESPACE = "default"
_PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
_NAMES = 5
_OPTIONS = HttpOptions(timeout=60.0)


def _body(name: str, text: str, revision: int = 0) -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": NAMESPACE}
    if revision:
        metadata["resourceVersion"] = str(revision)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": text}}


def _state(document: Object) -> State:
    return State(int(document["metadata"]["resourceVersion"]), document["data"]["text"])


def connect(access: Access) -> httpx2.AsyncClient:
    """Open a plain HTTP client: here the answers themselves count, not what our client makes of them."""
    context = ssl.create_default_context(cadata=access.ca.decode())
    headers = {"authorization": f"Bearer {access.token}"}
    return httpx2.AsyncClient(verify=context, base_url=access.server, headers=headers, timeout=60.0, trust_env=False)


async def read(access: Access) -> tuple[dict[str, State], int]:
    """Return all objects by name, and the list's revision."""
    async with connect(access) as http:
        answer = (await http.get(_PATH)).raise_for_status().json()
    return {i["metadata"]["name"]: _state(i) for i in answer["items"]}, int(answer["metadata"]["resourceVersion"])


async def write_one(http: httpx2.AsyncClient, ledger: Ledger, name: str, text: str) -> int:
    """Create or replace one object and return the answer's code; raises httpx2.RequestError when there is none."""
    held = ledger.objects.get(name)
    body = _body(name, text, held.revision if held else 0)
    answer = await (http.put(f"{_PATH}/{name}", json=body) if held else http.post(_PATH, json=body))
    if answer.is_success:
        ledger.wrote(name, _state(answer.json()))
    else:
        assert answer.status_code == 500, f"writing {name} was answered with {answer.text}"
    return answer.status_code


class Lane:
    """One client that writes one name after the other."""

    def __init__(self, number: int, ledger: Ledger, chance: random.Random) -> None:
        self._number = number
        self._ledger = ledger
        self._chance = chance
        self._count = 0

    async def run(self, access: Access, answered: Callable[[int], None]) -> None:
        """Write until the server is gone; `answered` is given the code of each answer."""
        async with connect(access) as http:
            while code := await self._step(http):
                answered(code)

    async def _step(self, http: httpx2.AsyncClient) -> int:
        self._count += 1
        name = f"lane-{self._number}-{self._chance.randrange(_NAMES)}"
        text: str | None = f"{name} {self._count} " * self._chance.randrange(20, 150)
        if name in self._ledger.objects and self._chance.random() < 0.25:
            text = None
        try:
            if text is not None:
                code = await write_one(http, self._ledger, name, text)
            else:
                code = (await http.delete(f"{_PATH}/{name}")).status_code
        except httpx2.RequestError:
            self._ledger.lost_sight(name, text)
            return 0
        assert code in (200, 201, 500), f"the answer to writing {name} was {code}"
        if code == 500:
            self._ledger.refused += 1
        elif text is None:
            self._ledger.deleted(name)
        return code


async def follow(access: Access, film: Film, seen: asyncio.Event) -> None:
    """Watch from the film's last revision until the server is gone, and set `seen` at each event."""
    async with HttpClient(access, _OPTIONS) as client:
        while True:
            try:
                async with client.watch(CONFIGMAPS, namespace=NAMESPACE, resource_version=str(film.revision)) as events:
                    async for event in events:
                        if event.type != "BOOKMARK":
                            film.take(event.type, event.object["metadata"]["name"], _state(event.object))
                        seen.set()
            except Gone as error:
                raise AssertionError(f"the watch cannot go on from revision {film.revision}") from error
            except ServerUnavailable:
                return
