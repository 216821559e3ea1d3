"""ServiceAccount (core/v1): a user of the API that is no person. Its tokens are asked for, see `access.accounts`."""

from __future__ import annotations

from groundplane.api.schema import validator

from ..resources import Resource
from ..table import AGE, NAME, Column
from .common import PATCHES, TEXT, kind_schema, object_of

_REFERENCE = object_of(
    "A Secret that is meant for this account.",
    {name: TEXT for name in ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")},
)
_SCHEMA = kind_schema(
    "ServiceAccount is a user of the API that is no person, such as a pipeline.",
    {
        "secrets": {"type": "array", "items": _REFERENCE},
        "imagePullSecrets": {"type": "array", "items": object_of("A Secret of this namespace.", {"name": TEXT})},
        "automountServiceAccountToken": {
            "type": "boolean",
            "description": "Kept; there are no pods to act on it.",
        },
    },
)


def service_account() -> Resource:
    """Return the resource."""
    return Resource(
        group="", version="v1", plural="serviceaccounts", singular="serviceaccount", kind="ServiceAccount",
        schema=_SCHEMA, validate=validator(_SCHEMA), short_names=("sa",), patches=PATCHES, has_token=True,
        returns_deleted=True,
        columns=(NAME, Column("Secrets", "string", lambda obj, _: len(obj.get("secrets") or ())), AGE),
    )  # fmt: skip
