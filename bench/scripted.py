"""Scripted machines: asyncssh's own server on every loopback address, in a process of its own.

What a machine answers is the module's affair that is run as the process.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import uvloop

ROOT = Path(__file__).parents[1]
Process = asyncssh.SSHServerProcess[bytes]


@contextmanager
def machines(module: str, folder: Path, *arguments: str) -> Iterator[int]:
    """Run `module` as the machines' process and yield their port; `host_key` and `client_key` are put into `folder`."""
    for name in ("host_key", "client_key"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / name).write_bytes(key.export_private_key())
        (folder / f"{name}.pub").write_bytes(key.export_public_key())
        (folder / name).chmod(0o600)
    argv = [sys.executable, "-m", module, str(folder), *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("a pipe was asked for")
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def serve(answer: Callable[[Process], Awaitable[None] | None]) -> None:
    """Be the process: answer until it is ended; the port is printed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), answer))


async def _serve(folder: Path, answer: Callable[[Process], Awaitable[None] | None]) -> None:
    acceptor = await asyncssh.listen(
        "0.0.0.0",
        0,
        backlog=4096,
        server_host_keys=[str(folder / "host_key")],
        authorized_client_keys=str(folder / "client_key.pub"),
        process_factory=answer,
        encoding=None,
        login_timeout=120,
    )
    print(acceptor.get_port(), flush=True)
    await acceptor.wait_closed()
