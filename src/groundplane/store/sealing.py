"""Sealing: values that must never lie in the clear on a disk, under keys in one file.

An envelope is magic, key id, nonce and AES-256-GCM ciphertext; the object's key is the associated data, so a value
moved to another name does not open. The key file holds one base64 key a line: the first seals, all of them unseal,
which is what rotation needs. This module protects what is at rest; in memory values are plain.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundplane.base.errors import Denied

from .contract import Key

_MAGIC = b"GPS1"
_ID_SIZE = 8
_NONCE_SIZE = 12
_KEY_SIZE = 32
_HEAD = len(_MAGIC) + _ID_SIZE + _NONCE_SIZE


class KeyFileRefused(Denied):
    """The key file is open to others, unreadable or not a key file."""


class CannotUnseal(Denied):
    """No key of the key file opens this value."""


class Sealer:
    """Seals and unseals under the keys of `keyfile`, which is created (mode 0600) when it is not there."""

    def __init__(self, keyfile: Path) -> None:
        self._keyfile = keyfile
        if not keyfile.exists():
            _create(keyfile)
        keys = _read(keyfile)
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._active = _key_id(keys[0])

    def seal(self, key: Key, value: bytes) -> bytes:
        """Return the envelope of `value` that opens only under `key`."""
        nonce = os.urandom(_NONCE_SIZE)
        sealed = self._ciphers[self._active].encrypt(nonce, value, _associated(key))
        return _MAGIC + self._active + nonce + sealed

    def unseal(self, key: Key, envelope: bytes) -> bytes:
        """Return the plain value; raises CannotUnseal, naming the object and the key file."""
        what = f"cannot unseal {'/'.join(part for part in key if part)}"
        if not envelope.startswith(_MAGIC) or len(envelope) < _HEAD:
            raise CannotUnseal(f"{what}: the stored value is not a sealed one", remedy="restore the data from a backup")
        key_id = envelope[len(_MAGIC) : len(_MAGIC) + _ID_SIZE]
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CannotUnseal(
                f"{what}: it was sealed under key {key_id.hex()}, which is not in {self._keyfile}",
                remedy=f"put the key file that was in use when it was written back at {self._keyfile}",
            )
        try:
            return cipher.decrypt(envelope[_HEAD - _NONCE_SIZE : _HEAD], envelope[_HEAD:], _associated(key))
        except InvalidTag as exc:
            raise CannotUnseal(
                f"{what}: the stored value was damaged or moved from another object",
                remedy="restore the data from a backup",
            ) from exc


def _associated(key: Key) -> bytes:
    return "/".join(key).encode()


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"groundplane seal key\0" + key).digest()[:_ID_SIZE]


def _create(keyfile: Path) -> None:
    """Write a new key so that it is either whole on disk or not there."""
    keyfile.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = keyfile.with_name(f".{keyfile.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(os.urandom(_KEY_SIZE)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(keyfile)
    folder = os.open(keyfile.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(keyfile: Path) -> list[bytes]:
    try:
        mode = stat.S_IMODE(keyfile.stat().st_mode)
        lines = keyfile.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyFileRefused(f"cannot read key file {keyfile}: {exc}") from exc
    if mode & 0o077:
        raise KeyFileRefused(
            f"cannot use key file {keyfile}: its mode {mode:04o} lets others read it",
            remedy=f"chmod 600 {keyfile}, and replace the key if someone may have read it",
        )
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error as exc:
        raise KeyFileRefused(f"cannot use key file {keyfile}: a line is not base64") from exc
    if not keys or any(len(key) != _KEY_SIZE for key in keys):
        raise KeyFileRefused(
            f"cannot use key file {keyfile}: it must hold base64 keys of {_KEY_SIZE} bytes, one a line",
            remedy="restore the key file from a backup",
        )
    return keys
