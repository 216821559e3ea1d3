"""What a request is about, read from method, path and query alone, by the rules of kube-apiserver's RequestInfo.

Known before any route is looked for, so that a request which is refused on the way is described like any other.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import msgspec
from starlette.types import Scope

from groundplane.api.meta import GROUP, VERSION

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_COLLECTION_VERBS = {"get": "list", "delete": "deletecollection"}
# The API of each managed cluster is below /clusters/NAMESPACE/NAME/proxy.
GATEWAY = "/clusters/"
# Many GETs over one WebSocket.
STREAMS = "/streams"
# A browser can ask for a WebSocket by GET only, but what runs there does something.
EXEC, EXEC_VERB = "exec", "create"
_OF_NAMESPACE = ("status", "finalize")
_ONE_NAME = re.compile(r"(?:^|,)metadata\.name==?([^,!=]+)(?:,|$)")


class RequestInfo(msgspec.Struct, frozen=True):
    """A request to a resource (`resource` is set) or to a path; `verb` is lower case."""

    verb: str
    path: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""

    @property
    def long_running(self) -> bool:
        """Whether the answer may be a stream that lasts: it has no deadline and is not counted as in flight."""
        return self.verb == "watch" or self.subresource in ("exec", "log", "proxy") or self.path == STREAMS

    @property
    def passed_on(self) -> bool:
        """Whether a managed cluster answers it: what goes through is not ours to keep."""
        return self.subresource == "proxy"

    @property
    def mutating(self) -> bool:
        """Whether it may change something."""
        return self.verb not in ("get", "list", "watch", "head", "options")


def header(scope: Scope, name: bytes) -> str:
    """Return the first header of this (lower case) name, "" without one."""
    known: dict[bytes, bytes] | None = scope.get("groundplane.headers")
    if known is None:
        # Several parts of the server ask; of headers that are given twice the first one counts.
        known = scope["groundplane.headers"] = dict(reversed(scope["headers"]))
    return known.get(name, b"").decode("latin-1")


def upgrade_of(scope: Scope) -> str:
    """Return the protocol that a request wants to go over to, "" for none."""
    asked = (token.strip() for token in header(scope, b"connection").lower().split(","))
    return header(scope, b"upgrade") if "upgrade" in asked else ""


def info_of(scope: Scope) -> RequestInfo:
    """Return what a request is about; found out once, for several parts of the server want to know."""
    info: RequestInfo | None = scope.get("groundplane.info")
    if info is None:
        if scope["path"].startswith(GATEWAY):
            info = _gateway_info(scope)
        else:
            info = request_info(scope["method"], scope["path"], scope["query_string"])
        scope["groundplane.info"] = info
    return info


def request_info(method: str, path: str, query: bytes = b"") -> RequestInfo:
    """Return what the request is about."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower(), path)
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    verb = _VERBS.get(method, method.lower())
    if not name and verb in _COLLECTION_VERBS:
        verb, name = _collection(verb, query)
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource == EXEC:
        verb = EXEC_VERB
    return RequestInfo(verb, path, group, version, namespace, rest[0], subresource, name)


def _collection(verb: str, query: bytes) -> tuple[str, str]:
    """Return the verb, and the name when a field selector asks for one object."""
    if not query:
        return _COLLECTION_VERBS[verb], ""
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    # Of a parameter that is given twice the last one counts, here as for the handlers and the roles.
    if verb == "get" and asked.get("watch", ["false"])[-1].lower() not in ("false", "0"):
        verb = "watch"
    one = _ONE_NAME.search(asked.get("fieldSelector", [""])[-1])
    return _COLLECTION_VERBS.get(verb, verb), one[1] if one else ""


def _gateway_info(scope: Scope) -> RequestInfo:
    """A request to a managed cluster: verbs are those of the methods, and an upgraded one does something."""
    method, parts = scope["method"], scope["path"].split("/")
    if len(parts) < 5 or parts[4] != "proxy":
        return RequestInfo(method.lower(), scope["path"])
    verb = "create" if upgrade_of(scope) else _VERBS.get(method, method.lower())
    return RequestInfo(verb, scope["path"], GROUP, VERSION, parts[2], "clusters", "proxy", parts[3])
