"""The same wire for somebody else's requests: they go on as they came, and so do the answers.

Nothing is decoded, repeated or turned into an error because of its status: the caller hands it on. Only failures to
reach the server are errors, those of `kube.errors`, and a 401, for the credentials are ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from .errors import ServerUnavailable, Unauthorized
from .login import Credentials
from .transport import Call, Transport, bearer

_CONNECT = 10.0
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Passing:
    """One request. `target`: path and query as they stand in the request line; `body`: None for none."""

    method: str
    target: bytes
    headers: Headers
    body: AsyncIterator[bytes] | None = None


class Passage(Transport):
    """A Transport that also lets requests of others through, with our credentials on them."""

    @asynccontextmanager
    async def through(self, passing: Passing, *, patience: float) -> AsyncIterator[httpx2.Response]:
        """Send and give the answer once its head is there, within `patience` seconds; leaving the block ends it."""
        credentials = await self._login.credentials()
        with self._errors(Call(passing.method, "/", "pass a request on")):
            http = await self._client(credentials)
            request = self._request(passing, credentials)
            try:
                async with asyncio.timeout(patience):
                    response = await http.send(request, stream=True)
            except TimeoutError as error:
                raise ServerUnavailable(
                    f"cannot pass a request on: {self.server} did not answer within {patience:.0f} s"
                ) from error
        try:
            if response.status_code == httpx2.codes.UNAUTHORIZED:
                self._login.drop(credentials)
                raise Unauthorized(
                    f"cannot pass a request on: {self.server} does not accept the credentials in the cluster's"
                    " kubeconfig",
                    remedy="import the cluster again with --renew, or replace the content of its Secret",
                )
            yield response
        finally:
            await response.aclose()

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
