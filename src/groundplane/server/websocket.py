"""A WebSocket (RFC 6455) on a request that asks for one: wsproto knows the frames, the connection carries the bytes."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import generate_accept_token

from .requestinfo import header, upgrade_of
from .status import bad_request

# What a caller sends at once: what is typed or pasted, or which streams it wants.
_LARGEST = 1024 * 1024
# A caller that does not answer the end is cut.
_GOODBYE_SECONDS = 5.0
_HANDSHAKE_BYTES = 16


class Socket:
    """The WebSocket of one request: one reads it, any number write. `protocol`: the one that was agreed on, or ""."""

    def __init__(self, receive: Receive, send: Send, protocol: str) -> None:
        self.protocol = protocol
        self._receive = receive
        self._send = send
        self._frames = Connection(ConnectionType.SERVER)
        self._ended = False

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield whole messages until the caller closes or is gone; pings are answered on the way."""
        parts: list[Message[Any]] = []
        size = 0
        while self._frames.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            if not await self._read():
                return
            for event in self._frames.events():
                if isinstance(event, CloseConnection):
                    await self._answer(event)
                    return
                if isinstance(event, Ping):
                    await self._write(self._frames.send(event.response()))
                elif isinstance(event, TextMessage | BytesMessage):
                    size += len(event.data)
                    if size > _LARGEST:
                        await self.close(CloseReason.MESSAGE_TOO_BIG, f"a message has at most {_LARGEST} bytes")
                        return
                    parts.append(event)
                    if event.message_finished:
                        yield _whole(parts)
                        parts, size = [], 0

    async def send(self, data: str | bytes) -> None:
        """Send a message; waits while the reader is slow. What comes after the end is dropped."""
        if self._frames.state is not ConnectionState.OPEN:
            return
        event = TextMessage(data) if isinstance(data, str) else BytesMessage(data)
        await self._write(self._frames.send(event))

    async def close(self, code: int = CloseReason.NORMAL_CLOSURE, reason: str = "") -> None:
        """Say that it is over, wait a while for the caller to say so too, and end the request. Once is enough."""
        if self._ended:
            return
        self._ended = True
        if self._frames.state is ConnectionState.OPEN:
            await self._write(self._frames.send(CloseConnection(code, reason)))
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                while self._frames.state is ConnectionState.LOCAL_CLOSING and await self._read():
                    list(self._frames.events())
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read(self) -> bool:
        """Take what has come; False when the caller is gone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            return False
        self._frames.receive_data(message.get("body", b""))
        return True

    async def _answer(self, event: CloseConnection) -> None:
        """Say goodbye too; where wsproto found what is no WebSocket, the event is what to say."""
        if self._frames.state is not ConnectionState.CLOSED:
            await self._write(self._frames.send(event))

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def accept(scope: Scope, receive: Receive, send: Send, protocols: Sequence[str]) -> Socket:
    """Answer a handshake (RFC 6455 section 4.2); raises 400 for what is none, or offers none of `protocols`."""
    key = header(scope, b"sec-websocket-key")
    if upgrade_of(scope).lower() != "websocket" or scope["method"] != "GET":
        raise bad_request("this path speaks WebSocket only: the request asks for no upgrade to it")
    if header(scope, b"sec-websocket-version") != "13":
        raise bad_request("WebSocket of version 13 is spoken here")
    if not _is_key(key):
        raise bad_request("Sec-WebSocket-Key is not 16 bytes in base64")
    offered = [name.strip() for name in header(scope, b"sec-websocket-protocol").split(",")]
    chosen = next((name for name in protocols if name in offered), None)
    if chosen is None:
        raise bad_request(f"none of the subprotocols of this path is offered: {', '.join(protocols)}")
    headers = [
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"sec-websocket-accept", generate_accept_token(key.encode("latin-1"))),
        (b"sec-websocket-protocol", chosen.encode("latin-1")),
    ]
    await send({"type": "http.response.start", "status": 101, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    return Socket(receive, send, chosen)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _HANDSHAKE_BYTES
    except binascii.Error:
        return False


def _whole(parts: Sequence[Message[Any]]) -> str | bytes:
    if isinstance(parts[0], TextMessage):
        return "".join(part.data for part in parts)
    return b"".join(bytes(part.data) for part in parts)
