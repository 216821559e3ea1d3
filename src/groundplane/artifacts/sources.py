"""Sources: where artifacts are looked for, in order, and the depot that brings each into the cache once.

A source that fails is passed over for the next; when none works, the error names every source with its reason.
It is SourceUnavailable when a later try may succeed at one of them, else ArtifactCorrupt or ArtifactMissing.
However many ask for a file at the same moment, one fetches it and the others wait for the result.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from groundplane.api.distribution import Artifact, Source

from . import bundle
from .cache import Cache, cache_errors, checked_digest
from .errors import ArtifactCorrupt, ArtifactMissing, BundleBroken, SourceUnavailable
from .http import Retry, download

_Failure = SourceUnavailable | ArtifactMissing | ArtifactCorrupt | BundleBroken


class Depot:
    """The process's one way from sources into the cache."""

    def __init__(self, cache: Cache, *, retry: Retry | None = None) -> None:
        self.cache = cache
        self._retry = retry or Retry()
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def fetch(self, artifact: Artifact, sources: Sequence[Source]) -> Path:
        """Return the verified local file, fetching it when the cache does not have it."""
        digest = checked_digest(artifact.name, artifact.sha256)
        async with self._busy[digest]:
            found = await asyncio.to_thread(self.cache.find, digest)
            if found is not None:
                return found
            async with self.cache.locked(digest):
                found = await asyncio.to_thread(self.cache.find, digest)
                return found or await self._from_any(artifact, sources)

    async def _from_any(self, artifact: Artifact, sources: Sequence[Source]) -> Path:
        failures: list[_Failure] = []
        for source in sources:
            try:
                return await self._from(artifact, source)
            except (SourceUnavailable, ArtifactMissing, ArtifactCorrupt, BundleBroken) as exc:
                failures.append(exc)
        raise _combined(artifact, sources, failures)

    async def _from(self, artifact: Artifact, source: Source) -> Path:
        if source.type == "HTTP":
            return await self._from_http(artifact, source)
        if source.type == "Directory":
            return await asyncio.to_thread(self._from_directory, artifact, source)
        return await asyncio.to_thread(self._from_bundle, artifact, source)

    async def _from_http(self, artifact: Artifact, source: Source) -> Path:
        with cache_errors(artifact.name, self.cache.root):
            partial = self.cache.partial(artifact.sha256)
        resumed = partial.exists()
        await download(artifact, source.url, partial, self._retry)
        try:
            return await asyncio.to_thread(self._admit, partial, artifact, source)
        except ArtifactCorrupt:
            if not resumed:
                raise
        # The part that was there may have come from another source; the admission has removed it.
        await download(artifact, source.url, partial, self._retry)
        return await asyncio.to_thread(self._admit, partial, artifact, source)

    def _from_directory(self, artifact: Artifact, source: Source) -> Path:
        place = describe(source)
        path = PurePosixPath(artifact.path)
        if path.is_absolute() or ".." in path.parts:
            raise ArtifactMissing(artifact.name, place, f"the path {artifact.path!r} leaves the directory")
        original = Path(source.path) / path
        if not original.is_file():
            raise ArtifactMissing(artifact.name, place, f"there is no file {original}")
        try:
            return self.cache.adopt(original, artifact.sha256, artifact=artifact.name, source=place)
        except OSError as exc:
            raise SourceUnavailable(artifact.name, place, exc.strerror or str(exc)) from exc

    def _from_bundle(self, artifact: Artifact, source: Source) -> Path:
        found = bundle.extract(Path(source.path), artifact, self.cache)
        if found is None:
            raise ArtifactMissing(artifact.name, describe(source), "the bundle does not hold it")
        return found

    def _admit(self, partial: Path, artifact: Artifact, source: Source) -> Path:
        return self.cache.admit(partial, artifact.sha256, artifact=artifact.name, source=describe(source))


def describe(source: Source) -> str:
    """Return the source as errors name it."""
    return source.url if source.type == "HTTP" else f"{source.type.lower()} {source.path}"


def _combined(artifact: Artifact, sources: Sequence[Source], failures: Sequence[_Failure]) -> _Failure:
    if not failures:
        return ArtifactMissing(artifact.name, "any source", "the Distribution lists no sources")
    if len(failures) == 1:
        return failures[0]
    places = ", ".join(describe(source) for source in sources)
    reasons = "; ".join(f"{describe(s)}: {f.reason}" for s, f in zip(sources, failures, strict=True))
    if any(isinstance(failure, SourceUnavailable) for failure in failures):
        return SourceUnavailable(artifact.name, f"any of {places}", reasons)
    corrupt = next((failure for failure in failures if isinstance(failure, ArtifactCorrupt)), None)
    if corrupt is not None:
        found = f"{corrupt.found} at {corrupt.source} (all sources: {reasons})"
        return ArtifactCorrupt(artifact.name, f"any of {places}", wanted=artifact.sha256, found=found)
    return ArtifactMissing(artifact.name, f"any of {places}", reasons)
