"""Structural OpenAPI v3 schemas of the kinds, made from the structs, and what a server does with them. Pure.

The rules are those of Kubernetes' structural schemas: unknown fields are reported and pruned, nulls of fields that
are not nullable give way to the default, defaults are filled in from the outside to the inside. A default that
says nothing ("", [], {}, None) is left out of the schema, so that objects stay short.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import inspect

from groundplane.base.errors import Unexpected

from .cause import Cause, invalid, not_supported, required, wrong_type
from .meta import Condition, ObjectMeta
from .registry import KindInfo

Schema = dict[str, Any]
Document = Mapping[str, Any]
Validate = Callable[[Document], list[Cause]]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
_FREE: Schema = {"type": "object", PRESERVE: True}

# metav1.ObjectMeta, as far as clients send it; the values are the server's own to check.
# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
_METADATA_EXTRA: dict[str, Schema] = {
    "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
    "managedFields": {"type": "array", "items": _FREE},
    "selfLink": {"type": "string"},
}


def object_schema(info: KindInfo) -> Schema:
    """Return the schema of a kind, metadata included; a copy of the caller's own."""
    schema: Schema = msgspec.json.decode(_object_schema(info))
    return schema


@cache
def _object_schema(info: KindInfo) -> bytes:
    schema = _type_schema(inspect.type_info(info.struct))
    properties = schema["properties"]
    for name in ("apiVersion", "kind"):
        properties[name].pop("default")
    # The API server never makes a status up: it is there when a controller has written it.
    # A default in it would also mislead: `kubectl wait` ignores an object whose observedGeneration is 0.
    _drop_defaults(properties["status"])
    metadata = _type_schema(inspect.type_info(ObjectMeta))["properties"]
    for field in metadata.values():
        field.pop("default", None)
        # What an owner must have is told by the rules of metadata, in their own words.
        field.get("items", {}).pop("required", None)
    properties["metadata"] = {"type": "object", "properties": {**metadata, **_METADATA_EXTRA}}
    return msgspec.json.encode(schema)


def _drop_defaults(schema: Schema) -> None:
    schema.pop("default", None)
    for part in schema.get("properties", {}).values():
        _drop_defaults(part)
    for key in ("items", "additionalProperties"):
        if key in schema:
            _drop_defaults(schema[key])


def _type_schema(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.Metadata():
            return {**(kind.extra_json_schema or {}), **_type_schema(kind.type)}
        case inspect.StructType():
            return _struct_schema(kind)
        case inspect.ListType():
            return {"type": "array", "items": _type_schema(kind.item_type)}
        case inspect.DictType():
            return _map_schema(kind)
        case inspect.UnionType():
            return _union_schema(kind)
        case inspect.LiteralType():
            return _enum_schema(kind)
        case _:
            return _scalar_schema(kind)


def _scalar_schema(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.StrType():
            return {"type": "string"}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.FloatType():
            return {"type": "number", "format": "double"}
        case inspect.IntType():
            bounds = {"minimum": kind.ge, "maximum": kind.le}
            return {"type": "integer", "format": "int64", **{k: v for k, v in bounds.items() if v is not None}}
        case _:
            raise Unexpected(f"cannot make a schema of {kind}: no rule for this type")


def _enum_schema(kind: inspect.LiteralType) -> Schema:
    values = list(kind.values)
    return {"type": "string" if isinstance(values[0], str) else "integer", "enum": values}


def _map_schema(kind: inspect.DictType) -> Schema:
    if isinstance(kind.value_type, inspect.AnyType):
        return dict(_FREE)
    return {"type": "object", "additionalProperties": _type_schema(kind.value_type)}


def _union_schema(kind: inspect.UnionType) -> Schema:
    others = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
    if len(others) == 1:
        return _type_schema(others[0])
    if {type(t) for t in others} == {inspect.IntType, inspect.StrType}:
        return {INT_OR_STRING: True}
    raise Unexpected(f"cannot make a schema of {kind}: a structural schema has no such union")


def _struct_schema(kind: inspect.StructType) -> Schema:
    properties: dict[str, Schema] = {}
    for field in kind.fields:
        schema = _type_schema(field.type)
        default = _default(field)
        if default is not None and (default != {} or _has_defaults(schema)):
            schema["default"] = default
        properties[field.encode_name] = schema
    schema = {"type": "object", "properties": properties}
    if needed := [field.encode_name for field in kind.fields if field.required]:
        schema["required"] = needed
    if kind.cls is Condition:
        schema["description"] = "One judgement of the object."
    return schema


def _has_defaults(schema: Schema) -> bool:
    return any("default" in part for part in schema.get("properties", {}).values())


def _default(field: inspect.Field) -> Any:
    """Return the default as JSON, or None when it says nothing. That of a struct is {}: its fields have their own."""
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    elif field.default is not msgspec.NODEFAULT:
        value = field.default
    else:
        return None
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    return None if value in (None, "", [], {}) else msgspec.to_builtins(value)


def apply_defaults(doc: Document, schema: Schema) -> dict[str, Any]:
    """Return a copy of `doc` with defaults filled in, and nulls of fields that cannot be null removed."""
    filled: dict[str, Any] = _defaulted(doc, schema)
    return filled


def _defaulted(value: Any, schema: Schema) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_defaulted(item, schema["items"]) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "additionalProperties" in schema:
        return {key: _defaulted(item, schema["additionalProperties"]) for key, item in value.items()}
    properties = schema.get("properties", {})
    given = {key: item for key, item in value.items() if item is not None or key not in properties}
    result = {key: _defaulted(item, properties.get(key, {})) for key, item in given.items()}
    for key, part in properties.items():
        if key not in result and "default" in part:
            result[key] = _defaulted(copy.deepcopy(part["default"]), part)
    return result


def unknown_fields(doc: Document, schema: Schema) -> list[str]:
    """Return the paths of fields that the schema does not have, in the order of the document."""
    return [_path(parts) for parts in _unknown(doc, schema, ())]


def _unknown(value: Any, schema: Schema, at: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if schema.get(PRESERVE):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, schema.get("items", {}), (*at, index))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            part = _part(schema, key)
            if part is None:
                yield (*at, key)
            else:
                yield from _unknown(item, part, (*at, key))


def _part(schema: Schema, key: str) -> Schema | None:
    """Return the schema of the member `key`, or None when there is no such field."""
    if "additionalProperties" in schema:
        every: Schema = schema["additionalProperties"]
        return every
    # A value of the wrong type (a map where a text belongs) is the validator's to report, not an unknown field.
    if "properties" not in schema:
        return {PRESERVE: True}
    one: Schema | None = schema["properties"].get(key)
    return one


def prune(doc: Document, schema: Schema) -> dict[str, Any]:
    """Return a copy of `doc` without the fields that the schema does not have."""
    pruned: dict[str, Any] = _pruned(doc, schema)
    return pruned


def _pruned(value: Any, schema: Schema) -> Any:
    if schema.get(PRESERVE):
        return copy.deepcopy(value)
    if isinstance(value, list):
        return [_pruned(item, schema.get("items", {})) for item in value]
    if not isinstance(value, Mapping):
        return value
    parts = ((key, item, _part(schema, key)) for key, item in value.items())
    return {key: _pruned(item, part) for key, item, part in parts if part is not None}


def validator(schema: Schema) -> Validate:
    """Compile a schema; the function returned lists what is wrong with a document, empty when nothing is."""
    compiled = jsonschema_rs.Draft7Validator(_json_schema(schema))

    def validate(doc: Document) -> list[Cause]:
        return [_cause(error) for error in compiled.iter_errors(doc)]

    return validate


def _json_schema(schema: Schema) -> Schema:
    """Translate a structural schema into plain JSON Schema."""
    if schema.get(INT_OR_STRING):
        return {"type": ["integer", "string"]}
    plain: Schema = {key: schema[key] for key in ("type", "enum", "required", "minimum", "maximum") if key in schema}
    if schema.get("format") == "int64":
        plain = {"minimum": -(2**63), "maximum": 2**63 - 1, **plain}
    if "properties" in schema:
        plain["properties"] = {key: _json_schema(part) for key, part in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            plain[key] = _json_schema(schema[key])
    return plain


def _cause(error: jsonschema_rs.ValidationError) -> Cause:
    keyword = error.schema_path[-1] if error.schema_path else ""
    path = tuple(error.instance_path)
    details: dict[str, Any] = error.kind.as_dict()
    if keyword == "required":
        return required(_path((*path, details["property"])))
    if keyword == "enum":
        return not_supported(_path(path), error.instance, details["options"])
    if keyword == "type":
        return wrong_type(_path(path), error.instance, _wanted(details["types"]))
    bound = "at least" if keyword == "minimum" else "at most"
    return invalid(_path(path), error.instance, f"must be {bound} {details['limit']}")


def _wanted(types: list[str]) -> str:
    return " or ".join(sorted(types))


def _path(parts: tuple[str | int, ...]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
