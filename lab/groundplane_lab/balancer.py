"""A TCP load balancer for the API of a lab's cluster: a process of this host, on the address of the lab's bridge.

It stands for the load balancer that a company puts before its control planes: each connection goes to the next backend
that takes it, so the API stays reachable while any one control plane is away. It looks at nothing that passes.

`ensure` starts it as a process that outlives its caller, and `stop` ends it; the lab's folder keeps who it is.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from groundplane_lab.errors import LabError
from groundplane_lab.model import Lab, state_folder
from groundplane_lab.shell import wait_until

PORT = 6443
_CONNECT_SECONDS = 1.0
_CHUNK = 1 << 16
_SECONDS = 10
_PROGRAM = "from groundplane_lab.balancer import main; main()"


def endpoint(lab: Lab) -> str:
    """The address and port of this lab's balancer: the host's own address on the lab's bridge."""
    return f"{lab.subnet.rpartition('.')[0]}.1:{PORT}"


def ensure(lab: Lab, backends: Sequence[str]) -> str:
    """Have a balancer before these addresses, and return its endpoint; one that stands before others is replaced."""
    words = [endpoint(lab), *(f"{address}:{PORT}" for address in backends)]
    noted = _noted(lab.name)
    if not _lives(noted) or noted["words"] != words:
        stop(lab.name)
        _start(lab.name, words)
    return words[0]


def stop(lab: str) -> None:
    """End the balancer of a lab; fine when there is none."""
    if noted := _noted(lab):
        with suppress(ProcessLookupError):
            _end(lab, noted)
    _note(lab).unlink(missing_ok=True)


def _end(lab: str, noted: dict[str, Any]) -> None:
    """End it and wait until it is gone: its command line goes a moment before its sockets do."""
    handle = os.pidfd_open(noted["pid"])
    try:
        # Asked with the handle open: now the number cannot pass to another program unnoticed.
        if not _lives(noted):
            return
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], _SECONDS)[0]:
            raise LabError(f"the balancer of lab {lab}, process {noted['pid']}, still runs after {_SECONDS} s")
    finally:
        os.close(handle)


def _start(lab: str, words: list[str]) -> None:
    """Start it as nobody's child; it writes its note when it listens."""
    said = state_folder(lab) / "balancer.err"
    with said.open("wb") as errors:
        subprocess.run(
            ["setsid", "--fork", sys.executable, "-c", _PROGRAM, str(_note(lab)), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            check=True,
        )

    def listens() -> bool | None:
        if text := said.read_text().strip():
            raise LabError(f"cannot balance the API of lab {lab} at {words[0]}: {text.splitlines()[-1]}")
        return _lives(_noted(lab)) or None

    wait_until(f"the balancer of lab {lab} at {words[0]}", listens, seconds=_SECONDS)


def _note(lab: str) -> Path:
    return state_folder(lab) / "balancer.json"


def _noted(lab: str) -> dict[str, Any]:
    """The balancer that was started last: `pid`, `words`, and `command`, by which it is known; {} for none."""
    if not _note(lab).exists():
        return {}
    content: dict[str, Any] = json.loads(_note(lab).read_text())
    return content


def _lives(noted: dict[str, Any]) -> bool:
    """Tell whether it runs: its number may belong to another process by now."""
    return bool(noted) and _command(noted["pid"]) == noted["command"]


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


# --- the process ----------------------------------------------------------------------------------------------------


class _Balancer:
    """Backends in turn; one that refuses or does not answer is passed over for this connection."""

    def __init__(self, backends: Sequence[str]) -> None:
        self._backends = list(backends)

    async def serve(self, listen: str, listening: Callable[[], None]) -> None:
        host, _, port = listen.partition(":")
        async with await asyncio.start_server(self._pass_on, host, int(port)) as server:
            listening()
            await server.serve_forever()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = await self._connect()
        if backend is None:
            writer.transport.abort()
            return
        ways = [_copy(reader, backend[1]), _copy(backend[0], writer)]
        try:
            await asyncio.gather(*ways)
        finally:
            for end in (writer, backend[1]):
                end.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._backends.append(self._backends.pop(0))
        for backend in list(self._backends):
            host, _, port = backend.partition(":")
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await asyncio.open_connection(host, int(port))
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until one side ends, and say so to the other."""
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def main() -> None:
    """NOTE LISTEN BACKEND…: listen at the first address:port before the others, and write NOTE; until it is ended."""
    note, words = Path(sys.argv[1]), sys.argv[2:]

    def listening() -> None:
        content = {"pid": os.getpid(), "words": words, "command": _command(os.getpid())}
        unfinished = note.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(content))
        unfinished.replace(note)

    asyncio.run(_Balancer(words[1:]).serve(words[0], listening))
