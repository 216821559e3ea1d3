"""Machines as controllers see them: scripted hosts behind one jump host that knows them by their addresses.

Everything up to the wire is real; a host answers the survey with what a real machine once printed. No command is ever
run here: what a host does not know it refuses, and what it was asked is kept for the tests.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from groundplane.base.clock import Now
from groundplane.hosts import shell
from groundplane.hosts.facts.script import SURVEY
from groundplane.operations.places import CLAIM
from support.scripted_host import Answer, ScriptedHost, scripted_host

DATA = Path(__file__).parents[2] / "data/facts"
FRESH = "captured-lab-fresh.txt"
CONTROL_PLANE = "captured-lab-containerd-control-plane.txt"
_CAPTURED_AT = "198.18.7.11/24"
_OF_CONTROL_PLANES = (" static-pod=", " admin-conf=", " etcd-data=")
LOOKING = frozenset({shell.READ, shell.STAT, shell.DIGEST})


@functools.cache
def _captured(name: str) -> str:
    return (DATA / name).read_text()


@dataclass
class Host:
    """One machine. `cut_reads` loses the connection whenever a file is read; `owner` is the cluster's mark on it.

    `worker`: what only a control plane has is left out of what it was captured with. `server`: the API that its kubelet
    knows, where that is another one.
    """

    name: str
    address: str
    now: Now
    captured: str = FRESH
    owner: str = ""
    identity: str = ""
    swap: bool = False
    worker: bool = False
    cut_reads: bool = False
    server: str = ""
    door: ScriptedHost | None = None

    def answer(self, argv: list[str]) -> Answer:
        if argv == ["true"]:
            return Answer()
        if is_survey(argv):
            return Answer(stdout=self.facts().encode())
        if argv[:2] == ["sh", "-c"] and argv[2] in LOOKING:
            return self._read(argv)
        if argv[:2] == ["sh", "-c"] and argv[2] == shell.LIFELINE:
            return Answer(silent=True)
        return Answer(status=1, stderr=b"this machine changes nothing\n")

    def _read(self, argv: list[str]) -> Answer:
        if self.cut_reads:
            return Answer(cut_after=0)
        if argv[-1] == CLAIM and self.owner and argv[2] == shell.READ:
            return Answer(stdout=json.dumps({"owner": self.owner}).encode())
        return Answer(status=shell.MISSING)

    def facts(self) -> str:
        """What the survey prints, with this machine's own identity."""
        mine = {" machine-id": f" machine-id={self.identity or self.name}", " hostname": f" hostname={self.name}"}
        mine |= {" server": f" server={self.server}"} if self.server else {}
        lines = []
        for printed in _captured(self.captured).splitlines():
            left_out = (' {"owner"', *(_OF_CONTROL_PLANES if self.worker else ()))
            if not printed.startswith(left_out):
                line = mine.get(printed.partition("=")[0], printed)
                lines.append(line.replace(_CAPTURED_AT, f"{self.address}/24"))
            if printed == "@@ owner" and self.owner:
                lines.append(" " + json.dumps({"owner": self.owner}))
        clock = f"@@ begin\n@@ clock\n{self.now().timestamp():.6f}\n@@ files\n"
        return clock + "\n".join(lines) + "\n"

    @property
    def asked(self) -> list[list[str]]:
        """Every command that it was given, beside those of a login and a survey."""
        commands = self.door.commands if self.door else []
        return [argv for argv in commands if argv[:1] != ["true"] and not is_survey(argv)]

    @property
    def surveys(self) -> int:
        """How often it was surveyed."""
        return sum(is_survey(argv) for argv in self.door.commands) if self.door else 0


def is_survey(argv: list[str]) -> bool:
    """Whether a command is the facts script."""
    return argv[:2] == ["sh", "-c"] and argv[2].endswith(SURVEY)


class _Gate(asyncssh.SSHServer):
    def __init__(self, site: Site) -> None:
        self._site = site

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._site.connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._site.password

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> object:
        host = self._site.hosts.get(dest_host)
        if host is None or host.door is None:
            return False
        return self._connection.forward_connection("127.0.0.1", host.door.port)


@dataclass
class Site:
    """The jump host and the machines behind it. A machine that is taken away from `hosts` cannot be reached."""

    now: Now
    hosts: dict[str, Host] = field(default_factory=dict)
    password: str = "scripted"
    port: int = 0
    host_key: str = ""
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def add(self, name: str, address: str) -> Host:
        """Switch a fresh machine on."""
        host = Host(name, address, self.now)
        self.hosts[address] = host
        host.door = await self._stack.enter_async_context(scripted_host(host.answer))
        return host

    async def reinstall(self, host: Host) -> None:
        """Put another system on the machine: it shows another host key."""
        if host.door is not None:
            host.door.cut()
        host.door = await self._stack.enter_async_context(scripted_host(host.answer))

    def switch_off(self, host: Host) -> None:
        """Take the machine off the network."""
        del self.hosts[host.address]
        if host.door is not None:
            host.door.cut()

    def switch_on(self, host: Host) -> None:
        """Bring it back."""
        self.hosts[host.address] = host


@contextlib.asynccontextmanager
async def site(now: Now) -> AsyncIterator[Site]:
    """Run a jump host without machines."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    found = Site(now, host_key=" ".join(key.export_public_key().decode().split()[:2]))
    acceptor = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: _Gate(found))
    found.port = acceptor.get_port()
    try:
        async with found._stack:
            yield found
            for connection in found.connections:
                connection.abort()
                await connection.wait_closed()
    finally:
        acceptor.close()
        await acceptor.wait_closed()
