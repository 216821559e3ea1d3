"""API servers that start in a fraction of a second: a process that has imported everything forks one for each wish.

Each is the whole server of `api_server`, over its own home, and can be killed like any other process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundplane.kube.kubeconfig import Access

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Forked:
    """A running server; `access` is the administrator's."""

    pid: int
    access: Access


class NotStarted(Exception):
    """The server ended before it answered; its log says why."""


class Forks:
    """Starts and kills servers, one after the other or several; their standard error goes to `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    def start(self, home: Path, *, port: int = 0) -> Forked:
        """Start a server and return when it answers; raises NotStarted."""
        told = self._ask({"home": str(home), "port": port, "log": str(self.log)})
        if not told.get("url"):
            raise NotStarted(self.log.read_text() if self.log.exists() else "")
        access = Access(server=told["url"], ca=Path(told["ca"]).read_bytes(), token=told["admin"])
        return Forked(told["pid"], access)

    def kill(self, server: Forked, number: int = signal.SIGKILL) -> int:
        """Kill a server, wait until it is gone, and return its wait status."""
        os.kill(server.pid, number)
        return int(self._ask({"gone": server.pid})["status"])

    def _ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def server_forks(log: Path) -> Iterator[Forks]:
    """Give a way to start servers; those that still run at the end are killed."""
    command = [sys.executable, "-m", "tests.support.server_forks"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Forks(process, log)
        process.communicate()


def _serve() -> None:
    """Answer the wishes on standard input until it ends."""
    # For its import alone: a fork has it then.
    from . import api_server  # noqa: F401

    children: set[int] = set()
    held: list[int] = []
    for line in sys.stdin:
        wish = json.loads(line)
        if "gone" in wish:
            _, status = os.waitpid(wish["gone"], 0)
            children.discard(wish["gone"])
            answer: dict[str, Any] = {"status": status}
        else:
            answer = _fork(wish, held)
            children.add(answer["pid"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _fork(wish: dict[str, Any], held: list[int]) -> dict[str, Any]:
    reading, writing = os.pipe()
    # The server ends with its standard input; the other end stays open here.
    stdin, keep = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(stdin, 0)
        os.dup2(writing, 1)
        os.dup2(os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        os.closerange(3, 256)
        _run(wish)
    os.close(writing)
    os.close(stdin)
    held.append(keep)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.readline()
    return {"pid": child, **(json.loads(told) if told else {})}


def _run(wish: dict[str, Any]) -> None:
    import traceback

    import uvloop

    from groundplane.base.logs import configure_logging

    from . import api_server

    configure_logging()
    status = 1
    try:
        uvloop.run(api_server.main(Path(wish["home"]), wish["port"]))
        status = 0
    except Exception:  # noqa: BLE001 - the end of a process: it goes into its log
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    _serve()
