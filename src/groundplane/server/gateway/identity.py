"""As whom a caller acts in a managed cluster. Pure.

Who may read the Secret with the cluster's kubeconfig could use it without us, and acts with it as it is. Everybody
else is impersonated: the user `groundplane:NAME`, in the groups `groundplane:GROUP` for each of theirs and in
`groundplane:view`, or `groundplane:edit` for who may also write through the gateway. The prefix keeps them apart from
users, groups and ServiceAccounts that the cluster knows by itself; what they may do there is bound there.
"""

from __future__ import annotations

from groundplane.api.meta import GROUP

from ..access.authorizer import Authorizer
from ..access.rules import Asked
from ..status import forbidden
from ..users import User

_PREFIX = "groundplane:"
_PROXY = "proxy"
_LEVELS = ("view", "edit")


def asked(verb: str, namespace: str, name: str) -> Asked:
    """Return what a request through the gateway takes here."""
    return Asked(verb, GROUP, "clusters", _PROXY, namespace, name)


def with_credentials(authorizer: Authorizer, user: User, namespace: str, secret: str) -> bool:
    """Whether the caller may use the cluster's own credentials."""
    return authorizer.decide(user, Asked("get", "", "secrets", "", namespace, secret)).allowed


def impersonation(authorizer: Authorizer, user: User, namespace: str, name: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell the cluster who asks."""
    level = "edit" if authorizer.decide(user, asked("update", namespace, name)).allowed else "view"
    # A group of theirs that has the name of a level would give what the level gives.
    groups = [*(group for group in user.groups if group not in _LEVELS), level]
    return [
        (b"impersonate-user", _named(user.name)),
        *((b"impersonate-group", _named(group)) for group in groups),
    ]


def _named(name: str) -> bytes:
    if not name.isprintable() or name != name.strip():
        # An issuer may put anything into a claim: a line end would begin a header of its own, a space is trimmed there.
        raise forbidden(GROUP, "clusters", "", "your name or one of your groups cannot be written into a header")
    return f"{_PREFIX}{name}".encode()
