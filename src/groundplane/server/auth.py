"""Who may do what: bearer tokens of which only the hash is kept, and one rule: administrators may, others may not.

The tokens file (mode 0600) holds one JSON line a token: sha256 of the token, user, groups, expiry. It is read again
when it changes, so that another process can issue a token while the server runs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec

from groundplane.base.clock import Now, parse_rfc3339, rfc3339, utc_now
from groundplane.base.errors import Denied

from .service import ADMINISTRATORS, AUTHENTICATED, User

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
CONTROLLER = User("system:groundplane:controller", (ADMINISTRATORS, AUTHENTICATED))


class TokensRefused(Denied):
    """The tokens file is open to others or not a tokens file."""


class _Record(msgspec.Struct, frozen=True):
    sha256: str
    user: str
    groups: list[str]
    expires: str


@dataclass(slots=True)
class _Loaded:
    stamp: tuple[int, int, int]
    records: list[_Record]


class Tokens:
    """The tokens of one file, which is created with the first token."""

    def __init__(self, path: Path, *, now: Now = utc_now) -> None:
        self._path = path
        self._now = now
        self._loaded = _Loaded((0, 0, 0), [])

    def issue_token(self, user: str, groups: tuple[str, ...], ttl: timedelta) -> str:
        """Return a new token, which is shown only here; expired ones are dropped from the file."""
        token = secrets.token_urlsafe(32)
        expires = rfc3339(self._now() + ttl)
        alive = [record for record in self._records() if parse_rfc3339(record.expires) > self._now()]
        alive.append(_Record(_hash(token), user, list(groups), expires))
        self._write(alive)
        return token

    def authenticate(self, token: str) -> User | None:
        """Return whose token this is, or None. Every record is compared, in constant time."""
        given = _hash(token)
        found: _Record | None = None
        for record in self._records():
            if hmac.compare_digest(record.sha256, given):
                found = record
        if found is None or parse_rfc3339(found.expires) <= self._now():
            return None
        return User(found.user, (*found.groups, AUTHENTICATED))

    def _records(self) -> list[_Record]:
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return []
        if state.st_mode & 0o077:
            raise TokensRefused(
                f"cannot use tokens file {self._path}: its mode {state.st_mode & 0o777:04o} lets others read it",
                remedy=f"chmod 600 {self._path}",
            )
        stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
        if stamp != self._loaded.stamp:
            self._loaded = _Loaded(stamp, self._read())
        return self._loaded.records

    def _read(self) -> list[_Record]:
        lines = self._path.read_bytes().splitlines()
        try:
            return [msgspec.json.decode(line, type=_Record) for line in lines if line]
        except msgspec.DecodeError as error:
            raise TokensRefused(
                f"cannot use tokens file {self._path}: a line is not a token record",
                remedy="move the file away and issue new tokens",
            ) from error

    def _write(self, records: list[_Record]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def may(user: User) -> bool:
    """Tell whether the user may use resources: administrators may do everything, all others nothing."""
    return user.administrator
