"""Operating systems of machines: family, default kernel, and until when they are maintained.

`version_id` of a row is the part of os-release's VERSION_ID that decides: "9" is every Rocky Linux 9.x. An empty one is
a system without releases, such as Flatcar. No end of life is written down that the system's own maker does not publish.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from .sources import OptionalDay, Sourced, kept, read

Family = Literal["debian", "rhel", "suse", "tencentos", "openeuler", "kylin", "uos", "amazon", "flatcar", "talos"]


class System(Sourced, frozen=True, kw_only=True):
    """One release of an operating system. `id` is os-release's ID; `kernel` the line that it comes with."""

    id: str
    version_id: str = ""
    name: str
    family: Family
    kernel: str
    released: OptionalDay = ""
    end_of_life: OptionalDay = ""

    key: ClassVar[tuple[str, ...]] = ("id", "version_id")


@kept
def systems() -> dict[tuple[str, str], System]:
    """The systems by ID and version."""
    return {(row.id, row.version_id): row for row in read("systems", System)}


def system(id: str, version_id: str) -> System | None:
    """Return the row for os-release's ID, in any case, and VERSION_ID: the one with the longest match; else None."""
    rows = [row for row in systems().values() if row.id.lower() == id.lower() and _matches(row.version_id, version_id)]
    return max(rows, key=lambda row: len(row.version_id), default=None)


def _matches(wanted: str, found: str) -> bool:
    return not wanted or found.lower() == wanted.lower() or found.lower().startswith(f"{wanted.lower()}.")
