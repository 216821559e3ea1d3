"""Exit codes: one number for each thing that a caller could do next. docs/cli.md repeats this table."""

from __future__ import annotations

from enum import IntEnum

from groundplane.base.errors import Denied, GroundplaneError, Refused, Unavailable


class Exit(IntEnum):
    """What the number says to a script; `meaning` is the sentence in docs/cli.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    DENIED = 6
    STOPPED = 7


MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.FAILED: "an operation failed, or a defect in Groundplane",
    Exit.USAGE: "the command line is wrong",
    Exit.REFUSED: "the request or a file is wrong: change it",
    Exit.NOT_FOUND: "no such object",
    Exit.UNAVAILABLE: "the other side cannot answer now: try later",
    Exit.DENIED: "credentials were not accepted, or a right is missing",
    Exit.STOPPED: "the time was up, or the command or its operation was cancelled",
}


class OperationFailed(GroundplaneError):
    """What was waited for ended badly."""


class Stopped(GroundplaneError):
    """The time was up, or somebody cancelled."""


def code_of(error: BaseException) -> Exit:
    """Return the exit code that an error means."""
    from groundplane.kube.errors import NotFound

    table: tuple[tuple[type[BaseException], Exit], ...] = (
        (NotFound, Exit.NOT_FOUND),
        (Refused, Exit.REFUSED),
        (Unavailable, Exit.UNAVAILABLE),
        (Denied, Exit.DENIED),
        (Stopped, Exit.STOPPED),
    )
    return next((code for kind, code in table if isinstance(error, kind)), Exit.FAILED)
