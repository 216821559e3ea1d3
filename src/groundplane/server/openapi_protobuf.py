"""The OpenAPI v2 document in protobuf: up to 1.30 kubectl reads it in no other form, and does nothing without it.

The messages are those of gnostic's openapiv2/OpenAPIv2.proto. A table says for each JSON name its field number and
type; names that OpenAPI v2 does not know (nullable, oneOf, ...) are left out, as kube-apiserver leaves them out, and
x-… names become vendor extensions. Encodes only; what is not in a document that `openapi.v2` makes is not here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from groundplane.base.wire import tagged, varint

from .negotiation import parse
from .status import Json

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
# The older name is no valid media type (for its @), and is what clients ask for.
_NAMES = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")

_Encoder = Callable[[Any], bytes]
# Field number and type: a scalar, or the name of an encoder; a trailing * means repeated.
_Table = Mapping[str, tuple[int, str]]


def wanted(accept: str) -> bool:
    """Tell whether the caller prefers this form to JSON."""
    for media in parse(accept):
        if media.json:
            return False
        if media.name in _NAMES:
            return True
    return False


def encode(document: Json) -> bytes:
    """Return an OpenAPI v2 document as its protobuf message."""
    return _message(document, _DOCUMENT, extensions=16)


_VALUES = {
    "type": (0, "text"), "format": (1, "text"), "default": (4, "any"), "maximum": (5, "double"),
    "exclusiveMaximum": (6, "bool"), "minimum": (7, "double"), "exclusiveMinimum": (8, "bool"),
    "maxLength": (9, "int"), "minLength": (10, "int"), "pattern": (11, "text"), "maxItems": (12, "int"),
    "minItems": (13, "int"), "uniqueItems": (14, "bool"), "enum": (15, "any*"), "multipleOf": (16, "double"),
}  # fmt: skip


def _parameter_table(first: int) -> _Table:
    table = {"required": (1, "bool"), "in": (2, "text"), "description": (3, "text"), "name": (4, "text")}
    return table | {name: (first + number, kind) for name, (number, kind) in _VALUES.items()}


_PATH_PARAMETER, _QUERY_PARAMETER = _parameter_table(5), _parameter_table(6)
_DOCUMENT: _Table = {
    "swagger": (1, "text"), "info": (2, "info"), "paths": (8, "paths"), "definitions": (9, "schemas"),
}  # fmt: skip
_INFO: _Table = {"title": (1, "text"), "version": (2, "text"), "description": (3, "text")}
_PATH_ITEM: _Table = {
    "get": (2, "operation"), "put": (3, "operation"), "post": (4, "operation"), "delete": (5, "operation"),
    "options": (6, "operation"), "head": (7, "operation"), "patch": (8, "operation"), "parameters": (9, "parameter*"),
}  # fmt: skip
_OPERATION: _Table = {
    "tags": (1, "text*"), "summary": (2, "text"), "description": (3, "text"), "operationId": (5, "text"),
    "produces": (6, "text*"), "consumes": (7, "text*"), "parameters": (8, "parameter*"), "responses": (9, "responses"),
    "schemes": (10, "text*"), "deprecated": (11, "bool"),
}  # fmt: skip
_BODY: _Table = {
    "description": (1, "text"), "name": (2, "text"), "in": (3, "text"), "required": (4, "bool"),
    "schema": (5, "schema"),
}  # fmt: skip
_SCHEMA: _Table = {
    "$ref": (1, "text"), "format": (2, "text"), "title": (3, "text"), "description": (4, "text"),
    "default": (5, "any"), "multipleOf": (6, "double"), "maximum": (7, "double"), "exclusiveMaximum": (8, "bool"),
    "minimum": (9, "double"), "exclusiveMinimum": (10, "bool"), "maxLength": (11, "int"), "minLength": (12, "int"),
    "pattern": (13, "text"), "maxItems": (14, "int"), "minItems": (15, "int"), "uniqueItems": (16, "bool"),
    "maxProperties": (17, "int"), "minProperties": (18, "int"), "required": (19, "text*"), "enum": (20, "any*"),
    "additionalProperties": (21, "additional"), "type": (22, "type"), "items": (23, "items"), "allOf": (24, "schema*"),
    "properties": (25, "schemas"), "readOnly": (27, "bool"), "example": (30, "any"),
}  # fmt: skip


def _message(value: Json, table: _Table, *, extensions: int) -> bytes:
    found: list[tuple[int, bytes]] = []
    for name, given in value.items():
        if name.startswith("x-"):
            found.append((extensions, tagged(extensions, _named(name, _any(given)))))
        elif name in table:
            number, kind = table[name]
            found.append((number, _field(number, kind, given)))
    found.sort(key=lambda field: field[0])
    return b"".join(data for _, data in found)


def _field(number: int, kind: str, value: Any) -> bytes:
    if kind.endswith("*"):
        return b"".join(tagged(number, _ENCODERS[kind[:-1]](item)) for item in value)
    if kind == "double":
        return varint(number << 3 | 1) + struct.pack("<d", value) if value else b""
    if kind in ("bool", "int"):
        # A negative number takes ten bytes, as its 64 bits are written without a sign.
        return varint(number << 3) + varint(int(value) & (1 << 64) - 1) if value else b""
    data = _ENCODERS[kind](value)
    # Nothing stands for an empty text, but an empty message is one.
    return b"" if kind == "text" and not data else tagged(number, data)


def _named(name: str, value: bytes) -> bytes:
    return tagged(1, name.encode()) + tagged(2, value)


def _any(value: Any) -> bytes:
    # The reader takes YAML, which JSON is.
    return tagged(2, msgspec.json.encode(value) + b"\n")


def _schemas(value: Json) -> bytes:
    return b"".join(tagged(1, _named(name, _schema(schema))) for name, schema in value.items())


def _schema(value: Json) -> bytes:
    return _message(value, _SCHEMA, extensions=31)


def _additional(value: Any) -> bytes:
    return _field(2, "bool", value) if isinstance(value, bool) else tagged(1, _schema(value))


def _type(value: Any) -> bytes:
    return b"".join(tagged(1, name.encode()) for name in ([value] if isinstance(value, str) else value))


def _paths(value: Json) -> bytes:
    items = ((path, _message(item, _PATH_ITEM, extensions=10)) for path, item in value.items())
    return b"".join(tagged(2, _named(path, item)) for path, item in items)


def _parameter(value: Json) -> bytes:
    if "$ref" in value:
        return tagged(2, tagged(1, value["$ref"].encode()))
    if value["in"] == "body":
        return tagged(1, tagged(1, _message(value, _BODY, extensions=6)))
    if value["in"] == "path":
        return tagged(1, tagged(2, tagged(4, _message(value, _PATH_PARAMETER, extensions=22))))
    return tagged(1, tagged(2, tagged(3, _message(value, _QUERY_PARAMETER, extensions=23))))


def _responses(value: Json) -> bytes:
    return b"".join(tagged(1, _named(code, tagged(1, _response(answer)))) for code, answer in value.items())


def _response(value: Json) -> bytes:
    schema = tagged(2, tagged(1, _schema(value["schema"]))) if "schema" in value else b""
    return _field(1, "text", value.get("description", "")) + schema


_ENCODERS: dict[str, _Encoder] = {
    "text": lambda value: value.encode(),
    "any": _any,
    "info": lambda value: _message(value, _INFO, extensions=7),
    "paths": _paths,
    "schemas": _schemas,
    "schema": _schema,
    "operation": lambda value: _message(value, _OPERATION, extensions=13),
    "parameter": _parameter,
    "responses": _responses,
    "additional": _additional,
    "type": _type,
    "items": lambda value: tagged(1, _schema(value)),
}
