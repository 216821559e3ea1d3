"""Sessions of browsers: a cookie that no script can read, of which only the hash is kept.

A session is begun by a password, by a token of the tokens file, or by what an OIDC issuer vouches for. It ends when it
is not used for a while, after its lifetime in any case, at logout, and at once when its user is removed or gets another
password, or its token is over; one that an issuer vouched for, when the settings for the issuer are others.
Sessions survive a restart; one that was last used after the file was written may have to log in again after a crash.

A browser sends the cookie by itself, also when another site made it ask. SameSite=Strict stops that; besides, a request
that changes something has to carry a header that other sites cannot set, and an Origin that is ours if it has one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

import msgspec

from groundplane.base.errors import Denied
from groundplane.base.files import NO_FILE, private_stamp, write_private

from ..status import StatusError
from ..users import AUTHENTICATED, User
from .contract import Asking
from .origin import READING, check_origin, does_something
from .passwords import Account, Users
from .tokens import Tokens, token_hash

COOKIE = "__Host-groundplane"
CSRF_HEADER = b"x-groundplane-csrf"
_MOST = 10_000
_MOST_OF_ONE = 50


class SessionsRefused(Denied):
    """The sessions file is not one."""


class _Session(msgspec.Struct):
    sha256: str
    user: str
    # Of the password hash under which the session was begun; "" when something else began it.
    fingerprint: str
    begun: float
    used: float
    # The hash of the token that began it.
    token: str = ""
    # Of the settings for the issuer that vouched for its user, and the groups that it named then.
    issuer: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds."""

    idle: float = 1800.0
    whole: float = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Holders:
    """Who may have a session. `issuer` is the fingerprint of the settings for the issuer, "" without one."""

    users: Users
    tokens: Tokens
    issuer: str = ""

    def of(self, session: _Session) -> User | None:
        """Return whose session it is, None when it is nobody's any more."""
        if session.token:
            return self.tokens.holder(session.token)
        if session.issuer:
            user = User(session.user, (*session.groups, AUTHENTICATED))
            return user if session.issuer == self.issuer else None
        account = self.users.find(session.user)
        if account is None or _fingerprint(account) != session.fingerprint:
            return None
        return User(account.name, (*account.groups, AUTHENTICATED))


@dataclass(frozen=True, slots=True)
class Current:
    """The session of a request; `until` is when it ends at the latest, in seconds of the epoch."""

    user: User
    until: float


class Sessions:
    """All sessions, in memory and in one file."""

    def __init__(
        self, path: Path, holders: Holders, lifetimes: Lifetimes, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self.holders = holders
        self._lifetimes = lifetimes
        self._clock = clock
        self._writing = asyncio.Lock()
        self._sessions = self._read()

    async def begin(self, account: Account) -> str:
        """Return the cookie of a new session of a password user, which is kept nowhere."""
        return await self._begin(account.name, fingerprint=_fingerprint(account))

    async def begin_with(self, token: str) -> tuple[str, User] | None:
        """Return the cookie of a new session and whose it is, None when the token is none of the tokens file."""
        user = self.holders.tokens.authenticate(token)
        return (await self._begin(user.name, token=token_hash(token)), user) if user is not None else None

    async def begin_for(self, user: User) -> str:
        """Return the cookie of a new session of a user for whom the issuer vouches."""
        return await self._begin(user.name, issuer=self.holders.issuer, groups=user.groups)

    async def _begin(
        self, name: str, *, fingerprint: str = "", token: str = "", issuer: str = "", groups: tuple[str, ...] = ()
    ) -> str:
        cookie, now = secrets.token_urlsafe(32), self._clock()
        self._forget_over()
        mine = [key for key, session in self._sessions.items() if session.user == name]
        for key in mine[: len(mine) - _MOST_OF_ONE + 1] if len(mine) >= _MOST_OF_ONE else ():
            del self._sessions[key]
        while len(self._sessions) >= _MOST:
            del self._sessions[next(iter(self._sessions))]
        session = _Session(_hash(cookie), name, fingerprint, now, now, token, issuer, groups)
        self._sessions[session.sha256] = session
        await self.save()
        return cookie

    async def end(self, asking: Asking) -> None:
        """End the session of the request."""
        if self._sessions.pop(_hash(cookie_of(asking, COOKIE)), None) is not None:
            await self.save()

    def current(self, asking: Asking) -> Current | None:
        """Return the session of the request, which counts as used now."""
        token = cookie_of(asking, COOKIE)
        session = self._sessions.get(_hash(token)) if token else None
        if session is None:
            return None
        now = self._clock()
        user = self.holders.of(session)
        if self._over(session, now) or user is None:
            del self._sessions[session.sha256]
            return None
        session.used = now
        return Current(user, session.begun + self._lifetimes.whole)

    def last_used(self) -> dict[str, float]:
        """Return when each password user who has a session has used it last, in seconds of the epoch."""
        # A session of another user who had this name before is none of this one's.
        prints = {account.name: _fingerprint(account) for account in self.holders.users.list()}
        found: dict[str, float] = {}
        for session in self._sessions.values():
            if not session.token and prints.get(session.user) == session.fingerprint:
                found[session.user] = max(session.used, found.get(session.user, 0.0))
        return found

    async def authenticate(self, asking: Asking) -> User | None:
        """Return the session's user; a session that is over is none. Raises 403 for a write from another site."""
        current = self.current(asking)
        if current is None:
            return None
        if asking.method not in READING:
            check_site(asking)
        elif does_something(asking):
            # A WebSocket cannot carry the header, but browsers always say who opens it.
            check_origin(asking)
        return current.user

    async def save(self) -> None:
        """Write all sessions to the file."""
        if not self._sessions and not self._path.exists():
            return
        async with self._writing:
            content = b"".join(msgspec.json.encode(session) + b"\n" for session in self._sessions.values())
            await asyncio.to_thread(write_private, self._path, content)

    def _forget_over(self) -> None:
        now = self._clock()
        self._sessions = {key: one for key, one in self._sessions.items() if not self._over(one, now)}

    def _over(self, session: _Session, now: float) -> bool:
        return now >= session.used + self._lifetimes.idle or now >= session.begun + self._lifetimes.whole

    def _read(self) -> dict[str, _Session]:
        if private_stamp(str(self._path)) == NO_FILE:
            return {}
        try:
            lines = [line for line in self._path.read_bytes().splitlines() if line]
            sessions = [msgspec.json.decode(line, type=_Session) for line in lines]
        except msgspec.DecodeError as error:
            raise SessionsRefused(
                f"cannot use sessions file {self._path}: a line is not a session", remedy=f"remove {self._path}"
            ) from error
        return {session.sha256: session for session in sessions}


def check_site(asking: Asking) -> None:
    """Raise 403 unless the request says that a page of ours made it."""
    check_origin(asking)
    if not asking.header(CSRF_HEADER):
        name = CSRF_HEADER.decode()
        raise StatusError(
            403, "Forbidden", f"a request with a session cookie that changes something needs the header {name}"
        )


def cookie_of(asking: Asking, name: str) -> str:
    """Return the cookie of this name, "" without one."""
    given = asking.header(b"cookie")
    if name not in given:
        return ""
    try:
        morsel = SimpleCookie(given).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _fingerprint(account: Account) -> str:
    return hashlib.sha256(account.hash.encode()).hexdigest()[:16]
