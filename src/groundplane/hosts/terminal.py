"""A shell or a command on a machine that a person works with: bytes both ways, a size, and a status at the end."""

from __future__ import annotations

import contextlib
from typing import Literal

from .access import HostAccess
from .channels import Process
from .contract import Size
from .errors import HostUnreachable
from .link import translated

_CHUNK = 32 * 1024


class Terminal:
    """What was started. In a terminal, both outputs come as one: `stdout`."""

    def __init__(self, process: Process, access: HostAccess) -> None:
        self._process = process
        self._access = access

    async def read(self, stream: Literal["stdout", "stderr"] = "stdout") -> bytes:
        """Return what was printed next, b"" at the end. Raises HostUnreachable for a cut."""
        reader = self._process.stdout if stream == "stdout" else self._process.stderr
        async with translated(self._access, "go on with the terminal"):
            return await reader.read(_CHUNK)

    async def write(self, data: bytes) -> None:
        """Type; waits while nobody reads it. What is typed after the end is dropped."""
        with contextlib.suppress(OSError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    def end_input(self) -> None:
        """Say that nothing more is typed."""
        with contextlib.suppress(OSError):
            self._process.stdin.write_eof()

    def resize(self, size: Size) -> None:
        """Tell of another size."""
        with contextlib.suppress(OSError):
            self._process.change_terminal_size(size.columns, size.rows)

    async def ended(self) -> int:
        """Wait for the end and return the exit status, that of a signal negative. Raises HostUnreachable for a cut."""
        await self._process.wait_closed()
        if self._process.returncode is None:
            raise HostUnreachable(f"cannot go on with the terminal on {self._access.place}: the connection was cut")
        return self._process.returncode
