"""A request as the handlers see it, and the answers they give. Starlette below, Kubernetes above."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from . import names
from .audit.middleware import Audit
from .authn.contract import Authenticator
from .gotext import quoted
from .health import Health
from .inflight import InFlightLimits
from .metrics import Registry
from .negotiation import JSON, decode_body, encode
from .protobuf import PROTOBUF
from .query import flag
from .service import Call, FieldValidation, Options, Service, User
from .status import Json, bad_request, method_not_allowed, no_such_path, timed_out, too_large

if TYPE_CHECKING:
    from .login import Logins

# kube-apiserver's limit for a request's body.
MAX_BODY = 3 * 1024 * 1024
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "HEAD": "list", "DELETE": "deletecollection"}
WRITE_TYPES = (JSON, "application/yaml", PROTOBUF)


class OperationLog(Protocol):
    """Where the logs of Operations are read from: lines as JSON bytes with their newline."""

    def read(self, uid: str, *, step: str = "", follow: bool = False) -> AsyncIterator[bytes]: ...


class Part(Protocol):
    """A part of the server that can be in trouble while the server goes on; shown by /readyz?verbose to anybody."""

    @property
    def name(self) -> str: ...

    @property
    def trouble(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds of a request without a stream, of one body, and of one chunk of a stream that the reader does not take;
    how many requests may be in flight."""

    request: float = 60.0
    body: float = 30.0
    slow_reader: float = 30.0
    in_flight: InFlightLimits = field(default_factory=InFlightLimits)


@dataclass(frozen=True, slots=True)
class Server:
    """What every handler works with. `stopping` is set when the server ends: streams end with it."""

    service: Service
    stopping: asyncio.Event
    authn: Authenticator
    log: OperationLog | None = None
    limits: Limits = Limits()
    address: str = ""
    audit: Audit | None = None
    logins: Logins | None = None
    parts: tuple[Part, ...] = ()
    health: Health = field(default_factory=Health)
    metrics: Registry = field(default_factory=Registry)
    documents: dict[str, object] = field(default_factory=dict)

    def troubles(self) -> list[tuple[str, str]]:
        """Return what is wrong with the parts of the server that it can do without for a while."""
        parts = [*self.parts, *([self.audit] if self.audit else [])]
        return [(part.name, part.trouble) for part in parts if part.trouble]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request: who asks, for what, and where the answer's needs can be looked up."""

    server: Server
    request: Request
    user: User

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def accept(self) -> str:
        return self.request.headers.get("accept", "")

    @property
    def content_type(self) -> str:
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def path(self, name: str) -> str:
        """Return a part of the path, "" when the route has no such part."""
        return str(self.request.path_params.get(name, ""))

    @property
    def verb(self) -> str:
        """The verb of the API that is asked for, as access rules name it."""
        method = self.request.method
        if self.path("name") or method not in _COLLECTION_VERBS:
            return _VERBS[method]
        if method == "GET" and flag(self.query, "watch"):
            return "watch"
        return _COLLECTION_VERBS[method]

    def call(self) -> Call:
        """Return what is asked of which resource; raises 404 when there is no such resource, 400 for bad options."""
        group, version, plural = self.path("group"), self.path("version"), self.path("resource")
        resource = self.server.service.resources.find(group, version, plural)
        namespace = self.path("namespace")
        if resource is None or (namespace and not resource.namespaced):
            raise no_such_path()
        if self.path("subresource") == "status" and not resource.has_status:
            raise no_such_path()
        name = self.path("name")
        if name and resource.namespaced and not namespace:
            raise no_such_path()
        if problems := names.path_segment(name):
            raise bad_request(f"Name parameter invalid: {quoted(name)}: {'; '.join(problems)}")
        if self.verb not in resource.verbs:
            raise method_not_allowed(self.verb, group, plural, resource.refusal)
        return Call(self.user, resource, namespace, name, self.path("subresource"), self._options())

    def _options(self) -> Options:
        dry_run = self.query.getlist("dryRun")
        if any(value != "All" for value in dry_run):
            raise bad_request(f"dryRun: Unsupported value: {dry_run[0]!r}: supported values: 'All'")
        validation = self.query.get("fieldValidation") or "Warn"
        checks: dict[str, FieldValidation] = {"Strict": "Strict", "Warn": "Warn", "Ignore": "Ignore"}
        if validation not in checks:
            raise bad_request(f"fieldValidation: Unsupported value: {validation!r}: supported values: Ignore, Strict, "
                              "Warn")  # fmt: skip
        manager = self.query.get("fieldManager") or self._default_manager()
        if len(manager) > 128 or not manager.isprintable():
            raise bad_request("fieldManager: Invalid value: at most 128 printable characters")
        return Options(bool(dry_run), manager, checks[validation], self.query.get("force") in ("true", "1"))

    def _default_manager(self) -> str:
        agent = self.request.headers.get("user-agent", "").partition("/")[0].strip()
        return agent[:128] or "unknown"

    async def body(self) -> bytes:
        """Return the body; raises 413 and 504."""
        length = self.request.headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY:
            raise too_large(MAX_BODY)
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self.server.limits.body):
                async for chunk in self.request.stream():
                    size += len(chunk)
                    if size > MAX_BODY:
                        raise too_large(MAX_BODY)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise timed_out("the body of the request did not arrive in time") from error
        return b"".join(chunks)

    async def document(self, *, types: tuple[str, ...] = WRITE_TYPES) -> Any:
        """Return the decoded body; raises 400, 413 and 415."""
        return decode_body(self.content_type, await self.body(), allowed=types)


Handler = Callable[[Incoming], Any]


def answer(value: bytes | Json, *, code: int = 200, warnings: list[str] | None = None) -> Response:
    """Return a JSON answer; each warning becomes a Warning header (RFC 7234, code 299)."""
    content = value if isinstance(value, bytes) else encode(value)
    response = Response(content, status_code=code, media_type=JSON)
    for text in dict.fromkeys(warnings or ()):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.append("warning", f'299 - "{quoted}"'.encode().decode("latin-1"))
    return response


class Stream:
    """An ASGI response that sends chunks until they end, the server stops, the reader leaves or does not keep up."""

    def __init__(self, chunks: AsyncIterator[bytes], server: Server, *, media_type: str) -> None:
        self._chunks = chunks
        self._media_type = media_type
        self._slow_reader = server.limits.slow_reader
        self._stopping = server.stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", self._media_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        stopping = asyncio.ensure_future(self._stopping.wait())
        tasks = (sending, leaving, stopping)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not leaving.done() or leaving.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        try:
            async for chunk in self._chunks:
                # A reader that takes nothing for this long is cut: it can resume from its last resourceVersion.
                async with asyncio.timeout(self._slow_reader):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


__all__ = ["MAX_BODY", "ClientDisconnect", "Handler", "Incoming", "Limits", "OperationLog", "Server", "Stream",
           "answer"]  # fmt: skip
