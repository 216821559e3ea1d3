"""Secret (core/v1): values that are sealed on disk and never named in an error."""

from __future__ import annotations

import base64

import msgspec

from groundplane.api.cause import Cause, invalid, required, too_long
from groundplane.api.meta import SECRET_CLOUD, SECRET_KUBECONFIG, SECRET_SSH
from groundplane.api.schema import validator

from ..resources import COMMON_FIELDS, Resource
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
    path,
)

_NEEDED_KEYS = {
    SECRET_KUBECONFIG: ("kubeconfig",),
    SECRET_SSH: (),
    SECRET_CLOUD: (),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}
_REGISTRY_KEYS = {kind: keys for kind, keys in _NEEDED_KEYS.items() if kind.startswith("kubernetes.io/docker")}
_BASIC, _SSH, _SSH_KEY = "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "ssh-privatekey"
_ACCOUNT, _ACCOUNT_NAME = "kubernetes.io/service-account-token", "kubernetes.io/service-account.name"

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
    obj["type"] = obj.get("type") or "Opaque"
    join_lines(obj.get("data"))
    texts = obj.pop("stringData", None)
    if isinstance(texts, dict) and texts:
        encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
        obj["data"] = {**(obj.get("data") or {}), **encoded}
    if obj.get("data") == {}:
        del obj["data"]


def _check(obj: Json, old: Json | None) -> list[Cause]:
    data = obj.get("data") or {}
    causes, total = check_bytes("data", data)
    if causes:
        return causes
    causes += [cause for key in data for cause in check_key("data", key)]
    if total > MAX_DATA_BYTES:
        causes.append(too_long("data", MAX_DATA_BYTES))
    causes += _check_type(obj, data)
    if old is not None and obj["type"] != old["type"]:
        causes.append(invalid("type", obj["type"], "field is immutable"))
    return causes + check_immutable(obj, old, ("data",))


def _check_type(obj: Json, data: dict[str, str]) -> list[Cause]:
    """Return what the type asks for and is not there (k8s.io/kubernetes/pkg/apis/core/validation.ValidateSecret)."""
    kind = obj["type"]
    causes = [required(f"data[{key}]") for key in _NEEDED_KEYS.get(kind, ()) if key not in data]
    if kind == _BASIC and "username" not in data and "password" not in data:
        causes += [required("data[username]"), required("data[password]")]
    if kind == _SSH and not data.get(_SSH_KEY):
        causes.append(required(f"data[{_SSH_KEY}]"))
    if kind == _ACCOUNT and not (obj["metadata"].get("annotations") or {}).get(_ACCOUNT_NAME):
        causes.append(required(f"metadata.annotations[{_ACCOUNT_NAME}]"))
    for key in _REGISTRY_KEYS.get(kind, ()):
        if key in data and not _is_json(base64.b64decode(data[key])):
            # The text of kube-apiserver, which does not show the value either.
            causes.append(invalid(f"data[{key}]", "<secret contents redacted>", "is not JSON"))
    return causes


def _is_json(value: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(value), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


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
            Column("Data", "string", lambda obj, _: len(obj.get("data") or {})),
            AGE,
        ),
        fields={**COMMON_FIELDS, "type": path("type")},
    )
