"""How an answer goes over the wire: as YAML when the caller prefers it, compressed when it is large.

Only answers that come in one piece are touched, never streams. As from kube-apiserver, what is larger than 128 KiB
is compressed at gzip's first level when the caller takes gzip; the work is done in a thread.
"""

from __future__ import annotations

import asyncio
import gzip

import msgspec
import yaml
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .negotiation import JSON, YAML, prefers_yaml
from .requestinfo import header

COMPRESS_BYTES = 128 * 1024
_LEVEL = 1


class Rendered:
    """The middleware. It holds the start of an answer back until its first piece shows what it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_yaml, as_gzip = prefers_yaml(header(scope, b"accept")), _takes_gzip(header(scope, b"accept-encoding"))
        if not (as_yaml or as_gzip):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def rendered(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            if held:
                start = held.pop()
                if not message.get("more_body"):
                    message = await _render(start, message, as_yaml=as_yaml, as_gzip=as_gzip)
                await send(start)
            await send(message)

        await self._app(scope, receive, rendered)


async def _render(start: Message, message: Message, *, as_yaml: bool, as_gzip: bool) -> Message:
    """Return the body as it is to be sent, having adapted the headers in `start`."""
    headers = MutableHeaders(raw=start["headers"])
    body: bytes = message.get("body", b"")
    if as_yaml and body and headers.get("content-type") == JSON:
        body = await asyncio.to_thread(_to_yaml, body)
        headers["content-type"] = YAML
    if as_gzip and len(body) > COMPRESS_BYTES and "content-encoding" not in headers:
        body = await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
        headers.add_vary_header("Accept-Encoding")
    if "content-length" in headers:
        headers["content-length"] = str(len(body))
    start["headers"] = headers.raw
    return {**message, "body": body}


def _takes_gzip(accept_encoding: str) -> bool:
    if "gzip" not in accept_encoding.lower():
        return False
    for member in accept_encoding.split(","):
        name, _, parameters = member.partition(";")
        if name.strip().lower() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _to_yaml(body: bytes) -> bytes:
    document = msgspec.json.decode(body)
    encoded: bytes = yaml.dump(document, Dumper=yaml.CSafeDumper, encoding="utf-8", allow_unicode=True)
    return encoded
