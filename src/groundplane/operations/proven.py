"""What the journal says of a node whose change is proven: a run that was cut off behind it must not drain it again."""

from __future__ import annotations

from .scope import ReadScope, Scope


def is_proven(scope: ReadScope) -> bool:
    """Tell whether this Operation has proven the node at hand already."""
    return was_proven(scope, scope.name)


def was_proven(scope: ReadScope, name: str) -> bool:
    """Tell whether this Operation has changed and proven a node."""
    return scope.journal.get(_key(name)) == "yes"


async def note(scope: Scope) -> None:
    """Write down that the node is proven."""
    await scope.journal.put(_key(scope.name), "yes")


async def withdraw(scope: Scope) -> None:
    """Take it back, before what was proven is taken back."""
    if scope.journal.get(_key(scope.name)):
        await scope.journal.put(_key(scope.name), "")


def _key(name: str) -> str:
    return f"proven/{name}"
