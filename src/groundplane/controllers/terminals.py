"""Terminals on Machines for people, whatever the controllers do there meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from groundplane.api.machine import Machine
from groundplane.base.errors import Refused
from groundplane.hosts.contract import Size
from groundplane.hosts.terminal import Terminal

from .access import Access
from .objects import Objects


class Terminals:
    """Opens them by the name of the Machine."""

    def __init__(self, objects: Objects, access: Access) -> None:
        self._objects = objects
        self._access = access

    @asynccontextmanager
    async def open(self, namespace: str, name: str, argv: Sequence[str], size: Size | None) -> AsyncIterator[Terminal]:
        """Start `argv`, or the login shell, in a terminal of that size or without one; it ends with the block."""
        machine = await self._objects.find(Machine, namespace, name)
        if machine is None:
            raise Refused(f"cannot open a terminal on machine {namespace}/{name}: it is not there any more")
        async with self._access.terminal(machine, argv, size) as terminal:
            yield terminal
