"""The path of a request to a managed cluster. Pure.

It is read from the bytes of the request line, for these are what is sent on: `%2F` in a name has to stay as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..status import bad_request, no_such_path

_PATH = re.compile(rb"/clusters/([a-z0-9.-]{1,253})/([a-z0-9.-]{1,253})/proxy(/.*)?", re.DOTALL)
# A dot segment, written as it may be: whatever stands behind would be free to leave the path that was judged.
_DOTS = re.compile(rb"(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Through:
    """Which Cluster, and the path at its API server."""

    namespace: str
    name: str
    path: bytes


def through(raw_path: bytes) -> Through:
    """Return what the path of a request names; raises 404 for another path, 400 for one with dot segments."""
    match = _PATH.fullmatch(raw_path)
    if match is None:
        raise no_such_path()
    namespace, name, path = match.groups()
    if path is not None and _DOTS.search(path):
        raise bad_request("the path has dot segments, which are not passed on")
    return Through(namespace.decode(), name.decode(), path or b"/")
