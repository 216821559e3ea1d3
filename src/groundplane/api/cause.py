"""What is wrong with an object: one cause per field, in the words of Kubernetes' Status errors.

A cause names field, value and rule, and says what to choose. Reasons and the openings of messages are those of
k8s.io/apimachinery (util/validation/field), so that kubectl shows them as it shows its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from groundplane.base.gotext import quoted

Reason = Literal[
    "FieldValueInvalid",
    "FieldValueRequired",
    "FieldValueNotSupported",
    "FieldValueTypeInvalid",
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueTooLong",
]


@dataclass(frozen=True, slots=True)
class Cause:
    """One refusal. `field` is a path such as spec.taints[0].key; `message` is a sentence without the path."""

    field: str
    reason: Reason
    value: Any
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(slots=True)
class Verdict:
    """What validation found: causes refuse the object, warnings only tell. `ok` when nothing refuses it."""

    causes: list[Cause] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the object may pass."""
        return not self.causes

    def add(self, cause: Cause | None) -> None:
        """Take a cause in; None is no cause."""
        if cause is not None:
            self.causes.append(cause)

    def extend(self, causes: Iterable[Cause]) -> None:
        """Take causes in, in order."""
        self.causes.extend(causes)

    def warn(self, path: str, message: str) -> None:
        """Take a warning about the field at `path` in."""
        self.warnings.append(f"{path}: {message}")


def shown(value: Any) -> str:
    """Return a value as messages show it: texts as Go quotes them, all else as JSON."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "[]string{" + ", ".join(map(quoted, value)) + "}"
    return json.dumps(value, ensure_ascii=False, default=str)


def invalid(path: str, value: Any, rule: str) -> Cause:
    """The value breaks a rule."""
    return Cause(path, "FieldValueInvalid", value, f"Invalid value: {shown(value)}: {rule}")


def required(path: str, rule: str = "") -> Cause:
    """A value is missing."""
    return Cause(path, "FieldValueRequired", None, f"Required value: {rule}" if rule else "Required value")


def not_supported(path: str, value: Any, supported: Iterable[Any]) -> Cause:
    """The value is none of those that exist."""
    choices = ", ".join(shown(choice) for choice in supported)
    message = f"Unsupported value: {shown(value)}: supported values: {choices or 'none'}"
    return Cause(path, "FieldValueNotSupported", value, message)


def duplicate(path: str, value: Any, rule: str) -> Cause:
    """The value is taken."""
    return Cause(path, "FieldValueDuplicate", value, f"Duplicate value: {shown(value)}: {rule}")


def forbidden(path: str, value: Any, rule: str) -> Cause:
    """The field must not be set, or not be changed."""
    return Cause(path, "FieldValueForbidden", value, f"Forbidden: {rule}")


def too_long(path: str, limit: int) -> Cause:
    """The value has too many bytes; it is not shown."""
    return Cause(path, "FieldValueTooLong", None, f"Too long: must have at most {limit} bytes")


def wrong_type(path: str, value: Any, wanted: str) -> Cause:
    """The value has another JSON type than the field."""
    found = json_type(value)
    message = f'Invalid value: "{found}": {path or "<root>"} in body must be of type {wanted}: "{found}"'
    return Cause(path, "FieldValueTypeInvalid", value, message)


def json_type(value: Any) -> str:
    """Return the JSON type of a decoded value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), type(value).__name__)
