"""The narrow door to a machine: two views of one connection.

`ReadHost` can only look: `query` refuses programs that are not on the list of reading commands. `Host` can also
change things. Steps plan with a `ReadHost` and apply with a `Host`, so that planning cannot write.
Commands are argument lists; quoting happens in one place, here below the seam. Nothing passes a shell string,
except `script`, whose text goes to `/bin/sh` on standard input.

Errors (hosts.errors): HostUnreachable, HostTimeout (Unavailable); HostDenied, HostKeyMismatch (Denied);
CommandFailed (Refused: carries argv, exit status and the last lines of stderr, never standard input).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left: exit status, and both outputs as bytes."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the trailing newline."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")

    @property
    def ok(self) -> bool:
        return self.status == 0


@dataclass(frozen=True, slots=True)
class SurveyOutput:
    """What the facts script printed, and between which two moments it told the machine's time (time.monotonic)."""

    stdout: bytes
    asked: float
    answered: float


@dataclass(frozen=True, slots=True)
class Size:
    """How large a person's terminal is, in characters."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class FileStat:
    """`mode` is the permission bits; `size` bytes; `owner` and `group` are names."""

    mode: int
    size: int
    owner: str = "root"
    group: str = "root"


class ReadHost(Protocol):
    """A machine that can be looked at."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    async def query(self, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """Run a reading command as root and return its Result, whatever its exit status.

        Raises WriteRefused when the command is not on the list of reading commands.
        """

    async def survey(self, *, timeout: float = 30) -> SurveyOutput:
        """Run Groundplane's own facts script, which only reads, in one exec; `hosts.facts.survey` makes facts of it.

        The machine has `timeout` seconds from when it was asked; connecting has a limit of its own.
        """

    async def survey_migration(self, *, timeout: float = 60) -> SurveyOutput:
        """Run the script that looks at what only a change of the runtime must know; `hosts.facts.migration` reads it.

        As with `survey` it is Groundplane's own, only reads, and is one exec.
        """

    async def read(self, path: str) -> bytes | None:
        """Return the content of `path`, or None when there is no such file."""

    async def stat(self, path: str) -> FileStat | None:
        """Return what `path` is, or None when there is no such file."""

    async def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path` in hex, or None when there is no such file."""


class Host(ReadHost, Protocol):
    """A machine that can be changed. Everything runs as root (sudo where the user is not root)."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 120,
        check: bool = True,
    ) -> Result:
        """Run a command; with `check`, a non-zero exit status raises CommandFailed. `stdin` is never logged."""

    async def script(self, text: str, *, timeout: float = 120, check: bool = True) -> Result:
        """Run `text` by /bin/sh on standard input."""

    async def write(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Write `content` to `path` whole or not at all (temporary file, fsync, rename); makes the parent folder."""

    async def upload(self, source: str, path: str, *, mode: int = 0o644, sha256: str = "") -> None:
        """Copy the local file `source` to `path`, resuming a part that an earlier try left; renamed when whole.

        The machine compares what arrived with `sha256`, or with the local file's own when that is empty.
        """
