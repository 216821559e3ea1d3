"""The server in the running event loop: over TLS, ready when its socket accepts, gone within two seconds.

Signals are the process's business. Streams end when `Server.stopping` is set, before connections
are closed, so that watchers see a normal end and resume elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from groundplane.base.errors import Refused

from .certificates import Certificates
from .connection import DEFAULT_LIMITS, Connection, ConnectionLimits, Site

STOP_SECONDS = 2
_BACKLOG = 2048
# How long a peer without a request has to answer TLS's goodbye.
_GOODBYE_SECONDS = 0.2


class CannotListen(Refused):
    """The address cannot be used."""


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


class _Accepting:
    """The listening sockets, what they accepted, and how all of it ends."""

    def __init__(self, app: ASGIApp, limits: ConnectionLimits) -> None:
        self._site = Site(app, limits, asyncio.get_running_loop())
        self._servers: list[asyncio.Server] = []
        self._addresses: list[tuple[str, int]] = []

    async def start(self, bound: socket.socket, context: ssl.SSLContext) -> None:
        self._addresses.append(bound.getsockname()[:2])
        limits = self._site.limits
        server = await self._site.loop.create_server(
            lambda: Connection(self._site),
            sock=bound,
            ssl=context,
            backlog=_BACKLOG,
            ssl_handshake_timeout=limits.handshake,
            ssl_shutdown_timeout=limits.slow_reader,
        )
        self._servers.append(server)

    async def stop(self) -> None:
        """End connections, those too whose peer does not answer TLS's goodbye: one of them would hold up the loop."""
        for server in self._servers:
            server.close()
        site = self._site
        for connection in list(site.connections):
            connection.shut()
        if not await self._over(_GOODBYE_SECONDS):
            for connection in list(site.connections):
                if connection.unasked:
                    connection.out.abort()
            if not await self._over(STOP_SECONDS - 2 * _GOODBYE_SECONDS):
                await self._cut_off()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while _sever(self._addresses):  # noqa: ASYNC110 - the loop tells nobody of them
                    await asyncio.sleep(0.01)

    async def _over(self, seconds: float) -> bool:
        """Wait so long for the last connection and request to end; tell whether they have."""
        changed = asyncio.Event()
        self._site.changed = changed.set
        try:
            async with asyncio.timeout(seconds):
                while self._site.connections or self._site.tasks:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return False
        return True

    async def _cut_off(self) -> None:
        for connection in list(self._site.connections):
            connection.out.abort()
        tasks = list(self._site.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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


def _context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificates.server, certificates.server_key)
    # Asked for, not demanded: most callers have a token.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cafile=str(certificates.client_ca))
    return context


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
    context = _context(certificates)
    accepting = _Accepting(app, limits)
    await accepting.start(bound, context)
    try:
        host, port = bound.getsockname()[:2]
        yield Listening(host, port, context)
    finally:
        stopping.set()
        await accepting.stop()
