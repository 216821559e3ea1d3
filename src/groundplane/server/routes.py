"""The table of routes. Access is a required column: a row without it cannot be written.

Order matters: the first row that matches path and method wins, so longer and more special paths come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import handlers, login, login_oidc, pages, system
from .about import serving as about
from .about.kinds import CATALOG_GROUP, CHECKS, SERVER_GROUP, SETTINGS, TABLES
from .about.kinds import VERSION as ABOUT_VERSION
from .access import reviews
from .access.token_request import request_token
from .accounts import tokens, users
from .accounts.kinds import VERSION as ACCESS_VERSION
from .audit import serving
from .authn.flows import CALLBACK, LOGIN
from .http import Handler, Incoming
from .lasting import Lasting
from .requestinfo import EXEC, STREAMS
from .unify_plan import unify_plan
from .users import ACCESS_GROUP


class Access(Enum):
    """Who may call a route."""

    ANYONE = "without credentials"
    PATH = "users who may use this method on this path"
    RESOURCE = "users who may use this verb on this resource"
    MANAGED = "users who may use this verb on clusters/proxy"


@dataclass(frozen=True, slots=True)
class Row:
    """One route: `fixed` are path parameters that the path does not spell out; streams have no deadline;
    `head`: HEAD is answered too."""

    method: str
    path: str
    access: Access
    handler: Handler
    fixed: tuple[tuple[str, str], ...] = ()
    head: bool = False


_CORE = (("group", ""),)


# What these three need (WebSockets, the HTTP client) is a good part of what the server would have to import before it
# is ready.
async def _streams(incoming: Incoming) -> Lasting:
    from .streams import streams

    return await streams(incoming)


async def _execute(incoming: Incoming) -> Lasting:
    from .terminals import execute

    return await execute(incoming)


async def _forward(incoming: Incoming) -> Lasting:
    from .gateway.forward import forward

    return await forward(incoming)


SYSTEM: tuple[Row, ...] = (
    Row("GET", "/livez", Access.PATH, system.live, head=True),
    Row("GET", "/healthz", Access.PATH, system.live, head=True),
    Row("GET", "/readyz", Access.PATH, system.ready, head=True),
    Row("GET", "/livez/{check}", Access.PATH, system.live, head=True),
    Row("GET", "/healthz/{check}", Access.PATH, system.live, head=True),
    Row("GET", "/readyz/{check}", Access.PATH, system.ready, head=True),
    Row("GET", "/metrics", Access.PATH, system.metrics),
    Row("GET", "/version", Access.PATH, system.version),
    Row("GET", "/", Access.PATH, system.index),
    # They look at name, password and cookie by themselves: nobody needs a right to log in or out.
    Row("GET", "/login", Access.ANYONE, login.ways),
    Row("POST", "/login", Access.ANYONE, login.login),
    Row("GET", LOGIN, Access.ANYONE, login_oidc.begin),
    Row("GET", CALLBACK, Access.ANYONE, login_oidc.finish),
    Row("POST", "/logout", Access.ANYONE, login.logout),
    Row("GET", "/session", Access.ANYONE, login.session),
    # For whoever is known: each stream is allowed by itself.
    Row("GET", STREAMS, Access.ANYONE, _streams),
    Row("GET", "/api", Access.PATH, system.api),
    Row("GET", "/apis", Access.PATH, system.apis),
    Row("GET", "/api/{version}", Access.PATH, system.group_version, _CORE),
    Row("GET", "/apis/{group}", Access.PATH, system.group),
    Row("GET", "/apis/{group}/{version}", Access.PATH, system.group_version),
    Row("GET", "/openapi/v2", Access.PATH, system.openapi_v2),
    Row("GET", "/openapi/v3", Access.PATH, system.openapi_v3_index),
    Row("GET", "/openapi/v3/api/{version}", Access.PATH, system.openapi_v3, _CORE),
    Row("GET", "/openapi/v3/apis/{group}/{version}", Access.PATH, system.openapi_v3),
)  # fmt: skip


def _review(path: str, handler: Handler) -> Row:
    """A review is created as if it were a resource; it is never stored."""
    group, resource = path.split("/", maxsplit=1)[0], path.rsplit("/", maxsplit=1)[-1]
    return Row("POST", f"/apis/{path}", Access.RESOURCE, handler, (("group", group), ("resource", resource)))


REVIEWS: tuple[Row, ...] = (
    _review("authentication.k8s.io/v1/selfsubjectreviews", reviews.self_subject),
    # kubectl 1.27 asks here, without looking into discovery, where this version is not.
    _review("authentication.k8s.io/v1beta1/selfsubjectreviews", reviews.self_subject_beta),
    _review("authentication.k8s.io/v1/tokenreviews", reviews.token),
    _review("authorization.k8s.io/v1/selfsubjectaccessreviews", reviews.self_subject_access),
    _review("authorization.k8s.io/v1/selfsubjectrulesreviews", reviews.self_subject_rules),
    _review("authorization.k8s.io/v1/subjectaccessreviews", reviews.subject_access),
    _review("authorization.k8s.io/v1/namespaces/{namespace}/localsubjectaccessreviews", reviews.local_subject_access),
)


def _account(method: str, path: str, handler: Handler, subresource: str = "") -> Row:
    """A resource of which nothing is in the store; verbs that it has not are refused by the rows for all resources."""
    fixed = (("group", ACCESS_GROUP), ("version", ACCESS_VERSION), ("resource", path.split("/", maxsplit=1)[0]))
    below = (("subresource", subresource),) if subresource else ()
    return Row(method, f"/apis/{ACCESS_GROUP}/{ACCESS_VERSION}/{path}", Access.RESOURCE, handler, (*fixed, *below))


ACCOUNTS: tuple[Row, ...] = (
    _account("GET", "users", users.list_users),
    _account("POST", "users", users.create_user),
    _account("GET", "users/{name}", users.get_user),
    _account("DELETE", "users/{name}", users.remove_user),
    _account("PUT", "users/{name}/password", users.set_password, "password"),
    _account("GET", "tokens", tokens.list_tokens),
    _account("POST", "tokens", tokens.create_token),
    _account("GET", "tokens/{name}", tokens.get_token),
    _account("DELETE", "tokens/{name}", tokens.revoke_token),
    _account("GET", "auditevents", serving.list_events),
)


def _about(group: str, plural: str, make: about.Make) -> tuple[Row, Row]:
    """What the server tells of itself: all of it, and one by name."""
    fixed = (("group", group), ("version", ABOUT_VERSION), ("resource", plural))
    path = f"/apis/{group}/{ABOUT_VERSION}/{plural}"
    return (
        Row("GET", path, Access.RESOURCE, about.listing(make), fixed),
        Row("GET", f"{path}/{{name}}", Access.RESOURCE, about.getting(make), fixed),
    )


ABOUT: tuple[Row, ...] = (
    *_about(CATALOG_GROUP, TABLES, about.catalog),
    *_about(SERVER_GROUP, SETTINGS, about.settings),
    *_about(SERVER_GROUP, CHECKS, about.checks),
)

# A path below the group's root, the methods on it, and parameters that it implies.
_NAMESPACE = (("resource", "namespaces"), ("subresource", "status"))
_STATUS = (("subresource", "status"),)
_LOG = (("subresource", "log"),)
_UNIFY_PLAN = (("subresource", "unifyplan"),)
_EXEC = (("subresource", EXEC),)
_TOKEN = (("subresource", "token"),)
_OBJECTS: dict[str, Handler] = {"GET": handlers.get_many, "POST": handlers.post, "DELETE": handlers.delete_many}
_PART: dict[str, Handler] = {"GET": handlers.get_one, "PUT": handlers.put, "PATCH": handlers.patch}
_OBJECT: dict[str, Handler] = {**_PART, "DELETE": handlers.delete_one}
_ITEM = "/namespaces/{namespace}/{resource}/{name}"
_SHAPES: tuple[tuple[str, dict[str, Handler], tuple[tuple[str, str], ...]], ...] = (
    ("/namespaces/{name}/status", _PART, _NAMESPACE),
    (f"{_ITEM}/status", _PART, _STATUS),
    (f"{_ITEM}/log", {"GET": handlers.log}, _LOG),
    (f"{_ITEM}/unifyplan", {"GET": unify_plan}, _UNIFY_PLAN),
    (f"{_ITEM}/exec", {"GET": _execute}, _EXEC),
    (f"{_ITEM}/token", {"POST": request_token}, _TOKEN),
    (_ITEM, _OBJECT, ()),
    ("/namespaces/{namespace}/{resource}", _OBJECTS, ()),
    ("/{resource}/{name}/status", _PART, _STATUS),
    ("/{resource}/{name}", _OBJECT, ()),
    ("/{resource}", _OBJECTS, ()),
)


def _resource_rows(root: str, fixed: tuple[tuple[str, str], ...]) -> list[Row]:
    return [
        Row(method, root + path, Access.RESOURCE, handler, (*fixed, *implied))
        for path, methods, implied in _SHAPES
        for method, handler in methods.items()
    ]


RESOURCES: tuple[Row, ...] = (
    *_resource_rows("/api/{version}", _CORE),
    *_resource_rows("/apis/{group}/{version}", ()),
)
# For browsers: files that hold nothing, and the way to them from the bare address.
CONSOLE = Row("GET HEAD", "/console", Access.ANYONE, pages.serve)
HOME = Row("GET HEAD", "/", Access.ANYONE, pages.home)

# Of any length, so it is led to by its beginning. What its paths mean, the managed cluster says.
MANAGED = Row("GET HEAD POST PUT PATCH DELETE", "/clusters/{namespace}/{name}/proxy/{path}", Access.MANAGED, _forward)
ROUTES: tuple[Row, ...] = (*SYSTEM, *REVIEWS, *ACCOUNTS, *ABOUT, *RESOURCES)
