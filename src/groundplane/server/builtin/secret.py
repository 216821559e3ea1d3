"""Secret (core/v1): values that are sealed on disk and never named in an error."""

from __future__ import annotations

import base64
import binascii

from groundplane.api.cause import Cause, invalid, required
from groundplane.api.meta import SECRET_CLOUD, SECRET_KUBECONFIG, SECRET_SSH
from groundplane.api.schema import validator

from ..resources import COMMON_FIELDS, Resource
from ..status import Json
from ..table import AGE, NAME, Column
from .common import MAX_DATA_BYTES, PATCHES, TEXT, check_immutable, check_key, kind_schema, map_of, path

_NEEDED_KEYS = {
    SECRET_KUBECONFIG: ("kubeconfig",),
    SECRET_SSH: (),
    SECRET_CLOUD: (),
}

_SCHEMA = kind_schema(
    "Secret holds secret data. The total bytes of the values in the data field must be less than 1 MiB.",
    {
        "type": {"type": "string", "default": "Opaque", "description": "What the data is for; immutable."},
        "data": map_of({"type": "string", "format": "byte"}, "The secret data, base64."),
        "stringData": map_of(TEXT, "Secret data as text; write-only, merged into data."),
        "immutable": {"type": "boolean", "description": "When true, data cannot be changed any more."},
    },
)


def _prepare(obj: Json, old: Json | None) -> None:
    """Fold stringData into data: it is write-only."""
    texts = obj.pop("stringData", None)
    if isinstance(texts, dict) and texts:
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    if obj.get("data") == {}:
        del obj["data"]


def _check(obj: Json, old: Json | None) -> list[Cause]:
    causes, total = [], 0
    data = obj.get("data") or {}
    for key, value in data.items():
        causes += check_key("data", key)
        try:
            total += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            # The value itself is secret, so the cause must not show it.
            causes.append(Cause(f"data[{key}]", "FieldValueInvalid", None, "Invalid value: must be base64"))
    if total > MAX_DATA_BYTES:
        causes.append(Cause("data", "FieldValueInvalid", None, f"Too long: must have at most {MAX_DATA_BYTES} bytes"))
    causes += [
        required(f"data[{key}]", f"a Secret of type {obj['type']} has it")
        for key in _NEEDED_KEYS.get(obj["type"], ())
        if key not in data
    ]
    if old is not None and obj["type"] != old["type"]:
        causes.append(invalid("type", obj["type"], "field is immutable"))
    return causes + check_immutable(obj, old, ("data",))


def secret() -> Resource:
    """Return the resource."""
    return Resource(
        group="",
        version="v1",
        plural="secrets",
        singular="secret",
        kind="Secret",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        patches=PATCHES,
        prepare=_prepare,
        check=_check,
        columns=(
            NAME,
            Column("Type", "string", lambda obj, _: obj["type"]),
            Column("Data", "string", lambda obj, _: str(len(obj.get("data") or {}))),
            AGE,
        ),
        fields={**COMMON_FIELDS, "type": path("type")},
    )
