"""Everything that can go wrong in the API, as a Kubernetes Status. `explain` is the one place that makes it so.

Code, reason, message and details are those of kube-apiserver for the same mistake
(k8s.io/apimachinery/pkg/api/errors), because clients branch on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException

from groundplane.api.cause import Cause
from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.base.gotext import quoted
from groundplane.base.logs import get_logger
from groundplane.store.contract import Compacted, StoreClosed, StoreFailed, WatcherTooSlow

_log = get_logger(__name__)

Json = dict[str, Any]


class StatusError(Refused):
    """An answer that is not the wanted object. `body()` is the Status document."""

    def __init__(self, code: int, reason: str, message: str, *, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details or {}
        self.metadata: Json = {}

    def body(self) -> Json:
        """Return the Status document as it goes over the wire."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


class Undecodable(StatusError):
    """A body that is no object of the kind that is wanted: 400; where a patch makes one, the patch is to blame."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


def _named(group: str, plural: str, name: str) -> Json:
    found = {"name": name, "group": group, "kind": plural}
    return {key: value for key, value in found.items() if value}


def _qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> StatusError:
    message = f"{_qualified(group, plural)} {quoted(name)} not found"
    return StatusError(404, "NotFound", message, details=_named(group, plural, name))


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def name_conflict(group: str, plural: str, name: str) -> StatusError:
    """Return the error of a generateName whose names were all taken: asked again, the same may succeed."""
    error = already_exists(group, plural, name)
    error.message += ", the server was not able to generate a unique name for the object"
    error.details["retryAfterSeconds"] = 1
    return error


def already_exists(group: str, plural: str, name: str) -> StatusError:
    message = f"{_qualified(group, plural)} {quoted(name)} already exists"
    return StatusError(409, "AlreadyExists", message, details=_named(group, plural, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> StatusError:
    message = f"Operation cannot be fulfilled on {_qualified(group, plural)} {quoted(name)}: {why}"
    return StatusError(409, "Conflict", message, details=_named(group, plural, name))


def apply_conflict(conflicts: Iterable[tuple[str, str]]) -> StatusError:
    """Return the error of a server-side apply; each conflict is (manager in quotes, field path)."""
    found = list(conflicts)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": field}
        for manager, field in found
    ]
    by_manager: dict[str, list[str]] = {}
    for manager, field in found:
        by_manager.setdefault(manager, []).append(field)
    if len(found) == 1:
        text = f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
    else:
        parts = [f"conflicts with {name}:\n" + "\n".join(f"- {f}" for f in fs) for name, fs in by_manager.items()]
        text = f"Apply failed with {len(found)} conflicts: " + "\n".join(parts)
    return StatusError(409, "Conflict", text, details={"causes": causes})


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> StatusError:
    """Return 422 with every cause; the message lists them as kube-apiserver does."""
    found = list(causes)
    texts = [f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in found]
    summary = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    qualified = f"{kind}.{group}" if group else kind
    details = _named(group, kind, name)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in found]
    message = f"{qualified} {quoted(name)} is invalid: {summary}"
    return StatusError(422, "Invalid", message, details=details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def forbidden(group: str, plural: str, name: str, why: str) -> StatusError:
    subject = f"{_qualified(group, plural)} {quoted(name)}" if name else _qualified(group, plural)
    message = f"{subject} is forbidden: {why}"
    return StatusError(403, "Forbidden", message, details=_named(group, plural, name))


def expired(message: str, *, token: str = "") -> StatusError:
    """Return 410; with a `token`, a list can be continued by it, though not as one snapshot."""
    error = StatusError(410, "Expired", message)
    if token:
        error.metadata["continue"] = token
    return error


def revision_too_large(asked: int, current: int) -> StatusError:
    message = f"Too large resource version: {asked}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", f"Timeout: {message}", details={"causes": causes, "retryAfterSeconds": 1})


def method_not_allowed(verb: str, group: str, plural: str, why: str = "") -> StatusError:
    message = f'{verb} is not supported on resources of kind "{_qualified(group, plural)}"'
    if why:
        message += f": {why}"
    return StatusError(405, "MethodNotAllowed", message, details=_named(group, plural, ""))


def no_such_method() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media_type(accepted: Iterable[str]) -> StatusError:
    listed = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return StatusError(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Iterable[str]) -> StatusError:
    listed = ", ".join(accepted)
    message = f"only the following media types are accepted: {listed}"
    return StatusError(406, "NotAcceptable", message)


def too_large(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def too_many_requests() -> StatusError:
    """Return kube-apiserver's answer when it has too many requests in flight."""
    message = "Too many requests, please try again later."
    return StatusError(429, "TooManyRequests", message, details={"retryAfterSeconds": 1})


def timed_out(what: str) -> StatusError:
    return StatusError(504, "Timeout", f"Timeout: {what}", details={"retryAfterSeconds": 1})


def explain(error: BaseException) -> StatusError:
    """Turn any error into the Status that the caller gets; what is unknown is logged and says nothing of its inside."""
    if isinstance(error, StatusError):
        return error
    if isinstance(error, HTTPException):
        return _from_http(error)
    if isinstance(error, Compacted):
        return expired("The resourceVersion for the provided watch or list is too old.")
    if isinstance(error, WatcherTooSlow):
        return StatusError(429, "TooManyRequests", error.message, details={"retryAfterSeconds": 1})
    if isinstance(error, StoreFailed) and not isinstance(error, StoreClosed):
        # As from kube-apiserver when etcd has no space: no "retry after", for it takes a person to make room.
        return StatusError(500, "InternalError", f"Internal error occurred: {error}")
    if isinstance(error, Unavailable):
        return StatusError(503, "ServiceUnavailable", str(error), details={"retryAfterSeconds": 1})
    if isinstance(error, Denied):
        return StatusError(403, "Forbidden", str(error))
    if isinstance(error, TimeoutError):
        return timed_out("the request did not finish in time")
    _log.error("request failed unexpectedly", exc_info=error)
    return StatusError(500, "InternalError", "Internal error occurred: see the server's log")


def _from_http(error: HTTPException) -> StatusError:
    if error.status_code == 404:
        return no_such_path()
    if error.status_code == 405:
        return no_such_method()
    return StatusError(error.status_code, HTTPStatus(error.status_code).phrase.replace(" ", ""), error.detail)
