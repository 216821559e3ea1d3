"""Pruning and defaulting in one pass, by functions compiled from a schema once. Pure.

`cleaner(schema)(doc)` is `apply_defaults(prune(doc))` of `schema`, whose words define it; a test holds the two equal.
It is what every write goes through, so it looks each rule of the schema up when it is made and not at each document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .schema import PRESERVE, Schema, apply_defaults

# Returns the clean copy, and whether fields that the schema does not have were left out of it.
Clean = Callable[[dict[str, Any]], tuple[dict[str, Any], bool]]
# Most members are such values, which no schema changes.
_PLAIN = frozenset((str, int, float, bool))
# Appends to the list when it leaves something out.
_Pass = Callable[[Any, list[str]], Any]


def cleaner(schema: Schema) -> Clean:
    """Compile a schema."""
    whole = _compiled(schema)

    def clean(doc: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        left_out: list[str] = []
        cleaned: dict[str, Any] = whole(doc, left_out)
        return cleaned, bool(left_out)

    return clean


def _compiled(schema: Schema) -> _Pass:
    if schema.get(PRESERVE):
        return _copied
    every = _compiled(schema["items"]) if "items" in schema else _copied
    if "additionalProperties" in schema:
        inside = _map(_compiled(schema["additionalProperties"]))
    elif "properties" in schema:
        inside = _struct(schema["properties"])
    else:
        inside = _copied

    def clean(value: Any, left_out: list[str]) -> Any:
        if isinstance(value, dict):
            return inside(value, left_out)
        if isinstance(value, list):
            return [every(item, left_out) for item in value]
        return value

    return clean


def _map(each: _Pass) -> _Pass:
    return lambda value, left_out: {
        key: item if type(item) in _PLAIN else each(item, left_out) for key, item in value.items()
    }


def _struct(properties: dict[str, Schema]) -> _Pass:
    parts = {key: _compiled(part) for key, part in properties.items()}
    defaults = {key: _default(part) for key, part in properties.items() if "default" in part}

    def clean(value: dict[str, Any], left_out: list[str]) -> dict[str, Any]:
        result = {}
        for key, item in value.items():
            if key not in parts:
                left_out.append(key)
            elif type(item) in _PLAIN:
                result[key] = item
            elif item is not None:
                # A null gives way to the default.
                result[key] = parts[key](item, left_out)
        for key, default in defaults.items():
            if key not in result:
                result[key] = default()
        return result

    return clean


def _default(part: Schema) -> Callable[[], Any]:
    """Return what makes the default; one with members anew each time, for objects are changed in place."""
    value = apply_defaults({"it": None}, {"properties": {"it": part}})["it"]
    if not isinstance(value, dict | list):
        return lambda: value
    encoded = msgspec.json.encode(value)
    return lambda: msgspec.json.decode(encoded)


def _copied(value: Any, left_out: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: item if type(item) in _PLAIN else _copied(item, left_out) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item, left_out) for item in value]
    return value
