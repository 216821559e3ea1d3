"""The cache: files under their sha256, so that nothing is downloaded twice and nothing unverified is used.

    <root>/sha256/ab/abcdef…        a verified file
    <root>/sha256/ab/abcdef….stat   what the file looked like when it was verified
    <root>/partial/abcdef…          a download under way; survives an interruption and is resumed
    <root>/lock/abcdef…             held while one process fills this digest

A file enters only through `admit`, which hashes it. Later looks compare the file's stat with the note of that
moment and hash again only when it differs; this matters because a file may be a hard link of a source's file,
which somebody may overwrite. All methods block on the disk: call them in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from groundplane.base.errors import Refused

from .errors import ArtifactCorrupt, CacheFailed

CHUNK = 1 << 20
# Linux FICLONE of <linux/fs.h>: _IOW(0x94, 9, int), as shutil of Python 3.14 and coreutils' cp use it.
_FICLONE = 0x40049409
_LOCK_POLL_SECONDS = 0.05
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Cache:
    """Content-addressed files below `root`, shared safely between processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Return where the file with this digest lives; says nothing about whether it is there."""
        return self.root / "sha256" / digest[:2] / digest

    def partial(self, digest: str) -> Path:
        """Return where a download of this digest collects its bytes. Hold `locked` while using it."""
        path = self.root / "partial" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def find(self, digest: str) -> Path | None:
        """Return the verified file, or None. A file that is no longer what its name says is removed."""
        path = self.path(digest)
        try:
            if _look(path) == _note(path):
                return path
            before = _look(path)
            if sha256_of(path) == digest:
                _write_note(path, before)
                return path
        except FileNotFoundError:
            return None
        path.unlink(missing_ok=True)
        return None

    def admit(self, file: Path, digest: str, *, artifact: str, source: str) -> Path:
        """Verify `file` and move it into the cache. A file with another digest is removed: ArtifactCorrupt."""
        path = self.path(digest)
        with cache_errors(artifact, self.root):
            found = sha256_of(file)
            if found != digest:
                file.unlink()
                raise ArtifactCorrupt(artifact, source, wanted=digest, found=found)
            path.parent.mkdir(parents=True, exist_ok=True)
            _sync(file)
            file.replace(path)
            _write_note(path, _look(path))
        return path

    def adopt(self, original: Path, digest: str, *, artifact: str, source: str) -> Path:
        """Bring a local file in: as a reflink, else a hard link, else a copy. The original stays as it is."""
        temporary = self.root / "partial" / f"{digest}.{uuid.uuid4().hex}"
        with cache_errors(artifact, self.root):
            temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            _duplicate(original, temporary, artifact, self.root)
            return self.admit(temporary, digest, artifact=artifact, source=source)
        finally:
            temporary.unlink(missing_ok=True)

    @asynccontextmanager
    async def locked(self, digest: str) -> AsyncIterator[None]:
        """Hold the digest's lock, against other processes and other tasks of this one."""
        path = self.root / "lock" / digest
        with cache_errors(digest, self.root):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("wb")
        with handle:
            # The kernel gives no event for flock; a blocking call in a thread could not be cancelled.
            while not _try_lock(handle):  # noqa: ASYNC110 (as said above)
                await asyncio.sleep(_LOCK_POLL_SECONDS)
            yield


@contextmanager
def cache_errors(artifact: str, root: Path) -> Iterator[None]:
    """Turn errors of the cache's disk into CacheFailed."""
    try:
        yield
    except OSError as exc:
        raise CacheFailed(artifact, str(root), exc.strerror or str(exc)) from exc


def sha256_of(path: Path) -> str:
    """Return the file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_digest(artifact: str, digest: str) -> str:
    """Return the digest if it is a sha256 in lower-case hex; it becomes a file name, so nothing else may pass."""
    if _DIGEST.fullmatch(digest):
        return digest
    raise Refused(
        f"cannot fetch artifact {artifact}: sha256 {digest!r} is not 64 hexadecimal digits in lower case",
        remedy="correct sha256 in the Distribution",
    )


def _try_lock(handle: BinaryIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync(path: Path) -> None:
    """Put the content on disk before its note is: after a power cut the note must not vouch for an empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _duplicate(original: Path, copy: Path, artifact: str, root: Path) -> None:
    """Errors of reading the original pass as OSError; errors of writing become CacheFailed."""
    with original.open("rb") as source:
        with cache_errors(artifact, root):
            target = copy.open("xb")
        with target, contextlib.suppress(OSError):
            fcntl.ioctl(target, _FICLONE, source.fileno())
            return
        copy.unlink()
        with contextlib.suppress(OSError):
            os.link(original, copy, follow_symlinks=True)
            return
        with cache_errors(artifact, root), copy.open("xb") as target:
            shutil.copyfileobj(source, target, CHUNK)


def _look(path: Path) -> str:
    """Return everything that changes when the file's content does."""
    stat = path.stat()
    return f"{stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _note(path: Path) -> str:
    try:
        return path.with_suffix(".stat").read_text("ascii")
    except FileNotFoundError:
        return ""


def _write_note(path: Path, look: str) -> None:
    """Write the note whole or not at all: a torn note only costs another hash, but must not block."""
    temporary = path.with_suffix(f".{uuid.uuid4().hex}")
    temporary.write_text(look, "ascii")
    temporary.replace(path.with_suffix(".stat"))
