"""Reads the audit log from its end: the newest lines first, over the files that were turned over, a bounded part at a
time.

A position is a file's inode and an offset in it, so it stays right when the file is turned over meanwhile. What is read
in one call is bounded in bytes, and so is what is kept of it; a call that stopped early says where the next goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from groundplane.base.clock import parse_rfc3339
from groundplane.base.errors import Refused

from ..status import Json
from .log import turned_over

_BLOCK = 256 * 1024
_MOST_OF_LINE = 32 * 1024 * 1024
# What one call reads, and what it keeps, at most (a single line may be longer).
MOST_READ = 16 * 1024 * 1024
MOST_KEPT = 4 * 1024 * 1024
# Lines are in the order in which requests ended; a clock that was set back a little leaves none out.
_DISORDER = timedelta(minutes=10)


class PositionGone(Refused):
    """The file that was being read is not kept any more."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: all that is before `offset` in the file with this inode."""

    inode: int
    offset: int

    def __str__(self) -> str:
        return f"{self.inode}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read what `str` has written; raises ValueError."""
        inode, dash, offset = text.partition("-")
        if not (dash and inode.isascii() and inode.isdigit() and offset.isascii() and offset.isdigit()):
            raise ValueError(f"not a position: {text!r}")
        return cls(int(inode), int(offset))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: those that match, `limit` at most, of a time."""

    limit: int
    matches: Callable[[Position, Json], bool]
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True)
class Found:
    """What was found, newest first; `after` is where to go on, None at the end. `unread`: lines that are no events."""

    events: list[tuple[Position, Json]] = field(default_factory=list)
    after: Position | None = None
    unread: int = 0
    bytes: int = 0


def newest(path: Path, wanted: Wanted, before: Position | None = None) -> Found:
    """Return the newest events that are wanted, or the newest before a position. Raises PositionGone."""
    found = Found()
    read = 0
    for position, line in _lines(path, before):
        read += len(line) + 1
        decoded = _event(line)
        if decoded is None:
            found.unread += 1
        else:
            moment, event = decoded
            if wanted.since is not None and moment < wanted.since - _DISORDER:
                found.after = None
                return found
            if _in_time(moment, wanted) and wanted.matches(position, event):
                found.events.append((position, event))
                found.bytes += len(line)
        found.after = position
        if len(found.events) >= wanted.limit or read >= MOST_READ or found.bytes >= MOST_KEPT:
            return found
    found.after = None
    return found


def _in_time(moment: datetime, wanted: Wanted) -> bool:
    return (wanted.since is None or moment >= wanted.since) and (wanted.until is None or moment <= wanted.until)


def _event(line: bytes) -> tuple[datetime, Json] | None:
    """Return the event of a line and its time, None when it is none: somebody else may have written to the file."""
    try:
        event = msgspec.json.decode(line)
        moment = parse_rfc3339(event["stageTimestamp"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return (moment, event) if event.get("kind") == "Event" else None


def _lines(path: Path, before: Position | None) -> Iterator[tuple[Position, bytes]]:
    reached = before is None
    for handle in _files(path):
        try:
            state = os.fstat(handle)
            if before is not None and not reached:
                if state.st_ino != before.inode:
                    continue
                reached = True
                end = min(before.offset, state.st_size)
            else:
                end = state.st_size
            for offset, line in _backwards(handle, end):
                yield Position(state.st_ino, offset), line
        finally:
            os.close(handle)
    if not reached:
        raise PositionGone("the part of the audit log that was being read is not kept any more")


def _files(path: Path) -> Iterator[int]:
    """Yield descriptors of the file and of those that it was before, the newest first; the caller closes them."""
    current = -1
    with suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        current = os.fstat(handle).st_ino
        yield handle
    for older in _older(path, current):
        with suppress(FileNotFoundError):
            yield os.open(older, os.O_RDONLY)


def _older(path: Path, current: int) -> list[Path]:
    """Return the files that are older than the one with this inode, the newest first.

    That one may have been turned over since it was opened, and others after it: they are none of its past.
    """
    older: list[Path] = []
    for one in reversed(turned_over(path)):
        with suppress(FileNotFoundError):
            if one.stat().st_ino == current:
                break
            older.append(one)
    return older[::-1]


def _backwards(handle: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield where each line begins and the line, the last one before `end` first; without its end it is none yet."""
    at, rest, whole = end, b"", False
    while at > 0:
        size = min(_BLOCK, at)
        at -= size
        block = os.pread(handle, size, at) + rest
        rest, *lines = block.split(b"\n")
        if len(rest) > _MOST_OF_LINE:
            # Nothing of ours is so long. What is left of it is read as a line that is no event.
            rest = b""
        start = at + len(block)
        for line in reversed(lines):
            start -= len(line)
            if whole and line:
                yield start, line
            whole = True
            start -= 1
    if whole and rest:
        yield 0, rest
