"""Backups: everything that is needed to start again elsewhere, in one file, taken while Groundplane runs.

In it: the database at one revision (Secrets sealed as they lie there) and the hashes of bearer tokens. The keys (that
which opens Secrets, and that of the certificate authority) go in only under a passphrase: whoever gets hold of the
file must not be able to read the Secrets in it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from groundplane.base.errors import Refused

from . import archive, snapshot
from .archive import Manifest
from .keys import FixedKeys, Keys, parse_keys
from .sealing import Sealer
from .sqlite import check_finished

DATABASE = "state.db"
SEAL_KEY = "seal.key"
# Files of the home that a backup holds besides the database, as far as they are there.
OPEN_FILES = ("tokens.json", "users.json", "server.yaml", "catalog.yaml")
PRIVATE_FILES = (SEAL_KEY, "ca.crt", "ca.key", "client-ca.crt", "client-ca.key")


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup that can be restored; `unsealed` tells whether its sealed values were opened."""

    manifest: Manifest
    unsealed: bool


def create(home: Path, output: Path, *, passphrase: bytes = b"") -> Manifest:
    """Write a backup of a home, in use or not, to `output`; raises StoreFailed, Refused."""
    check_finished(home)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.absolute().parent) as folder:
        copy = Path(folder) / DATABASE
        snapshot.take(home / DATABASE, copy)
        with snapshot.reading(copy) as db:
            facts = snapshot.facts(db)
        files = {DATABASE: copy} | {name: home / name for name in OPEN_FILES if (home / name).exists()}
        held = {name: (home / name).read_bytes() for name in PRIVATE_FILES if passphrase and (home / name).exists()}
        private = archive.encrypt(held, passphrase) if passphrase else b""
        members = {name: archive.member(path) for name, path in files.items()}
        if private:
            sealed = Path(folder) / archive.PRIVATE
            sealed.write_bytes(private)
            members[archive.PRIVATE] = archive.member(sealed)
        manifest = Manifest(
            groundplane=version("groundplane"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            schema=facts.schema,
            revision=facts.revision,
            objects=facts.objects,
            keys=facts.keys,
            files=members,
            private=sorted(held),
        )
        archive.write(output, manifest, files, private)
    return manifest


def verify(path: Path, *, keys: Keys | None = None, passphrase: bytes = b"") -> Verified:
    """Check a backup as a restore does, and change nothing. Its own keys, under the passphrase, come before `keys`."""
    with archive.opened(path) as backup, tempfile.TemporaryDirectory(prefix="groundplane-verify-") as name:
        copy = Path(name) / DATABASE
        backup.extract(DATABASE, copy)
        for other in OPEN_FILES:
            if other in backup.manifest.files:
                backup.extract(other, Path(name) / other)
        sealer = sealer_for(backup, keys, private=private_files(backup, passphrase))
        check(backup, copy, sealer)
        return Verified(backup.manifest, sealer is not None)


def private_files(backup: archive.Archive, passphrase: bytes) -> dict[str, bytes]:
    """Return the private files, none without a passphrase; Refused when there are none to open."""
    if not passphrase:
        return {}
    if not backup.manifest.private:
        raise Refused(
            f"cannot use a passphrase with {backup.path}: there are no private files in it",
            remedy="leave the passphrase out, and give the key with --seal-key",
        )
    return backup.private(passphrase)


def sealer_for(backup: archive.Archive, keys: Keys | None, *, private: dict[str, bytes]) -> Sealer | None:
    """Return what opens the sealed values, None when no key is at hand."""
    if SEAL_KEY in private:
        name = f"the keys in {backup.path}"
        return Sealer(FixedKeys(name, tuple(parse_keys(private[SEAL_KEY], name))))
    return Sealer(keys) if keys is not None else None


def check(backup: archive.Archive, copy: Path, sealer: Sealer | None) -> None:
    """Check the extracted database row by row, and against the manifest."""
    facts = snapshot.check(copy, sealer)
    told = backup.manifest
    if (facts.schema, facts.revision, facts.objects) != (told.schema, told.revision, told.objects):
        raise snapshot.DataDamaged(f"cannot use {backup.path}: its manifest tells of another database")
