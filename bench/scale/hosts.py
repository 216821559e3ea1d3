"""The scripted machines of one cluster, which count what they are asked; the second argument is the counter's address.

A process of its own, so that its work is not counted as ours. Every command succeeds at once. The command `counts` on
the counter is answered with the counts so far, as JSON by address, which then begin anew. What belongs to a new
connection is not counted: the `true` by which a login is tried, and the lifeline that is left open beside commands.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

from bench.scripted import Process, serve

_LIFELINE = "cat > /dev/null"


class _Counting:
    def __init__(self, counter: str) -> None:
        self._counter = counter
        self._counts: Counter[str] = Counter()

    async def answer(self, process: Process) -> None:
        address, line = process.get_extra_info("sockname")[0], process.command or ""
        if line.endswith(" counts"):
            process.stdout.write(json.dumps(self._counts).encode())
            self._counts.clear()
        elif address != self._counter and not (line.endswith(" true") or _LIFELINE in line):
            self._counts[address] += 1
        if _LIFELINE in line or " -c " in line:
            # A script, or what is left open: both come by standard input, to its end.
            await process.stdin.read()
        process.exit(0)


if __name__ == "__main__":
    serve(_Counting(sys.argv[2]).answer)
