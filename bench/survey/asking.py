"""Asks all machines once and prints how long it took: our survey, or `true` over bare asyncssh.

Both run on uvloop, as `groundplane up` does, and check the host key. Targets come as JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import asyncssh
import uvloop

from bench.survey.targets import Target
from groundplane.base.clock import utc_now
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool


@cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()


async def ours(targets: Sequence[Target]) -> None:
    """Survey every machine; facts are made of all that it printed."""
    async with HostPool() as pool:

        async def one(target: Target) -> None:
            access = HostAccess(
                name=target.name,
                address=target.address,
                port=target.port,
                private_keys=(_content(target.key),),
                host_key=target.host_key,
            )
            facts = await survey(pool.connect(access), utc_now)
            if not facts.kernel.release:
                raise RuntimeError(f"no facts of {target.name}")

        await asyncio.gather(*(one(target) for target in targets))


async def bare(targets: Sequence[Target]) -> None:
    """Log in to every machine and run `true`."""

    async def one(target: Target) -> None:
        trusted = asyncssh.import_public_key(target.host_key)
        async with asyncssh.connect(
            target.address,
            target.port,
            username="root",
            client_keys=[target.key],
            known_hosts=([trusted], [], []),
            config=None,
            agent_path=None,
        ) as connection:
            await connection.run("true", check=True)

    await asyncio.gather(*(one(target) for target in targets))


WAYS = {"ours": ours, "bare": bare}


def main(way: str) -> None:
    """Ask, and print the figures."""
    targets = [Target(**each) for each in json.load(sys.stdin)]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        started, before = time.monotonic(), time.process_time()
        runner.run(WAYS[way](targets))
        seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": seconds, "cpu": time.process_time() - before, "memory": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main(sys.argv[1])
