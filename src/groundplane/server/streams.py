"""Many answers over one connection: GETs that a caller asks for on one WebSocket, each answered as on its own.

A browser opens six connections to one server for all of its tabs; each watch takes one for as long as it is followed,
and the seventh request, whatever it is, waits for ever. WebSockets are not counted among the six.

Each GET goes through the whole application with the credentials of the handshake: it is authenticated, allowed, counted
and recorded like any other. What is sent: `{"id": 1, "get": "/apis/…", "accept": "…"}` begins one, `{"id": 1}` ends it.
What comes: `{"id": 1, "status": 200}`, then the body in messages of bytes that begin with the id (4 bytes, big-endian),
then `{"id": 1, "end": true}`, or `{"id": 1, "cut": true}` for an answer that did not come to its end.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wsproto.frame_protocol import CloseReason

from groundplane.base.logs import get_logger

from .exchange import AnswerCut
from .http import Incoming
from .lasting import Lasting, first_of
from .status import unauthorized
from .users import ANONYMOUS
from .websocket import Socket, accept

PROTOCOL = "v1.streams.groundplane.dev"
# More than a page follows: the drain of a node waits for each of its pods.
_MOST = 500
_LONGEST = 8192
# What belongs to the handshake, or is each stream's own.
_LEFT_OUT = frozenset((b"accept", b"accept-encoding", b"audit-id", b"connection", b"content-length", b"upgrade"))
_IN_ADDRESSES = "!#$%&'()*+,/:;=?@[]~"
_KEPT = ("type", "http_version", "scheme", "root_path", "client", "server", "groundplane.peer")

_log = get_logger(__name__)


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the caller: `get` is a path with its query, "" to end what has this id."""

    id: int = msgspec.field()
    get: str = ""
    accept: str = "application/json"


async def streams(incoming: Incoming) -> Lasting:
    """Answer the handshake for whoever is known; each stream is allowed or refused by itself."""
    if incoming.user is ANONYMOUS:
        raise unauthorized()
    return _Streams(incoming)


class _Streams(Lasting):
    """All streams of one WebSocket."""

    def __init__(self, incoming: Incoming) -> None:
        self._stopping = incoming.server.stopping
        self._patience = incoming.server.limits.slow_reader
        self._stuck = asyncio.Event()
        self._going: dict[int, _Stream] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = await accept(scope, receive, send, (PROTOCOL,))
        try:
            await first_of(self._led(socket, scope), self._stopping.wait(), self._stuck.wait())
        finally:
            await self._end_all()
        if self._stuck.is_set():
            raise AnswerCut("the reader takes nothing")
        await socket.close(CloseReason.GOING_AWAY if self._stopping.is_set() else CloseReason.NORMAL_CLOSURE)

    async def _led(self, socket: Socket, scope: Scope) -> None:
        async for message in socket.messages():
            if (why := self._take(message, socket, scope)) is not None:
                await socket.close(CloseReason.POLICY_VIOLATION, why)
                return

    def _take(self, message: str | bytes, socket: Socket, scope: Scope) -> str | None:
        """Do what a message says; return what is wrong with it."""
        try:
            asked = msgspec.json.decode(message, type=_Asked)
        except msgspec.DecodeError as error:
            return str(error)
        going = self._going.get(asked.id)
        if not asked.get:
            if going is not None:
                going.gone.set()
            return None
        if going is not None:
            return f"stream {asked.id} is there already"
        if not 0 <= asked.id < 1 << 32 or not asked.get.startswith("/") or len(asked.get) > _LONGEST:
            return f"stream {asked.id} has no id of 32 bits, or no path"
        if len(self._going) >= _MOST:
            return f"there are {_MOST} streams already"
        stream = self._going[asked.id] = _Stream(asked.id, socket, _scope_of(asked, scope))
        stream.task = asyncio.create_task(self._run(stream, scope["groundplane.application"]))
        stream.task.add_done_callback(lambda _: self._going.pop(asked.id))
        return None

    async def _run(self, stream: _Stream, app: ASGIApp) -> None:
        if await stream.run(app):
            return
        # Also the end of an answer has to be taken: who does not is cut off, with all streams.
        try:
            async with asyncio.timeout(self._patience):
                await stream.tell({"cut": True})
        except TimeoutError:
            self._stuck.set()

    async def _end_all(self) -> None:
        tasks = [stream.task for stream in self._going.values()]
        for stream in self._going.values():
            stream.gone.set()
            if self._stuck.is_set():
                stream.task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class _Stream:
    """One GET and its answer, as an application sees them; `gone` is set when nobody wants the answer any more."""

    task: asyncio.Task[None]

    def __init__(self, number: int, socket: Socket, scope: Scope) -> None:
        self.gone = asyncio.Event()
        self._id = number
        self._mark = number.to_bytes(4, "big")
        self._socket = socket
        self._scope = scope
        self._asked = False

    async def run(self, app: ASGIApp) -> bool:
        """Let the application answer; return whether it came to its end. What goes wrong there ends no other stream."""
        try:
            await app(self._scope, self._receive, self._send)
        except AnswerCut:
            return False
        except Exception:  # noqa: BLE001 - this is the task's owner: the application answers its errors by itself
            _log.exception("request failed", method="GET", path=self._scope["path"])
            return False
        return True

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self.gone.is_set():
            return
        if message["type"] == "http.response.start":
            await self.tell({"status": message["status"]})
            return
        if body := message.get("body"):
            await self._socket.send(self._mark + body)
        if not message.get("more_body", False):
            await self.tell({"end": True})

    async def tell(self, what: dict[str, Any]) -> None:
        """Say something of this stream that is not of its body."""
        await self._socket.send(msgspec.json.encode({"id": self._id, **what}).decode())


def _scope_of(asked: _Asked, scope: Scope) -> Scope:
    """Return the request that a message asks for, by whom the handshake came from."""
    # As a browser sends an address: what is no ASCII goes out in percent.
    raw, _, query = quote(asked.get, safe=_IN_ADDRESSES).encode().partition(b"?")
    kept = [(name, value) for name, value in scope["headers"] if not _of_handshake(name)]
    made = {
        "method": "GET",
        "path": unquote(raw.decode()),
        "raw_path": raw,
        "query_string": query,
        "headers": [*kept, (b"accept", asked.accept.encode())],
    }
    return {**{key: scope[key] for key in _KEPT if key in scope}, **made}


def _of_handshake(name: bytes) -> bool:
    return name in _LEFT_OUT or name.startswith(b"sec-websocket-")
