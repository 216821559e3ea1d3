"""The server in the running event loop: uvicorn over TLS, ready when its socket accepts, gone within two seconds.

Signals are the process's business, not uvicorn's. Streams end when `Server.stopping` is set, before connections
are closed, so that watchers see a normal end and resume elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from groundplane.base.errors import Refused

from .certificates import Certificates
from .connection import DEFAULT_LIMITS, ConnectionLimits, factory

STOP_SECONDS = 2
# How long a peer without a request has to answer TLS's goodbye.
_GOODBYE_SECONDS = 0.2


class CannotListen(Refused):
    """The address cannot be used."""


def _abort(connection: Any) -> None:
    if connection.transport is not None:
        connection.transport.abort()


def _sever(addresses: list[tuple[str, int]]) -> int:
    """Shut what was accepted at these addresses; return how many connections were left.

    What is in a TLS handshake is known to nobody but the loop, which cannot be closed before it has gone.
    """
    left = 0
    for name in os.listdir("/dev/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                left += _shut(os.dup(int(name)), addresses)
        except OSError:
            # It was closed meanwhile, such as the list of the folder itself.
            continue
    return left


def _shut(descriptor: int, addresses: list[tuple[str, int]]) -> bool:
    with socket.socket(fileno=descriptor) as found:
        if found.getsockname()[:2] not in addresses:
            return False
        try:
            found.shutdown(socket.SHUT_RDWR)
        except OSError:
            # Not a connected one.
            return False
        return True


class _Uvicorn(uvicorn.Server):
    """Uvicorn that tells when it accepts and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, limits: ConnectionLimits) -> None:
        super().__init__(config)
        self._limits = limits
        self._addresses: list[tuple[str, int]] = []
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen with our own protocol and a handshake that has to be done in time, which uvicorn cannot set."""
        await self.lifespan.startup()
        make = factory(self._limits, config=self.config, server_state=self.server_state, app_state={})
        loop = asyncio.get_running_loop()
        self._addresses = [bound.getsockname()[:2] for bound in sockets or ()]
        self.servers = [
            await loop.create_server(
                make,
                sock=bound,
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=self._limits.handshake,
                ssl_shutdown_timeout=self._limits.slow_reader,
            )
            for bound in sockets or ()
        ]
        self.started = True
        self.accepting.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End connections, those too whose peer does not answer TLS's goodbye: one of them would hold up the loop."""
        cutting = asyncio.create_task(self._cut(), name="api-server/cut")
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()
            await asyncio.gather(cutting, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while _sever(self._addresses):  # noqa: ASYNC110 - the loop tells nobody of them
                    await asyncio.sleep(0.01)

    async def _cut(self) -> None:
        await asyncio.sleep(_GOODBYE_SECONDS)
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                _abort(connection)
        # Short of uvicorn's own patience, so that nothing is left for it to complain of.
        await asyncio.sleep(STOP_SECONDS - 2 * _GOODBYE_SECONDS)
        for connection in list(self.server_state.connections):
            _abort(connection)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server answers, and with which TLS context: a certificate loaded there serves new connections."""

    host: str
    port: int
    context: ssl.SSLContext

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one. Raises CannotListen naming address and remedy."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotListen(
            f"cannot listen on {host}:{port}: {error.strerror}",
            remedy="stop the program that uses this port, or set GROUNDPLANE_LISTEN to another address",
        ) from error
    return bound


def _config(app: ASGIApp, certificates: Certificates) -> uvicorn.Config:
    def context(config: uvicorn.Config, make: Any) -> ssl.SSLContext:
        made: ssl.SSLContext = make()
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.verify_mode = ssl.CERT_OPTIONAL
        made.load_verify_locations(cafile=str(certificates.client_ca))
        return made

    return uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_SECONDS,
        ssl_certfile=str(certificates.server),
        ssl_keyfile=str(certificates.server_key),
        ssl_context_factory=context,
    )


@asynccontextmanager
async def serve(
    app: ASGIApp,
    certificates: Certificates,
    bound: socket.socket,
    stopping: asyncio.Event,
    *,
    limits: ConnectionLimits = DEFAULT_LIMITS,
) -> AsyncIterator[Listening]:
    """Serve `app` on the bound socket for the length of the block."""
    server = _Uvicorn(_config(app, certificates), limits)
    running = asyncio.create_task(server.serve([bound]), name="api-server")
    accepting = asyncio.create_task(server.accepting.wait(), name="api-server/accepting")
    try:
        await asyncio.wait({running, accepting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        host, port = bound.getsockname()[:2]
        yield Listening(host, port, cast("ssl.SSLContext", server.config.ssl))
    finally:
        accepting.cancel()
        stopping.set()
        server.should_exit = True
        await asyncio.gather(running, accepting, return_exceptions=True)
