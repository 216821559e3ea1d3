"""A shell or a command on a machine over a WebSocket: `exec` of a Machine, in the words of Kubernetes' pods/exec.

The first byte of a message is its channel: 0 is typed, 1 and 2 are printed, 3 is a Status at the end, 4 is the size of
the terminal, and 255 (of v5) ends the channel that the second byte names. A browser is not told why a handshake failed,
so whatever keeps a machine from being reached is a Status too. What is typed is kept nowhere.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from starlette.types import Receive, Scope, Send
from wsproto.frame_protocol import CloseReason

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.hosts.contract import Size

from .http import Incoming, Terminals
from .lasting import Lasting, first_of
from .negotiation import encode
from .query import flag
from .service import Call, fetch
from .status import Json, StatusError, bad_request, no_such_path
from .websocket import Socket, accept

if TYPE_CHECKING:
    from groundplane.hosts.terminal import Terminal

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _STATUS, _SIZE, _END = 0, 1, 2, 3, 4, 255
# Until the caller has told its own.
_USUAL = Size(80, 24)
_SIGNALLED = 128

_Length = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class _Told(msgspec.Struct):
    """A message of channel 4."""

    width: _Length = msgspec.field(name="Width")
    height: _Length = msgspec.field(name="Height")


async def execute(incoming: Incoming) -> Lasting:
    """Return what opens the terminal; access has been checked."""
    call = incoming.call()
    terminals = incoming.server.terminals
    if not call.resource.has_exec or terminals is None:
        raise no_such_path()
    await fetch(incoming.server.service, call)
    size = _USUAL if flag(incoming.query, "tty") else None
    return _Opened(incoming, call, terminals, incoming.query.getlist("command"), size)


@dataclass(slots=True)
class _Opened(Lasting):
    """One terminal, or one command without; `size` is that of the former."""

    incoming: Incoming
    call: Call
    terminals: Terminals
    argv: list[str]
    size: Size | None
    terminal: Terminal | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = await accept(scope, receive, send, PROTOCOLS)
        stopping = self.incoming.server.stopping
        try:
            await first_of(self._told(socket), self._shown(socket), stopping.wait())
            if stopping.is_set():
                raise StatusError(503, "ServiceUnavailable", "the server stops, and the terminal with it")
        except (Denied, Refused, Unavailable) as error:
            await socket.send(_message(_STATUS, encode(_failure(error))))
        await socket.close(CloseReason.GOING_AWAY if stopping.is_set() else CloseReason.NORMAL_CLOSURE)

    async def _shown(self, socket: Socket) -> None:
        """Start it, pass on what it prints, and tell how it ended. Its end on the machine is waited for."""
        size = self.size
        async with self.terminals.open(self.call.namespace, self.call.name, self.argv, size) as terminal:
            self.terminal = terminal
            if self.size is not None and self.size != size:
                terminal.resize(self.size)
            self.ready.set()
            await asyncio.gather(
                _passed(terminal, "stdout", socket, _STDOUT), _passed(terminal, "stderr", socket, _STDERR)
            )
            await socket.send(_message(_STATUS, encode(_outcome(await terminal.ended()))))

    async def _told(self, socket: Socket) -> None:
        """Do what the caller says, until it leaves."""
        async for message in socket.messages():
            data = message.encode() if isinstance(message, str) else message
            if data:
                await self._take(data[0], data[1:], socket.protocol)

    async def _take(self, channel: int, data: bytes, protocol: str) -> None:
        if channel == _SIZE and self.size is not None:
            self.size = _size(data)
            if self.terminal is not None:
                self.terminal.resize(self.size)
        elif channel == _STDIN:
            await self._typed(data)
        elif channel == _END and data == bytes([_STDIN]) and protocol == PROTOCOLS[0]:
            await self.ready.wait()
            if self.terminal is not None:
                self.terminal.end_input()
        else:
            raise bad_request(f"channel {channel} takes nothing here")

    async def _typed(self, data: bytes) -> None:
        await self.ready.wait()
        try:
            # While it waits here nobody notices that the caller leaves.
            async with asyncio.timeout(self.incoming.server.limits.slow_reader):
                if self.terminal is not None:
                    await self.terminal.write(data)
        except TimeoutError as error:
            raise StatusError(504, "Timeout", "what runs on the machine takes nothing of what is typed") from error


async def _passed(terminal: Terminal, stream: Literal["stdout", "stderr"], socket: Socket, channel: int) -> None:
    while data := await terminal.read(stream):
        await socket.send(_message(channel, data))


def _message(channel: int, data: bytes) -> bytes:
    return bytes([channel]) + data


def _size(data: bytes) -> Size:
    try:
        told = msgspec.json.decode(data, type=_Told)
    except msgspec.DecodeError as error:
        raise bad_request(f"this is no size of a terminal: {error}") from error
    return Size(told.width, told.height)


def _outcome(status: int) -> Json:
    """Return the Status of an exit status, as from a kubelet; a signal's is that which a shell would give it."""
    if status == 0:
        return {"metadata": {}, "status": "Success"}
    code = status if status > 0 else _SIGNALLED - status
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure(error: Denied | Refused | Unavailable) -> Json:
    """Return the Status of what went wrong: it is the machine that refuses or is away, not we."""
    status = error if isinstance(error, StatusError) else StatusError(503, "ServiceUnavailable", str(error))
    return status.body()
