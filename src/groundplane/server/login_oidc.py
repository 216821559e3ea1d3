"""Logging in at the OIDC issuer: GET /login/oidc leads a browser there, and it comes back to GET /login/oidc/callback.

Both answer with a redirect, also when something is wrong: then to the console's sign-in page, with a word for the
reason. The session's cookie is SameSite=Strict, which a browser does not send along a redirect that another site began;
that does no harm, for the console's page is read without it and asks for its session by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import URL
from starlette.responses import Response

from groundplane.base.logs import get_logger

from .audit.middleware import annotate
from .authn.flows import FLOW_COOKIE, FLOW_SECONDS, HOME, Answer, Reason, SignInFailed, local_place
from .authn.sessions import cookie_of
from .http import Incoming
from .login import Logins, asking_of, logins_of, session_cookie, source_of_request
from .status import bad_request, no_such_path

if TYPE_CHECKING:
    from .authn.code_flow import CodeFlow

_log = get_logger(__name__)
# Lax: the browser comes back from another site, and has to bring it along.
_COOKIE = "Path=/; Secure; HttpOnly; SameSite=Lax"
# The parameter of the console's page that has the reason.
_REASON = "sign-in"


async def begin(incoming: Incoming) -> Response:
    """Lead the browser to the issuer, and later to the address in the console that `to` says."""
    logins, oidc = _oidc(incoming)
    to = local_place(incoming.query.get("to", HOME))
    if to is None:
        raise bad_request("login: to is no address in the console")
    source = source_of_request(incoming)
    if logins.sources.wait(source):
        return _back(to, "wait")
    try:
        there, cookie = await oidc.begin(to)
    except SignInFailed as error:
        if error.reason != "unreachable":
            # That the issuer cannot be reached is in the log once, not for each who asks.
            logins.sources.charge(source)
            _log.warning("login refused", source=source, why=error.message)
        return _back(to, error.reason)
    response = _lead(there)
    response.headers["set-cookie"] = f"{FLOW_COOKIE}={cookie}; Max-Age={FLOW_SECONDS}; {_COOKIE}"
    return response


async def finish(incoming: Incoming) -> Response:
    """Begin a session for whom the issuer vouches for, and lead to where the sign-in was begun."""
    logins, oidc = _oidc(incoming)
    source, to = source_of_request(incoming), HOME
    if logins.sources.wait(source):
        return _back(to, "wait")
    logins.sources.charge(source)
    try:
        flow = oidc.flows.open(cookie_of(asking_of(incoming), FLOW_COOKIE))
        to = flow.to
        user = await oidc.finish(flow, _answer(incoming))
    except SignInFailed as error:
        logins.sources.failed(source)
        if error.reason == "unreachable":
            logins.sources.refund(source)
        _log.warning("login refused", source=source, why=error.message)
        return _back(to, error.reason)
    logins.sources.refund(source)
    annotate(incoming.request.scope, "groundplane.dev/login", user.name)
    response = _lead(to)
    response.headers.append("set-cookie", session_cookie(await logins.sessions.begin_for(user)))
    response.headers.append("set-cookie", f"{FLOW_COOKIE}=; Max-Age=0; {_COOKIE}")
    return response


def _oidc(incoming: Incoming) -> tuple[Logins, CodeFlow]:
    logins = logins_of(incoming)
    if logins.oidc is None:
        raise no_such_path()
    return logins, logins.oidc


def _answer(incoming: Incoming) -> Answer:
    def one(name: str) -> str:
        given = incoming.query.getlist(name)
        if len(given) > 1:
            raise SignInFailed("state", f"the answer has {name} more than once")
        return given[0] if given else ""

    return Answer(one("state"), one("code"), one("iss"), one("error"), one("error_description"))


def _back(to: str, reason: Reason) -> Response:
    return _lead(str(URL(to).include_query_params(**{_REASON: reason})))


def _lead(to: str) -> Response:
    return Response(status_code=302, headers={"location": to})
