"""Reading JSON that somebody else wrote: what is not of the expected type is as good as not there.

A cluster's objects are written by its users, by its vendor and by versions that do not exist yet. A survey must not
fail because of one of them, nor keep a text without end or with what moves the cursor of a terminal.
"""

from __future__ import annotations

from typing import Any

from groundplane.base.documents import printable

_LONGEST = 512
# Kubernetes counts in int32.
_MOST = 2**31 - 1


def mapping(value: Any, *path: str) -> dict[str, Any]:
    """Return the mapping at `path` below `value`; an empty one when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any, *path: str) -> list[dict[str, Any]]:
    """Return the mappings of the list at `path` below `value`."""
    *outer, name = path
    found = mapping(value, *outer).get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text(value: Any, *path: str) -> str:
    """Return the text at `path` below `value`, at most 512 characters of it; "" when there is none."""
    *outer, name = path
    found = mapping(value, *outer).get(name)
    return printable(found[:_LONGEST]) if isinstance(found, str) else ""


def texts(value: Any, *path: str) -> dict[str, str]:
    """Return the texts of the mapping at `path` below `value`, such as labels."""
    return {key: printable(one[:_LONGEST]) for key, one in mapping(value, *path).items() if isinstance(one, str)}


def number(value: Any, *path: str) -> int:
    """Return the count at `path` below `value`; 0 when there is none."""
    *outer, name = path
    found = mapping(value, *outer).get(name)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _MOST:
        return found
    return 0
