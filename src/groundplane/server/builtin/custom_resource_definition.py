"""CustomResourceDefinition (apiextensions.k8s.io/v1), for reading: how the five kinds are defined.

Clients ask for these before they use a kind (`kubectl wait --for=condition=Established crd/...`, operators, Helm).
They are written by the server itself when it starts, so that they have a uid, a revision and watches as any object.
"""

from __future__ import annotations

from groundplane.api.schema import PRESERVE, Schema, validator

from ..resources import Resource, metadata_field
from ..status import Json
from ..table import NAME, Column
from .common import kind_schema, list_of, map_of, object_of, path, text

READ_ONLY = (
    "this server's definitions come with its version and cannot be changed: "
    "put kinds of your own into a Kubernetes cluster"
)

_NAMES = object_of(
    "names specify the resource and kind names for the custom resource.",
    {
        "categories": list_of(
            text("a group"), "categories is a list of grouped resources this custom resource belongs to."
        ),
        "kind": text("kind is the serialized kind of the resource, CamelCase and singular."),
        "listKind": text("listKind is the serialized kind of the list for this resource."),
        "plural": text("plural is the plural name of the resource to serve."),
        "shortNames": list_of(text("a short name"), "shortNames are short names for the resource, as for kubectl get."),
        "singular": text("singular is the singular name of the resource."),
    },
)
_FREE: Schema = {"type": "object", PRESERVE: True}
_VERSION = object_of(
    "A version of the custom resource",
    {
        "additionalPrinterColumns": list_of(_FREE, "additional columns of Table output."),
        "name": text("name is the version name, e.g. v1 or v2beta1."),
        "schema": object_of(
            "schema describes the schema used for validation, pruning and defaulting.",
            {"openAPIV3Schema": {**_FREE, "description": "the OpenAPI v3 schema to use for validation."}},
        ),
        "served": {"type": "boolean", "description": "served says whether this version is served via REST."},
        "storage": {"type": "boolean", "description": "storage says whether this version is the one that is stored."},
        "subresources": map_of(_FREE, "subresources specify what subresources this version has."),
    },
)  # fmt: skip
_CONDITION = object_of(
    "a judgement of the definition",
    {
        "lastTransitionTime": text("when the status last changed"),
        "message": text("a sentence for people"),
        "reason": text("a CamelCase word for machines"),
        "status": text("True, False or Unknown"),
        "type": text("Established or NamesAccepted"),
    },
)
_SCHEMA = kind_schema(
    "CustomResourceDefinition represents a resource that should be exposed on the API server. Its name MUST be in the "
    "format <.spec.name>.<.spec.group>. Read-only here: the five kinds of Groundplane.",
    {
        "spec": object_of(
            "spec describes how the user wants the resources to appear.",
            {
                "conversion": object_of("how objects are converted between versions.", {"strategy": text("None")}),
                "group": text("group is the API group of the defined custom resource."),
                "names": _NAMES,
                "scope": text("scope is Cluster or Namespaced."),
                "versions": list_of(
                    _VERSION, "versions is the list of all API versions of the defined custom resource."
                ),
            },
        ),
        "status": object_of(
            "status indicates the actual state of the CustomResourceDefinition.",
            {
                "acceptedNames": {**_NAMES, "description": "the names that are being used to serve discovery."},
                "conditions": list_of(_CONDITION, "conditions indicate state for particular aspects of a definition."),
                "storedVersions": list_of(
                    text("a version"), "storedVersions lists all versions that were ever persisted."
                ),
            },
        ),
    },
)


def established(definition: Json, now: str) -> Json:
    """Return the definition as a server shows it that serves it since `now`."""
    spec = {**definition["spec"], "conversion": {"strategy": "None"}}
    conditions = [
        {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"},
        {
            "type": "Established",
            "status": "True",
            "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]
    status = {
        "conditions": [{**condition, "lastTransitionTime": now} for condition in conditions],
        "acceptedNames": spec["names"],
        "storedVersions": [version["name"] for version in spec["versions"]],
    }
    return {**definition, "spec": spec, "status": status}


def custom_resource_definition() -> Resource:
    """Return the resource."""
    return Resource(
        group="apiextensions.k8s.io",
        version="v1",
        plural="customresourcedefinitions",
        singular="customresourcedefinition",
        kind="CustomResourceDefinition",
        schema=_SCHEMA,
        validate=validator(_SCHEMA),
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        namespaced=False,
        has_status=True,
        verbs=("get", "list", "watch"),
        refusal=READ_ONLY,
        columns=(
            NAME,
            Column("Created At", "date", lambda obj, _: path("metadata", "creationTimestamp")(obj)),
        ),
        fields={"metadata.name": metadata_field("name")},
    )
