"""Errors, named by what the caller should do about them.

    GroundplaneError
    ├── Refused           the request itself is wrong: change it          (Invalid, Conflict, NotFound, …)
    ├── Unavailable       the other side cannot answer now: try later     (hosts, clusters, stores, sources)
    ├── Denied            credentials or identity were not accepted: a person must act
    └── Unexpected        our own bug or a broken promise: report it

Every layer derives its own tree from these four. A message says "cannot X: why", names object and host in
lower case, and carries a remedy when there is one. Nobody matches the text of an error.
"""

from __future__ import annotations


class GroundplaneError(Exception):
    """Base of all errors that Groundplane raises on purpose.

    `remedy` is one sentence that tells a person what to do; empty when there is nothing to do but wait.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


class Refused(GroundplaneError):
    """The request is wrong as it stands; repeating it unchanged is pointless."""


class Unavailable(GroundplaneError):
    """The other side cannot answer now; the same call may succeed later."""


class Denied(GroundplaneError):
    """Credentials or identity were not accepted; a person has to act."""


class Unexpected(GroundplaneError):
    """A promise inside Groundplane was broken; this is a defect to report."""


def one_line(error: BaseException) -> str:
    """Return a foreign error's text without its line ends."""
    return " ".join(str(error).split())
