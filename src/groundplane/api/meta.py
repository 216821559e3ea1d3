"""What every object has: metadata, conditions, references.

Structs are frozen: a change is a new value (`msgspec.structs.replace`). On the wire names are camelCase, as in
Kubernetes; unknown fields are dropped here and reported by the API edge, which sees the raw document.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

GROUP = "groundplane.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SECRET_SSH = f"{GROUP}/ssh"
SECRET_KUBECONFIG = f"{GROUP}/kubeconfig"
SECRET_CLOUD = f"{GROUP}/cloud"
FINALIZER_CLUSTER = f"{GROUP}/cluster"
LABEL_CLUSTER = f"{GROUP}/cluster"
FINALIZER_IN_USE = f"{GROUP}/in-use"
ANNOTATION_RETRY = f"{GROUP}/retry"
ANNOTATION_SURVEY = f"{GROUP}/survey"
# On an imported Cluster: the kube-system uid that was seen when it was imported.
ANNOTATION_CLUSTER_ID = f"{GROUP}/cluster-id"
ANNOTATION_ABANDON = f"{GROUP}/abandon"
# On a finished Operation of action Change: take it back, on "all" machines or on those that are named (w1,w2).
ANNOTATION_ROLLBACK = f"{GROUP}/rollback"
# On a Cluster, any new value: remove what migrations left for their rollback; renew what kubeadm signed.
ANNOTATION_CLEAN_UP = f"{GROUP}/clean-up"
ANNOTATION_RENEW = f"{GROUP}/renew-certificates"
# On a Cluster: the run of `unify` in which it has its turn; on an Operation: the run that it was made for.
ANNOTATION_UNIFY = f"{GROUP}/unify"
# On a Cluster, "true": it goes before the others when a Foundation is unified.
LABEL_CANARY = f"{GROUP}/canary"
# On a Cluster or a Machine, any new value: update its packages once.
ANNOTATION_UPDATE = f"{GROUP}/update-packages"
# On a Machine, "true": changes of the living cluster leave it out.
ANNOTATION_HOLD_BACK = f"{GROUP}/hold-back"
# On a Node: JSON lists of the label keys, and of the taints as key:effect, that come from its Machine.
ANNOTATION_LABELS = f"{GROUP}/managed-labels"
ANNOTATION_TAINTS = f"{GROUP}/managed-taints"
# On a Node: the Cluster (namespace/name) whose Operation cordoned it. Only a cordon with it is ever taken away.
ANNOTATION_CORDON = f"{GROUP}/cordoned-by"
ANNOTATION_INPUTS = f"{GROUP}/inputs"
# On an Operation that Groundplane cancelled before anybody approved it: why.
ANNOTATION_CANCELLED_FOR = f"{GROUP}/cancelled-for"

T = TypeVar("T")

ConditionStatus = Literal["True", "False", "Unknown"]


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base of all API values: frozen, keyword-only, camelCase on the wire, defaults left out."""


def says(text: str, *, key: str = "", low: int | None = None, high: int | None = None) -> msgspec.Meta:
    """Give a field its meaning, as documents and schemas show it.

    `key` makes a list a map by that field of its entries; `low` and `high` bound an integer.
    """
    merge = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]} if key else None
    return msgspec.Meta(description=text, ge=low, le=high, extra_json_schema=merge)


class OwnerReference(Struct, frozen=True):
    api_version: Annotated[str, says("group and version of the owner")]
    kind: Annotated[str, says("kind of the owner")]
    name: Annotated[str, says("name of the owner")]
    uid: Annotated[str, says("uid of the owner")]
    controller: Annotated[bool | None, says("whether the owner is the managing controller")] = None
    block_owner_deletion: Annotated[
        bool | None, says("whether the owner waits for this object in foreground deletion")
    ] = None


class ObjectMeta(Struct, frozen=True):
    """The part of Kubernetes' ObjectMeta that Groundplane reads. Times are RFC 3339 in UTC."""

    name: Annotated[str, says("name, unique among the kind's objects of the namespace")] = ""
    generate_name: Annotated[str, says("prefix of a name that the server completes")] = ""
    namespace: Annotated[str, says("namespace of the object")] = ""
    uid: Annotated[str, says("identity over time, set by the server")] = ""
    resource_version: Annotated[str, says("revision of the last write")] = ""
    generation: Annotated[int, says("count of changes of the spec")] = 0
    creation_timestamp: Annotated[str, says("when the object was created")] = ""
    deletion_timestamp: Annotated[str, says("when deletion was asked for")] = ""
    labels: Annotated[dict[str, str], says("words to select objects by")] = {}
    annotations: Annotated[dict[str, str], says("remarks that nothing selects by")] = {}
    finalizers: Annotated[list[str], says("who has to finish before the object goes")] = []
    owner_references: Annotated[list[OwnerReference], says("objects that this one is deleted with")] = []


class Condition(Struct, frozen=True):
    """metav1.Condition: `reason` is a CamelCase word for machines, `message` a sentence for people."""

    type: Annotated[str, says("what is judged, such as Ready")]
    status: Annotated[ConditionStatus, says("True, False or Unknown")]
    reason: Annotated[str, says("one CamelCase word for machines")]
    message: Annotated[str, says("one sentence for people")] = ""
    last_transition_time: Annotated[str, says("when the status last changed")] = ""
    observed_generation: Annotated[int, says("generation of the spec that was judged")] = 0


Conditions = Annotated[list[Condition], says("judgements of the object, one per type", key="type")]


class NameReference(Struct, frozen=True):
    """An object of the same namespace."""

    name: Annotated[str, says("name of the object, in the same namespace")]


def find_condition(conditions: list[Condition], kind: str) -> Condition | None:
    """Return the condition of type `kind`, or None."""
    return next((c for c in conditions if c.type == kind), None)


def is_true(conditions: list[Condition], kind: str) -> bool:
    """Tell whether the condition of type `kind` is there with status True."""
    found = find_condition(conditions, kind)
    return found is not None and found.status == "True"
