"""Errors of artifacts, named by what the caller should do.

    Unavailable ── SourceUnavailable   a source cannot answer now: try later
                └─ CacheFailed         the local disk did not take the file: nothing was changed
    Refused ────── ArtifactMissing     no source has the file: fix the Distribution or the source
                ├─ ArtifactCorrupt     a file is not what its digest says: replace it
                └─ BundleBroken        a bundle is not whole: get it again

An artifact is always named together with the place that it came from.
"""

from __future__ import annotations

from groundplane.base.errors import Refused, Unavailable


class SourceUnavailable(Unavailable):
    """A source cannot answer now; the same fetch may succeed later."""

    def __init__(self, artifact: str, source: str, reason: str) -> None:
        super().__init__(
            f"cannot fetch artifact {artifact} from {source}: {reason}",
            remedy="check that the source can be reached from this machine; it is tried again",
        )
        self.artifact, self.source, self.reason = artifact, source, reason


class CacheFailed(Unavailable):
    """The cache's disk did not take a file (full, read-only); what was there before is untouched."""

    def __init__(self, artifact: str, root: str, reason: str) -> None:
        super().__init__(
            f"cannot keep artifact {artifact} in cache {root}: {reason}",
            remedy="free space there, or set GROUNDPLANE_CACHE to a directory with room",
        )


class ArtifactMissing(Refused):
    """No source has the file."""

    def __init__(self, artifact: str, source: str, reason: str) -> None:
        super().__init__(
            f"cannot find artifact {artifact} in {source}: {reason}",
            remedy="correct the path or the sources in the Distribution, or put the file there",
        )
        self.artifact, self.source, self.reason = artifact, source, reason


class ArtifactCorrupt(Refused):
    """A file is not what its digest says; it was not used. `wanted` and `found` are sha256 in hex."""

    def __init__(self, artifact: str, source: str, *, wanted: str, found: str) -> None:
        super().__init__(
            f"cannot use artifact {artifact} from {source}: its sha256 is {found}, wanted {wanted}",
            remedy="replace the file at the source, or correct sha256 in the Distribution if the file is right",
        )
        self.artifact, self.source, self.wanted, self.found = artifact, source, wanted, found
        self.reason = f"sha256 is {found}, wanted {wanted}"


class BundleBroken(Refused):
    """A bundle is truncated, altered or not a bundle at all."""

    def __init__(self, bundle: str, reason: str) -> None:
        super().__init__(
            f"cannot use bundle {bundle}: {reason}",
            remedy="copy the bundle again, or make it anew with `groundplane bundle create`",
        )
        self.reason = reason
