"""The application over the in-memory store, and ways to call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from groundplane.base.logbook import Logbook
from groundplane.catalog import runtimes
from groundplane.server.access.bootstrap import create_roles
from groundplane.server.admission import Admission
from groundplane.server.app import build
from groundplane.server.authn.bearer import Bearer
from groundplane.server.authn.chain import Chain
from groundplane.server.authn.tokens import Tokens
from groundplane.server.collector import create_namespaces
from groundplane.server.definitions import publish_definitions
from groundplane.server.http import Limits, Server
from groundplane.server.service import Service
from groundplane.store.memory import open_memory

GROUP = "/apis/groundplane.dev/v1alpha1/namespaces/default"
FOUNDATION: dict[str, Any] = {
    "apiVersion": "groundplane.dev/v1alpha1",
    "kind": "Foundation",
    "metadata": {"name": "f"},
    "spec": {"kubernetes": {"version": "v1.20.2"}},
}
SECRET: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "MQ=="}}


@dataclass
class Running:
    """A server without a socket. `http` calls it as an administrator."""

    server: Server
    http: httpx2.AsyncClient
    tokens: Tokens
    logbook: Logbook
    bearer: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.server.service

    def anonymous(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(build(self.server)), base_url="https://gp")


Start = Callable[[], AbstractAsyncContextManager[Running]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a context manager that runs the application inside the test's event loop."""

    @asynccontextmanager
    async def running() -> AsyncIterator[Running]:
        store = await open_memory()
        service = Service(store, Admission(store, runtimes), bookmark_seconds=0.05)
        await create_namespaces(service)
        await publish_definitions(service)
        await create_roles(service)
        tokens = Tokens(tmp_path / "tokens")
        logbook = Logbook(tmp_path / "logs")
        server = Server(
            service, asyncio.Event(), Chain(Bearer(tokens, service.accounts)), logbook, Limits(request=5, body=1)
        )
        token = tokens.issue_token("admin", ("system:masters",), timedelta(hours=1))
        bearer = {"authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(build(server))
        async with httpx2.AsyncClient(transport=transport, base_url="https://gp", headers=bearer) as http:
            yield Running(server, http, tokens, logbook, bearer)
        await store.close()

    return running
