"""Kubernetes programs stamped with another version, so that upgrades can be tried with the one source that is at hand.

A Go program keeps what the linker was told of its version in string variables that stand side by side, in the order
of their names: commit, major, minor, state of the tree, version. A string is an address and a length. The commit's
forty bytes are room enough for another version and minor; what is left of the commit says that the program is a build
of the lab. Nothing else is touched: a stamped program does what the original does and calls itself another version.
Builds of the real versions would take a quarter of an hour each.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from groundplane_lab.errors import LabError

COMMIT = "lab-build"
_LOAD, _WRITABLE = 1, 2
_STRING = struct.Struct("<QQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")


@dataclass(frozen=True, slots=True)
class _Segment:
    """A part of the file as it is in memory."""

    writable: bool
    offset: int
    address: int
    size: int


def stamp(source: Path, target: Path, *, found: str, wanted: str) -> None:
    """Write `source`, which calls itself `found`, to `target` so that it calls itself `wanted`."""
    content = bytearray(source.read_bytes())
    segments = list(_segments(content))
    tables = list(_tables(content, segments, found))
    if not tables:
        raise LabError(f"cannot stamp {source}: it does not say {found} in the way that Go's linker writes it")
    for table in tables:
        _rewrite(content, segments, table, wanted)
    target.write_bytes(content)
    target.chmod(0o755)


def _segments(content: bytes | bytearray) -> Iterator[_Segment]:
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for index in range(count):
        kind, flags, offset, address, _, length, _, _ = _SEGMENT.unpack_from(content, start + index * size)
        if kind == _LOAD:
            yield _Segment(bool(flags & _WRITABLE), offset, address, length)


def _tables(content: bytearray, segments: list[_Segment], found: str) -> Iterator[int]:
    """Where the five variables begin, once for each package that has them."""
    minor = found.split(".")[1]
    length = re.compile(re.escape(len(found).to_bytes(8, "little")))
    for segment in (each for each in segments if each.writable):
        for match in length.finditer(content, segment.offset, segment.offset + segment.size):
            table = match.start() - 8 - 4 * _STRING.size
            if (match.start() - segment.offset + segment.address) % 8 or table < segment.offset:
                continue
            commit, _, second, _, version = (_string(content, segments, table + i * _STRING.size) for i in range(5))
            if version == found.encode() and second == minor.encode() and len(commit) == 40:
                yield table


def _string(content: bytearray, segments: list[_Segment], header: int) -> bytes:
    address, length = _STRING.unpack_from(content, header)
    offset = _offset(segments, address)
    return bytes(content[offset : offset + length]) if offset is not None and length < 100 else b""


def _offset(segments: list[_Segment], address: int) -> int | None:
    for segment in segments:
        if segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    return None


def _rewrite(content: bytearray, segments: list[_Segment], table: int, wanted: str) -> None:
    """Give the commit's bytes to version, minor and the lab's name, and point the variables there."""
    address, room = _STRING.unpack_from(content, table)
    offset = _offset(segments, address)
    parts = {4: wanted, 2: wanted.split(".")[1], 0: COMMIT}
    text = "".join(parts.values()).encode()
    if offset is None or len(text) > room:
        raise LabError(f"cannot stamp {wanted}: it takes more than the {room} bytes of the commit")
    content[offset : offset + room] = text.ljust(room, b"\0")
    for index, part in parts.items():
        _STRING.pack_into(content, table + index * _STRING.size, address, len(part))
        address += len(part)
