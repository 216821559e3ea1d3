"""A jump host behind which every address is one sshd on 127.0.0.1: a Machine may not have a loopback address."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import asyncssh


@dataclass(frozen=True)
class Jump:
    """Where it is, as a Machine names it."""

    port: int
    host_key: str

    def spec(self, secret: str) -> dict[str, object]:
        """`spec.ssh.jump` of a Machine; whatever the Secret holds is good."""
        return {"address": "localhost", "port": self.port, "hostKey": self.host_key, "secretRef": {"name": secret}}


class _Gate(asyncssh.SSHServer):
    def __init__(self, port: int, connections: list[asyncssh.SSHServerConnection]) -> None:
        self._port = port
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return False

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> object:
        return self._connection.forward_connection("127.0.0.1", self._port)


@contextlib.contextmanager
def jump_host(port: int) -> Iterator[Jump]:
    """Run one in a thread of its own, for tests with an event loop and without."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Jump]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(port, started)), name="jump host")
    thread.start()
    loop, stop, jump = started.result(20)
    try:
        yield jump
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


async def _serve(port: int, started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Jump]]) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    connections: list[asyncssh.SSHServerConnection] = []
    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: _Gate(port, connections)
    )
    stop = asyncio.Event()
    host_key = " ".join(key.export_public_key().decode().split()[:2])
    started.set_result((asyncio.get_running_loop(), stop, Jump(acceptor.get_port(), host_key)))
    await stop.wait()
    acceptor.close()
    for connection in connections:
        connection.abort()
        await connection.wait_closed()
