"""How many requests are worked on at a time: more are answered 429 with Retry-After, as by kube-apiserver.

Reads and writes are counted apart, so that a flood of lists does not stop writes. Watches and followed logs last and
are not counted; administrators are let through, for they may have to see what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from .requestinfo import info_of
from .status import too_many_requests
from .users import User


@dataclass(frozen=True, slots=True)
class InFlightLimits:
    """The defaults are those of kube-apiserver."""

    reading: int = 400
    mutating: int = 200


class InFlight:
    """Counts the requests under way."""

    def __init__(self, limits: InFlightLimits) -> None:
        self._most = {False: limits.reading, True: limits.mutating}
        self._now = {False: 0, True: 0}

    def enter(self, scope: Scope) -> bool | None:
        """Count a request; return what `leave` is given at its end, None when it is not counted. Raises 429."""
        user: User = scope["groundplane.user"]
        info = info_of(scope)
        if user.administrator or info.long_running:
            return None
        kind = info.mutating
        if self._now[kind] >= self._most[kind]:
            raise too_many_requests()
        self._now[kind] += 1
        return kind

    def leave(self, kind: bool) -> None:
        """A counted request has ended."""
        self._now[kind] -= 1
