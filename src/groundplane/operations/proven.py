"""What the journal says of a node whose change is proven: a run that was cut off behind it must not drain it again."""

from __future__ import annotations

from .scope import ReadScope, Scope


def is_proven(scope: ReadScope) -> bool:
    """Tell whether this Operation has proven the node at hand already."""
    return scope.journal.get(_key(scope)) == "yes"


async def note(scope: Scope) -> None:
    """Write down that the node is proven."""
    await scope.journal.put(_key(scope), "yes")


async def withdraw(scope: Scope) -> None:
    """Take it back, before what was proven is taken back."""
    if scope.journal.get(_key(scope)):
        await scope.journal.put(_key(scope), "")


def _key(scope: ReadScope) -> str:
    return f"proven/{scope.name}"
