"""Records every request: `Recorded` stands around the whole application and sees what is answered, `Begun` stands
behind authentication and knows who asks.

The policy is asked once, with the real user (not the impersonated one), as in kube-apiserver. What the policy does
not want costs one look at its rules. Bodies are kept only when a line will show them or their name.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundplane.base.errors import Unavailable
from groundplane.base.ids import new_uid

from ..requestinfo import RequestInfo, header, info_of
from ..users import User
from . import event as events
from .log import AuditLog
from .policy import LEVEL_NAMES, Level, Policy

_LONGEST_ID = 64
# An issuer's answer comes here, with a code that is good for a sign-in until it is used.
_UNTOLD = "/login/"
_HEALTH = ("/livez", "/readyz", "/healthz")
# A body is kept for the line up to the size at which the API refuses it; an answer up to this.
_MOST_KEPT = 4 * 1024 * 1024


class NotRecorded(Unavailable):
    """Requests are refused because they cannot be recorded."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Where events go and which. The log is read by one at a time: it takes the processor from everybody else."""

    policy: Policy
    log: AuditLog
    name: str = "audit"
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def trouble(self) -> str:
        """What is wrong with the log, "" when all is well."""
        return self.log.trouble


@dataclass(slots=True)
class _Trail:
    """What is known of one request."""

    id: str
    info: RequestInfo
    received: int
    level: Level = Level.NONE
    omitted: tuple[str, ...] = ()
    begun: bool = False
    code: int = 0
    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)

    @property
    def wants_request(self) -> bool:
        # What lasts brings no document; what is typed into a terminal is nobody's business.
        if self.info.long_running:
            return False
        # The name of what is created is in the body alone, and part of the line from Metadata on.
        return self.level >= Level.REQUEST or (self.level >= Level.METADATA and self.info.verb == "create")

    @property
    def wants_response(self) -> bool:
        if self.info.long_running:
            return False
        return self.level >= Level.REQUEST_RESPONSE or (self.level >= Level.METADATA and self.code >= 400)


def audit_id(scope: Scope) -> str:
    """Return the request's id: the one that it brings (shortened as kube-apiserver does), else a new one."""
    given = header(scope, b"audit-id")
    if given and given.isascii() and given.isprintable():
        return given[:_LONGEST_ID]
    return new_uid()


class Recorded:
    """The outer part."""

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        info = info_of(scope)
        trail = _Trail(scope["groundplane.audit_id"], info, time.time_ns())
        scope["groundplane.audit"] = trail

        async def taking() -> Message:
            message = await receive()
            if trail.wants_request and message["type"] == "http.request" and len(trail.request) < _MOST_KEPT:
                trail.request += message.get("body", b"")
            return message

        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                trail.code = message["status"]
                self._started(trail, scope)
            elif trail.wants_response and len(trail.response) < _MOST_KEPT:
                trail.response += message.get("body", b"")
            await send(message)

        try:
            await self._app(scope, taking, giving)
        finally:
            if trail.begun:
                _write(self._audit, trail, scope, "Panic" if scope.get("groundplane.panic") else "ResponseComplete")

    def _started(self, trail: _Trail, scope: Scope) -> None:
        if trail.begun:
            if trail.info.long_running and trail.code < 400:
                _write(self._audit, trail, scope, "ResponseStarted")
            return
        # Nobody was let in: one line, with no user.
        trail.level, trail.omitted = self._audit.policy.judge(trail.info, None)
        _write(self._audit, trail, scope, "ResponseStarted")


class Begun:
    """The inner part, behind authentication."""

    def __init__(self, app: ASGIApp, audit: Audit) -> None:
        self._app = app
        self._audit = audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trail: _Trail = scope["groundplane.audit"]
        trail.begun = True
        trail.level, trail.omitted = self._audit.policy.judge(trail.info, _real_user(scope))
        if self._audit.log.refusing and trail.info.path not in _HEALTH:
            raise NotRecorded("the audit log cannot be written, and nothing is done unrecorded")
        _write(self._audit, trail, scope, "RequestReceived")
        await self._app(scope, receive, send)


def was_read(scope: Scope, as_json: bytes) -> None:
    """Leave a body that was read from YAML for the request's events, which do not read it once more."""
    trail: _Trail | None = scope.get("groundplane.audit")
    if trail is not None and trail.wants_request:
        trail.request[:] = as_json


def annotate(scope: Scope, key: str, value: str) -> None:
    """Add an annotation to the request's events."""
    scope.setdefault("groundplane.annotations", {})[key] = value


def _real_user(scope: Scope) -> User | None:
    user: User | None = scope.get("groundplane.impersonator") or scope.get("groundplane.user")
    return user


def _write(audit: Audit, trail: _Trail, scope: Scope, stage: str) -> None:
    if trail.level is Level.NONE or stage in trail.omitted:
        return
    now = time.time_ns()
    impersonated = scope.get("groundplane.user") if scope.get("groundplane.impersonator") else None
    query: bytes = b"" if trail.info.path.startswith(_UNTOLD) else scope["query_string"]
    uri = scope["raw_path"].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    headers = scope["headers"]
    event = events.Event(
        kind="Event",
        api_version="audit.k8s.io/v1",
        level=LEVEL_NAMES[trail.level],
        audit_id=trail.id,
        stage=stage,
        request_uri=uri,
        verb=trail.info.verb,
        user=events.user_info(_real_user(scope)),
        impersonated_user=events.user_info(impersonated) if impersonated else None,
        source_ips=events.source_ips(headers, (scope.get("client") or ("",))[0]),
        user_agent=next((value.decode("latin-1") for name, value in headers if name == b"user-agent"), ""),
        object_ref=events.object_reference(trail.info, bytes(trail.request)),
        request_received_timestamp=events.micro_time(trail.received),
        stage_timestamp=events.micro_time(now),
        annotations=scope.get("groundplane.annotations") or {},
    )
    if stage != "RequestReceived":
        _add_answer(event, trail, scope, stage)
    audit.log.put(events.line(event))


def _add_answer(event: events.Event, trail: _Trail, scope: Scope, stage: str) -> None:
    code, response = trail.code, bytes(trail.response)
    if not trail.begun and code == 401:
        tried = "bearer" if any(name == b"authorization" for name, _ in scope["headers"]) else "x509"
        event.response_status = {
            "metadata": {},
            "status": "Failure",
            "message": f"Authentication failed, attempted: {tried}",
            "code": code,
        }
        return
    event.response_status = events.response_status(code, response, panic=stage == "Panic")
    if trail.level >= Level.REQUEST and trail.request:
        content_type = next((v.decode("latin-1") for n, v in scope["headers"] if n == b"content-type"), "")
        event.request_object = events.document(content_type.partition(";")[0], bytes(trail.request))
    if trail.level >= Level.REQUEST_RESPONSE and response:
        event.response_object = events.document("application/json", response)
