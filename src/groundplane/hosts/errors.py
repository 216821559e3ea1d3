"""What can go wrong at the door to a machine, named by what the caller should do.

    HostError (any of them, to catch at the door)
    ├── HostUnreachable  Unavailable   no route, refused, or the connection was cut: try later
    ├── HostTimeout      Unavailable   no answer, or a command that did not end in its time: try later
    ├── HostFull         Unavailable   there is no room for a file: a person must make some, then it goes on
    ├── SurveyIncomplete Unavailable   the machine's facts did not come whole: try later
    ├── HostDenied       Denied        password, key or sudo was not accepted: a person must act
    ├── HostKeyMismatch  Denied        the machine shows another host key than the pinned one: a person must look
    ├── CommandFailed    Refused       the command ran and said no
    └── WriteRefused     Refused       a command that may write was given to a door that only reads

A message names machine and address. It never carries a password, a key or standard input.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from groundplane.base.errors import Denied, GroundplaneError, Refused, Unavailable
from groundplane.base.sizes import mib

_SHOWN_LINES = 8
_SHOWN_LENGTH = 160


class HostError(GroundplaneError):
    """Anything that happened at the door to a machine."""


class HostUnreachable(HostError, Unavailable):
    """The machine cannot be reached now, or the connection was cut."""


class HostTimeout(HostError, Unavailable):
    """The machine, or a command on it, gave no answer in time."""


class HostFull(HostError, Unavailable):
    """The machine has no room for a file; nothing of it was left there. `free` and `needed` are bytes."""

    def __init__(self, place: str, doing: str, folder: str, *, free: int, needed: int) -> None:
        self.free, self.needed = free, needed
        super().__init__(
            f"cannot {doing} on {place}: {folder} has {mib(free)} MiB free and {mib(needed, up=True)} MiB are needed",
            remedy=f"free {mib(needed - free, up=True)} MiB on the file system of {folder}, or enlarge it; "
            "it goes on by itself",
        )


class SurveyIncomplete(HostError, Unavailable):
    """The output of the facts script is not whole; no facts are made of it."""


class HostDenied(HostError, Denied):
    """The machine did not accept our credentials, or sudo did not."""


class HostKeyMismatch(HostError, Denied):
    """The machine's host key is not the pinned one; nothing was sent to it."""


class WriteRefused(HostError, Refused):
    """A command that is not known to only read was given to a door that only reads."""


class CommandFailed(HostError, Refused):
    """A command ended with a non-zero status. `stderr` holds the last lines of its standard error."""

    def __init__(self, place: str, argv: Sequence[str], status: int, stderr: bytes, *, remedy: str = "") -> None:
        lines = stderr.decode("utf-8", "replace").strip().splitlines()[-_SHOWN_LINES:]
        self.argv = tuple(argv)
        self.status = status
        self.stderr = "\n".join(lines)
        said = ": " + "; ".join(line.strip() for line in lines) if lines else " and said nothing"
        super().__init__(f"cannot run {shown(argv)!r} on {place}: it ended with status {status}{said}", remedy=remedy)


def shown(argv: Sequence[str]) -> str:
    """Return a command as a person would type it, cut to a line's length; an inline script is left out."""
    inline = list(argv[:2]) == ["sh", "-c"]
    line = f"sh -c … {shlex.join(argv[4:])}" if inline else shlex.join(argv)
    line = " ".join(line.split())
    return line if len(line) <= _SHOWN_LENGTH else line[: _SHOWN_LENGTH - 1] + "…"
