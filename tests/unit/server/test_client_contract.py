"""Both ends of the client against the built-in server: one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from groundplane.client import http
from groundplane.client.contract import Client
from groundplane.client.http import HttpClient
from groundplane.kube.kubeconfig import Access
from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.local import LocalClient
from groundplane.server.run import listen, serve
from support.client_contract import MAPS, Case, config_map, every_case

from .conftest import Start


@asynccontextmanager
async def clients(start: Start, folder: Path) -> AsyncIterator[dict[str, Client]]:
    async with start() as running:
        files = certificates.ensure(folder / "home")
        bound = listen("127.0.0.1", 0)
        async with serve(build(running.server), files, bound, running.server.stopping) as listening:
            token = running.bearer["authorization"].removeprefix("Bearer ")
            async with HttpClient(Access(listening.url, ca=files.ca.read_bytes(), token=token)) as remote:
                yield {"in process": LocalClient(running.service), "over HTTP": remote}


@pytest.mark.parametrize("end", ["in process", "over HTTP"])
@every_case
async def test_the_client(start: Start, tmp_path: Path, end: str, case: Case) -> None:
    async with clients(start, tmp_path) as ends:
        await case(ends[end], "subject")


async def test_a_list_in_pages_is_the_same_as_one_in_process(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_PAGE", 3)
    async with clients(start, tmp_path) as ends:
        for number in range(10):
            await ends["in process"].create(MAPS, config_map(f"m{number}"))
        whole, paged = [await client.list(MAPS, namespace="default") for client in ends.values()]
        assert len(whole.items) == 10
        assert whole == paged
