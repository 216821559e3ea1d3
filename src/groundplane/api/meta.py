"""What every object has: metadata, conditions, references.

Structs are frozen: a change is a new value (`msgspec.structs.replace`). On the wire names are camelCase, as in
Kubernetes; unknown fields are dropped here and reported by the API edge, which sees the raw document.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

GROUP = "groundplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SECRET_SSH = f"{GROUP}/ssh"
SECRET_KUBECONFIG = f"{GROUP}/kubeconfig"
SECRET_CLOUD = f"{GROUP}/cloud"
FINALIZER_CLUSTER = f"{GROUP}/cluster"
LABEL_CLUSTER = f"{GROUP}/cluster"
ANNOTATION_RETRY = f"{GROUP}/retry"

T = TypeVar("T")

ConditionStatus = Literal["True", "False", "Unknown"]


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all API values: frozen, keyword-only, camelCase on the wire, defaults left out."""


class OwnerReference(Struct, frozen=True):
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Struct, frozen=True):
    """The part of Kubernetes' ObjectMeta that Groundplane reads. Times are RFC 3339 in UTC."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[OwnerReference] = []


class Condition(Struct, frozen=True):
    """metav1.Condition: `reason` is a CamelCase word for machines, `message` a sentence for people."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class NameReference(Struct, frozen=True):
    """An object of the same namespace."""

    name: str


def find_condition(conditions: list[Condition], kind: str) -> Condition | None:
    """Return the condition of type `kind`, or None."""
    return next((c for c in conditions if c.type == kind), None)


def is_true(conditions: list[Condition], kind: str) -> bool:
    """Tell whether the condition of type `kind` is there with status True."""
    found = find_condition(conditions, kind)
    return found is not None and found.status == "True"
