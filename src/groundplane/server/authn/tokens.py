"""Bearer tokens of a file: only their hashes are kept, with an expiry.

The tokens file (mode 0600) holds one JSON line a token: sha256 of the token, user, groups, expiry. It is read again
when it changes, so that another process can issue or revoke a token while the server runs; finding that it did not
change costs one stat() a request.

A token is found by its hash in a dict, not by comparing each in constant time: what could leak through timing is how
much of a stored *hash* agrees with the hash of what was sent. A caller cannot choose the hash of a guess, so knowing
that brings no guess nearer to a token of 256 random bits.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec

from groundplane.base.clock import Now, parse_rfc3339, rfc3339, utc_now
from groundplane.base.errors import Denied, Refused
from groundplane.base.files import NO_FILE, Stamp, locked, private_stamp, write_private

from ..users import AUTHENTICATED, User

_ID_LENGTH = 12


class TokensRefused(Denied):
    """The tokens file is not one."""


class NoSuchToken(Refused):
    """No token has this id."""


class Record(msgspec.Struct, frozen=True):
    """One token as the file has it."""

    sha256: str
    user: str
    groups: list[str]
    expires: str
    # "" for those that an earlier version has written.
    created: str = ""

    @property
    def id(self) -> str:
        """What a person names the token by: the beginning of its hash, which is no secret."""
        return self.sha256[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class _Known:
    user: User
    until: float


@dataclass(slots=True)
class _Loaded:
    stamp: Stamp = NO_FILE
    known: dict[str, _Known] = field(default_factory=dict)


class Tokens:
    """The tokens of one file, which is created with the first token."""

    def __init__(self, path: Path, *, now: Now = utc_now) -> None:
        self._path = path
        self._name = str(path)
        self._now = now
        self._loaded = _Loaded()
        self._used: dict[str, float] = {}

    def issue_token(self, user: str, groups: tuple[str, ...], ttl: timedelta) -> str:
        """Return a new token, which is shown only here."""
        token = new_token()
        self.keep(token, user, groups, ttl)
        return token

    def keep(self, token: str, user: str, groups: tuple[str, ...], ttl: timedelta) -> Record:
        """Let a new token be good from now on; expired ones are dropped from the file."""
        now = self._now()
        record = Record(token_hash(token), user, list(groups), rfc3339(now + ttl), rfc3339(now))
        with locked(self._path):
            alive = [known for known in self.records() if parse_rfc3339(known.expires) > now]
            self._write([*alive, record])
        return record

    def revoke(self, token_id: str) -> Record:
        """Take a token away, at once and for every process; returns what it was."""
        with locked(self._path):
            records = self.records()
            found = [record for record in records if record.id == token_id]
            if not found:
                raise NoSuchToken(
                    f"cannot revoke token {token_id}: there is none with this id",
                    remedy="groundplane token list shows the ids",
                )
            self._write([record for record in records if record.id != token_id])
        return found[0]

    def records(self) -> list[Record]:
        """Return what the file holds; raises FileOpenToOthers, TokensRefused."""
        return self._read() if private_stamp(self._name) != NO_FILE else []

    def authenticate(self, token: str) -> User | None:
        """Return whose token this is, None when it is unknown or over."""
        return self.holder(token_hash(token))

    def holder(self, sha256: str) -> User | None:
        """Return whose token has this hash, None when there is none or it is over."""
        found = self._known().get(sha256)
        now = self._now().timestamp()
        if found is None or found.until <= now:
            return None
        self._used[sha256] = now
        return found.user

    def last_used(self, record: Record) -> float | None:
        """Return when the token was used last in this process, in seconds of the epoch."""
        return self._used.get(record.sha256)

    async def user_of(self, token: str) -> User | None:
        return self.authenticate(token)

    def _known(self) -> dict[str, _Known]:
        stamp = private_stamp(self._name)
        if stamp != self._loaded.stamp:
            records = self._read() if stamp != NO_FILE else []
            self._loaded = _Loaded(stamp, {record.sha256: _prepared(record) for record in records})
        return self._loaded.known

    def _read(self) -> list[Record]:
        lines = self._path.read_bytes().splitlines()
        try:
            return [msgspec.json.decode(line, type=Record) for line in lines if line]
        except msgspec.DecodeError as error:
            raise TokensRefused(
                f"cannot use tokens file {self._path}: a line is not a token record",
                remedy="move the file away and issue new tokens",
            ) from error

    def _write(self, records: list[Record]) -> None:
        write_private(self._path, b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def _prepared(record: Record) -> _Known:
    user = User(record.user, (*record.groups, AUTHENTICATED))
    return _Known(user, parse_rfc3339(record.expires).timestamp())


def new_token() -> str:
    """Return a token that nobody can guess, and that nobody has yet."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
