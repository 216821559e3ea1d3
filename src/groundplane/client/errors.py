"""What a Client raises: the Kubernetes reasons, the same for the in-process server and for HTTP.

The tree is drawn in `kube.errors`; controllers and the command line import it from here, so that they depend on
the client and not on how it reaches its server.
"""

from __future__ import annotations

from groundplane.kube.errors import (
    AlreadyExists,
    BadRequest,
    Cause,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotListening,
    ServerUnavailable,
    TooManyRequests,
    Unauthorized,
    Untrusted,
    error_from_status,
)

__all__ = [
    "AlreadyExists",
    "BadRequest",
    "Cause",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "NotListening",
    "ServerUnavailable",
    "TooManyRequests",
    "Unauthorized",
    "Untrusted",
    "error_from_status",
]
