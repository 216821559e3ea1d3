"""The ASGI application: a list of middlewares around the table of routes.

Outside in: headers are set on every answer (errors too), errors become Status (so that whatever fails inside is
answered alike), the caller is authenticated (before anything of the request is looked at), then the route is found,
access checked (by the roles and bindings, see `access`), and the handler run under its deadline.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundplane.base.logs import get_logger

from . import system
from .access.attributes import of_nothing, of_path, of_resource
from .access.impersonation import impersonate
from .access.rules import Asked
from .audit.middleware import Begun, Recorded, annotate, audit_id
from .authn.contract import Asking, CredentialsRefused
from .deadline import within
from .dispatch import Dispatch
from .exchange import AnswerCut
from .http import Incoming, Server, answer
from .inflight import InFlight
from .lasting import Lasting
from .measured import Measured
from .rendering import Rendered
from .requestinfo import GATEWAY, header, info_of
from .routes import CONSOLE, HOME, MANAGED, ROUTES, Access, Row
from .status import StatusError, explain, timed_out, unauthorized
from .users import ANONYMOUS, User

_log = get_logger(__name__)

_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


_KNOWN = frozenset(name for name, _ in _HEADERS)


def _not_in(given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name for name, _ in given}
    return [header for header in _HEADERS if header[0] not in names]


class Errors:
    """Answers every error with a Status; the one place where an exception ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        except AnswerCut:
            # Who cut it knew why: a reader that takes nothing is no error of ours.
            raise
        except Exception as error:
            if "groundplane.status" in scope:
                # The answer has begun and cannot be taken back: the connection is cut, which the client notices.
                _log.warning("answer broken off", path=scope["path"], error=type(error).__name__)
                raise AnswerCut from error
            status = explain(error)
            # A Status that `explain` had to make up: what went wrong is a defect.
            scope["groundplane.panic"] = status.reason == "InternalError" and status is not error
            await _answer_status(status, scope, receive, send)


async def _answer_status(error: StatusError, scope: Scope, receive: Receive, send: Send) -> None:
    response = answer(error.body(), code=error.code)
    if error.code == 401:
        response.headers["www-authenticate"] = 'Bearer realm="groundplane"'
    if seconds := error.details.get("retryAfterSeconds"):
        response.headers["retry-after"] = str(seconds)
    await response(scope, receive, send)


class Dressed:
    """Sets what every answer carries, and notes for those inside that it has begun, and with which status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["groundplane.status"] = message["status"]
                given = message.get("headers", ())
                unset = _HEADERS if _KNOWN.isdisjoint(name for name, _ in given) else _not_in(given)
                message["headers"] = [*given, *unset, (b"audit-id", identity)]
            await send(message)

        scope["groundplane.audit_id"] = given_id = audit_id(scope)
        identity = given_id.encode("latin-1")
        await self._app(scope, receive, dressed)


class Known:
    """Finds out who asks, and as whom; wrong credentials are refused, none at all is the anonymous user."""

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asking = Asking(scope["method"], scope["headers"], scope.get("groundplane.peer"))
        try:
            scope["groundplane.user"] = await self._server.authn.authenticate(asking) or ANONYMOUS
        except CredentialsRefused as error:
            raise unauthorized() from error
        impersonate(scope, self._server.service.authorizer)
        await self._app(scope, receive, send)


def check_access(row: Row, incoming: Incoming) -> str:
    """Return what allows the request; raise 403, or 401 without credentials. Nothing is allowed by default."""
    if row.access is Access.ANYONE:
        return ""
    if row.access is Access.PATH:
        return _require(incoming.server, incoming.user, of_path(incoming.method, incoming.scope["path"]))
    if row.access is Access.MANAGED:
        return _require(incoming.server, incoming.user, of_nothing(incoming.scope))
    return _require(incoming.server, incoming.user, of_resource(incoming))


def _require(server: Server, user: User, asked: Asked) -> str:
    try:
        return server.service.authorizer.require(user, asked)
    except StatusError as error:
        # kube-apiserver answers 403 to the anonymous; 401 tells the caller what is really missing.
        raise unauthorized() if user is ANONYMOUS else error from None


class _Routes:
    """Leads a request to its row of the table, checks access, and has it answered within its time.

    `whole` is the application around it, for answers that are made of the answers to other requests.
    """

    whole: ASGIApp

    def __init__(self, server: Server) -> None:
        self._server = server
        self._in_flight = InFlight(server.limits.in_flight)
        self._dispatch = Dispatch(ROUTES, lambda row: row)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["groundplane.application"] = self.whole
        counted = self._in_flight.enter(scope)
        try:
            incoming = Incoming(self._server, scope, receive, scope["groundplane.user"])
            row = self._row(scope)
            _allowed(row, incoming)
            try:
                response = await within(self._server.limits.request, _answered(row, incoming, send))
            except TimeoutError as error:
                raise timed_out("the request did not finish in time") from error
            if response is not None:
                # Only what lasts runs without the deadline: it has its own ends.
                await response(scope, receive, send)
        finally:
            if counted is not None:
                self._in_flight.leave(counted)

    def _row(self, scope: Scope) -> Row:
        special = _special(scope)
        if special is not None:
            if scope["method"] not in special.method.split():
                raise HTTPException(405)
            return special
        # As kube-apiserver takes it: a slash at the end means nothing.
        path = scope["path"] = scope["path"].rstrip("/") or "/"
        found = self._dispatch.find(scope["method"], path)
        if found is None or found.target is None:
            # No row has this path, or none this method: only who may use the path is told.
            _require(self._server, scope["groundplane.user"], of_nothing(scope))
            raise HTTPException(404 if found is None else 405)
        scope["path_params"] = found.parameters
        return found.target


def _special(scope: Scope) -> Row | None:
    """Return the row of a path that is not led to by its segments: the gateway, and what is for browsers."""
    path: str = scope["path"]
    if path.startswith(GATEWAY) and info_of(scope).passed_on:
        return MANAGED
    if path == CONSOLE.path or path.startswith(f"{CONSOLE.path}/"):
        return CONSOLE
    if path == "/" and "text/html" in header(scope, b"accept"):
        return HOME
    return None


def _allowed(row: Row, incoming: Incoming) -> None:
    scope = incoming.scope
    try:
        reason = check_access(row, incoming)
    except StatusError as error:
        annotate(scope, "authorization.k8s.io/decision", "forbid")
        annotate(scope, "authorization.k8s.io/reason", error.message if error.code == 403 else "")
        raise
    annotate(scope, "authorization.k8s.io/decision", "allow")
    annotate(scope, "authorization.k8s.io/reason", reason)


async def _answered(row: Row, incoming: Incoming, send: Send) -> Lasting | None:
    """Answer the request, or return what does and lasts."""
    response: Any = await row.handler(incoming)
    if isinstance(response, Lasting):
        return response
    await response(incoming.scope, incoming.receive, send)
    return None


def build(server: Server) -> ASGIApp:
    """Return the application that serves `server`."""
    system.add_checks(server)
    routes = _Routes(server)
    routes.whole = Dressed(Rendered(_measured(_known(routes, server), server)))
    return routes.whole


def _known(routes: ASGIApp, server: Server) -> ASGIApp:
    if server.audit is None:
        return Errors(Known(routes, server))
    # Outside Errors, for the answer to an error is recorded too; inside, once it is known who asks.
    return Recorded(Errors(Known(Begun(routes, server.audit), server)), server.audit)


def _measured(app: ASGIApp, server: Server) -> ASGIApp:
    return Measured(app, server.service, server.metrics)
