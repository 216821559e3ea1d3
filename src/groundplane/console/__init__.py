"""The web console as files: what `make console` built, and what a wheel brings along.

A file's name holds the hash of its content, but for the page itself, which is made anew for each who asks: it carries a
nonce, without which no style of a library would be allowed.
"""

from __future__ import annotations

import gzip
import mimetypes
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "dist"
_NONCE = "__GROUNDPLANE_NONCE__"
# Smaller ones gain nothing.
_COMPRESS_BYTES = 1024
_TEXT = frozenset(("text/javascript", "text/css", "text/html", "image/svg+xml", "application/json"))


@dataclass(frozen=True, slots=True)
class File:
    """One file; `packed` is its gzip form, b"" when there is none."""

    content: bytes
    media_type: str
    packed: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """The page, for one request."""

    content: bytes
    nonce: str


def page() -> Page | None:
    """Return the page with a nonce of its own, None when the console was not built."""
    text = _page()
    if not text:
        return None
    nonce = secrets.token_urlsafe(16)
    return Page(text.replace(_NONCE, nonce).encode(), nonce)


def file(name: str) -> File | None:
    """Return the built file of this name ("assets/index-….js"), None when there is none."""
    path = _paths().get(name)
    return _read(path) if path is not None else None


@cache
def _page() -> str:
    path = _FOLDER / "index.html"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@cache
def _paths() -> dict[str, Path]:
    paths = (path for path in _FOLDER.rglob("*") if path.is_file() and path.name != "index.html")
    return {path.relative_to(_FOLDER).as_posix(): path for path in paths}


# Each when it is first asked for: packing all of them at once would hold everybody up.
@cache
def _read(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name, strict=False)[0] or "application/octet-stream"
    if media_type not in _TEXT or len(content) < _COMPRESS_BYTES:
        return File(content, media_type)
    return File(content, media_type, gzip.compress(content, 9, mtime=0))
