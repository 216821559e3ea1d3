"""Opens TCP connections for SSH, and hands them on when the server behind has spoken.

A machine that is switched off, or hangs, costs a socket and nothing else while it is waited for: the number of
handshakes at once is bounded, and a place among them is taken only by a machine that is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket


async def dialed(address: str, port: int) -> socket.socket:
    """Return a connected socket from which the server's first bytes can be read; raises OSError."""
    loop = asyncio.get_running_loop()
    refused: OSError | None = None
    for family, place in await _places(address, port):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, place)
            await _readable(connection)
        except OSError as exc:
            connection.close()
            refused = exc
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise refused or OSError(f"no address for {address}")


async def _places(address: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    with contextlib.suppress(OSError):
        socket.inet_pton(socket.AF_INET, address)
        return [(socket.AF_INET, (address, port))]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    return [(family, (str(place[0]), port)) for family, _, _, _, place in found]


async def _readable(connection: socket.socket) -> None:
    """Wait until there is something to read; an end of the connection is, too."""
    loop = asyncio.get_running_loop()
    spoken = asyncio.Event()
    loop.add_reader(connection.fileno(), spoken.set)
    try:
        await spoken.wait()
    finally:
        loop.remove_reader(connection.fileno())
