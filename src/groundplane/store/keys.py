"""Where sealing keys come from: a file of our own, or a command that asks whoever keeps them.

Both give base64 keys of 32 bytes, one a line: the first seals, all of them unseal. A key's id is a hash of it and no
secret. The file is only ever replaced whole, under a lock on its directory, so that a crash leaves the old or the new
one. Of a command nothing but its standard output is looked at, and that is never shown: it may hold a key.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.base.files import write_private

ID_SIZE = 8
KEY_SIZE = 32
_MOST_OUTPUT = 1 << 16


class KeyFileRefused(Denied):
    """The key file is open to others, unreadable or not a key file; or a command's output is no keys."""


class KeyCommandFailed(Unavailable):
    """The command that gives the keys did not give them."""


class CannotKeep(Refused):
    """The old key could not be put where it was to be kept."""


class RotationUnderWay(Refused):
    """Values are still under an older key."""


class Keys(Protocol):
    """A source of keys; `name` says in messages where they come from."""

    @property
    def name(self) -> str: ...

    def read(self) -> list[bytes]:
        """Return the keys, the one that seals first. Raises KeyFileRefused, KeyCommandFailed."""

    def stamp(self) -> object:
        """Return a value that changes when the keys have to be read again; cheap."""


def key_id(key: bytes) -> bytes:
    """Return what names a key in envelopes and to people."""
    return hashlib.sha256(b"groundplane seal key\0" + key).digest()[:ID_SIZE]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Keys in a file with mode 0600."""

    path: Path

    @property
    def name(self) -> str:
        return f"key file {self.path}"

    def make(self) -> None:
        """Make the file with a new key when it is not there."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self.path.parent):
            if not self.path.exists():
                write_private(self.path, _lines([os.urandom(KEY_SIZE)]))

    def read(self) -> list[bytes]:
        try:
            mode = stat.S_IMODE(self.path.stat().st_mode)
            content = self.path.read_bytes()
        except OSError as exc:
            raise KeyFileRefused(f"cannot read {self.name}: {exc}") from exc
        if mode & 0o077:
            raise KeyFileRefused(
                f"cannot use {self.name}: its mode {mode:04o} lets others read it",
                remedy=f"chmod 600 {self.path}, and replace the key if someone may have read it",
            )
        return parse_keys(content, self.name)

    def stamp(self) -> object:
        return _stamp(self.path)

    def add_first(self, *, keep: Path | None = None) -> bytes:
        """Put a new key in front and return its id; the old one goes into the new file `keep`, too.

        Raises RotationUnderWay when there is more than one key already, CannotKeep when `keep` cannot be made.
        """
        with _locked(self.path.parent):
            keys = self.read()
            if len(keys) > 1:
                raise RotationUnderWay(
                    f"cannot rotate the keys of {self.path}: it holds {len(keys)} keys, so a rotation is under way",
                    remedy="wait until `groundplane keys status` shows one key; a running server finishes it by itself",
                )
            if keep is not None:
                _write_new(keep, _lines(keys))
            fresh = os.urandom(KEY_SIZE)
            write_private(self.path, _lines([fresh, *keys]))
        return key_id(fresh)

    def drop(self, ids: Sequence[bytes]) -> None:
        """Take keys out; the first one stays whatever is asked."""
        with _locked(self.path.parent):
            first, *others = self.read()
            write_private(self.path, _lines([first, *(key for key in others if key_id(key) not in ids)]))


def _write_new(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        raise CannotKeep(
            f"cannot keep the old key in {path}: {(exc.strerror or str(exc)).lower()}; nothing was rotated",
            remedy="name a new file in a directory that is there and has room",
        ) from exc


@dataclass(frozen=True, slots=True)
class KeyCommand:
    """Keys printed by a command; it is asked at start, and again when `request` is touched."""

    argv: tuple[str, ...]
    request: Path
    patience: float = 10.0

    @property
    def name(self) -> str:
        return f"the key command {self.argv[0]}"

    def read(self) -> list[bytes]:
        remedy = "run the command of GROUNDPLANE_SEAL_COMMAND by hand, as the same user, to see what it says"
        try:
            done = subprocess.run(
                self.argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.patience, check=False
            )
        except subprocess.TimeoutExpired:
            # Not chained: the exception carries what the command printed so far.
            raise KeyCommandFailed(
                f"cannot get the keys from {self.name}: it did not end within {self.patience:g} s", remedy=remedy
            ) from None
        except OSError as exc:
            raise KeyCommandFailed(f"cannot run {self.name}: {exc.strerror}", remedy=remedy) from exc
        if done.returncode != 0:
            raise KeyCommandFailed(
                f"cannot get the keys from {self.name}: it ended with {done.returncode}", remedy=remedy
            )
        return parse_keys(done.stdout, self.name)

    def stamp(self) -> object:
        return _stamp(self.request)

    def ask_again(self) -> None:
        """Let a running server run the command again."""
        write_private(self.request, b"the keys are to be read again\n")


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys that are at hand already, such as those of a backup."""

    name: str
    keys: tuple[bytes, ...]

    def read(self) -> list[bytes]:
        return list(self.keys)

    def stamp(self) -> object:
        return None


def source_of(home: Path, command: tuple[str, ...]) -> KeyFile | KeyCommand:
    """Return where the keys of a home come from: the command when there is one, else its key file."""
    return KeyCommand(command, home / "seal.request") if command else KeyFile(home / "seal.key")


def parse_keys(content: bytes, name: str) -> list[bytes]:
    """Read base64 keys, one a line; `name` says where they come from. Raises KeyFileRefused."""
    try:
        # From None: the error of a decoder may carry what it could not decode.
        keys = [base64.b64decode(line, validate=True) for line in content[:_MOST_OUTPUT].split()]
    except (binascii.Error, ValueError):
        raise KeyFileRefused(f"cannot use {name}: a line is not base64") from None
    if not keys or any(len(key) != KEY_SIZE for key in keys):
        raise KeyFileRefused(
            f"cannot use {name}: it must hold base64 keys of {KEY_SIZE} bytes, one a line",
            remedy="restore the keys from their backup",
        )
    return keys


def _lines(keys: Sequence[bytes]) -> bytes:
    return b"".join(base64.b64encode(key) + b"\n" for key in keys)


def _stamp(path: Path) -> object:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise KeyFileRefused(f"cannot use the keys in {folder}: {exc.strerror}", remedy="name the right home") from exc
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
