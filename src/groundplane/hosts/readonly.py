"""A machine that can only be looked at: a Host with its writing half taken away.

The type is narrower, and so is the object: planning code that casts its way around the type finds nothing to call.
"""

from __future__ import annotations

from collections.abc import Sequence

from .contract import FileStat, ReadHost, Result, SurveyOutput
from .errors import WriteRefused, shown
from .reading import is_reading


class ReadOnly:
    """The reading half of `host`; implements `hosts.contract.ReadHost` and nothing more."""

    __slots__ = ("_digest", "_query", "_read", "_stat", "_survey", "_survey_migration", "address", "name")

    def __init__(self, host: ReadHost) -> None:
        self.name = host.name
        self.address = host.address
        # The host itself is not kept, so that it cannot be had from here.
        self._query = host.query
        self._survey = host.survey
        self._survey_migration = host.survey_migration
        self._read = host.read
        self._stat = host.stat
        self._digest = host.digest

    async def query(self, argv: Sequence[str], *, timeout: float = 30) -> Result:
        if not is_reading(argv):
            raise WriteRefused(f"cannot run {shown(argv)!r} on {self.name}: it is not known to only read")
        return await self._query(argv, timeout=timeout)

    async def survey(self, *, timeout: float = 30) -> SurveyOutput:
        return await self._survey(timeout=timeout)

    async def survey_migration(self, *, timeout: float = 60) -> SurveyOutput:
        return await self._survey_migration(timeout=timeout)

    async def read(self, path: str) -> bytes | None:
        return await self._read(path)

    async def stat(self, path: str) -> FileStat | None:
        return await self._stat(path)

    async def digest(self, path: str) -> str | None:
        return await self._digest(path)
