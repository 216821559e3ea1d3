"""The logs of Operations: one append-only file each, lines that a reader can follow live.

A line is JSON `{"time", "step", "line"}`; the last line of a finished log is `{"time", "end": true}`. Writers and
followers are in one process: an append wakes the followers, nobody polls. Lines never hold secrets: that is the
duty of whoever writes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from .clock import Now, rfc3339, utc_now
from .errors import Unavailable


class LogbookFailed(Unavailable):
    """The disk did not take a line of the log."""


class Logbook:
    """Logs by the UID of their Operation, kept in `directory` (created, mode 0700)."""

    def __init__(self, directory: Path, *, now: Now = utc_now) -> None:
        self._directory = directory
        self._now = now
        self._grown: dict[str, asyncio.Event] = {}
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, uid: str, step: str, line: str) -> None:
        """Add one line to the log of step `step` and wake the followers."""
        self._write(uid, {"time": rfc3339(self._now()), "step": step, "line": line})

    def finish(self, uid: str) -> None:
        """Mark the log as complete; followers end."""
        self._write(uid, {"time": rfc3339(self._now()), "end": True})

    async def read(self, uid: str, *, step: str = "", follow: bool = False) -> AsyncIterator[bytes]:
        """Yield the log's lines (JSON and newline), those of `step` only when given.

        With `follow` the iterator goes on until the log is finished.
        """
        offset = 0
        rest = b""
        while True:
            # Taken before the read: whatever is appended after it sets just this event.
            grown = self._grown.setdefault(uid, asyncio.Event())
            fresh = self._read_from(uid, offset)
            offset += len(fresh)
            *whole, rest = (rest + fresh).split(b"\n")
            for line in whole:
                record = msgspec.json.decode(line)
                if record.get("end"):
                    return
                if not step or record.get("step") == step:
                    yield line + b"\n"
            if not follow:
                return
            await grown.wait()

    def _write(self, uid: str, record: dict[str, object]) -> None:
        path = self._path(uid)
        try:
            with path.open("ab") as file:
                file.write(msgspec.json.encode(record) + b"\n")
        except OSError as error:
            raise LogbookFailed(f"cannot write {path}: {error.strerror}", remedy="make room on the disk") from error
        grown = self._grown.pop(uid, None)
        if grown is not None:
            grown.set()

    def _read_from(self, uid: str, offset: int) -> bytes:
        path = self._path(uid)
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def _path(self, uid: str) -> Path:
        if not uid or "/" in uid or uid.startswith("."):
            raise ValueError(f"not a uid: {uid!r}")
        return self._directory / f"{uid}.log"
