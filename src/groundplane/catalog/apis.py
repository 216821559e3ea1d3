"""Which versions of its API Kubernetes gave up, and in which minor."""

from __future__ import annotations

from typing import ClassVar

from .releases import Minor, minor_of
from .sources import Line, Sourced, kept, read


class RemovedAPI(Sourced, frozen=True, kw_only=True):
    """`resources` (plurals) in `group`/`version` are not served from minor `removed` on; `instead` may be empty."""

    removed: Line
    group: str
    version: str
    resources: tuple[str, ...]
    instead: str = ""

    key: ClassVar[tuple[str, ...]] = ("group", "version", "resources")

    @property
    def api_version(self) -> str:
        """Group and version as objects name them."""
        return f"{self.group}/{self.version}"

    @property
    def minor(self) -> Minor:
        """The first minor without it."""
        return minor_of(self.removed)


@kept
def removed_apis() -> tuple[RemovedAPI, ...]:
    """The rows, oldest first."""
    return tuple(sorted(read("removed_apis", RemovedAPI), key=lambda row: row.minor))
