"""What a list reads of each object: the metadata and what its columns show. The rest is skipped, not decoded.

An object of ours is mostly facts, assessment and managed fields; a list of thousands would be some hundred megabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypedDict

import msgspec

from .resources import Resource
from .service import decode
from .status import Json
from .table import Column, steps

Reader = Callable[[bytes], Json]

# A field's name to what is read of it, None for all; "[]" stands for the entries of a list.
_Fields = dict[str, Any]
_ENTRIES = "[]"
_MANAGED = "managedFields"


def reader(resource: Resource, columns: tuple[Column, ...], *, managed: bool) -> Reader:
    """Return what reads the metadata, without managed fields if so wished, and what the columns show.

    A column that does not say where it looks is shown the whole object.
    """
    known = resource.schema["properties"]["metadata"]["properties"]
    return _reader(columns, tuple(name for name in known if managed or name != _MANAGED))


@cache
def _reader(columns: tuple[Column, ...], metadata: tuple[str, ...]) -> Reader:
    if not all(column.path for column in columns):
        kept = frozenset(metadata)

        def read(value: bytes) -> Json:
            obj = decode(value)
            obj["metadata"] = {name: found for name, found in obj["metadata"].items() if name in kept}
            return obj

        return read
    fields: _Fields = {"metadata": dict.fromkeys(metadata)}
    for column in columns:
        _add(fields, list(_names(column.path)))
    return msgspec.json.Decoder(_type(fields)).decode


def _names(path: str) -> Iterable[str | tuple[str, ...]]:
    """Yield the steps of a column's path: fields, entries of lists, and what such an entry is chosen by."""
    for step in steps(path):
        field, key, _, _ = step.groups()
        if field is not None:
            yield field
        else:
            yield (_ENTRIES,) if key is None else (_ENTRIES, key)


def _add(fields: _Fields, names: list[str | tuple[str, ...]]) -> None:
    """Add the path to what is read."""
    first, *rest = names
    name, *by = (first,) if isinstance(first, str) else first
    if not rest:
        fields[name] = None
        return
    below = fields.setdefault(name, {})
    # What is read anyway needs no more words.
    if below is not None:
        for key in by:
            below[key] = None
        _add(below, rest)


def _type(fields: _Fields | None) -> Any:
    if fields is None:
        return Any
    if _ENTRIES in fields:
        return list[_type(fields[_ENTRIES])] | None  # type: ignore[misc]
    return TypedDict("Shown", {name: _type(below) for name, below in fields.items()}, total=False) | None  # type: ignore[operator]
