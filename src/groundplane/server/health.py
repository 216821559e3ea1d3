"""Health: named checks, added by whoever owns what they look at; answered in the words of kube-apiserver.

/livez asks whether a restart would help, /readyz whether requests should be sent here; /healthz is /livez by its old
name. Why a check fails is told only to those who may ask for that check alone, for anybody may ask for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.responses import PlainTextResponse, Response

from groundplane.base.errors import GroundplaneError
from groundplane.base.logs import get_logger

_log = get_logger(__name__)

# Returns "" when all is well, else why it is not; may raise a GroundplaneError instead.
Look = Callable[[], str | Awaitable[str]]

CHECK_SECONDS = 5.0
# Anybody may ask, so an answer is good for a moment: a flood of requests is not a flood of writes to the disk.
FRESH_SECONDS = 1.0


@dataclass(slots=True)
class Check:
    """One check. `live`: whether a restart may help, so that /livez has it too."""

    name: str
    look: Look
    live: bool = False
    seconds: float = CHECK_SECONDS
    _asked: float = field(default=float("-inf"), init=False)
    _failure: str = field(default="", init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def failure(self) -> str:
        """Return why the check fails, "" when it does not; asked again only after a moment."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked >= FRESH_SECONDS:
                before, self._failure = self._failure, await self._look()
                self._asked = asyncio.get_running_loop().time()
                if self._failure and self._failure != before:
                    _log.warning("health check failed", check=self.name, why=self._failure)
            return self._failure

    async def _look(self) -> str:
        try:
            async with asyncio.timeout(self.seconds):
                found = self.look()
                return found if isinstance(found, str) else await found
        except TimeoutError:
            return f"no answer within {self.seconds:g} seconds"
        except GroundplaneError as error:
            return error.message


def _well() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Health:
    """The checks of one server, in the order in which they were added."""

    checks: dict[str, Check] = field(default_factory=lambda: {"ping": Check("ping", _well, live=True)})

    def add(self, name: str, look: Look, *, live: bool = False) -> None:
        """Add a check."""
        self.checks[name] = Check(name, look, live)

    def of(self, endpoint: str) -> list[Check]:
        """Return the checks of an endpoint."""
        return [check for check in self.checks.values() if check.live or endpoint == "readyz"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: `endpoint` is livez, readyz or healthz; `notes` are lines that are no checks."""

    endpoint: str
    excluded: frozenset[str] = frozenset()
    verbose: bool = False
    notes: tuple[str, ...] = ()


async def answer_all(health: Health, asked: Asked) -> Response:
    """Run the checks of an endpoint and answer."""
    lines, failed = [], False
    checks = health.of(asked.endpoint)
    for check in checks:
        if check.name in asked.excluded:
            lines.append(f"[+]{check.name} excluded: ok")
        elif await check.failure():
            failed = True
            lines.append(f"[-]{check.name} failed: reason withheld")
        else:
            lines.append(f"[+]{check.name} ok")
    lines += asked.notes
    if unknown := sorted(asked.excluded - {check.name for check in checks}):
        names = ", ".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    if not failed and not asked.verbose:
        return PlainTextResponse("ok")
    lines.append(f"{asked.endpoint} check {'failed' if failed else 'passed'}")
    return PlainTextResponse("\n".join(lines) + "\n", status_code=500 if failed else 200)


async def answer_one(health: Health, endpoint: str, name: str) -> Response | None:
    """Run one check and answer with its reason; None when the endpoint has no such check."""
    check = next((check for check in health.of(endpoint) if check.name == name), None)
    if check is None:
        return None
    failure = await check.failure()
    if failure:
        return PlainTextResponse(f"internal server error: {failure}\n", status_code=500)
    return PlainTextResponse("ok")
