"""Files that hold secrets: written whole or not at all, closed to others from their first byte.

Several processes may change one file (the server and the command line): `locked` makes read-change-write one turn.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Denied

Stamp = tuple[int, int, int]
NO_FILE: Stamp = (0, 0, 0)


class FileOpenToOthers(Denied):
    """A file with secrets can be read by others."""


def write_private(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace the file at once; after a crash it is the old one or, once this has returned, the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only one who changes the file for the length of the block."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The lock is a file of its own: `path` is replaced by every write, and with it a lock that it carries.
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def private_stamp(path: str) -> Stamp:
    """Return what changes with every write of the file, NO_FILE without one; raises FileOpenToOthers."""
    try:
        state = os.stat(path)
    except FileNotFoundError:
        return NO_FILE
    if state.st_mode & 0o077:
        raise FileOpenToOthers(
            f"cannot use {path}: its mode {state.st_mode & 0o777:04o} lets others read it", remedy=f"chmod 600 {path}"
        )
    return (state.st_mtime_ns, state.st_size, state.st_ino)
