"""ConfigMap (core/v1): data in plain text or bytes, with the size limit and the key rules of Secrets."""

from __future__ import annotations

from groundplane.api.cause import Cause, invalid, too_long
from groundplane.api.schema import validator

from ..resources import Resource
from ..status import Json
from ..table import AGE, NAME, Column
from .common import (
    MAX_DATA_BYTES,
    PATCHES,
    TEXT,
    check_bytes,
    check_immutable,
    check_key,
    join_lines,
    kind_schema,
    map_of,
)

_SCHEMA = kind_schema(
    "ConfigMap holds configuration data for programs to consume.",
    {
        "data": map_of(
            TEXT,
            "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. "
            "Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not "
            "overlap with the keys in the BinaryData field.",
        ),
        "binaryData": map_of(
            {"type": "string", "format": "byte"},
            "BinaryData contains the binary data, base64. Its keys follow the rules of Data's and must not overlap "
            "with them.",
        ),
        "immutable": {
            "type": "boolean",
            "description": "Immutable, if set to true, ensures that data stored in the ConfigMap cannot be updated "
            "(only object metadata can be modified).",
        },
    },
)


def _prepare(obj: Json, old: Json | None) -> None:
    join_lines(obj.get("binaryData"))
    for name in ("data", "binaryData"):
        if obj.get(name) == {}:
            del obj[name]


def _check(obj: Json, old: Json | None) -> list[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    causes: list[Cause] = []
    total = 0
    for key, value in data.items():
        causes += check_key("data", key)
        if key in binary:
            causes.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += len(value.encode())
    undecodable, size = check_bytes("binaryData", binary)
    if undecodable:
        return undecodable
    for key in binary:
        causes += check_key("binaryData", key)
    if total + size > MAX_DATA_BYTES:
        causes.append(too_long("[]", MAX_DATA_BYTES))
    return causes + check_immutable(obj, old, ("data", "binaryData"))


def _count(obj: Json) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


def config_map() -> Resource:
    """Return the resource."""
    return Resource(
        group="",
        version="v1",
        plural="configmaps",
        singular="configmap",
        kind="ConfigMap",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        short_names=("cm",),
        patches=PATCHES,
        prepare=_prepare,
        check=_check,
        columns=(NAME, Column("Data", "string", lambda obj, _: _count(obj)), AGE),
    )
