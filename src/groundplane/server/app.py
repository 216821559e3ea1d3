"""The ASGI application: a list of middlewares around the table of routes.

Outside in: headers are set on every answer (errors too), errors become Status (so that whatever fails inside is
answered alike), the caller is authenticated (before anything of the request is looked at), then the route is found,
access checked (by the roles and bindings, see `access`), and the handler run under its deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import system
from .access.attributes import of_path, of_resource
from .access.impersonation import Impersonation
from .access.rules import Asked
from .audit.middleware import Begun, Recorded, annotate, audit_id
from .authn.contract import Asking, CredentialsRefused
from .http import Incoming, Server, Stream, answer
from .inflight import InFlight
from .measured import Measured
from .rendering import Rendered
from .routes import ROUTES, Access, Row
from .status import StatusError, explain, timed_out, unauthorized
from .users import ANONYMOUS, User

_log = structlog.get_logger(__name__)

_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


class Errors:
    """Answers every error with a Status; the one place where an exception ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                # The answer has begun and cannot be taken back: the connection is cut, which the client notices.
                _log.warning("answer broken off", path=scope["path"], error=type(error).__name__)
                raise StreamCut from error
            status = explain(error)
            # A Status that `explain` had to make up: what went wrong is a defect.
            scope["groundplane.panic"] = status.reason == "InternalError" and status is not error
            await _answer_status(status, scope, receive, watched)


class StreamCut(Exception):
    """Ends a connection whose answer cannot be finished."""


async def _answer_status(error: StatusError, scope: Scope, receive: Receive, send: Send) -> None:
    response = answer(error.body(), code=error.code)
    if error.code == 401:
        response.headers["www-authenticate"] = 'Bearer realm="groundplane"'
    if seconds := error.details.get("retryAfterSeconds"):
        response.headers["retry-after"] = str(seconds)
    await response(scope, receive, send)


class SecurityHeaders:
    """Sets what every answer carries."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers["audit-id"] = scope["groundplane.audit_id"]
            await send(message)

        scope["groundplane.audit_id"] = audit_id(scope)
        await self._app(scope, receive, dressed)


class Authentication:
    """Finds out who asks; wrong credentials are refused, none at all is the anonymous user."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asking = Asking(scope["method"], scope["headers"], scope.get("groundplane.peer"))
        try:
            scope["groundplane.user"] = await self._server.authn.authenticate(asking) or ANONYMOUS
        except CredentialsRefused as error:
            raise unauthorized() from error
        await self._app(scope, receive, send)


class Endpoint:
    """One row of the table as an ASGI application."""

    def __init__(self, row: Row, server: Server) -> None:
        self._row = row
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_params"] = {**scope["path_params"], **dict(self._row.fixed)}
        incoming = Incoming(self._server, Request(scope, receive), scope["groundplane.user"])
        try:
            reason = check_access(self._row, incoming)
        except StatusError as error:
            annotate(scope, "authorization.k8s.io/decision", "forbid")
            annotate(scope, "authorization.k8s.io/reason", error.message if error.code == 403 else "")
            raise
        annotate(scope, "authorization.k8s.io/decision", "allow")
        annotate(scope, "authorization.k8s.io/reason", reason)
        try:
            async with asyncio.timeout(self._server.limits.request):
                response: Any = await self._row.handler(incoming)
        except TimeoutError as error:
            raise timed_out("the request did not finish in time") from error
        # Only a stream runs without the deadline: it has its own ends.
        if isinstance(response, Stream):
            await response(scope, receive, send)
            return
        async with asyncio.timeout(self._server.limits.request):
            await response(scope, receive, send)


def check_access(row: Row, incoming: Incoming) -> str:
    """Return what allows the request; raise 403, or 401 without credentials. Nothing is allowed by default."""
    if row.access is Access.ANYONE:
        return ""
    if row.access is Access.PATH:
        return _require(
            incoming.server, incoming.user, of_path(incoming.request.method, incoming.request.scope["path"])
        )
    return _require(incoming.server, incoming.user, of_resource(incoming))


def _require(server: Server, user: User, asked: Asked) -> str:
    try:
        return server.service.authorizer.require(user, asked)
    except StatusError as error:
        # kube-apiserver answers 403 to the anonymous; 401 tells the caller what is really missing.
        raise unauthorized() if user is ANONYMOUS else error from None


def _route(row: Row, server: Server) -> Route:
    route = Route(row.path, Endpoint(row, server), methods=[row.method])
    if route.methods is not None and not row.head:
        # kube-apiserver knows HEAD for health alone.
        route.methods.discard("HEAD")
    return route


class _Routes:
    """The router; `app` in the scope makes Starlette raise for a wrong method instead of answering by itself."""

    def __init__(self, server: Server) -> None:
        routes = [_route(row, server) for row in ROUTES]
        self._server = server
        self._router = Router(routes, redirect_slashes=False, default=self._missing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        # As kube-apiserver takes it: a slash at the end means nothing.
        scope["path"] = scope["path"].rstrip("/") or "/"
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            if error.status_code == 405:
                # No row has this method: like a path that is not there, only who may use the path is told.
                self._check(scope)
            raise

    async def _missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check(scope)
        raise HTTPException(404)

    def _check(self, scope: Scope) -> None:
        _require(self._server, scope["groundplane.user"], of_path(scope["method"], scope["path"]))


def build(server: Server) -> ASGIApp:
    """Return the application that serves `server`."""
    system.add_checks(server)
    routes: ASGIApp = InFlight(_Routes(server), server.limits.in_flight)
    if server.audit is None:
        return SecurityHeaders(Rendered(_measured(Errors(_known(routes, server)), server)))
    # Outside Errors, for the answer to an error is recorded too; inside, once it is known who asks.
    recorded = Recorded(Errors(_known(Begun(routes, server.audit), server)), server.audit)
    return SecurityHeaders(Rendered(_measured(recorded, server)))


def _known(app: ASGIApp, server: Server) -> ASGIApp:
    """Let requests through of which it is known who asks, and as whom."""
    return Authentication(Impersonation(app, server.service.authorizer), server)


def _measured(app: ASGIApp, server: Server) -> ASGIApp:
    return Measured(app, server.service, server.metrics)
