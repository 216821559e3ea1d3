"""Downloads over HTTP: resumed where an earlier try stopped, retried with back-off, never trusted.

The bytes collect in the cache's partial file, which outlives the process; the caller holds the digest's lock and
verifies the whole afterwards. A server that does not know Range sends everything again, and that is fine too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import httpx2

from groundplane.api.distribution import Artifact

from .cache import CHUNK, cache_errors
from .errors import ArtifactMissing, SourceUnavailable

_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_TIMEOUT = httpx2.Timeout(30, connect=10)


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a download is: `attempts` tries without any progress, waiting `first` seconds, then doubling."""

    attempts: int = 5
    first: float = 0.5
    limit: float = 10.0

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after the `attempt`-th try (from 1)."""
        return float(min(self.limit, self.first * 2 ** (attempt - 1)))


class _Response(Protocol):
    """The part of httpx2.Response that `_resumes` looks at."""

    status_code: int
    headers: httpx2.Headers


async def download(artifact: Artifact, url: str, partial: Path, retry: Retry) -> None:
    """Complete `partial` from `<url>/<artifact.path>`; raises SourceUnavailable, ArtifactMissing, CacheFailed."""
    address = f"{url.rstrip('/')}/{quote(artifact.path)}"
    attempt = 0
    async with httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=True) as client:
        while True:
            had = _size(partial)
            attempt += 1
            try:
                return await _once(client, artifact, address, partial)
            except SourceUnavailable:
                if _size(partial) > had:
                    attempt = 1
                if attempt >= retry.attempts:
                    raise
            await asyncio.sleep(retry.wait(attempt))


async def _once(client: httpx2.AsyncClient, artifact: Artifact, address: str, partial: Path) -> None:
    had = _size(partial)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    try:
        async with client.stream("GET", address, headers=headers) as response:
            if response.status_code == httpx2.codes.RANGE_NOT_SATISFIABLE:
                # Whole already, or longer than the file: the caller's digest tells which.
                return
            _check_status(artifact, address, response.status_code, response.reason_phrase)
            await _save(response, artifact, partial, append=_resumes(response, had))
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.TooManyRedirects) as exc:
        raise SourceUnavailable(artifact.name, address, str(exc) or type(exc).__name__) from exc
    except httpx2.InvalidURL as exc:
        raise ArtifactMissing(artifact.name, address, str(exc)) from exc


def _resumes(response: _Response, had: int) -> bool:
    if response.status_code != httpx2.codes.PARTIAL_CONTENT:
        return False
    return response.headers.get("Content-Range", "").startswith(f"bytes {had}-")


def _check_status(artifact: Artifact, address: str, status: int, phrase: str) -> None:
    if status in _LATER:
        raise SourceUnavailable(artifact.name, address, f"HTTP {status} {phrase}")
    if status not in (httpx2.codes.OK, httpx2.codes.PARTIAL_CONTENT):
        raise ArtifactMissing(artifact.name, address, f"HTTP {status} {phrase}")


async def _save(response: httpx2.Response, artifact: Artifact, partial: Path, *, append: bool) -> None:
    root = partial.parent.parent
    with cache_errors(artifact.name, root):
        file = partial.open("ab" if append else "wb", CHUNK)
    try:
        # Blocks as they come from the network: asked for larger ones, httpx2 drops a begun one when it is cut.
        async for block in response.aiter_raw():
            with cache_errors(artifact.name, root):
                file.write(block)
    finally:
        with cache_errors(artifact.name, root):
            file.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
