"""Scripted machines of one cluster: asyncssh's own server on every loopback address, which counts what it is asked.

A process of its own, so that its work is not counted as ours. Every command succeeds at once. The command `counts` on
COUNTER is answered with the counts so far, as JSON by address, which then begin anew. What belongs to a new connection
is not counted: the `true` by which a login is tried, and the lifeline that is left open beside commands.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections import Counter
from pathlib import Path

import asyncssh
import uvloop

COUNTER = "127.255.255.254"
_LIFELINE = "cat > /dev/null"
Process = asyncssh.SSHServerProcess[bytes]


async def serve(folder: Path) -> None:
    """Serve until the process is ended; the port is printed."""
    counts: Counter[str] = Counter()

    async def answer(process: Process) -> None:
        address, line = process.get_extra_info("sockname")[0], process.command or ""
        if line.endswith(" counts"):
            process.stdout.write(json.dumps(counts).encode())
            counts.clear()
        elif address != COUNTER and not (line.endswith(" true") or _LIFELINE in line):
            counts[address] += 1
        if _LIFELINE in line or " -c " in line:
            # A script, or what is left open: both come by standard input, to its end.
            await process.stdin.read()
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
