"""The embedded engine: store, API server and controllers in one process and one event loop.

Order matters: the store is locked first (a second process on the same data is refused before it does anything), the
server answers before the controllers start, and all of it ends in the reverse order.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from starlette.types import ASGIApp

from groundplane.base.clock import rfc3339, utc_now
from groundplane.base.errors import Denied
from groundplane.base.logbook import Logbook
from groundplane.base.settings import Settings
from groundplane.base.tasks import TaskOwner
from groundplane.catalog import load_site, runtimes
from groundplane.controllers.manager import Manager
from groundplane.kube.kubeconfig import Access, Kubeconfig, render_kubeconfig, write_kubeconfig
from groundplane.server import certificates
from groundplane.server.about.settings import Setting, settings_in_force
from groundplane.server.access.bootstrap import create_roles
from groundplane.server.access.keeper import Keeper
from groundplane.server.admission import Admission
from groundplane.server.app import build
from groundplane.server.authn.tokens import Tokens
from groundplane.server.collector import Collector, create_namespaces
from groundplane.server.config import read_config_file
from groundplane.server.definitions import publish_definitions
from groundplane.server.front import Front, front
from groundplane.server.gateway.doors import Doors
from groundplane.server.health import Health
from groundplane.server.http import Server, Terminals
from groundplane.server.local import LocalClient
from groundplane.server.metrics import Gauge, Labels, Registry
from groundplane.server.renewal import Renewal
from groundplane.server.run import listen, serve
from groundplane.server.service import ADMINISTRATORS, Service
from groundplane.store.keys import KeyFile, source_of
from groundplane.store.resealing import Resealing
from groundplane.store.restore import finish
from groundplane.store.sealing import Sealer
from groundplane.store.sqlite import open_sqlite

ADMINISTRATOR = "admin"
CONTEXT = "groundplane"
TOKEN_LIFE = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Ready:
    """What a user needs once Groundplane answers; `token` of the first administrator only when it was made now."""

    url: str
    kubeconfig: Path
    token: str = field(default="", repr=False)


class HomeRefused(Denied):
    """The home cannot hold secrets as it is."""


async def run_embedded(settings: Settings, *, ready: Callable[[Ready], None]) -> None:
    """Run until SIGTERM or SIGINT; `ready` is called once the API answers and the controllers are at work."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with embedded(settings) as facts:
            ready(facts)
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncIterator[Ready]:
    """Run the engine for the length of the block."""
    _make_home(settings.home)
    finish(settings.home)
    load_site(settings.home)
    keys = source_of(settings.home, settings.seal_command)
    if isinstance(keys, KeyFile):
        keys.make()
    sealer = Sealer(keys)
    store = await open_sqlite(settings.home / "state.db", sealed={"secrets": sealer})
    try:
        bound = listen(settings.host, settings.port)
        files = certificates.ensure(settings.home, names=(settings.host,))
        service = Service(store, Admission(store, runtimes))
        await create_namespaces(service)
        await publish_definitions(service)
        await create_roles(service)
        tokens = Tokens(settings.home / "tokens.json")
        logbook = Logbook(settings.home / "logs")
        stopping = asyncio.Event()
        manager = Manager(LocalClient(service), settings, logbook)
        collector = Collector(service)
        file = read_config_file(settings.config)
        doors = Doors(store, settings.exec_plugins)
        health, metrics = _health(collector, manager, files), _metrics(manager)
        known = settings_in_force(settings, file)
        beside = _Beside(logbook, stopping, doors, manager.terminals, health, metrics, known)
        async with (
            aclosing(doors),
            front(settings.home, file.config, tokens, service.accounts) as guard,
            serve(
                _app(settings, guard, service, beside), files, bound, stopping, limits=guard.connections
            ) as listening,
            TaskOwner("engine") as owner,
        ):
            owner.start(collector.run(), name="collector")
            owner.start(Keeper(service).run(), name="roles")
            owner.start(manager.run(), name="controllers")
            owner.start(Renewal(settings.home, (settings.host,), listening.context).run(), name="certificate")
            owner.start(Resealing(store, sealer).run(), name="sealing")
            await collector.listed.wait()
            await manager.listed()
            token = _first_administrator(settings, tokens, listening.url, files.ca)
            yield Ready(url=listening.url, kubeconfig=settings.home / "admin.kubeconfig", token=token)
    finally:
        await store.close()


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the server is told of its surroundings."""

    logbook: Logbook
    stopping: asyncio.Event
    gateway: Doors
    terminals: Terminals
    health: Health
    metrics: Registry
    settings: tuple[Setting, ...]


def _app(settings: Settings, guard: Front, service: Service, beside: _Beside) -> ASGIApp:
    address = f"{settings.host}:{settings.port}"
    stopping, logbook = beside.stopping, beside.logbook
    return build(
        Server(
            service,
            stopping,
            guard.authn,
            logbook,
            guard.limits,
            address,
            audit=guard.audit,
            logins=guard.logins,
            gateway=beside.gateway,
            terminals=beside.terminals,
            parts=guard.parts,
            health=beside.health,
            metrics=beside.metrics,
            settings=beside.settings,
        )
    )


def _metrics(manager: Manager) -> Registry:
    """Return the metrics of the parts that run beside the server."""

    def depth() -> dict[Labels, float]:
        return {(name,): count for name, count in manager.queued().items()}

    metrics = Registry()
    metrics.add(Gauge("workqueue_depth", "Objects that wait for a controller.", depth, ("name",)))
    return metrics


def _health(collector: Collector, manager: Manager, files: certificates.Certificates) -> Health:
    """Return the checks of the parts that run beside the server."""

    def certificate() -> str:
        end = certificates.until(files.server)
        return f"the server's certificate ended at {rfc3339(end)}" if end <= utc_now() else ""

    health = Health()
    health.add("collector", collector.trouble)
    health.add("controllers", manager.trouble)
    health.add("certificates", certificate)
    return health


def _make_home(home: Path) -> None:
    """Make the home for its owner alone; refuse one that others can read, for keys are kept there."""
    os.umask(0o077)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.stat().st_mode & 0o077:
        raise HomeRefused(f"cannot keep secrets in {home}: others can read it", remedy=f"chmod 700 {home}")


def _first_administrator(settings: Settings, tokens: Tokens, url: str, authority: Path) -> str:
    """Make the first administrator and the kubeconfig once; return the token only when it was made now."""
    path = settings.home / "admin.kubeconfig"
    if path.exists():
        _follow_address(path, url)
        return ""
    token = tokens.issue_token(ADMINISTRATOR, (ADMINISTRATORS,), TOKEN_LIFE)
    access = Access(server=url, ca=authority.read_bytes(), token=token)
    write_kubeconfig(path, render_kubeconfig(access, name=CONTEXT))
    return token


def _follow_address(path: Path, url: str) -> None:
    """Let our kubeconfig point to where the API is now: the port may be another one than the last time."""
    known = Kubeconfig.load([path])
    if known.current_context == CONTEXT and known.access().server != url:
        write_kubeconfig(path, render_kubeconfig(replace(known.access(), server=url), name=CONTEXT))
