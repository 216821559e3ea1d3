"""A scripted machine: asyncssh's own server, which answers commands as a test tells it, faults included.

It is held to the same contract tests as the real sshd (tests/unit/hosts/test_contract.py): a command that is not
scripted is really run, by /bin/sh on this machine. A script says what the machine does instead: answer, wait, or
lose the connection in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import asyncssh

from groundplane.base.tasks import TaskOwner

Process = asyncssh.SSHServerProcess[bytes]


@dataclass(frozen=True)
class Answer:
    """What a scripted command does: after `cut_after` bytes of `stdout` the connection is lost; `silent` never ends."""

    stdout: bytes = b""
    stderr: bytes = b""
    status: int = 0
    cut_after: int | None = None
    silent: bool = False


# Takes the argument list behind env, timeout and sudo; None runs the command for real.
Script = Callable[[list[str]], Answer | None]


@dataclass
class ScriptedHost:
    """A running scripted machine. `commands` are the argument lists it was given, `password` logs in as root."""

    script: Script
    port: int = 0
    password: str = "scripted"
    client_key: bytes = b""
    host_key: str = ""
    commands: list[list[str]] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def cut(self) -> None:
        """Lose every connection at once."""
        for connection in self.connections:
            connection.abort()


class _Server(asyncssh.SSHServer):
    def __init__(self, host: ScriptedHost) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._host.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._host.password

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.public_data == asyncssh.import_private_key(self._host.client_key).public_data


@contextlib.asynccontextmanager
async def scripted_host(script: Script = lambda argv: None) -> AsyncIterator[ScriptedHost]:
    """Run a scripted machine on 127.0.0.1 until the block ends."""
    server_key = asyncssh.generate_private_key("ssh-ed25519")
    host = ScriptedHost(script)
    host.client_key = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    host.host_key = server_key.export_public_key().decode().strip()

    serving: set[asyncio.Task[None]] = set()

    async def serve(process: Process) -> None:
        task = asyncio.current_task()
        if task is not None:
            serving.add(task)
            task.add_done_callback(serving.discard)
        await _serve(host, process)

    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[server_key],
        server_factory=lambda: _Server(host),
        process_factory=serve,
        encoding=None,
    )
    host.port = acceptor.get_port()
    try:
        yield host
    finally:
        acceptor.close()
        await acceptor.wait_closed()
        for connection in host.connections:
            connection.abort()
            await connection.wait_closed()
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)


def bare(line: str) -> list[str]:
    """Return the argument list of a command line without the env, timeout and sudo before it."""
    words = shlex.split(line)
    while words and words[0] in {"sudo", "env", "timeout"}:
        wrapper = words.pop(0)
        while words and (words[0].startswith("-") or (wrapper == "env" and "=" in words[0])):
            if words.pop(0) == "-k" and wrapper == "timeout":
                words.pop(0)
        if wrapper == "timeout":
            words.pop(0)
    return words


async def _serve(host: ScriptedHost, process: Process) -> None:
    line = process.command or ""
    argv = bare(line)
    host.commands.append(argv)
    answer = host.script(argv)
    if answer is None:
        await _really(line, process)
        return
    if answer.silent:
        await process.wait_closed()
        return
    process.stdout.write(answer.stdout if answer.cut_after is None else answer.stdout[: answer.cut_after])
    if answer.cut_after is not None:
        with contextlib.suppress(OSError, asyncssh.Error):
            await process.stdout.drain()
        host.cut()
        return
    process.stderr.write(answer.stderr)
    process.exit(answer.status)


async def _really(line: str, process: Process) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", line, stdin=-1, stdout=-1, stderr=-1, env={"PATH": os.defpath}, start_new_session=True
    )
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise RuntimeError("pipes were asked for")
    try:
        # A client that goes away ends the command's input, and the command is killed below.
        with contextlib.suppress(OSError, asyncssh.Error):
            async with TaskOwner("command") as owner:
                owner.start(_pour(process.stdin, child.stdin), name="stdin")
                await asyncio.gather(_drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr))
                process.exit(await child.wait())
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        child.stdin.close()


async def _pour(reader: asyncssh.SSHReader[bytes], writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while content := await reader.read(1 << 16):
            writer.write(content)
            await writer.drain()
        writer.close()


async def _drain(reader: asyncio.StreamReader, writer: asyncssh.SSHWriter[bytes]) -> None:
    while content := await reader.read(1 << 16):
        writer.write(content)
        await writer.drain()
