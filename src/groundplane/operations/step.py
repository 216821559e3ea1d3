"""A step: one small, idempotent change of one machine or of the cluster, in one file of `steps/`.

`plan` reads and returns what is different from wanted; `apply` does it; the runner plans again afterwards and
fails the step if anything is left. So an interrupted Operation, run again, does only what is unfinished, and
a step that did not take is found at once.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from groundplane.api.operation import PlannedChange

from .scope import ReadScope, Scope


class Step(Protocol):
    """`name` is the key in plans and files; `title` is what a person reads, in the imperative."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def wanted(self, scope: ReadScope) -> bool:
        """Tell whether the step has a meaning for this machine and target at all. No I/O."""

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        """Return the differences between what is and what is wanted; empty when there are none. Reads only."""

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        """Make the changes. May be cancelled at any await and must then be repeatable."""


@runtime_checkable
class Undoable(Protocol):
    """A step that leaves something which must not outlive an Operation that failed or was cancelled."""

    async def undo(self, scope: Scope) -> None:
        """Take back what this step's own mark is on, and nothing else. May be repeated."""
