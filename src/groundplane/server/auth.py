"""Who may do what: one rule, administrators may, others may not. Who is calling is found out in `authn`."""

from __future__ import annotations

from .service import ADMINISTRATORS, AUTHENTICATED, User

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
CONTROLLER = User("system:groundplane:controller", (ADMINISTRATORS, AUTHENTICATED))


def may(user: User) -> bool:
    """Tell whether the user may use resources: administrators may do everything, all others nothing."""
    return user.administrator
