"""Machines over SSH: a pool of connections, and behind each the Host contract.

`HostPool.connect` costs nothing: the connection is opened at the first command, shared by everyone who has the same
access, bounded in number of commands at once, watched by keepalives, and opened again by the next call after a cut.

A command that changes things dies with its connection: a lifeline on the machine ends what still runs when the
connection does. So after a cut nothing of ours goes on unseen beside the next try.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from . import shell
from .access import HostAccess
from .channels import Channels, Idle
from .contract import FileStat, Result, Size, SurveyOutput
from .errors import CommandFailed, WriteRefused, shown
from .facts.script import MIGRATION, SURVEY
from .link import Link, Terms
from .reading import is_reading
from .terminal import Terminal
from .transfer import Source, Transfer, check_file

__all__ = ["HostAccess", "HostPool", "Limits", "Ssh"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a pool does at once, over all machines.

    `dials` are machines that are waited for until they answer, each with a file descriptor, of which a process may
    have only 1,024. `handshakes` are logins: work for this process, and too many at once would all be late. `kept` are
    connections that nobody uses: those used last stay open.
    """

    commands: int = 256
    dials: int = 512
    handshakes: int = 32
    kept: int = 64


USUAL_LIMITS = Limits()


def _ignore(access: HostAccess, line: str) -> None:
    """Take a first-seen host key and keep no note of it outside the pool."""


class HostPool:
    """Connections to machines.

    `limits` bound what happens at once. `on_host_key(access, key)` is told each host key that was trusted on first use;
    from then on the pool accepts only that key. Times are seconds; a peer that is silent for about three `keepalive`
    is taken for dead.
    """

    def __init__(
        self,
        *,
        limits: Limits = USUAL_LIMITS,
        connect_timeout: float = 15,
        keepalive: float = 10,
        on_host_key: Callable[[HostAccess, str], None] = _ignore,
    ) -> None:
        self.slots = asyncio.Semaphore(limits.commands)
        self._terms = Terms(
            connect_timeout=connect_timeout,
            keepalive=keepalive,
            dials=asyncio.Semaphore(limits.dials),
            handshakes=asyncio.Semaphore(limits.handshakes),
            on_host_key=on_host_key,
        )
        self._channels: dict[HostAccess, Channels] = {}
        self._idle = Idle(limits.kept)

    def connect(self, access: HostAccess) -> Ssh:
        """Return the machine behind `access`; nothing is sent yet."""
        return Ssh(access, self)

    async def channels(self, access: HostAccess) -> Channels:
        """Return the shared connection for `access`, which accepts only `access.host_key` when that is set."""
        key = replace(access, host_key="")
        if key not in self._channels:
            jump = (await self.channels(access.jump)).link if access.jump else None
            self._channels.setdefault(key, Channels(Link(access, jump=jump, terms=self._terms), self.slots, self._idle))
        found = self._channels[key]
        if access.host_key:
            await found.link.pin(access)
        return found

    @asynccontextmanager
    async def terminal(self, access: HostAccess, argv: Sequence[str], size: Size | None) -> AsyncIterator[Terminal]:
        """Start `argv`, or the login shell, for a person: as root, in a terminal of that size or without one.

        It has a connection of its own, so that it takes nothing away from the work on the machine, and what was started
        in it ends with the block. Raises HostError.
        """
        shared = (await self.channels(access)).link
        if not shared.pinned:
            # The one that all share is the one that trusts a key on first use.
            await shared.open()
        own = replace(access, host_key=shared.pinned)
        channels = Channels(Link(own, jump=shared.jump, terms=self._terms), asyncio.Semaphore(1), Idle(0))
        try:
            async with channels.terminal(argv, size) as process:
                yield Terminal(process, access)
        finally:
            await channels.close()

    async def forget(self, access: HostAccess) -> None:
        """Drop the connection of `access` and the host key that was trusted for it."""
        found = self._channels.pop(replace(access, host_key=""), None)
        if found is not None:
            await found.close()

    async def close(self) -> None:
        """Close every connection and wait until all are gone."""
        channels, self._channels = list(self._channels.values()), {}
        # Those that are reached through others are closed before the others.
        for depth in sorted({found.link.depth for found in channels}, reverse=True):
            await asyncio.gather(*(found.close() for found in channels if found.link.depth == depth))

    async def __aenter__(self) -> HostPool:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()


class Ssh:
    """One machine over SSH; implements `hosts.contract.Host`. Free to make, shares the pool's connection."""

    def __init__(self, access: HostAccess, pool: HostPool) -> None:
        self._access = access
        self._pool = pool

    @property
    def name(self) -> str:
        return self._access.name

    @property
    def address(self) -> str:
        return self._access.address

    async def query(self, argv: Sequence[str], *, timeout: float = 30) -> Result:
        if not is_reading(argv):
            raise WriteRefused(f"cannot run {shown(argv)!r} on {self._access.place}: it is not known to only read")
        return await self._run(argv, timeout=timeout, writes=False)

    async def survey(self, *, timeout: float = 30) -> SurveyOutput:
        channels = await self._pool.channels(self._access)
        return await channels.survey(SURVEY, timeout=timeout)

    async def survey_migration(self, *, timeout: float = 60) -> SurveyOutput:
        channels = await self._pool.channels(self._access)
        return await channels.survey(MIGRATION, timeout=timeout)

    async def read(self, path: str) -> bytes | None:
        result = await self._look(shell.READ, path)
        return None if result is None else result.stdout

    async def stat(self, path: str) -> FileStat | None:
        result = await self._look(shell.STAT, path)
        if result is None:
            return None
        mode, size, owner, group = result.text.split(" ", 3)
        return FileStat(mode=int(mode, 8), size=int(size), owner=owner, group=group)

    async def digest(self, path: str) -> str | None:
        result = await self._look(shell.DIGEST, path)
        return None if result is None else result.text[:64]

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 120, check: bool = True) -> Result:
        result = await self._run(argv, stdin, timeout=timeout, writes=True)
        return self._checked(result) if check else result

    async def script(self, text: str, *, timeout: float = 120, check: bool = True) -> Result:
        result = await self._run(*_script(text), timeout=timeout, writes=True)
        return self._checked(result) if check else result

    async def write(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        argv = shell.sh(shell.WRITE, path, str(len(content)), f"{mode:o}")
        result = await self._run(argv, content, timeout=120, writes=True)
        check_file(result, self._access, f"write {path}")

    async def upload(self, source: str, path: str, *, mode: int = 0o644, sha256: str = "") -> None:
        channels = await self._pool.channels(self._access)
        await Transfer(channels, await Source.of(source, sha256), path, mode).run()

    async def _run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float, writes: bool) -> Result:
        channels = await self._pool.channels(self._access)
        return await channels.run(argv, stdin=stdin, timeout=timeout, writes=writes)

    async def _look(self, script: str, path: str) -> Result | None:
        result = await self._run(shell.sh(script, path), timeout=60, writes=False)
        return None if result.status == shell.MISSING else self._checked(result)

    def _checked(self, result: Result) -> Result:
        if not result.ok:
            raise CommandFailed(self._access.place, result.argv, result.status, result.stderr)
        return result


def _script(text: str) -> tuple[list[str], bytes]:
    """Return argv and standard input that run `text` by /bin/sh, all of it or nothing."""
    content = text.rstrip("\n").encode()
    return shell.sh(shell.RUN_SCRIPT, str(len(content))), content
