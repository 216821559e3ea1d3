"""One request to a managed cluster, and its answer, both as they come; an upgraded one is two streams of bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import httpx2
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from groundplane.base.errors import Denied, Refused
from groundplane.kube.passage import Passing, Tunnel

from ..audit.middleware import annotate
from ..exchange import AnswerCut
from ..http import Incoming
from ..lasting import Lasting, first_of, left
from ..requestinfo import header, upgrade_of
from ..status import StatusError
from .doors import Door, Doors
from .headers import back, there
from .identity import impersonation, with_credentials
from .paths import Through, through

_SWITCHING = 101
# What Kubernetes itself hands on to a pod, a Service or a node.
_BEYOND = re.compile(rb"/api/v1/.+/proxy(?:/|$)", re.DOTALL)


async def forward(incoming: Incoming) -> Lasting:
    """Return the answer that the cluster gives; access has been checked."""
    doors = incoming.server.gateway
    if doors is None:
        raise StatusError(404, "NotFound", "there is no gateway here")
    return _Forwarded(incoming, doors, through(incoming.scope["raw_path"]))


@dataclass(frozen=True, slots=True)
class _Forwarded(Lasting):
    incoming: Incoming
    doors: Doors
    where: Through

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as until_answered:
            door = await until_answered.enter_async_context(self.doors.open(self.where.namespace, self.where.name))
            sent = asyncio.Event()
            passing = self._passing(door)
            if _has_body(scope):
                passing = replace(passing, body=_body(receive, sent))
            else:
                sent.set()
            way = door.passage.through(passing, patience=self.incoming.server.limits.request)
            answers: list[httpx2.Response] = []

            async def begin() -> None:
                answers.append(await until_answered.enter_async_context(way))

            try:
                await first_of(begin(), _gone(receive, sent))
            except (Denied, Refused) as error:
                # It is the cluster's credentials that are refused, or its kubeconfig that is wrong, not the caller.
                raise StatusError(503, "ServiceUnavailable", str(error)) from error
            if not answers:
                raise ClientDisconnect
            await self._answer(answers[0], receive, send)

    def _passing(self, door: Door) -> Passing:
        incoming, where = self.incoming, self.where
        authorizer, user = incoming.server.service.authorizer, incoming.user
        query: bytes = incoming.scope["query_string"]
        headers = there(incoming.scope["headers"], upgrade=upgrade_of(incoming.scope).encode("latin-1"))
        if with_credentials(authorizer, user, where.namespace, door.secret):
            acting = f"the credentials in Secret {door.secret}"
        else:
            told = impersonation(authorizer, user, where.namespace, where.name)
            headers += told
            acting = told[0][1].decode()
        annotate(incoming.scope, "groundplane.dev/acting-as", acting)
        target = where.path + (b"?" + query if query else b"")
        beyond = _BEYOND.match(where.path) is not None
        return Passing(incoming.method, target, [*headers, (b"audit-id", _audit_id(incoming.scope))], beyond=beyond)

    async def _answer(self, response: httpx2.Response, receive: Receive, send: Send) -> None:
        upgraded = response.status_code == _SWITCHING
        headers = back(response.headers.raw, upgraded=upgraded)
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        stopping = self.incoming.server.stopping
        if upgraded:
            tunnel = Tunnel(response)
            await first_of(_down(tunnel, send), _up(tunnel, receive), stopping.wait())
        else:
            ended, *_ = await first_of(_copied(response, send), left(receive), stopping.wait())
            if not ended:
                raise AnswerCut("the answer was not passed on to its end")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _audit_id(scope: Scope) -> bytes:
    identity: str = scope["groundplane.audit_id"]
    return identity.encode("latin-1")


def _has_body(scope: Scope) -> bool:
    return bool(header(scope, b"transfer-encoding")) or header(scope, b"content-length") not in ("", "0")


async def _gone(receive: Receive, sent: asyncio.Event) -> None:
    """Return when the caller is gone; until the body is sent, whoever reads that notices."""
    await sent.wait()
    await left(receive)


async def _body(receive: Receive, sent: asyncio.Event) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]
    sent.set()


async def _copied(response: httpx2.Response, send: Send) -> None:
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _down(tunnel: Tunnel, send: Send) -> None:
    while data := await tunnel.read():
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _up(tunnel: Tunnel, receive: Receive) -> None:
    """Send what comes until the caller leaves; what is not taken is dropped, for the cluster may have more to say."""
    taken = True
    while (message := await receive())["type"] != "http.disconnect":
        if message.get("body") and taken:
            taken = await tunnel.write(message["body"])
