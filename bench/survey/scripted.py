"""A crowd of scripted machines: asyncssh's own server on every loopback address, which answers each survey at once."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

import asyncssh
import uvloop

CAPTURED = Path(__file__).parents[2] / "tests/data/facts/captured-lab-fresh.txt"
Process = asyncssh.SSHServerProcess[bytes]


async def serve(folder: Path) -> None:
    """Serve until the process is ended; the port is printed."""
    facts = CAPTURED.read_bytes()

    def answer(process: Process) -> None:
        process.stdout.write(b"@@ begin\n@@ clock\n%.6f\n@@ files\n" % time.time() + facts)
        process.exit(0)

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


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1])))
