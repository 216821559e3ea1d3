"""What an authenticator is: it finds the user of a request, has nothing to say, or refuses.

    CredentialsRefused        credentials of this kind were given and are not good: 401 unless another kind is

The reason of a refusal is for our log; the caller only learns that it is not let in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from groundplane.base.errors import Denied

from ..users import User


class CredentialsRefused(Denied):
    """The credentials are wrong, over, or cannot be checked now."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The client certificate of a connection, verified against the client CA when the connection was made."""

    user: str
    groups: tuple[str, ...]
    until: datetime


class Asking(msgspec.Struct, frozen=True):
    """What a request shows of who makes it."""

    method: str
    headers: Iterable[tuple[bytes, bytes]]
    peer: Peer | None = None

    def header(self, name: bytes) -> str:
        """Return the first header of this (lower case) name, "" without one."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return ""


class Authenticator(Protocol):
    """One way to show who one is."""

    async def authenticate(self, asking: Asking) -> User | None:
        """Return the user, None when the request has no credentials of this kind. Raises CredentialsRefused."""
        ...


class TokenAuthenticator(Protocol):
    """One kind of bearer token."""

    async def user_of(self, token: str) -> User | None:
        """Return whose token it is, None when it is not of this kind. Raises CredentialsRefused."""
        ...
