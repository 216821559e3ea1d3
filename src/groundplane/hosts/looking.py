"""One exec that looks: its output is collected up to a bound, and the moments around the machine's time are kept.

The survey of many machines comes through here, so there is no more to it than the SSH protocol needs: one channel, one
request, and no stream in between. Unlike a command, the facts script stands what a login shell prints around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import asyncssh

from groundplane.base.sizes import mib

from . import shell
from .access import HostAccess
from .contract import SurveyOutput
from .errors import HostTimeout, HostUnreachable, SurveyIncomplete

BEGIN, CLOCK_TOLD = b"@@ begin", b"@@ files"
# The largest output of a real machine that was seen is 60 KB.
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Looked:
    """What came back; `began` tells whether the script ran at all."""

    output: SurveyOutput
    status: int | None

    @property
    def began(self) -> bool:
        return BEGIN in self.output.stdout


@dataclass
class _Collector(asyncssh.SSHClientSession[bytes]):
    """Collects what a command prints on standard output; what it prints on standard error is dropped."""

    ended: asyncio.Future[None]
    content: bytearray = field(default_factory=bytearray)
    answered: float = 0.0
    status: int | None = None
    too_much: bool = False
    channel: asyncssh.SSHClientChannel[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            return
        self.content += data
        if not self.answered and CLOCK_TOLD in self.content:
            self.answered = time.monotonic()
        if len(self.content) > LARGEST and self.channel is not None and not self.too_much:
            self.too_much = True
            self.channel.abort()

    def exit_status_received(self, status: int) -> None:
        self.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def look(
    connection: asyncssh.SSHClientConnection, access: HostAccess, script: str, *, sudo: shell.Sudo, timeout: float
) -> Looked:
    """Run `script` and return what it printed.

    Raises HostTimeout, HostUnreachable, SurveyIncomplete, asyncssh.Error.
    """
    collector = _Collector(asyncio.get_running_loop().create_future())
    line, stdin = shell.looking_line(script, sudo=sudo, timeout=timeout)
    asked = time.monotonic()
    try:
        async with asyncio.timeout(timeout + shell.KILL_AFTER):
            channel, _ = await connection.create_session(lambda: collector, line, encoding=None)
            head = shell.stdin_head(sudo, access.sudo_password or access.password)
            # A command may end without reading its input; its exit status then says why.
            with contextlib.suppress(BrokenPipeError):
                if head or stdin:
                    channel.write(head + stdin)
                channel.write_eof()
            await collector.ended
    except TimeoutError as exc:
        raise HostTimeout(f"cannot survey {access.place}: it did not answer in {timeout:g} s") from exc
    finally:
        if collector.channel is not None and not collector.ended.done():
            collector.channel.abort()
    if collector.too_much:
        raise SurveyIncomplete(f"cannot survey {access.place}: it printed more than {mib(LARGEST)} MiB")
    if collector.status is None:
        raise HostUnreachable(f"cannot survey {access.place}: the connection was cut meanwhile")
    answered = collector.answered or time.monotonic()
    return Looked(SurveyOutput(bytes(collector.content), asked, answered), collector.status)
