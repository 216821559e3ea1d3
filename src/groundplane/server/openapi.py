"""The OpenAPI documents: v3 per group and version, v2 as one, both made from the same resources and schemas.

kubectl reads from them what `explain` shows, and whether the server checks fields itself (the fieldValidation
parameter of PATCH), which is why every operation lists its parameters.
"""

from __future__ import annotations

import copy
import hashlib
from importlib.metadata import version
from typing import Any

import msgspec

from .resources import APPLY, Resource, Resources
from .status import Json

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# Groups of Kubernetes whose types do not live in k8s.io/api/GROUP.
_KUBERNETES_PACKAGES = {"apiextensions.k8s.io": "apiextensions-apiserver.pkg.apis.apiextensions"}
# The codes of success besides 200 alone: an apply, and for some kinds a PUT, creates what is not there.
_CODES = {"post": ("200", "201"), "put": ("200", "201"), "patch": ("200", "201")}
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")
_LIST_PARAMETERS = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_TYPES = {"limit": "integer", "timeoutSeconds": "integer", "allowWatchBookmarks": "boolean", "force": "boolean",
          "sendInitialEvents": "boolean", "watch": "boolean"}  # fmt: skip


def component(resource: Resource, suffix: str = "") -> str:
    """Return the name of a resource's schema."""
    if resource.group in ("", *_KUBERNETES_PACKAGES) or resource.group.endswith(".k8s.io"):
        package = _KUBERNETES_PACKAGES.get(resource.group) or f"api.{resource.group.partition('.')[0] or 'core'}"
        return f"io.k8s.{package}.{resource.version}.{resource.kind}{suffix}"
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind + suffix])


def _gvk(resource: Resource, suffix: str = "") -> Json:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind + suffix}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


# What every object has, in the words of k8s.io/apimachinery where the kinds here do not say more.
_SAID = {
    "apiVersion": "APIVersion defines the versioned schema of this representation of an object.",
    "kind": "Kind is a string value representing the REST resource this object represents. Cannot be updated.",
    "metadata": "Standard object's metadata.",
}
_METADATA_SAID = {
    "deletionGracePeriodSeconds": "Number of seconds allowed for this object to terminate before it is removed.",
    "managedFields": "ManagedFields maps workflow-id and version to the set of fields that are managed by it.",
    "selfLink": "Deprecated: selfLink is a legacy read-only field that is no longer populated by the system.",
}


def _object_meta(metadata: Json) -> Json:
    properties = {
        name: {**part, "description": part.get("description") or _METADATA_SAID.get(name, "")}
        for name, part in metadata["properties"].items()
    }
    said = "ObjectMeta is metadata that all persisted resources must have."
    return {**metadata, "properties": properties, "description": said}


def _schemas(resources: list[Resource]) -> Json:
    found: Json = {}
    for resource in resources:
        schema = copy.deepcopy(resource.schema)
        found.setdefault(f"{_META}ObjectMeta", _object_meta(schema["properties"]["metadata"]))
        reference = {"allOf": [_ref(f"{_META}ObjectMeta")], "default": {}, "description": _SAID["metadata"]}
        schema["properties"]["metadata"] = reference
        for name in ("apiVersion", "kind"):
            schema["properties"][name] = {"type": "string", "description": _SAID[name]}
        schema["x-kubernetes-group-version-kind"] = [_gvk(resource)]
        found[component(resource)] = schema
        found[component(resource, "List")] = {
            "type": "object",
            "description": f"A list of {resource.kind}.",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object", "properties": {"resourceVersion": {"type": "string"},
                                                              "continue": {"type": "string"}}},
                "items": {"type": "array", "items": _ref(component(resource))},
            },
            "x-kubernetes-group-version-kind": [_gvk(resource, "List")],
        }  # fmt: skip
    return found


_STATUS: Json = {
    "type": "object",
    "description": "How a request ended that has no object to answer with.",
    "required": ["status"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "status": {"type": "string", "description": "Success or Failure."},
        "message": {"type": "string", "description": "What went wrong, for people."},
        "reason": {"type": "string", "description": "What went wrong, for programs."},
        "code": {"type": "integer", "format": "int32", "description": "The HTTP code."},
        "details": {"type": "object", "description": "What it is about, and its causes, all of them.",
                    "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-group-version-kind": [{"group": "", "version": "v1", "kind": "Status"}],
}  # fmt: skip


def _json(schema: Json, description: str = "OK") -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameter(name: str) -> Json:
    kind = _TYPES.get(name, "string")
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


def _operation(resource: Resource, action: str, answer: str, parameters: tuple[str, ...] = ()) -> Json:
    return {
        "operationId": f"{action}{resource.group.title().replace('.', '')}{resource.version.title()}{resource.kind}",
        "tags": [resource.group or "core"],
        "parameters": [_parameter(name) for name in parameters],
        "responses": {
            **{code: _json(_ref(answer)) for code in _CODES.get(action, ("200",))},
            "default": _json(_ref(f"{_META}Status"), "A Status that says what is wrong"),
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(resource),
    }


def _removal(resource: Resource) -> Json:
    """Return the operation that deletes: what goes at once is answered with a Status, what is marked with itself."""
    name = component(resource)
    operation = _operation(resource, "delete", name, ("dryRun", "propagationPolicy"))
    operation["responses"]["200"] = _json({"anyOf": [_ref(name), _ref(f"{_META}Status")]})
    return operation


def _suffixed(item: Json, suffix: str) -> Json:
    """Return operations by method under ids of their own, as every id is there once."""
    return {method: {**one, "operationId": one["operationId"] + suffix} for method, one in item.items()}


def _with_body(operation: Json, resource: Resource, types: tuple[str, ...] = ("application/json",)) -> Json:
    schema: Json = _ref(component(resource)) if types == ("application/json",) else {"type": "object"}
    content = {name: {"schema": schema} for name in types}
    return {**operation, "requestBody": {"required": True, "content": content}}


def _item_operations(resource: Resource) -> Json:
    name = component(resource)
    patch = _operation(resource, "patch", name, (*_WRITE_PARAMETERS, "force"))
    operations = {
        "get": _operation(resource, "get", name),
        "update": _with_body(_operation(resource, "put", name, _WRITE_PARAMETERS), resource),
        "patch": _with_body(patch, resource, resource.patches),
        "delete": _removal(resource),
    }
    return _served(resource, operations)


def _served(resource: Resource, operations: Json) -> Json:
    """Return the operations of verbs that the resource has, by HTTP method."""
    methods = {"create": "post", "update": "put", "deletecollection": "delete", "list": "get"}
    return {methods.get(verb, verb): value for verb, value in operations.items() if verb in resource.verbs}


def _paths(resource: Resource) -> Json:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    collection = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else (
        f"{root}/{resource.plural}")  # fmt: skip
    name = component(resource)
    lister = _operation(resource, "list", component(resource, "List"), _LIST_PARAMETERS)
    creator = _with_body(_operation(resource, "post", name, _WRITE_PARAMETERS), resource)
    purger = _operation(
        resource, "deletecollection", component(resource, "List"), (*_LIST_PARAMETERS, "dryRun", "propagationPolicy")
    )
    many = {"list": lister, "create": creator, "deletecollection": purger}
    paths: Json = {collection: _served(resource, many), f"{collection}/{{name}}": _item_operations(resource)}
    if resource.namespaced:
        paths[f"{root}/{resource.plural}"] = _suffixed(_served(resource, {"list": lister}), "ForAllNamespaces")
    if resource.has_status:
        part = _item_operations(resource)
        part = {name: part[name] for name in part if name != "delete"}
        paths[f"{collection}/{{name}}/status"] = _suffixed(part, "Status")
    for path, item in paths.items():
        item["parameters"] = [
            {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
            for part in ("namespace", "name")
            if f"{{{part}}}" in path
        ]
    return paths


def v3(resources: Resources, group: str, served: str) -> Json | None:
    """Return the v3 document of one group and version, None when there is none."""
    found = resources.groups().get((group, served))
    if not found:
        return None
    paths: Json = {}
    for resource in found:
        paths.update(_paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Groundplane", "version": version("groundplane")},
        "paths": paths,
        "components": {"schemas": {**_schemas(found), f"{_META}Status": _STATUS}},
    }


def digest(content: bytes) -> str:
    """Return the hash by which a document's URL names its content."""
    return hashlib.sha256(content).hexdigest()[:32].upper()


def v3_index(resources: Resources) -> Json:
    """Return what /openapi/v3 answers: a path and a hash for every document, so that clients may cache."""
    paths = {}
    for group, served in resources.groups():
        path = f"apis/{group}/{served}" if group else f"api/{served}"
        hashed = digest(msgspec.json.encode(v3(resources, group, served)))
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={hashed}"}
    return {"paths": paths}


def v2(resources: Resources) -> Json:
    """Return the v2 (Swagger) document of everything."""
    definitions: Json = {}
    paths: Json = {}
    for group, served in resources.groups():
        document = v3(resources, group, served) or {}
        definitions.update(document["components"]["schemas"])
        for path, item in document["paths"].items():
            paths[path] = {name: _v2_part(name, part) for name, part in item.items()}
    swagger = {
        "swagger": "2.0",
        "info": {"title": "Groundplane", "version": version("groundplane")},
        "paths": paths,
        "definitions": definitions,
    }
    renamed = msgspec.json.encode(swagger).replace(b"#/components/schemas/", b"#/definitions/")
    result: Json = msgspec.json.decode(renamed)
    return result


def _v2_part(name: str, part: Any) -> Any:
    if name == "parameters":
        return [_v2_parameter(parameter) for parameter in part]
    operation = {key: value for key, value in part.items() if key not in ("requestBody", "responses")}
    operation["parameters"] = [_v2_parameter(parameter) for parameter in part["parameters"]]
    operation["produces"] = ["application/json"]
    schema = part["responses"]["200"]["content"]["application/json"]["schema"]
    # v2 has no alternatives; of object or Status, kube-apiserver names the Status too.
    schema = schema.get("anyOf", [schema])[-1]
    operation["responses"] = {"200": {"description": "OK", "schema": schema}}
    if body := part.get("requestBody"):
        content = body["content"]
        operation["consumes"] = list(content) if APPLY in content else ["application/json"]
        first = next(iter(content.values()))["schema"]
        operation["parameters"].append({"name": "body", "in": "body", "required": True, "schema": first})
    return operation


def _v2_parameter(parameter: Json) -> Json:
    plain = {key: value for key, value in parameter.items() if key != "schema"}
    return {**plain, **parameter["schema"]}
