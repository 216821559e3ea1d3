"""A TCP proxy on loopback that does to connections what bad networks do: resets, silence, delay, refusal."""

from __future__ import annotations

import asyncio
import socket
import struct

_RESET = struct.pack("ii", 1, 0)


class ChaosProxy:
    """Forwards to `port` while entered; TLS goes through untouched."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._links: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._open = asyncio.Event()
        self._open.set()
        self._frozen: set[asyncio.Task[None]] = set()
        self.refusing = False
        self.delay = 0.0
        self.accepted = 0

    async def __aenter__(self) -> ChaosProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.reset()
        await asyncio.gather(*self._links, return_exceptions=True)

    def reset(self) -> None:
        """Cut every connection with a TCP reset."""
        for task, writers in self._links.items():
            for writer in writers:
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            task.cancel()

    def freeze(self) -> None:
        """Forward nothing more on the present connections, and leave them open."""
        self._frozen |= set(self._links)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = [writer]
        self.accepted += 1
        try:
            if not self.refusing:
                await self._forward(task, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for each in self._links.pop(task):
                each.close()
            self._frozen.discard(task)

    async def _forward(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._links[task].append(inner_writer)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._pump(task, reader, inner_writer))
            both.create_task(self._pump(task, inner_reader, writer))

    async def _pump(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if task in self._frozen:
                await asyncio.Event().wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
