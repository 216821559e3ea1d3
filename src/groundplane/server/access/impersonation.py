"""Acting as somebody else (`kubectl --as`): the headers Impersonate-User, -Group, -Uid and -Extra-KEY.

Each of them takes the verb `impersonate` on what it names, checked against the real user. From here on the request is
the other user's: `groundplane.user` in the scope; who it really was stays in `groundplane.impersonator`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import Scope

from ..status import bad_request
from ..users import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User
from .accounts import account_groups
from .authorizer import Authorizer
from .rules import Asked

_AUTHENTICATION = "authentication.k8s.io"
_PREFIX = b"impersonate-"
_EXTRA = "extra-"
_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whom the headers name; `extra` in the order of the headers."""

    user: str
    groups: tuple[str, ...]
    uid: str
    extra: tuple[tuple[str, str], ...]


def impersonate(scope: Scope, authorizer: Authorizer) -> None:
    """Let the request be the other user's from here on, if it asks for one; raises 403 and 400."""
    wanted = _read(scope["headers"])
    if wanted is None:
        return
    real: User = scope["groundplane.user"]
    for asked in _needed(wanted):
        authorizer.require(real, asked)
    scope["groundplane.impersonator"] = real
    scope["groundplane.user"] = _user(wanted)


def _read(headers: Iterable[tuple[bytes, bytes]]) -> _Wanted | None:
    given = [(name, value.decode("utf-8", "replace")) for name, value in headers if name.startswith(_PREFIX)]
    if not given:
        return None
    named = [(name[len(_PREFIX) :].decode("latin-1").lower(), value) for name, value in given]
    only = dict(reversed(named))
    groups = tuple(value for name, value in named if name == "group")
    extra = tuple((unquote(name[len(_EXTRA) :]), value) for name, value in named if name.startswith(_EXTRA))
    if not only.get("user"):
        if groups or extra or only.get("uid"):
            # kube-apiserver answers 500 here; it is the caller's mistake, and so it is told.
            raise bad_request("requested groups, uid or extra without impersonating a user")
        return None
    return _Wanted(only["user"], groups, only.get("uid", ""), extra)


def _account(user: str) -> tuple[str, str] | None:
    """Return namespace and name when the user is a ServiceAccount."""
    namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
    whole = user.startswith(_ACCOUNT) and namespace and name and ":" not in name
    return (namespace, name) if whole else None


def needed_for(user: str, groups: Iterable[str]) -> Iterator[Asked]:
    """Yield the rights that it takes to act as this user in these groups."""
    if (account := _account(user)) is not None:
        yield Asked("impersonate", "", "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Asked("impersonate", "", "users", name=user)
    for group in groups:
        yield Asked("impersonate", "", "groups", name=group)


def _needed(wanted: _Wanted) -> Iterator[Asked]:
    yield from needed_for(wanted.user, wanted.groups)
    for key, value in wanted.extra:
        yield Asked("impersonate", _AUTHENTICATION, "userextras", key, name=value)
    if wanted.uid:
        yield Asked("impersonate", _AUTHENTICATION, "uids", name=wanted.uid)


def _user(wanted: _Wanted) -> User:
    groups = wanted.groups
    account = _account(wanted.user)
    if account is not None and not groups:
        groups = account_groups(account[0])
    if wanted.user == ANONYMOUS.name:
        groups = groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    elif AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, AUTHENTICATED)
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in wanted.extra:
        extra[key] = (*extra.get(key, ()), value)
    return User(wanted.user, groups, wanted.uid, tuple(extra.items()))
