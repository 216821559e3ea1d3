"""The authenticators in order, as kube-apiserver joins its own: the first user that one finds is the caller.

A refusal does not end the search, for a request may carry two kinds of credentials and one of them be good; when
nobody finds a user, one refusal is enough for 401. Without any credentials the caller is anonymous.
"""

from __future__ import annotations

import time
from dataclasses import replace

from groundplane.base.errors import Denied
from groundplane.base.logs import get_logger

from ..users import AUTHENTICATED, User
from .contract import Asking, Authenticator, CredentialsRefused

_log = get_logger(__name__)


class Chain:
    """Asks one authenticator after another."""

    def __init__(self, *authenticators: Authenticator) -> None:
        self._authenticators = authenticators
        self._told = float("-inf")
        self._untold = 0

    async def authenticate(self, asking: Asking) -> User | None:
        """Return the caller with the group of the authenticated, None for nobody. Raises CredentialsRefused."""
        refused: CredentialsRefused | None = None
        for authenticator in self._authenticators:
            try:
                user = await authenticator.authenticate(asking)
            except CredentialsRefused as error:
                refused = refused or error
                continue
            except Denied as error:
                # A file of ours that cannot be trusted: nobody gets in by it, and only the log says why.
                _log.error("cannot check credentials", why=str(error))
                refused = refused or CredentialsRefused(error.message)
                continue
            if user is not None:
                return _authenticated(user)
        if refused is not None:
            self._tell(refused)
            raise refused
        return None

    def _tell(self, refused: CredentialsRefused) -> None:
        """Log why, once a second at most: whoever guesses tokens must not fill our disk."""
        now = time.monotonic()
        if now - self._told < 1:
            self._untold += 1
            return
        _log.info("credentials refused", why=refused.message, others=self._untold)
        self._told, self._untold = now, 0


def _authenticated(user: User) -> User:
    if AUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))
