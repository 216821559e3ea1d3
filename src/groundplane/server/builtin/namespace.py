"""Namespace (core/v1): a scope for names, which goes away only when it is empty."""

from __future__ import annotations

from groundplane.api.cause import Cause, invalid, not_supported
from groundplane.api.schema import Schema, validator

from .. import names
from ..resources import VERBS, Resource, metadata_field
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
        given = [name for name in spec.get("finalizers") or [] if name != NAMESPACE_FINALIZER]
        spec["finalizers"] = [*given, NAMESPACE_FINALIZER]
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = old["spec"]
    if name := obj["metadata"].get("name"):
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _check(obj: Json, old: Json | None) -> list[Cause]:
    if old is None:
        return [cause for name in obj["spec"]["finalizers"] for cause in _check_finalizer(name)]
    leaving = bool(obj["metadata"].get("deletionTimestamp"))
    phase, wanted = (obj.get("status") or {}).get("phase"), "Terminating" if leaving else "Active"
    if phase == wanted:
        return []
    state = "not empty" if leaving else "empty"
    return [invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` is {state}")]


def _check_finalizer(name: str) -> list[Cause]:
    field = "spec.finalizers"
    causes = [invalid(field, name, problem) for problem in names.qualified_name(name)]
    if "/" not in name and name != NAMESPACE_FINALIZER:
        causes.append(invalid(field, name, "name is neither a standard finalizer name nor is it fully qualified"))
    if not causes and name != NAMESPACE_FINALIZER:
        # Nothing here could take another away again, and the namespace would never go.
        causes.append(not_supported(field, name, [NAMESPACE_FINALIZER]))
    return causes


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
        check=_check,
        verbs=tuple(verb for verb in VERBS if verb != "deletecollection"),
        columns=(NAME, Column("Status", "string", lambda obj, _: obj["status"]["phase"]), AGE),
        fields={"metadata.name": metadata_field("name"), "status.phase": path("status", "phase")},
    )
