"""Errors of a Kubernetes API, by the reason in its Status, placed by what the caller should do.

    Refused      ├── NotFound, AlreadyExists, Conflict, BadRequest
                 ├── Invalid          with `causes`: field, rule and message, all at once
                 └── Gone             the asked resourceVersion is too old, or of a later history: list again
    Denied       ├── Unauthorized     who are you?
                 │   └── PluginFailed     the credential plugin gave none
                 ├── Forbidden        you may not
                 └── Untrusted        the server's certificate is not the expected one
    Unavailable  └── ServerUnavailable    not reachable, overloaded, failing inside
                     ├── NotListening     takes no connections at its address
                     ├── HungUp           takes the connection and ends it without an answer
                     └── TooManyRequests  also a PodDisruptionBudget that forbids an eviction now

The reason decides; the HTTP code only where the server gave no reason. The text of a message never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundplane.base.errors import Denied, GroundplaneError, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: `field` is a path such as spec.podCIDR, `reason` a word such as FieldValueInvalid."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class NotFound(Refused):
    """No such object, or no such resource on this server."""


class AlreadyExists(Refused):
    """The name is taken."""


class Conflict(Refused):
    """The object changed meanwhile, or another field manager owns the field: read again."""


class BadRequest(Refused):
    """The server does not take this request in this form."""


class Gone(Refused):
    """The asked resourceVersion is no longer kept, or not there yet (after a restore from a backup): list again."""


class Invalid(Refused):
    """The object breaks rules; `causes` holds all of them."""

    def __init__(self, message: str, *, causes: tuple[Cause, ...] = (), remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.causes = causes


class Unauthorized(Denied):
    """The server does not accept the credentials."""


class PluginFailed(Unauthorized):
    """The command that should print credentials did not."""


class Forbidden(Denied):
    """The credentials are good but do not allow this."""


class Untrusted(Denied):
    """The server's certificate was not accepted; nothing was sent to it."""


class ServerUnavailable(Unavailable):
    """The server cannot be reached or cannot answer now. `retry_after` is in seconds, 0 when unsaid."""

    def __init__(self, message: str, *, retry_after: float = 0.0, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class NotListening(ServerUnavailable):
    """Nothing takes connections at the server's address."""


class HungUp(ServerUnavailable):
    """The server ended the connection, in the handshake of TLS or after it: a client certificate may be why."""


class TooManyRequests(ServerUnavailable):
    """The server says: not now; `causes` say why when it is not mere load."""

    causes: tuple[Cause, ...] = ()


_BY_REASON: dict[str, type[GroundplaneError]] = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Invalid": Invalid,
    "Gone": Gone,
    "Expired": Gone,
    "BadRequest": BadRequest,
    "MethodNotAllowed": BadRequest,
    "NotAcceptable": BadRequest,
    "UnsupportedMediaType": BadRequest,
    "RequestEntityTooLarge": BadRequest,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "TooManyRequests": TooManyRequests,
    "Timeout": ServerUnavailable,
    "ServerTimeout": ServerUnavailable,
    "ServiceUnavailable": ServerUnavailable,
    "InternalError": ServerUnavailable,
}
_BY_CODE: dict[int, type[GroundplaneError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_REMEDIES: dict[type[GroundplaneError], str] = {
    Unauthorized: "check the token or certificate in the kubeconfig, and that it has not expired",
    Forbidden: "ask for the missing right, or use credentials that have it",
}


def error_from_status(status: Mapping[str, Any], *, action: str) -> GroundplaneError:
    """Return the error that a Status document means; `action` completes "cannot …" and names object and server."""
    code = int(status.get("code") or 0)
    kind = _BY_REASON.get(str(status.get("reason") or "")) or _error_kind(code)
    details = status.get("details") or {}
    if any(cause.reason == "ResourceVersionTooLarge" for cause in _causes(details)):
        # Said as a Timeout, yet trying again does not help: the server's history is another one.
        kind = Gone
    message = f"cannot {action}: {status.get('message') or f'the server answered {code} without a reason'}"
    if issubclass(kind, Invalid):
        return kind(message, causes=_causes(details))
    if issubclass(kind, ServerUnavailable):
        error = kind(message, retry_after=float(details.get("retryAfterSeconds") or 0))
        if isinstance(error, TooManyRequests):
            error.causes = _causes(details)
        return error
    return kind(message, remedy=_REMEDIES.get(kind, ""))


def _error_kind(code: int) -> type[GroundplaneError]:
    return _BY_CODE.get(code) or (BadRequest if 400 <= code < 500 else ServerUnavailable)


def _causes(details: Mapping[str, Any]) -> tuple[Cause, ...]:
    return tuple(
        Cause(
            field=str(cause.get("field") or ""),
            message=str(cause.get("message") or ""),
            reason=str(cause.get("reason") or "FieldValueInvalid"),
        )
        for cause in details.get("causes") or ()
    )
