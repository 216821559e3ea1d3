"""Our protobuf form of OpenAPI v2 held to the real one: both made of kube-apiserver's own document of all its kinds."""

from __future__ import annotations

import json
import subprocess

import pytest
import yaml

from groundplane.kube.kubeconfig import Access
from groundplane.server.openapi_protobuf import encode

pytestmark = pytest.mark.lab


def fetch(kube: Access, accept: str) -> bytes:
    command = ["curl", "--silent", "--fail", "--insecure", "--header", f"Accept: {accept}"]
    command += ["--header", f"Authorization: Bearer {kube.token}", f"{kube.server}/openapi/v2"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def spans(data: bytes) -> list[tuple[int, int, int, int]] | None:
    """Return number, start, start of the content and end of each field; None when the bytes are no message."""
    found, at = [], 0
    while at < len(data):
        whole = at
        tag, at = varint(data, at)
        start = at
        if tag & 7 == 2:
            size, start = varint(data, at)
            at = start + size
        elif tag & 7 == 0:
            _, at = varint(data, at)
        else:
            at += {1: 8, 5: 4}.get(tag & 7, len(data))
        if at > len(data) or not tag >> 3:
            return None
        found.append((tag >> 3, whole, start, at))
    return found


def fields(data: bytes) -> list[tuple[int, bytes]] | None:
    """Return number and content of each field of a message; None when the bytes are no message."""
    found = spans(data)
    return None if found is None else [(number, data[start:end]) for number, _, start, end in found]


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
    return value, len(data) + 1


def by_name(found: list[tuple[int, bytes]] | None) -> list[tuple[int, bytes]]:
    """Sort the entries of maps, which Go writes in any order; what is no entry (name and value) keeps its place."""

    def key(field: tuple[int, bytes]) -> tuple[int, bytes]:
        inner = fields(field[1]) or []
        return (field[0], inner[0][1] if [number for number, _ in inner] == [1, 2] else b"")

    return sorted(found or [], key=key)


def difference(ours: bytes, theirs: bytes, path: tuple[int, ...] = ()) -> str:
    """Return where two messages differ, "" when they mean the same: YAML in them may be written in another way."""
    if ours == theirs:
        return ""
    left, right = by_name(fields(ours)), by_name(fields(theirs))
    if left and right and [number for number, _ in left] == [number for number, _ in right]:
        pairs = zip(left, right, strict=True)
        return next(filter(None, (difference(a, b, (*path, number)) for (number, a), (_, b) in pairs)), "")
    try:
        if yaml.safe_load(ours) == yaml.safe_load(theirs):
            return ""
    except (yaml.YAMLError, UnicodeDecodeError):
        pass
    return f"{path}: ours {ours[:200]!r}, theirs {theirs[:200]!r}"


def test_the_document_of_a_real_server_is_encoded_as_it_encodes_it(kube: Access) -> None:
    document = json.loads(fetch(kube, "application/json"))
    # Ours says nothing of how to log in, so the encoder knows neither field: 12 and 13.
    theirs = fetch(kube, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    assert len(theirs) > 1_000_000
    theirs = b"".join(theirs[start:end] for number, start, _, end in spans(theirs) or () if number not in (12, 13))
    assert difference(encode(document), theirs) == ""
    assert difference(encode(document | {"info": {"title": "other"}}), theirs).startswith("(2,")
