"""The API server alone, as a process of its own: over SQLite and TLS, with the collector, without controllers.

    python -m tests.support.api_server HOME [PORT]

It prints one JSON line with its URL, an administrator's token and a token of a user without rights, and ends with
its standard input. The line "compact" there makes it forget the history of its objects; it answers "compacted".
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import uvloop

from groundplane.base.clock import utc_now
from groundplane.base.collecting import keep_what_is_there
from groundplane.base.logbook import Logbook
from groundplane.base.logs import configure_logging
from groundplane.base.settings import read_settings
from groundplane.base.tasks import TaskOwner
from groundplane.catalog import load_site, runtimes
from groundplane.controllers.access import Access
from groundplane.controllers.objects import Objects
from groundplane.controllers.terminals import Terminals
from groundplane.server import certificates
from groundplane.server.about.settings import Setting, settings_in_force
from groundplane.server.access.bootstrap import create_roles
from groundplane.server.access.keeper import Keeper
from groundplane.server.admission import Admission
from groundplane.server.app import build
from groundplane.server.authn.tokens import Tokens
from groundplane.server.collector import Collector, create_namespaces
from groundplane.server.config import ServerConfig, read_config_file
from groundplane.server.definitions import publish_definitions
from groundplane.server.front import front
from groundplane.server.gateway.doors import Doors
from groundplane.server.http import Server
from groundplane.server.local import LocalClient
from groundplane.server.run import listen, serve
from groundplane.server.service import Service
from groundplane.store.resealing import Resealing
from groundplane.store.sealing import Sealer
from groundplane.store.sqlite import open_sqlite


def settings_of(home: Path, port: int) -> tuple[ServerConfig, tuple[Setting, ...]]:
    """Return what the settings file says, and all settings as they are told."""
    settings = read_settings({}, {"GROUNDPLANE_HOME": str(home), "GROUNDPLANE_LISTEN": f"127.0.0.1:{port}"})
    file = read_config_file(settings.config)
    return file.config, settings_in_force(settings, file)


async def main(home: Path, port: int = 0) -> None:
    load_site(home)
    sealer = Sealer(home / "seal.key")
    store = await open_sqlite(home / "state.db", sealed={"secrets": sealer})
    service = Service(store, Admission(store, runtimes))
    tokens = Tokens(home / "tokens")
    stopping = asyncio.Event()
    await create_namespaces(service)
    await publish_definitions(service)
    await create_roles(service)
    files = certificates.ensure(home)
    config, known = settings_of(home, port)
    async with front(home, config, tokens, service.accounts) as guard, AsyncExitStack() as stack:
        book = Logbook(home / "logs")
        doors = await stack.enter_async_context(aclosing(Doors(store)))
        beside = (guard.authn, book, guard.limits, "", guard.audit, guard.logins, guard.parts)
        server = Server(
            service,
            stopping,
            *beside,
            gateway=doors,
            settings=known,
            terminals=_terminals(service, stack),
        )
        owner = await stack.enter_async_context(TaskOwner("test-server"))
        bound = listen("127.0.0.1", port)
        serving = serve(build(server), files, bound, stopping, limits=guard.connections)
        listening = await stack.enter_async_context(serving)
        owner.start(Collector(service).run(), name="collector")
        owner.start(Resealing(store, sealer, seconds=0.1).run(), name="sealing")
        owner.start(Keeper(service).run(), name="roles")
        started = {
            "url": listening.url,
            "ca": str(files.ca),
            "admin": tokens.issue_token("admin", ("system:masters",), timedelta(hours=1)),
            "nobody": tokens.issue_token("nobody", (), timedelta(hours=1)),
        }
        keep_what_is_there()
        sys.stdout.write(json.dumps(started) + "\n")
        sys.stdout.flush()
        while command := await asyncio.to_thread(sys.stdin.readline):
            if command == "compact\n":
                await store.compact(await store.revision())
                sys.stdout.write("compacted\n")
                sys.stdout.flush()
    await store.close()


def _terminals(service: Service, stack: AsyncExitStack) -> Terminals:
    objects = Objects(LocalClient(service))
    access = Access(objects, now=utc_now)
    stack.push_async_callback(access.close)
    return Terminals(objects, access)


if __name__ == "__main__":
    configure_logging()
    uvloop.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
