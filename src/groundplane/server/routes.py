"""The table of routes. Access is a required column: a row without it cannot be written.

Order matters: the first row that matches path and method wins, so longer and more special paths come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from . import handlers, system
from .http import Handler


class Access(Enum):
    """Who may call a route."""

    ANYONE = "without credentials"
    KNOWN = "any user with valid credentials"
    RESOURCE = "users who may use this verb on this resource"


@dataclass(frozen=True, slots=True)
class Row:
    """One route: `fixed` are path parameters that the path does not spell out; streams have no deadline."""

    method: str
    path: str
    access: Access
    handler: Handler
    fixed: tuple[tuple[str, str], ...] = ()


_CORE = (("group", ""),)

SYSTEM: tuple[Row, ...] = (
    Row("GET", "/livez", Access.ANYONE, system.live),
    Row("GET", "/healthz", Access.ANYONE, system.live),
    Row("GET", "/readyz", Access.ANYONE, system.ready),
    Row("GET", "/livez/{check}", Access.RESOURCE, system.live),
    Row("GET", "/healthz/{check}", Access.RESOURCE, system.live),
    Row("GET", "/readyz/{check}", Access.RESOURCE, system.ready),
    Row("GET", "/metrics", Access.RESOURCE, system.metrics),
    Row("GET", "/version", Access.ANYONE, system.version),
    Row("GET", "/api", Access.KNOWN, system.api),
    Row("GET", "/apis", Access.KNOWN, system.apis),
    Row("GET", "/api/{version}", Access.KNOWN, system.group_version, _CORE),
    Row("GET", "/apis/{group}", Access.KNOWN, system.group),
    Row("GET", "/apis/{group}/{version}", Access.KNOWN, system.group_version),
    Row("GET", "/openapi/v2", Access.KNOWN, system.openapi_v2),
    Row("GET", "/openapi/v3", Access.KNOWN, system.openapi_v3_index),
    Row("GET", "/openapi/v3/api/{version}", Access.KNOWN, system.openapi_v3, _CORE),
    Row("GET", "/openapi/v3/apis/{group}/{version}", Access.KNOWN, system.openapi_v3),
    Row("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", Access.KNOWN, system.self_subject_review),
    # kubectl 1.27 asks here, without looking into discovery, where this version is not.
    Row("POST", "/apis/authentication.k8s.io/v1beta1/selfsubjectreviews", Access.KNOWN,
        system.self_subject_review_beta),
    Row("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Access.KNOWN,
        system.self_subject_access_review),
)  # fmt: skip

# A path below the group's root, the methods on it, and parameters that it implies.
_NAMESPACE = (("resource", "namespaces"), ("subresource", "status"))
_STATUS = (("subresource", "status"),)
_LOG = (("subresource", "log"),)
_OBJECTS: dict[str, Handler] = {"GET": handlers.get_many, "POST": handlers.post, "DELETE": handlers.delete_many}
_PART: dict[str, Handler] = {"GET": handlers.get_one, "PUT": handlers.put, "PATCH": handlers.patch}
_OBJECT: dict[str, Handler] = {**_PART, "DELETE": handlers.delete_one}
_ITEM = "/namespaces/{namespace}/{resource}/{name}"
_SHAPES: tuple[tuple[str, dict[str, Handler], tuple[tuple[str, str], ...]], ...] = (
    ("/namespaces/{name}/status", _PART, _NAMESPACE),
    (f"{_ITEM}/status", _PART, _STATUS),
    (f"{_ITEM}/log", {"GET": handlers.log}, _LOG),
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
ROUTES: tuple[Row, ...] = (*SYSTEM, *RESOURCES)
