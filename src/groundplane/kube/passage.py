"""The same wire for somebody else's requests: they go on as they came, and so do the answers.

Nothing is decoded or turned into an error because of its status: the caller hands it on. Only failures to reach the
server are errors, those of `kube.errors`, and a 401 of the server itself, for the credentials are ours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

from .errors import ServerUnavailable, Unauthorized
from .kubeconfig import Access
from .login import Credentials
from .transport import Call, Transport, bearer

_CONNECT = 10.0
_PIECE = 64 * 1024
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Passing:
    """One request. `target`: path and query as they stand in the request line; `body`: None for none.

    `beyond`: something behind the server answers, such as a Service, so that a 401 says nothing of our credentials.
    """

    method: str
    target: bytes
    headers: Headers
    body: AsyncIterator[bytes] | None = None
    beyond: bool = False


class Tunnel:
    """The bytes of an upgraded connection."""

    def __init__(self, response: httpx2.Response) -> None:
        self._stream: httpcore2.AsyncNetworkStream = response.extensions["network_stream"]

    async def read(self) -> bytes:
        """Return what comes next, b"" at the end."""
        try:
            return await self._stream.read(_PIECE)
        except httpcore2.NetworkError:
            return b""

    async def write(self, data: bytes) -> bool:
        """Send; False when the other side takes nothing any more, though it may have more to say."""
        try:
            await self._stream.write(data)
        except httpcore2.NetworkError:
            return False
        return True


class Passage(Transport):
    """A Transport that also lets requests of others through, with our credentials on them."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._users: Counter[httpx2.AsyncClient] = Counter()

    @asynccontextmanager
    async def through(self, passing: Passing, *, patience: float) -> AsyncIterator[httpx2.Response]:
        """Send and give the answer once its head is there, within `patience` seconds; leaving the block ends it."""
        http, response = await self._sent(passing, patience)
        if self._refused(response, passing) and self._login.renewable and passing.body is None:
            await self._done(http, response)
            http, response = await self._sent(passing, patience)
        try:
            if self._refused(response, passing):
                raise Unauthorized(
                    f"cannot pass a request on: {self.server} does not accept the credentials in the cluster's"
                    " kubeconfig",
                    remedy="import the cluster again with --renew, or replace the content of its Secret",
                )
            yield response
        finally:
            await self._done(http, response)

    async def _sent(self, passing: Passing, patience: float) -> tuple[httpx2.AsyncClient, httpx2.Response]:
        credentials = await self._login.credentials()
        with self._errors(Call(passing.method, "/", "pass a request on")):
            http = await self._client(credentials)
            self._users[http] += 1
            try:
                async with asyncio.timeout(patience):
                    response = await http.send(self._request(passing, credentials), stream=True)
            except BaseException as error:
                self._users[http] -= 1
                if isinstance(error, TimeoutError):
                    raise ServerUnavailable(
                        f"cannot pass a request on: {self.server} did not answer within {patience:.0f} s"
                    ) from error
                raise
        if self._refused(response, passing):
            self._login.drop(credentials)
        return http, response

    async def _done(self, http: httpx2.AsyncClient, response: httpx2.Response) -> None:
        await response.aclose()
        self._users[http] -= 1
        if http is not self._http and not self._users[http]:
            del self._users[http]
            await http.aclose()

    @staticmethod
    def _refused(response: httpx2.Response, passing: Passing) -> bool:
        return response.status_code == httpx2.codes.UNAUTHORIZED and not passing.beyond

    async def _client(self, credentials: Credentials) -> httpx2.AsyncClient:
        """Another certificate means other connections; those in use go on until their answers end."""
        presented = (credentials.certificate, credentials.key)
        if self._http is None or presented != self._presented:
            before, self._http = self._http, self._open(credentials)
            self._presented = presented
            if before is not None and not self._users[before]:
                await before.aclose()
        return self._http

    def _request(self, passing: Passing, credentials: Credentials) -> httpx2.Request:
        server = urlsplit(self.server)
        timeout = httpx2.Timeout(None, connect=_CONNECT).as_dict()
        target = server.path.rstrip("/").encode() + passing.target
        extensions: dict[str, Any] = {"timeout": timeout, "target": target}
        if self._access.tls_server_name:
            extensions["sni_hostname"] = self._access.tls_server_name
        headers = list(passing.headers)
        if credentials.token:
            headers.append((b"authorization", bearer(credentials).encode()))
        return httpx2.Request(passing.method, self.server, headers=headers, content=passing.body, extensions=extensions)
