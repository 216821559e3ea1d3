"""Bundles: one tar that holds a Distribution and every file of its releases, for sites without internet.

    manifest.json       the Distribution, and of each file its digest and size; always the first member
    artifacts/<sha256>  the files, in the order of the manifest

The same input gives the same bytes: members are sorted, times and owners are zero. Nothing in a bundle decides
where a file is written: members are regular files under these two names, and everything else is refused. Reading
is streaming, so a bundle may be larger than memory, and each broken file is named. These functions block on the
disk: call them in a thread.
"""

from __future__ import annotations

import hashlib
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from groundplane.api.distribution import Artifact, Distribution
from groundplane.api.meta import ObjectMeta, Struct
from groundplane.base.errors import Refused

from .cache import CHUNK, Cache, cache_errors, checked_digest
from .errors import ArtifactCorrupt, BundleBroken

FORMAT = 1
_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 16 << 20
_FOLDER = "artifacts/"


class Entry(Struct, frozen=True):
    """One file of a bundle; `name` is the artifact's, for people. `size` in bytes."""

    name: str
    sha256: str
    size: int


class Manifest(Struct, frozen=True):
    """What a bundle says of itself. The Distribution holds the bundled releases only, and no sources."""

    format: int
    distribution: Distribution
    entries: list[Entry]


# Takes an entry and a reader of its bytes; raises when they are not what the entry says.
_Sink = Callable[[Entry, IO[bytes]], object]


def wanted(distribution: Distribution, versions: Sequence[str]) -> list[Artifact]:
    """Return the artifacts of these releases, each digest once, sorted by digest. No versions: all releases."""
    known = {release.version: release for release in distribution.spec.releases}
    missing = sorted(set(versions) - set(known))
    if missing:
        raise Refused(
            f"cannot bundle distribution {distribution.metadata.name}: it has no release {', '.join(missing)}",
            remedy=f"choose among {', '.join(sorted(known)) or 'none (it has no releases)'}",
        )
    chosen = [known[version] for version in versions or known]
    return [*{a.sha256: a for r in chosen for a in sorted(r.artifacts, key=lambda a: a.name)}.values()]


def create(distribution: Distribution, versions: Sequence[str], out: Path, *, files: Mapping[str, Path]) -> Manifest:
    """Write a bundle to `out`, whole or not at all; `files` maps each digest of `wanted` to a verified file."""
    artifacts = sorted(wanted(distribution, versions), key=lambda artifact: artifact.sha256)
    entries = [Entry(name=a.name, sha256=a.sha256, size=files[a.sha256].stat().st_size) for a in artifacts]
    manifest = Manifest(format=FORMAT, distribution=_trimmed(distribution, versions), entries=entries)
    document = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n"
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, _MANIFEST, len(document), BytesIO(document))
            for entry in entries:
                with files[entry.sha256].open("rb") as file:
                    _add(tar, _FOLDER + entry.sha256, entry.size, file)
        temporary.replace(out)
    except OSError as exc:
        raise Refused(
            f"cannot write bundle {out}: {exc.strerror or exc}", remedy="choose a directory that exists and has room"
        ) from exc
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


def verify(path: Path) -> Manifest:
    """Read the whole bundle and return its manifest; raises ArtifactCorrupt or BundleBroken."""
    return _walk(path, lambda entry, file: _check(entry, file, path, _drop))


def import_(path: Path, cache: Cache) -> Manifest:
    """Bring every file of the bundle into the cache; raises as `verify` does, and CacheFailed."""
    return _walk(path, lambda entry, file: _take(entry, file, path, cache))


def extract(path: Path, artifact: Artifact, cache: Cache) -> Path | None:
    """Copy the artifact's file into the cache; None when the bundle does not have it."""
    with _reading(path, artifact.name), tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.name == _FOLDER + artifact.sha256:
                entry = Entry(name=artifact.name, sha256=artifact.sha256, size=member.size)
                return _take(entry, _open(tar, member), path, cache)
    return None


def _take(entry: Entry, file: IO[bytes], path: Path, cache: Cache) -> Path:
    """Check the bytes on their way into the cache; what is wrong never gets there."""
    with cache_errors(entry.name, cache.root):
        temporary = cache.partial(f"{entry.sha256}.{uuid.uuid4().hex}")
        target = temporary.open("xb")
    try:
        with target:
            _check(entry, file, path, _writer(target, entry.name, cache.root))
        return cache.admit(temporary, entry.sha256, artifact=entry.name, source=f"bundle {path}")
    finally:
        temporary.unlink(missing_ok=True)


def _writer(target: IO[bytes], artifact: str, root: Path) -> Callable[[bytes], None]:
    """Return a writer whose errors are the cache's, not the bundle's."""

    def write(block: bytes) -> None:
        with cache_errors(artifact, root):
            target.write(block)

    return write


def _trimmed(distribution: Distribution, versions: Sequence[str]) -> Distribution:
    spec = distribution.spec
    releases = [r for r in spec.releases if not versions or r.version in versions]
    return Distribution(
        metadata=ObjectMeta(name=distribution.metadata.name, labels=distribution.metadata.labels),
        spec=msgspec.structs.replace(spec, sources=[], releases=releases),
    )


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)


@contextmanager
def _reading(path: Path, inside: str = "") -> Iterator[None]:
    """Turn what tarfile and the disk say about a bad archive into BundleBroken."""
    where = f"{inside}: " if inside else ""
    try:
        yield
    except tarfile.TarError as exc:
        raise BundleBroken(str(path), f"{where}{exc}") from exc
    except OSError as exc:
        raise BundleBroken(str(path), f"{where}{exc.strerror or exc}") from exc


def _walk(path: Path, sink: _Sink) -> Manifest:
    """Hand every file to `sink`, in one pass; complain about what is missing, doubled or foreign."""
    with _reading(path), tarfile.open(path, "r|") as tar:
        manifest = _manifest(path, tar)
        left = {entry.sha256: entry for entry in manifest.entries}
        # The iterator starts over with the manifest, which has been read.
        for member in islice(tar, 1, None):
            entry = left.pop(member.name.removeprefix(_FOLDER), None)
            if entry is None or not member.isreg() or member.name != _FOLDER + entry.sha256:
                raise BundleBroken(str(path), f"member {member.name!r} is not in its manifest or not a regular file")
            if member.size != entry.size:
                raise BundleBroken(str(path), f"{entry.name} has {member.size} bytes, wanted {entry.size}")
            with _reading(path, entry.name):
                sink(entry, _open(tar, member))
    if left:
        names = ", ".join(sorted(entry.name for entry in left.values()))
        raise BundleBroken(str(path), f"it ends before {names}")
    return manifest


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    if member is None or member.name != _MANIFEST or not member.isreg() or member.size > _MANIFEST_LIMIT:
        raise BundleBroken(str(path), f"its first member is not {_MANIFEST}")
    try:
        manifest = msgspec.json.decode(_open(tar, member).read(), type=Manifest)
    except msgspec.MsgspecError as exc:
        raise BundleBroken(str(path), f"{_MANIFEST}: {exc}") from exc
    if manifest.format != FORMAT:
        raise BundleBroken(str(path), f"its format is {manifest.format}, this version reads {FORMAT}")
    for entry in manifest.entries:
        checked_digest(entry.name, entry.sha256)
    return manifest


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise tarfile.ReadError(f"{member.name} is not a regular file")
    return file


def _check(entry: Entry, file: IO[bytes], path: Path, write: Callable[[bytes], object]) -> None:
    digest = hashlib.sha256()
    while block := file.read(CHUNK):
        digest.update(block)
        write(block)
    found = digest.hexdigest()
    if found != entry.sha256:
        raise ArtifactCorrupt(entry.name, f"bundle {path}", wanted=entry.sha256, found=found)


def _drop(block: bytes) -> None:
    """Verification keeps nothing."""
