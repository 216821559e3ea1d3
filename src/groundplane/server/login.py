"""Logging in and out of the console: GET and POST /login, POST /logout, GET /session; by OIDC see `login_oidc`.

A wrong name and a wrong password are one answer, given after the same work. Whoever fails waits longer each time, and
is told so by 429 and Retry-After before any password is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from groundplane.base.clock import rfc3339
from groundplane.base.logs import get_logger

from .audit.middleware import annotate
from .authn.backoff import NAME, SOURCE, Backoff, source_of
from .authn.contract import Asking
from .authn.passwords import Account, PasswordCheck, TooBusy
from .authn.sessions import COOKIE, Sessions, check_site
from .http import Incoming, answer
from .negotiation import JSON
from .status import StatusError, bad_request, no_such_path, unauthorized
from .users import AUTHENTICATED

if TYPE_CHECKING:
    from .authn.code_flow import CodeFlow

_log = get_logger(__name__)
_COOKIE = "Path=/; Secure; HttpOnly; SameSite=Strict"


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A name with its password, or a token."""

    user: str = ""
    password: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Logins:
    """What logging in works with."""

    passwords: PasswordCheck
    sessions: Sessions
    names: Backoff = field(default_factory=lambda: Backoff(NAME))
    sources: Backoff = field(default_factory=lambda: Backoff(SOURCE))
    oidc: CodeFlow | None = None

    async def begin(self, wanted: _Wanted, source: str) -> tuple[str, str, tuple[str, ...]]:
        """Return the cookie of a new session, its user and groups; raises 401, and 429 while somebody has to wait."""
        if not wanted.token:
            account = await self.check(wanted.user, wanted.password, source)
            return await self.sessions.begin(account), account.name, account.groups
        if wait := self.sources.wait(source):
            raise _come_again(wait)
        begun = await self.sessions.begin_with(wanted.token)
        if begun is None:
            self.sources.charge(source)
            self.sources.failed(source)
            _log.warning("login refused", source=source)
            raise StatusError(401, "Unauthorized", "the token is unknown or over")
        cookie, user = begun
        return cookie, user.name, tuple(group for group in user.groups if group != AUTHENTICATED)

    async def check(self, name: str, password: str, source: str) -> Account:
        """Return the user whose password it is; raises 401, and 429 while name or source have to wait."""
        wait = max(self.names.wait(name), self.sources.wait(source))
        if wait:
            raise _come_again(wait)
        self.names.charge(name)
        self.sources.charge(source)
        try:
            account = await self.passwords.verify(name, password)
        except TooBusy as error:
            self.names.refund(name)
            self.sources.refund(source)
            raise _come_again(1) from error
        if account is None:
            self.names.failed(name)
            self.sources.failed(source)
            _log.warning("login refused", source=source)
            raise StatusError(401, "Unauthorized", "the user or the password is wrong")
        self.names.clear(name)
        self.sources.refund(source)
        return account


def _come_again(seconds: float) -> StatusError:
    details = {"retryAfterSeconds": math.ceil(seconds)}
    return StatusError(429, "TooManyRequests", "too many logins failed: please try again later", details=details)


def logins_of(incoming: Incoming) -> Logins:
    """Return what logging in works with; raises 404 when nobody logs in here."""
    if incoming.server.logins is None:
        raise no_such_path()
    return incoming.server.logins


def asking_of(incoming: Incoming) -> Asking:
    """Return what the request shows of who makes it."""
    return Asking(incoming.request.method, incoming.request.scope["headers"])


def source_of_request(incoming: Incoming) -> str:
    """Return whose failures count together with those of this request."""
    client = incoming.request.client
    return source_of(client.host if client else "")


def session_cookie(value: str) -> str:
    """Return the header that sets the cookie of a session."""
    return f"{COOKIE}={value}; {_COOKIE}"


async def ways(incoming: Incoming) -> Response:
    """Say by what one can log in, for the page that asks for it."""
    oidc = logins_of(incoming).oidc
    if oidc is None:
        return answer({"ways": ["password", "token"]})
    return answer({"ways": ["password", "token", "oidc"], "oidc": {"name": oidc.name, "url": oidc.address}})


async def login(incoming: Incoming) -> Response:
    """Begin a session for a name and its password, or for a token."""
    logins = logins_of(incoming)
    check_site(asking_of(incoming))
    wanted = await _wanted(incoming)
    cookie, name, groups = await logins.begin(wanted, source_of_request(incoming))
    annotate(incoming.request.scope, "groundplane.dev/login", name)
    response = answer({"user": name, "groups": list(groups)})
    response.headers["set-cookie"] = session_cookie(cookie)
    return response


async def _wanted(incoming: Incoming) -> _Wanted:
    document = await incoming.document(types=(JSON,))
    try:
        wanted = msgspec.convert(document, _Wanted)
    except msgspec.ValidationError as error:
        # The error names fields and types, never a value.
        raise bad_request(f"login: {error}") from error
    if bool(wanted.token) == bool(wanted.user or wanted.password):
        raise bad_request("login: either user and password, or a token")
    if len(wanted.user) > 1024:
        raise bad_request("login: the name is too long")
    return wanted


async def logout(incoming: Incoming) -> Response:
    """End the session of the request."""
    await logins_of(incoming).sessions.end(asking_of(incoming))
    response = answer({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})
    response.headers["set-cookie"] = f"{COOKIE}=; Max-Age=0; {_COOKIE}"
    return response


async def session(incoming: Incoming) -> Response:
    """Say whose session it is and when it ends at the latest; 401 without one."""
    current = logins_of(incoming).sessions.current(asking_of(incoming))
    if current is None:
        raise unauthorized()
    until = rfc3339(datetime.fromtimestamp(current.until, UTC))
    return answer({"user": current.user.name, "groups": list(current.user.groups), "until": until})
