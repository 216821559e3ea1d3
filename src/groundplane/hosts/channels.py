"""Runs commands on one connection: becomes root, keeps the limits, ends what was given up."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from groundplane.base.tasks import TaskOwner

from . import shell
from .access import HostAccess
from .contract import Result, Size, SurveyOutput
from .errors import CommandFailed, HostDenied, HostTimeout, HostUnreachable, shown
from .link import Link, translated
from .looking import Looked, look

CHUNK = 256 * 1024
# sshd counts a session until its process is gone; these bound the waits for that, in seconds.
_CLOSE_SECONDS = 5.0
_OPEN_SECONDS = 20.0
_OPEN_PAUSE = 0.1
_END_TRIES = 5
_EXIT_SECONDS = 2.0
_EXIT_PAUSE = 0.02
_TERM = "xterm-256color"
Process = asyncssh.SSHClientProcess[bytes]


@dataclass(slots=True)
class _Session:
    """What is known about one open connection: how commands become root, and its lifeline."""

    connection: asyncssh.SSHClientConnection
    sudo: shell.Sudo
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
    lifeline: Process | None = None


class Idle:
    """The connections that nobody uses, in the order in which they were used; the oldest beyond `kept` are closed."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._waiting: dict[Channels, None] = {}

    def busy(self, channels: Channels) -> None:
        """Take a connection out: it is used from now on."""
        self._waiting.pop(channels, None)

    def rests(self, channels: Channels) -> None:
        """Put a connection in that was used until now."""
        if channels.link.is_open and not channels.link.is_jump:
            self._waiting[channels] = None
        while len(self._waiting) > self._kept:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.let_go()


class Channels:
    """Runs commands on one link: becomes root, keeps the limits, ends what was given up."""

    def __init__(self, link: Link, slots: asyncio.Semaphore, idle: Idle) -> None:
        self.link = link
        self._idle = idle
        self._users = 0
        self._slots = slots
        self._session: _Session | None = None
        self._preparing = asyncio.Lock()
        self._count = 0
        # How commands became root the last time; the survey tries this first.
        self._habit: shell.Sudo = "free" if link.access.becomes_root else "none"

    async def close(self) -> None:
        self._session = None
        self._idle.busy(self)
        await self.link.close()

    def let_go(self) -> None:
        """Close the connection, which nobody uses, without waiting for its end."""
        self._session = None
        self.link.let_go()

    @contextlib.asynccontextmanager
    async def _used(self) -> AsyncIterator[None]:
        self._users += 1
        self._idle.busy(self)
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._idle.rests(self)

    @contextlib.asynccontextmanager
    async def process(self, argv: Sequence[str], *, timeout: float, writes: bool) -> AsyncIterator[Process]:
        """Start `argv` as root and hand out its process; it is ended when the block is left early."""
        access = self.link.access
        async with self._used(), self._slots, self.link.sessions, translated(access, f"run {shown(argv)!r}"):
            session = await self._ready(writes=writes)
            self._count += 1
            mark = f"{session.mark}.{self._count}." if writes else ""
            line = shell.command_line(argv, sudo=session.sudo, timeout=timeout, mark=mark)
            process = await self._opened(session, line, mark)
            finished = False
            try:
                tell(process, self._head(session.sudo))
                yield process
                finished = True
            finally:
                await asyncio.shield(self._leave(session, process, mark="" if finished else mark))

    @contextlib.asynccontextmanager
    async def terminal(self, argv: Sequence[str], size: Size | None) -> AsyncIterator[Process]:
        """Start what a person works with, as root, in a terminal of that size or without one.

        All that was started in it is ended when the block is left.
        """
        async with self._used():
            async with translated(self.link.access, "open a terminal"):
                session = await self._ready(writes=True)
                line, words = self._terminal_line(session, argv, size)
                process = await self._opened(session, line, session.mark, size)
            try:
                async with translated(self.link.access, "open a terminal"):
                    await self._enter(session, process, words)
                yield process
            finally:
                await asyncio.shield(self._hang_up(session, process))

    def _terminal_line(
        self, session: _Session, argv: Sequence[str], size: Size | None
    ) -> tuple[str, tuple[bytes, bytes] | None]:
        """Return the line to run, and the words that it prints on the way through sudo's question, if it asks."""
        if size is None:
            line = shell.command_line(argv or shell.sh(shell.LOGIN), sudo=session.sudo, timeout=None, mark=session.mark)
            return line, None
        silent, begun = secrets.token_hex(8), secrets.token_hex(8)
        line = shell.terminal_line(argv, sudo=session.sudo, mark=session.mark, silent=silent, begun=begun)
        return line, (silent.encode(), begun.encode()) if session.sudo == "password" else None

    async def _enter(self, session: _Session, process: Process, words: tuple[bytes, bytes] | None) -> None:
        """Answer sudo in the person's place; nothing of that shows."""
        if words is None:
            return tell(process, self._head(session.sudo))
        access, (silent, begun) = self.link.access, words
        try:
            async with asyncio.timeout(self.link.patience):
                await process.stdout.readuntil(silent)
                tell(process, f"{access.sudo_password or access.password}\n".encode())
                await process.stdout.readuntil(begun)
        except (TimeoutError, asyncio.IncompleteReadError) as exc:
            raise HostDenied(f"cannot open a terminal on {access.place}: sudo begins nothing in a terminal") from exc

    async def _hang_up(self, session: _Session, process: Process) -> None:
        """Tell the shell that its terminal is gone, and have the lifeline end what does not mind that."""
        process.channel.abort()
        process.close()
        # A connection that is cut has ended the lifeline, and that all the rest.
        with contextlib.suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await process.wait_closed()
                if session.lifeline is not None:
                    session.lifeline.stdin.write_eof()
                    await session.lifeline.wait_closed()

    async def survey(self, script: str, *, timeout: float) -> SurveyOutput:
        """Run the facts script as root, in one exec where the way to become root is the usual one."""
        access = self.link.access
        async with self._used(), translated(access, "survey"):
            # A machine that cannot be reached is not to hold a place that others wait for.
            connection = await self.link.open()
            async with self._slots, self.link.sessions:
                looked = await self._look(connection, script, timeout)
        if not looked.began and looked.status:
            raise CommandFailed(access.place, ["sh", "-c", "", "survey"], looked.status, b"")
        return looked.output

    async def _look(self, connection: asyncssh.SSHClientConnection, script: str, timeout: float) -> Looked:
        access = self.link.access
        looked = await look(connection, access, script, sudo=self._habit, timeout=timeout)
        if not looked.began:
            # The probe tells what is in the way, or which other way there is.
            self._habit = (await self._ready(writes=False)).sudo
            looked = await look(await self.link.open(), access, script, sudo=self._habit, timeout=timeout)
        return looked

    async def _opened(self, session: _Session, line: str, mark: str, size: Size | None = None) -> Process:
        """Start the command. Cancelled while sshd is starting it, wait until it is there, and end it."""
        opening = asyncio.ensure_future(_open(session.connection, line, size))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.shield(self._leave_opening(session, opening, mark))
            raise

    async def _leave_opening(self, session: _Session, opening: asyncio.Future[Process], mark: str) -> None:
        # A command that could not be started leaves nothing to end, and its caller is gone.
        with contextlib.suppress(OSError, asyncssh.Error):
            await self._leave(session, await opening, mark=mark)

    async def run(self, argv: Sequence[str], *, stdin: bytes, timeout: float, writes: bool) -> Result:
        """Run `argv` as root to its end, or to the end of its time."""
        place = self.link.access.place
        started = time.monotonic()
        try:
            # The machine ends the command at its time; this clock is for a machine that does not answer at all.
            async with (
                asyncio.timeout(timeout + shell.KILL_AFTER + self.link.patience),
                self.process(argv, timeout=timeout, writes=writes) as process,
            ):
                stdout, stderr = await communicate(process, stdin)
                status = ended(process, self.link.access, argv)
        except TimeoutError as exc:
            raise HostTimeout(f"cannot run {shown(argv)!r} on {place}: no answer in {timeout:g} s") from exc
        # 124 and 137 are what timeout(1) says when it had to end the command; the command may say them by itself.
        if status in (124, 137) and time.monotonic() - started >= timeout:
            raise HostTimeout(f"cannot run {shown(argv)!r} on {place}: it did not end in {timeout:g} s")
        return Result(tuple(argv), status, stdout, stderr)

    async def _ready(self, *, writes: bool) -> _Session:
        async with self._preparing:
            connection = await self.link.open()
            if self._session is None or self._session.connection is not connection:
                self._session = _Session(connection, await self._become_root(connection))
                self._habit = self._session.sudo
            session = self._session
            if writes and session.lifeline is None:
                line = shell.command_line(shell.sh(shell.LIFELINE, session.mark), sudo=session.sudo, timeout=None)
                session.lifeline = await connection.create_process(line, encoding=None)
                tell(session.lifeline, self._head(session.sudo))
            return session

    def _head(self, sudo: shell.Sudo) -> bytes:
        access = self.link.access
        return shell.stdin_head(sudo, access.sudo_password or access.password)

    async def _become_root(self, connection: asyncssh.SSHClientConnection) -> shell.Sudo:
        """Find out how commands become root, and that the login shell adds nothing to what they print."""
        access = self.link.access
        if not access.becomes_root:
            await self._probe(connection, "none")
            return "none"
        # -n with -k in one line would not tell the truth on old versions; NOPASSWD users pass -n in any case.
        refusal = await self._probe(connection, "free")
        if not refusal:
            return "free"
        if access.sudo_password or access.password:
            refusal = await self._probe(connection, "password")
            if not refusal:
                return "password"
        raise HostDenied(
            f"cannot become root on {access.place} as {access.user}: sudo refused: {refusal}",
            remedy="allow the user sudo for all commands, or give its password as sudo-password in the Secret named in "
            "spec.ssh.secretRef",
        )

    async def _probe(self, connection: asyncssh.SSHClientConnection, sudo: shell.Sudo) -> str:
        """Run `true` and return what the machine says against it, empty when it works."""
        access = self.link.access
        line = shell.command_line(["true"], sudo=sudo, timeout=self.link.patience)
        process: Process = await connection.create_process(line, encoding=None)
        stdout, stderr = await communicate(process, self._head(sudo))
        status = ended(process, access, ["true"])
        said = stderr.decode("utf-8", "replace").strip().splitlines()
        if status == 0 and stdout:
            raise HostDenied(
                f"cannot work on {access.place}: the login shell of {access.user} prints text of its own",
                remedy="make ~/.bashrc and its like print nothing when the shell is not interactive",
            )
        if status != 0 and sudo == "none":
            raise HostDenied(
                f"cannot work on {access.place}: the login shell of {access.user} cannot run commands "
                f"(status {status}{': ' + said[-1] if said else ''})",
                remedy="give the user an ordinary shell such as /bin/sh, and install coreutils",
            )
        return "" if status == 0 else (said[-1] if said else f"status {status}")

    async def _leave(self, session: _Session, process: Process, *, mark: str) -> None:
        """Close a channel, and end what runs under `mark`; the slot is free only when sshd counts it no more."""
        if mark and not session.connection.is_closed():
            # A command that sshd has not quite started has no mark yet: look again until sshd says that it ended.
            for _ in range(_END_TRIES):
                await self._end(session, mark)
                if await _exited(process):
                    break
            # Not `close`: that would first send what is still buffered to a command that is given up.
            process.channel.abort()
        process.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await process.wait_closed()

    async def _end(self, session: _Session, mark: str) -> None:
        """End what a command that was given up left running on the machine."""
        line = shell.command_line(shell.sh(shell.END_MARKED, mark), sudo=session.sudo, timeout=10)
        # The command is given up because of an error or a cancellation, and that is what the caller shall see.
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            async with asyncio.timeout(10):
                process = await _open(session.connection, line)
                await communicate(process, self._head(session.sudo))


async def _open(connection: asyncssh.SSHClientConnection, line: str, size: Size | None = None) -> Process:
    """Open a channel; one that sshd refuses because others are not counted out yet is asked for again."""
    tty: dict[str, Any] = {"term_type": _TERM, "term_size": (size.columns, size.rows)} if size else {}
    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            process: Process = await connection.create_process(line, encoding=None, **tty)
        except asyncssh.ChannelOpenError as exc:
            shortage = exc.code in (asyncssh.OPEN_CONNECT_FAILED, asyncssh.OPEN_RESOURCE_SHORTAGE)
            if not shortage or connection.is_closed() or time.monotonic() > deadline:
                raise
            await asyncio.sleep(_OPEN_PAUSE)
        else:
            return process


async def _exited(process: Process) -> bool:
    """Wait a moment for what sshd says when a command has ended."""
    deadline = time.monotonic() + _EXIT_SECONDS
    # asyncssh gives no event for the exit status alone.
    while process.returncode is None and not process.channel.is_closing() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_EXIT_PAUSE)
    return process.returncode is not None


async def communicate(process: Process, stdin: bytes) -> tuple[bytes, bytes]:
    """Feed `stdin` to a process while its outputs are read to their end."""
    async with TaskOwner("ssh") as owner:
        owner.start(_feed(process, stdin), name="stdin")
        stdout, stderr = await process.communicate()
    return stdout or b"", stderr or b""


async def _feed(process: Process, stdin: bytes) -> None:
    # A command may end without reading its input, and a connection may be cut: the exit status tells which.
    with contextlib.suppress(OSError, asyncssh.Error):
        for start in range(0, len(stdin), CHUNK):
            process.stdin.write(stdin[start : start + CHUNK])
            await process.stdin.drain()
        process.stdin.write_eof()


def tell(process: Process, content: bytes) -> None:
    """Write to a process that may have ended already; its exit status then says why."""
    with contextlib.suppress(BrokenPipeError):
        if content:
            process.stdin.write(content)


def ended(process: Process, access: HostAccess, argv: Sequence[str]) -> int:
    """Return the exit status of a process whose output has ended; none means that the connection was cut."""
    if process.returncode is None:
        raise HostUnreachable(f"cannot run {shown(argv)!r} on {access.place}: the connection was cut meanwhile")
    return process.returncode
