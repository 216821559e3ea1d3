"""Namespace (core/v1): a scope for names, which goes away only when it is empty."""

from __future__ import annotations

from groundplane.api.schema import Schema, validator

from ..resources import Resource, metadata_field
from ..status import Json
from ..table import AGE, NAME, Column
from .common import PATCHES, kind_schema, list_of, object_of, path, text

DEFAULT_NAMESPACE = "default"
SYSTEM_NAMESPACE = "groundplane-system"
KEPT_NAMESPACES = (DEFAULT_NAMESPACE, SYSTEM_NAMESPACE)
NAMESPACE_FINALIZER = "kubernetes"

_FINALIZERS = list_of(text("a finalizer"), "Values that must be gone before the object is removed from storage.")
_PHASE: Schema = {
    "type": "string",
    "enum": ["Active", "Terminating"],
    "description": "Phase is the current lifecycle phase of the namespace.",
}
_SCHEMA = kind_schema(
    "Namespace provides a scope for Names. Use of multiple namespaces is optional.",
    {
        "spec": {
            **object_of("Spec defines the behavior of the Namespace.", {"finalizers": _FINALIZERS}),
            "default": {},
        },
        "status": object_of("Status describes the current status of a Namespace.", {"phase": _PHASE}),
    },
)


def _prepare(obj: Json, old: Json | None) -> None:
    spec = obj.setdefault("spec", {})
    if old is None:
        spec["finalizers"] = [NAMESPACE_FINALIZER]
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = old["spec"]
    if name := obj["metadata"].get("name"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def namespace() -> Resource:
    """Return the resource."""
    return Resource(
        group="",
        version="v1",
        plural="namespaces",
        singular="namespace",
        kind="Namespace",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        short_names=("ns",),
        namespaced=False,
        has_status=True,
        label_names=True,
        patches=PATCHES,
        prepare=_prepare,
        columns=(NAME, Column("Status", "string", lambda obj, _: obj["status"]["phase"]), AGE),
        fields={"metadata.name": metadata_field("name"), "status.phase": path("status", "phase")},
    )
