"""What the built-in kinds share: how a schema is put together, keys of data maps, readers of fields."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from typing import Any

from groundplane.api.cause import Cause, forbidden, invalid
from groundplane.api.registry import BY_KIND
from groundplane.api.schema import Schema, object_schema
from groundplane.base.clock import parse_rfc3339

from ..resources import APPLY, JSON_PATCH, MERGE, STRATEGIC, FieldOf
from ..status import Json

# k8s.io/api/core/v1.MaxSecretSize, which holds for ConfigMaps too
MAX_DATA_BYTES = 1024 * 1024
PATCHES = (JSON_PATCH, MERGE, STRATEGIC, APPLY)
TEXT: Schema = {"type": "string"}

_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_IMMUTABLE = "field is immutable when `immutable` is set"


def text(description: str) -> Schema:
    """Return the schema of a text."""
    return {"type": "string", "description": description}


def map_of(schema: Schema, description: str) -> Schema:
    """Return the schema of a map from names to values."""
    return {"type": "object", "additionalProperties": schema, "description": description}


def list_of(items: Schema, description: str) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "description": description}


def object_of(description: str, properties: dict[str, Schema]) -> Schema:
    """Return the schema of an object with these fields."""
    return {"type": "object", "description": description, "properties": properties}


def kind_schema(description: str, properties: dict[str, Schema]) -> Schema:
    """Return the schema of a kind: what every object has, and these fields."""
    # Metadata has one shape for all kinds; it is taken from a kind of ours.
    metadata = copy.deepcopy(object_schema(BY_KIND["Machine"])["properties"]["metadata"])
    head = {"apiVersion": TEXT, "kind": TEXT, "metadata": metadata}
    return object_of(description, {**head, **properties})


def path(*names: str) -> FieldOf:
    """Return a reader of the field at a path, "" when it is not there."""

    def read(obj: Json) -> str:
        value: Any = obj
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return "" if value is None else str(value)

    return read


def check_key(field: str, key: str) -> list[Cause]:
    """Return what is wrong with a key of a data map (apimachinery/pkg/util/validation.IsConfigMapKey)."""
    rules = []
    if len(key) > 253:
        rules.append("must be no more than 253 characters")
    if not _DATA_KEY.match(key):
        rules.append(_KEY_RULE)
    if key in (".", ".."):
        rules.append(f"must not be '{key}'")
    elif key.startswith(".."):
        rules.append("must not start with '..'")
    return [invalid(f"{field}[{key}]", key, rule) for rule in rules]


def check_bytes(field: str, values: dict[str, str]) -> tuple[list[Cause], int]:
    """Return what is no base64, for an answer of 400, and how many bytes there are in all."""
    causes, total = [], 0
    for key, value in values.items():
        try:
            total += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            # The value itself may be secret, so the cause does not show it.
            causes.append(Cause(f"{field}[{key}]", "FieldValueTypeInvalid", None, "Invalid value: must be base64"))
    return causes, total


def join_lines(values: dict[str, str] | None) -> None:
    """Take the line breaks out of base64, as Go's decoder does."""
    for key, value in (values or {}).items():
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            (values or {})[key] = value.replace("\r", "").replace("\n", "")


def check_times(values: Json, *names: str, below: str = "") -> list[Cause]:
    """Return which texts are no times, for an answer of 400: Go decodes these into times."""
    causes = []
    for name in names:
        try:
            parse_rfc3339(values.get(name) or "1970-01-01T00:00:00Z")
        except ValueError:
            rule = "Invalid value: must be a time as RFC 3339 has it"
            causes.append(Cause(f"{below}{name}", "FieldValueTypeInvalid", None, rule))
    return causes


def check_immutable(obj: Json, old: Json | None, fields: tuple[str, ...]) -> list[Cause]:
    """Return what an immutable ConfigMap or Secret forbids."""
    if old is None or not old.get("immutable"):
        return []
    changed = [] if obj.get("immutable") else ["immutable"]
    changed += [name for name in fields if (obj.get(name) or {}) != (old.get(name) or {})]
    return [forbidden(name, None, _IMMUTABLE) for name in changed]
