"""A request as the handlers see it, and the answers they give. Starlette below, Kubernetes above."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from groundplane.api.cause import Cause, not_supported, too_long
from groundplane.api.cause import invalid as wrong
from groundplane.base.gotext import quoted

from . import names
from .audit.middleware import Audit, was_read
from .authn.contract import Authenticator
from .deadline import within
from .exchange import AnswerCut
from .frames import Frames
from .health import Health
from .inflight import InFlightLimits
from .lasting import Lasting, first_of, left
from .metrics import Registry
from .negotiation import JSON, YAML_TYPES, decode_body, encode
from .protobuf import PROTOBUF
from .query import flag
from .requestinfo import EXEC, EXEC_VERB, header
from .service import Call, FieldValidation, Options, Service, User
from .status import Json, bad_request, invalid, method_not_allowed, no_such_method, no_such_path, timed_out, too_large

if TYPE_CHECKING:
    from groundplane.hosts.contract import Size
    from groundplane.hosts.terminal import Terminal

    from .about.settings import Setting
    from .gateway.doors import Doors
    from .login import Logins

T = TypeVar("T")


class _NoQuery(QueryParams):
    """The query of most requests, which nobody needs to look through."""

    def get(self, key: Any, default: Any = None) -> Any:
        return default

    def getlist(self, key: Any) -> list[str]:
        return []

    def __contains__(self, key: object) -> bool:
        return False


_NO_QUERY = _NoQuery()
# Bodies up to these are read at once, in a few milliseconds.
_SHORT_YAML = 1024
_SHORT_BODY = 128 * 1024
# kube-apiserver's limit for a request's body.
MAX_BODY = 3 * 1024 * 1024
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"GET": "list", "HEAD": "list", "DELETE": "deletecollection"}
WRITE_TYPES = (JSON, "application/yaml", PROTOBUF)


_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_VALIDATIONS: dict[str, FieldValidation] = {"Ignore": "Ignore", "Strict": "Strict", "Warn": "Warn"}
# k8s.io/apimachinery/pkg/apis/meta/v1/validation.FieldManagerMaxLength
_MAX_MANAGER = 128


def _option_causes(dry_run: list[str], manager: str, validation: str) -> list[Cause]:
    """Return what is wrong with the options of a write (apimachinery/pkg/apis/meta/v1/validation)."""
    causes = []
    if len(manager.encode()) > _MAX_MANAGER:
        causes.append(too_long("fieldManager", _MAX_MANAGER))
    for position, char in enumerate(manager):
        if not char.isprintable():
            rule = f"invalid character U+{ord(char):04X} (at position {position})"
            causes.append(wrong("fieldManager", manager, rule))
    if any(value != "All" for value in dry_run):
        causes.append(not_supported("dryRun", dry_run, ["All"]))
    if validation not in _VALIDATIONS:
        causes.append(not_supported("fieldValidation", validation, _VALIDATIONS))
    return causes


class OperationLog(Protocol):
    """Where the logs of Operations are read from: lines as JSON bytes with their newline."""

    def read(self, uid: str, *, step: str = "", follow: bool = False) -> AsyncIterator[bytes]: ...


class Terminals(Protocol):
    """Where terminals on Machines are opened."""

    def open(
        self, namespace: str, name: str, argv: Sequence[str], size: Size | None
    ) -> AbstractAsyncContextManager[Terminal]:
        """Start `argv`, or the login shell, in a terminal of that size or without one; it ends with the block."""


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
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    frames: Frames = field(default_factory=Frames)
    gateway: Doors | None = None
    settings: tuple[Setting, ...] = ()
    terminals: Terminals | None = None

    def troubles(self) -> list[tuple[str, str]]:
        """Return what is wrong with the parts of the server that it can do without for a while."""
        parts = [*self.parts, *([self.audit] if self.audit else [])]
        return [(part.name, part.trouble) for part in parts if part.trouble]


@dataclass(slots=True)
class Incoming:
    """One request: who asks, for what, and where the answer's needs can be looked up."""

    server: Server
    scope: Scope
    receive: Receive
    user: User
    _query: QueryParams | None = field(init=False, default=None)

    @property
    def request(self) -> Request:
        """The request in Starlette's words, for what is seldom needed."""
        return Request(self.scope, self.receive)

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def query(self) -> QueryParams:
        if self._query is None:
            self._query = QueryParams(self.scope["query_string"]) if self.scope["query_string"] else _NO_QUERY
        return self._query

    def header(self, name: bytes) -> str:
        """Return the first header of this (lower case) name, "" without one."""
        return header(self.scope, name)

    @property
    def accept(self) -> str:
        return self.header(b"accept")

    @property
    def content_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()

    def path(self, name: str) -> str:
        """Return a part of the path, "" when the route has no such part."""
        return str(self.scope["path_params"].get(name, ""))

    @property
    def verb(self) -> str:
        """The verb of the API that is asked for, as access rules name it."""
        method = self.method
        if self.path("subresource") == EXEC:
            return EXEC_VERB
        if self.path("name") or method not in _COLLECTION_VERBS:
            return _VERBS[method]
        if method == "GET" and flag(self.query, "watch"):
            return "watch"
        return _COLLECTION_VERBS[method]

    def call(self) -> Call:
        """Return what is asked of which resource; raises 404 when there is no such resource, 400 for bad options."""
        part = self.scope["path_params"].get
        group, version, plural = part("group", ""), part("version", ""), part("resource", "")
        namespace, name, subresource = part("namespace", ""), part("name", ""), part("subresource", "")
        resource = self.server.service.resources.find(group, version, plural)
        if resource is None or (namespace and not resource.namespaced):
            raise no_such_path()
        if subresource == "status" and not resource.has_status:
            raise no_such_path()
        if resource.namespaced and not namespace and (name or self.method != "GET"):
            raise no_such_path()
        if problems := names.path_segment(name):
            raise bad_request(f"Name parameter invalid: {quoted(name)}: {'; '.join(problems)}")
        verb = self.verb
        if verb not in resource.verbs_on(subresource):
            if not resource.refusal:
                raise no_such_method()
            raise method_not_allowed(verb, group, plural, resource.refusal)
        return Call(self.user, resource, namespace, name, subresource, self._options())

    def _options(self) -> Options:
        if not self.scope["query_string"]:
            return Options(field_manager=self._default_manager())
        validation = self.query.get("fieldValidation") or "Warn"
        manager = self.query.get("fieldManager", "")
        causes = _option_causes(self.query.getlist("dryRun"), manager, validation)
        if causes:
            raise invalid("meta.k8s.io", _OPTIONS.get(self.method, "GetOptions"), "", causes)
        dry_run = bool(self.query.getlist("dryRun"))
        force = flag(self.query, "force")
        return Options(dry_run, manager or self._default_manager(), _VALIDATIONS[validation], force)

    def _default_manager(self) -> str:
        # As kube-apiserver does: what comes before the first slash, without what cannot be printed.
        agent = self.header(b"user-agent").partition("/")[0].strip()
        printable = agent if agent.isprintable() else "".join(filter(str.isprintable, agent))
        return printable[:128] or "unknown"

    async def body(self) -> bytes:
        """Return the body; raises 413 and 504."""
        length = self.header(b"content-length")
        if length.isdigit() and int(length) > MAX_BODY:
            raise too_large(MAX_BODY)
        try:
            return await within(self.server.limits.body, self._received())
        except TimeoutError as error:
            raise timed_out("the body of the request did not arrive in time") from error

    async def _received(self) -> bytes:
        chunks, size, more = [], 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > MAX_BODY:
                raise too_large(MAX_BODY)
            chunks.append(chunk)
        return b"".join(chunks)

    async def document(self, *, types: tuple[str, ...] = WRITE_TYPES) -> Any:
        """Return the decoded body; raises 400, 413 and 415."""
        return await self.decoded(await self.body(), types)

    async def decoded(self, raw: bytes, types: tuple[str, ...] = WRITE_TYPES) -> Any:
        """Return what a body holds; raises 400, 413 and 415."""
        document = await self.aside(raw, lambda: decode_body(self.content_type, raw, allowed=types))
        if self.content_type in YAML_TYPES:
            was_read(self.scope, encode(document))
        return document

    async def aside(self, raw: bytes, work: Callable[[], T]) -> T:
        """Do work on a body; in a thread, one at a time, when it may take so long that everybody would wait for it."""
        if len(raw) <= (_SHORT_YAML if self.content_type in YAML_TYPES else _SHORT_BODY):
            return work()
        async with self.server.reading:
            return await asyncio.to_thread(work)


Handler = Callable[[Incoming], Any]


class _Json(Response):
    """A JSON answer, whose two headers are known: finding them out is a good part of what a small answer costs."""

    media_type = JSON

    def __init__(self, content: bytes, code: int) -> None:
        self.status_code = code
        self.background = None
        self.body = content
        self.raw_headers = [(b"content-length", b"%d" % len(content)), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def answer(value: bytes | Json, *, code: int = 200, warnings: list[str] | None = None) -> Response:
    """Return a JSON answer; each warning becomes a Warning header (RFC 7234, code 299)."""
    content = value if isinstance(value, bytes) else encode(value)
    response = _Json(content, code)
    for text in dict.fromkeys(warnings or ()):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.append("warning", f'299 - "{quoted}"'.encode().decode("latin-1"))
    return response


class Stream(Lasting):
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
        _, gone, _ = await first_of(self._send(send), left(receive), self._stopping.wait())
        if not gone:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        try:
            async for chunk in self._chunks:
                # A reader that takes nothing for this long is cut: it can resume from its last resourceVersion.
                try:
                    async with asyncio.timeout(self._slow_reader):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError as error:
                    raise AnswerCut("the reader takes nothing") from error
        finally:
            close = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()


__all__ = ["MAX_BODY", "ClientDisconnect", "Handler", "Incoming", "Limits", "OperationLog", "Server", "Stream",
           "answer"]  # fmt: skip
