"""Who asks: users as the authenticators find them, and the names that Kubernetes gives to some."""

from __future__ import annotations

from dataclasses import dataclass

ADMINISTRATORS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
# The API group in which password users, tokens and the audit log are looked after.
ACCESS_GROUP = "access.groundplane.dev"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `extra` is what an authenticator knows beyond the name: key and values."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def administrator(self) -> bool:
        """Whether this user may do everything."""
        return ADMINISTRATORS in self.groups


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
CONTROLLER = User("system:groundplane:controller", (ADMINISTRATORS, AUTHENTICATED))
