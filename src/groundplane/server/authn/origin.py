"""Which site's page made a request. A browser sends cookies and client certificates by itself, whoever made it ask."""

from __future__ import annotations

from ..status import StatusError
from .contract import Asking

READING = ("GET", "HEAD", "OPTIONS")


def check_origin(asking: Asking) -> None:
    """Raise 403 for a request that another site's page made."""
    origin, host = asking.header(b"origin"), asking.header(b"host")
    if origin and origin != f"https://{host}":
        raise StatusError(403, "Forbidden", "the request comes from another site: its Origin is not this server")


def does_something(asking: Asking) -> bool:
    """Whether it may change something: also a WebSocket, which is opened by GET."""
    return asking.method not in READING or bool(asking.header(b"upgrade"))
