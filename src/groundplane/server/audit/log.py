"""The file: JSON lines of mode 0600, turned over by size, old ones removed by age and number.

Requests never wait for the disk: lines go into a queue bounded by bytes, and one thread writes what has gathered.
When the disk does not take them, `on_failure` says what is done:

    continue    lines are lost, counted, and said in the log and by /readyz; the API goes on
    refuse      lines are kept and tried again, and requests are refused meanwhile: nothing happens unrecorded

A line is in the file whole or not at all: what a full disk took of a batch is taken back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from groundplane.base.clock import Now, utc_now
from groundplane.base.logs import get_logger

_log = get_logger(__name__)
_RETRY_SECONDS = 1.0
# Handing a batch to the thread costs as much as making ten lines: so long lines gather first.
_GATHER_SECONDS = 0.05
_PRUNE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """When the file is turned over, and which old ones are kept."""

    bytes: int = 100 * 1024 * 1024
    days: int = 30
    files: int = 10


class RotatingFile:
    """Appends to one file. Used by one thread at a time; raises OSError when the disk does not take it."""

    def __init__(self, path: Path, rotation: Rotation, *, now: Now = utc_now) -> None:
        self._path = path
        self._rotation = rotation
        self._now = now
        self._handle = -1
        self._inode = 0
        self._pruned: datetime | None = None

    @property
    def path(self) -> Path:
        """The file; those that it was before are beside it."""
        return self._path

    def write(self, content: bytes) -> None:
        """Append, whole or not at all."""
        self._open()
        size = os.fstat(self._handle).st_size
        if size and size + len(content) > self._rotation.bytes:
            self._turn_over()
            size = 0
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            os.ftruncate(self._handle, size)
            raise
        if self._pruned is None or self._now() - self._pruned > timedelta(seconds=_PRUNE_SECONDS):
            self._prune()

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> None:
        # Somebody may have moved the file away (logrotate): then a new one is begun.
        with suppress(FileNotFoundError):
            if self._handle >= 0 and os.stat(self._path).st_ino == self._inode:
                return
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(self._handle, 0o600)
        self._inode = os.fstat(self._handle).st_ino

    def _turn_over(self) -> None:
        self.close()
        stamp = self._now().strftime("%Y-%m-%dT%H-%M-%S.%f")
        self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        self._open()
        self._prune()

    def _prune(self) -> None:
        self._pruned = self._now()
        oldest = (self._pruned - timedelta(days=self._rotation.days)).timestamp()
        for number, path in enumerate(turned_over(self._path)):
            if number >= self._rotation.files or path.stat().st_mtime < oldest:
                path.unlink()


def turned_over(path: Path) -> list[Path]:
    """Return the files that a file was before, the newest first: the time in their names sorts as it passes."""
    begin = f"{path.stem}-"
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    return [
        path.with_name(one)
        for one in sorted(names, reverse=True)
        if one.startswith(begin) and one.endswith(path.suffix)
    ]


class AuditLog:
    """The queue before the file."""

    def __init__(
        self, file: RotatingFile, *, queue_bytes: int = 16 * 1024 * 1024, on_failure: Literal["continue", "refuse"]
    ) -> None:
        self._file = file
        self._queue_bytes = queue_bytes
        self._keep = on_failure == "refuse"
        self._lines: list[bytes] = []
        self._waiting = 0
        self._fresh = asyncio.Event()
        self._failure = ""
        self.lost = 0
        self.written = 0

    @property
    def path(self) -> Path:
        """The file that lines are written to."""
        return self._file.path

    @property
    def refusing(self) -> bool:
        """Whether requests have to be refused, for they could not be recorded."""
        return self._keep and (bool(self._failure) or self._waiting > self._queue_bytes)

    @property
    def trouble(self) -> str:
        """What is wrong now, "" when all is well."""
        if self._failure:
            return f"the audit log cannot be written; {self.lost} events lost"
        return f"{self.lost} events of the audit log lost" if self.lost else ""

    def put(self, line: bytes) -> None:
        """Queue one line with its newline; a queue that is full loses it, counted."""
        # In keeping mode new requests are refused at the bound; what is under way may still be recorded.
        most = self._queue_bytes * (2 if self._keep else 1)
        if self._waiting + len(line) > most:
            self._lose(1, "its queue is full")
            return
        self._waiting += len(line)
        self._lines.append(line)
        self._fresh.set()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write in the background for the length of the block; what is queued at its end is written."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit") as thread:
            task = asyncio.create_task(self._run(thread), name="audit-log")
            try:
                yield
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self._flush(thread)
                self._file.close()

    async def _run(self, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._fresh.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._fresh.clear()
            if not await self._flush(thread):
                await asyncio.sleep(_RETRY_SECONDS)
                self._fresh.set()

    async def _flush(self, thread: ThreadPoolExecutor) -> bool:
        """Write what is queued; False when it has to be tried again."""
        lines, self._lines = self._lines, []
        if not lines:
            return True
        content = b"".join(lines)
        writing = asyncio.get_running_loop().run_in_executor(thread, self._file.write, content)
        try:
            # Shielded: a write that is under way cannot be called back, and must not be taken for one that failed.
            await asyncio.shield(writing)
        except OSError as error:
            self._failed(error, lines, len(content))
            return not self._keep
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            self._done(writing.exception(), lines, len(content))
            raise
        self._done(None, lines, len(content))
        return True

    def _done(self, error: BaseException | None, lines: list[bytes], size: int) -> None:
        if error is not None:
            self._failed(error, lines, size)
            return
        self._waiting -= size
        self.written += len(lines)
        if self._failure:
            _log.warning("audit log is written again", lost=self.lost)
        self._failure = ""

    def _failed(self, error: BaseException, lines: list[bytes], size: int) -> None:
        if not self._failure:
            _log.error("audit log cannot be written", why=str(error), kept=self._keep)
        self._failure = str(error)
        if self._keep:
            self._lines = lines + self._lines
            return
        self._waiting -= size
        self.lost += len(lines)

    def _lose(self, count: int, why: str) -> None:
        if not self.lost:
            _log.error("audit events lost", why=why)
        self.lost += count
