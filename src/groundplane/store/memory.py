"""A store without a disk, for tests and dry runs: the same code as the durable one, and it forgets at the end."""

from __future__ import annotations

from .contract import Change
from .index import Index
from .revisions import RevisionStore, StoreOptions


class NoDisk:
    """Keeps nothing and never fails."""

    def append(self, changes: list[Change]) -> None:
        """Nothing to make durable."""

    def compact(self, revision: int) -> None:
        """Nothing to drop."""

    def probe(self) -> None:
        """Nothing that could fail."""

    def close(self) -> None:
        """Nothing to release."""


async def open_memory(options: StoreOptions | None = None) -> RevisionStore:
    """Return an empty store that lives as long as the process."""
    return RevisionStore(NoDisk(), Index(), options)
