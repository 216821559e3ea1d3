"""Password users: a file (mode 0600) of names, groups and argon2id hashes, changed with `groundplane user`.

Hashing costs 64 MiB and a tenth of a second by intent. It runs on threads of its own, a few at a time, so that a flood
of logins takes neither the event loop nor the memory. A name that nobody has costs the same time as one that exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import argon2
import msgspec
from argon2.exceptions import VerificationError

from groundplane.base.clock import Now, rfc3339, utc_now
from groundplane.base.errors import Denied, Refused
from groundplane.base.files import NO_FILE, Stamp, locked, private_stamp, write_private

T = TypeVar("T")

SHORTEST = 8
LONGEST = 1024
AT_A_TIME = 2
# RFC 9106, second recommended option, with one lane: the threads are for other requests.
_HASHER = argon2.PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
# Of a password that nobody can have typed: it is longer than any that is taken.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=1$sQ5b0JAd7No5jNsOalG5zA$UWy6im8GuT/Ig9TJmVdyAaPX3wKN6Xi4nwPbROOpLsI"


class UsersRefused(Denied):
    """The users file is not one."""


class UserProblem(Refused):
    """A user cannot be added, changed or removed as asked."""


class UserExists(UserProblem):
    """There is a user of this name."""


class NoSuchUser(UserProblem):
    """There is no user of this name."""


class UserChanged(UserProblem):
    """The user is not the one any more that was looked at."""


class TooBusy(Refused):
    """More logins are waiting than are let wait."""


class Account(msgspec.Struct, frozen=True):
    """One user as the file has it."""

    name: str
    groups: tuple[str, ...]
    hash: str
    # "" for those that an earlier version has written.
    created: str = ""


@dataclass(slots=True)
class _Loaded:
    stamp: Stamp = NO_FILE
    accounts: dict[str, Account] = field(default_factory=dict)


class Users:
    """The users of one file, which is created with the first."""

    def __init__(self, path: Path, *, now: Now = utc_now) -> None:
        self._path = path
        self._name = str(path)
        self._now = now
        self._loaded = _Loaded()

    def find(self, name: str) -> Account | None:
        """Return the user of this name; the file is read again when it has changed."""
        return self._accounts().get(name)

    def list(self) -> list[Account]:
        """Return all users."""
        return list(self._accounts().values())

    def add(self, name: str, groups: tuple[str, ...], password: str) -> None:
        """Add a user; raises UserProblem for a bad name or password, or one that is there."""
        if problem := name_problem(name):
            raise UserProblem(f"cannot add user {name!r}: {problem}")
        account = Account(name, groups, hashed(password), rfc3339(self._now()))
        with locked(self._path):
            accounts = dict(self._accounts())
            if name in accounts:
                raise UserExists(
                    f"cannot add user {name}: there is one already",
                    remedy="groundplane user passwd changes its password",
                )
            self._write({**accounts, name: account})

    def change_password(self, name: str, password: str, *, seen: Account | None = None) -> None:
        """Set another password; sessions under the old one end. Raises UserChanged unless the user is as `seen`."""
        fresh = hashed(password)
        with locked(self._path):
            accounts = dict(self._accounts())
            known = self._known(accounts, name)
            if seen not in (None, known):
                raise UserChanged(f"cannot change the password of {name}: somebody else has changed the user meanwhile")
            self._write({**accounts, name: msgspec.structs.replace(known, hash=fresh)})

    def remove(self, name: str) -> None:
        """Remove a user; the sessions end."""
        with locked(self._path):
            accounts = dict(self._accounts())
            self._known(accounts, name)
            del accounts[name]
            self._write(accounts)

    def _known(self, accounts: dict[str, Account], name: str) -> Account:
        if name not in accounts:
            raise NoSuchUser(f"cannot find user {name}: there is none", remedy="groundplane user list shows all")
        return accounts[name]

    def _accounts(self) -> dict[str, Account]:
        stamp = private_stamp(self._name)
        if stamp != self._loaded.stamp:
            self._loaded = _Loaded(stamp, self._read() if stamp != NO_FILE else {})
        return self._loaded.accounts

    def _read(self) -> dict[str, Account]:
        try:
            lines = [line for line in self._path.read_bytes().splitlines() if line]
            return {account.name: account for account in (msgspec.json.decode(line, type=Account) for line in lines)}
        except msgspec.DecodeError as error:
            raise UsersRefused(
                f"cannot use users file {self._path}: a line is not a user", remedy="put back the file from a backup"
            ) from error

    def _write(self, accounts: dict[str, Account]) -> None:
        write_private(self._path, b"".join(msgspec.json.encode(one) + b"\n" for one in accounts.values()))


def name_problem(name: str) -> str:
    """Return what is wrong with the name of a new user, "" when nothing is."""
    if not name or len(name) > 128 or not name.isprintable() or " " in name or name.startswith("system:"):
        return "a name has 1 to 128 printable characters, no space, and no system: before it"
    if name in (".", "..") or "/" in name or "%" in name:
        return "a name is a part of a path in the API: it has no / and no %, and is neither . nor .."
    return ""


def password_problem(password: str) -> str:
    """Return what is wrong with a new password, "" when nothing is; the password is not in it."""
    if SHORTEST <= len(password) <= LONGEST:
        return ""
    return f"it has to have {SHORTEST} to {LONGEST} characters"


def hashed(password: str) -> str:
    """Return the argon2id hash; raises UserProblem for a password that is too short or too long."""
    if problem := password_problem(password):
        raise UserProblem(f"cannot use this password: {problem}")
    return _HASHER.hash(password)


class PasswordCheck:
    """Checks passwords off the event loop, a few at a time."""

    def __init__(self, users: Users, *, waiting: int = 32) -> None:
        self._users = users
        self._most = AT_A_TIME + waiting
        self._busy = 0
        self._threads = ThreadPoolExecutor(max_workers=AT_A_TIME, thread_name_prefix="argon2")

    async def verify(self, name: str, password: str) -> Account | None:
        """Return the user when the password is right. Raises TooBusy."""
        account = self._users.find(name)
        digest = account.hash if account is not None else _NOBODY
        right = await self.run(lambda: _matches(digest, password))
        return account if right and account is not None else None

    async def run(self, work: Callable[[], T]) -> T:
        """Do what hashes a password. Raises TooBusy."""
        if self._busy >= self._most:
            raise TooBusy("cannot check the password: too many logins are waiting")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _matches(digest: str, password: str) -> bool:
    try:
        return _HASHER.verify(digest, password[: LONGEST + 1])
    except VerificationError:
        return False
