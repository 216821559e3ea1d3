"""Sealing: values that must never lie in the clear on a disk.

An envelope is magic, key id, nonce and AES-256-GCM ciphertext; the object's key is the associated data, so a value
moved to another name does not open. The first of the given keys seals, all of them unseal, which is what rotation
needs (see `resealing`). This module protects what is at rest; in memory values are plain.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from groundplane.base.errors import Denied

from .contract import Key
from .keys import ID_SIZE, KeyFile, KeyFileRefused, Keys, key_id

MAGIC = b"GPS1"
_NONCE_SIZE = 12
_HEAD = len(MAGIC) + ID_SIZE + _NONCE_SIZE


class CannotUnseal(Denied):
    """No key at hand opens this value."""


@dataclass(frozen=True, slots=True)
class _Ring:
    """The keys at one moment; replaced as a whole, for the writer's thread seals while another one reloads."""

    active: bytes
    ciphers: Mapping[bytes, AESGCM]


class Sealer:
    """Seals and unseals under the keys of a source; a path means a key file, made when it is not there."""

    def __init__(self, keys: Path | Keys) -> None:
        if isinstance(keys, Path):
            keys = KeyFile(keys)
            keys.make()
        self.keys: Keys = keys
        # Taken first: a change while we read shows as one.
        self._stamp = keys.stamp()
        given = keys.read()
        self._ring = _Ring(key_id(given[0]), {key_id(key): AESGCM(key) for key in given})

    @property
    def active(self) -> bytes:
        """The id of the key that seals."""
        return self._ring.active

    @property
    def others(self) -> list[bytes]:
        """The ids of the keys that only unseal."""
        return [known for known in self._ring.ciphers if known != self._ring.active]

    def reload(self) -> None:
        """Read the source again. Keys that it does not give any more still unseal here, until they are forgotten."""
        stamp = self.keys.stamp()
        given = self.keys.read()
        fresh = {key_id(key): AESGCM(key) for key in given}
        self._ring = _Ring(key_id(given[0]), {**self._ring.ciphers, **fresh})
        self._stamp = stamp

    def changed(self) -> bool:
        """Tell whether the source may give other keys than when it was read."""
        return self.keys.stamp() != self._stamp

    def forget(self, ids: list[bytes]) -> None:
        """Drop keys under which nothing is left; the one that seals stays."""
        ring = self._ring
        kept = {known: cipher for known, cipher in ring.ciphers.items() if known == ring.active or known not in ids}
        self._ring = _Ring(ring.active, kept)

    def seal(self, key: Key, value: bytes) -> bytes:
        """Return the envelope of `value` that opens only under `key`."""
        ring = self._ring
        nonce = os.urandom(_NONCE_SIZE)
        sealed = ring.ciphers[ring.active].encrypt(nonce, value, _associated(key))
        return MAGIC + ring.active + nonce + sealed

    def unseal(self, key: Key, envelope: bytes) -> bytes:
        """Return the plain value; raises CannotUnseal, naming the object and where the keys come from."""
        what = f"cannot unseal {'/'.join(part for part in key if part)}"
        if not envelope.startswith(MAGIC) or len(envelope) < _HEAD:
            raise CannotUnseal(f"{what}: the stored value is not a sealed one", remedy="restore the data from a backup")
        used = sealed_under(envelope)
        cipher = self._ring.ciphers.get(used)
        if cipher is None:
            raise CannotUnseal(
                f"{what}: it was sealed under key {used.hex()}, which is not in {self.keys.name}",
                remedy="put the key file back that was in use when it was written (or that key, among the others)",
            )
        try:
            return cipher.decrypt(envelope[_HEAD - _NONCE_SIZE : _HEAD], envelope[_HEAD:], _associated(key))
        except InvalidTag as exc:
            raise CannotUnseal(
                f"{what}: the stored value was damaged or moved from another object",
                remedy="restore the data from a backup",
            ) from exc


def sealed_under(envelope: bytes) -> bytes:
    """Return the id of the key of an envelope."""
    return envelope[len(MAGIC) : len(MAGIC) + ID_SIZE]


def _associated(key: Key) -> bytes:
    return "/".join(key).encode()


__all__ = ["MAGIC", "CannotUnseal", "KeyFileRefused", "Sealer", "sealed_under"]
