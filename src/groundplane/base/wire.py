"""Protobuf's wire format: the few shapes that messages are written in, without any definition of them.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator


class Malformed(ValueError):
    """The bytes are no message."""


def varint(number: int) -> bytes:
    """Return a number that is not negative as a varint."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def tagged(number: int, content: bytes) -> bytes:
    """Return a field that holds a text, bytes or another message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message in their order: number, and an integer or bytes. Raises Malformed."""
    at = 0
    while at < len(content):
        tag, at = _read_varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _read_varint(content, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _read_varint(content, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise Malformed
        if at + size > len(content):
            raise Malformed
        yield number, content[at : at + size]
        at += size


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(content) and shift < 64:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise Malformed
