"""The file of a backup: a tar with a manifest first, and a last block with the sha256 of all before it.

`tar -tf` lists it. The manifest has size and digest of every member, so that what is broken can be named; the last
block finds any other change, a cut end included. Private files travel in one member, encrypted with AES-256-GCM under
a key that scrypt makes of a passphrase, or not at all: never in the clear.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundplane.base.errors import Denied, Refused
from groundplane.base.files import sync_folder

MANIFEST = "manifest.json"
PRIVATE = "private.enc"
FORMAT = 1
_TRAILER = b"groundplane backup sha256 "
_TRAILER_SIZE = 512
_PRIVATE_MAGIC = b"GPB1"
_SALT_SIZE = 16
_NONCE_SIZE = 12
# About 64 MiB and a fifth of a second for each guess.
_SCRYPT = {"n": 1 << 16, "r": 8, "p": 1, "maxmem": 1 << 27}
_BLOCK = 1 << 20


class BackupDamaged(Refused):
    """The file is no backup, or not the one that was written."""


class WrongPassphrase(Denied):
    """The passphrase does not open the private files of this backup."""


class Member(msgspec.Struct, frozen=True):
    """One file of the backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What the backup is of. `keys`: number of sealed values by id of their key; `private`: names in private.enc."""

    groundplane: str
    created: str
    schema: int
    revision: int
    objects: int
    keys: dict[str, int]
    files: dict[str, Member]
    private: list[str] = []
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Archive:
    """An open backup whose digest was right. `extract` checks the member's own digest again."""

    path: Path
    manifest: Manifest
    tar: tarfile.TarFile

    def extract(self, name: str, target: Path) -> None:
        """Write a member to a new file with mode 0600, durably."""
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out, self._member(name) as source:
            digest = _copy(source, out)
            out.flush()
            os.fsync(out.fileno())
        self._check(name, digest)

    def private(self, passphrase: bytes) -> dict[str, bytes]:
        """Return the private files by name; raises WrongPassphrase."""
        with self._member(PRIVATE) as source:
            content = source.read()
        self._check(PRIVATE, hashlib.sha256(content).hexdigest())
        start = len(_PRIVATE_MAGIC) + _SALT_SIZE
        salt, nonce = content[len(_PRIVATE_MAGIC) : start], content[start : start + _NONCE_SIZE]
        try:
            plain = AESGCM(_key_of(passphrase, salt)).decrypt(nonce, content[start + _NONCE_SIZE :], _PRIVATE_MAGIC)
        except InvalidTag:
            raise WrongPassphrase(f"cannot open the private files of {self.path}: it is another passphrase") from None
        return msgspec.msgpack.decode(plain, type=dict[str, bytes])

    def _member(self, name: str) -> IO[bytes]:
        found = self.tar.extractfile(name) if name in self.manifest.files else None
        if found is None:
            raise BackupDamaged(f"cannot read {self.path}: it has no {name}")
        return found

    def _check(self, name: str, digest: str) -> None:
        if digest != self.manifest.files[name].sha256:
            raise BackupDamaged(f"cannot use {self.path}: {name} is not what was written", remedy="use another backup")


def write(output: Path, manifest: Manifest, files: Mapping[str, Path], private: bytes) -> None:
    """Write a backup (mode 0600) under a name of its own and rename it when it is whole and on disk."""
    fresh = output.with_name(f".{output.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                _add(tar, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
                for name, path in files.items():
                    info = _info(name, path.stat().st_size)
                    with path.open("rb") as source:
                        tar.addfile(info, source)
                if private:
                    _add(tar, PRIVATE, private)
            file.seek(0)
            digest = _copy(file, None)
            file.write((_TRAILER + digest.encode()).ljust(_TRAILER_SIZE - 1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(output)
        sync_folder(output.parent)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Give a backup after checking its digest; raises BackupDamaged."""
    try:
        with path.open("rb") as file:
            length = _check_trailer(path, file)
            file.seek(0)
            with tarfile.open(fileobj=_Window(file, length), mode="r:") as tar:
                first = tar.extractfile(MANIFEST)
                manifest = msgspec.json.decode(first.read() if first else b"", type=Manifest)
                _check_format(path, manifest)
                yield Archive(path, manifest, tar)
    except (OSError, tarfile.TarError, KeyError, msgspec.DecodeError) as exc:
        raise BackupDamaged(f"cannot read backup {path}: {exc}", remedy="use another backup") from exc


def encrypt(files: Mapping[str, bytes], passphrase: bytes) -> bytes:
    """Return the private member."""
    salt, nonce = os.urandom(_SALT_SIZE), os.urandom(_NONCE_SIZE)
    sealed = AESGCM(_key_of(passphrase, salt)).encrypt(nonce, msgspec.msgpack.encode(dict(files)), _PRIVATE_MAGIC)
    return _PRIVATE_MAGIC + salt + nonce + sealed


def member(path: Path) -> Member:
    """Return size and digest of a file."""
    with path.open("rb") as file:
        return Member(path.stat().st_size, _copy(file, None))


def _key_of(passphrase: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, dklen=32, **_SCRYPT)


def _check_trailer(path: Path, file: IO[bytes]) -> int:
    """Return the length of the tar."""
    length = file.seek(0, os.SEEK_END) - _TRAILER_SIZE
    file.seek(max(length, 0))
    trailer = file.read(_TRAILER_SIZE)
    if not trailer.startswith(_TRAILER):
        raise BackupDamaged(f"cannot use {path}: it is no whole backup of Groundplane", remedy="use another backup")
    file.seek(0)
    wanted = (_TRAILER + _copy(_Window(file, length), None).encode()).ljust(_TRAILER_SIZE - 1) + b"\n"
    if trailer != wanted:
        raise BackupDamaged(f"cannot use {path}: its content is not what was written", remedy="use another backup")
    return length


def _check_format(path: Path, manifest: Manifest) -> None:
    if manifest.format > FORMAT:
        raise Refused(
            f"cannot use {path}: its format {manifest.format} is newer than {FORMAT}, the newest known here",
            remedy="use the Groundplane version that wrote it, or a newer one",
        )


class _Window(io.RawIOBase):
    """The first `length` bytes of a file."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        super().__init__()
        self._file = file
        self._length = length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._length}[whence]
        return self._file.seek(base + offset)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        left = max(self._length - self._file.tell(), 0)
        return self._file.read(left if size < 0 else min(size, left))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_info(name, len(content)), io.BytesIO(content))


def _copy(source: IO[bytes] | _Window, target: IO[bytes] | None) -> str:
    """Copy to the end and return the digest."""
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest()
