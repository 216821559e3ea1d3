"""Bearer tokens (RFC 6750): `Authorization: Bearer TOKEN`, of any kind that one of the token authenticators knows.

TokenReview asks `user_of`, requests come through `authenticate`; both see the same tokens.
"""

from __future__ import annotations

from ..users import User
from .contract import Asking, CredentialsRefused, TokenAuthenticator


class Bearer:
    """The kinds of tokens in the order in which they are asked."""

    def __init__(self, *kinds: TokenAuthenticator) -> None:
        self._kinds = kinds

    async def authenticate(self, asking: Asking) -> User | None:
        given = asking.header(b"authorization")
        if not given:
            return None
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialsRefused(f"cannot authenticate by scheme {scheme[:20]!r}: only Bearer is known")
        return await self.user_of(token.strip())

    async def user_of(self, token: str) -> User | None:
        """Return whose token it is; raises CredentialsRefused when nobody knows it."""
        refused: CredentialsRefused | None = None
        for kind in self._kinds:
            try:
                user = await kind.user_of(token)
            except CredentialsRefused as error:
                refused = refused or error
                continue
            if user is not None:
                return user
        raise refused or CredentialsRefused("cannot authenticate by this token: it is unknown or over")
