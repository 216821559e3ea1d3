"""The kinds of rbac.authorization.k8s.io/v1, with kube-apiserver's schema, defaults, rules and columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from groundplane.api.cause import Cause, invalid, not_supported, required
from groundplane.api.schema import Schema, validator
from groundplane.base.gotext import quoted

from ..builtin.common import PATCHES, TEXT, kind_schema
from ..names import path_segment, subdomain
from ..resources import Resource
from ..status import Json
from ..table import AGE, NAME, Cell, Column
from .escalation import guard_binding, guard_cluster_role, guard_role
from .labels import check_selector
from .rules import GROUP

_TEXTS: Schema = {"type": "array", "items": TEXT}
_SUBJECT_KINDS = ("ServiceAccount", "User", "Group")


def _texts(description: str) -> Schema:
    return {**_TEXTS, "description": description}


_RULES: Schema = {
    "type": "array",
    "nullable": True,
    "description": "What the role allows; nothing is denied by a rule.",
    "items": {
        "type": "object",
        "required": ["verbs"],
        "properties": {
            "verbs": _texts("Verbs that are allowed; * is all of them."),
            "apiGroups": _texts("Groups of the resources; the empty text is the core group, * is all."),
            "resources": _texts("Resources, or resource/subresource; * is all."),
            "resourceNames": _texts("Names that the rule is limited to; none: it is about every name."),
            "nonResourceURLs": _texts("Paths outside of the API's resources; a * at the end stands for any rest."),
        },
    },
}
_SELECTOR: Schema = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": TEXT},
        "matchExpressions": {
            "type": "array",
            "items": {"type": "object", "properties": {"key": TEXT, "operator": TEXT, "values": _TEXTS}},
        },
    },
}
_AGGREGATION: Schema = {
    "type": "object",
    "description": "Makes the rules the union of those of other ClusterRoles; rules written here are replaced.",
    "properties": {"clusterRoleSelectors": {"type": "array", "items": _SELECTOR}},
}
_SUBJECTS: Schema = {
    "type": "array",
    "description": "Who gets the role.",
    "items": {
        "type": "object",
        "properties": {"kind": TEXT, "apiGroup": TEXT, "name": TEXT, "namespace": TEXT},
    },
}
_ROLE_REF: Schema = {
    "type": "object",
    "description": "The role that is given; it cannot be changed.",
    "properties": {"apiGroup": TEXT, "kind": TEXT, "name": TEXT},
}


def _prepare_role(obj: Json, old: Json | None) -> None:
    obj["rules"] = obj.get("rules") or None


def _prepare_binding(obj: Json, old: Json | None) -> None:
    """Fill in groups that may be left out."""
    reference = obj.setdefault("roleRef", {})
    reference["apiGroup"] = reference.get("apiGroup") or GROUP
    if not obj.get("subjects"):
        obj.pop("subjects", None)
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP
        elif not subject.get("apiGroup"):
            subject.pop("apiGroup", None)


def _check_role(obj: Json, old: Json | None) -> list[Cause]:
    return [
        cause
        for number, rule in enumerate(obj.get("rules") or ())
        for cause in _check_rule(rule, f"rules[{number}]", namespaced=obj["kind"] == "Role")
    ]


def _check_rule(rule: Json, path: str, *, namespaced: bool) -> list[Cause]:
    causes = []
    if not rule.get("verbs"):
        causes.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            causes.append(_bad_urls(path, urls, text))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            causes.append(_bad_urls(path, urls, text))
        return causes
    if not rule.get("apiGroups"):
        causes.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        causes.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return causes


def _bad_urls(path: str, urls: list[str], rule: str) -> Cause:
    shown = ", ".join(quoted(url) for url in urls)
    message = f"Invalid value: []string{{{shown}}}: {rule}"
    return Cause(f"{path}.nonResourceURLs", "FieldValueInvalid", urls, message)


def _check_cluster_role(obj: Json, old: Json | None) -> list[Cause]:
    causes = _check_role(obj, old)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return causes
    path = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        causes.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
    for number, selector in enumerate(selectors):
        causes += check_selector(selector, f"{path}[{number}]")
    return causes


def _check_binding(obj: Json, old: Json | None) -> list[Cause]:
    namespaced = obj["kind"] == "RoleBinding"
    causes = _check_reference(obj["roleRef"], ("Role", "ClusterRole") if namespaced else ("ClusterRole",))
    for number, subject in enumerate(obj.get("subjects") or ()):
        causes += _check_subject(subject, f"subjects[{number}]", namespaced=namespaced)
    if old is not None and obj["roleRef"] != old["roleRef"]:
        fields = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
        shown = ", ".join(f"{name}:{quoted(str(obj['roleRef'].get(key, '')))}" for name, key in fields)
        message = f"Invalid value: rbac.RoleRef{{{shown}}}: cannot change roleRef"
        causes.append(Cause("roleRef", "FieldValueInvalid", obj["roleRef"], message))
    return causes


def _check_reference(reference: Json, kinds: tuple[str, ...]) -> list[Cause]:
    causes = []
    if reference["apiGroup"] != GROUP:
        causes.append(not_supported("roleRef.apiGroup", reference["apiGroup"], [GROUP]))
    if reference.get("kind") not in kinds:
        causes.append(not_supported("roleRef.kind", reference.get("kind", ""), kinds))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    else:
        causes += [invalid("roleRef.name", reference["name"], text) for text in path_segment(reference["name"])]
    return causes


def _check_subject(subject: Json, path: str, *, namespaced: bool) -> list[Cause]:
    kind, name, group = (subject.get(field) or "" for field in ("kind", "name", "apiGroup"))
    causes = [] if name else [required(f"{path}.name")]
    if kind not in _SUBJECT_KINDS:
        return [*causes, not_supported(f"{path}.kind", kind, _SUBJECT_KINDS)]
    wanted = "" if kind == "ServiceAccount" else GROUP
    if kind == "ServiceAccount" and name:
        causes += [invalid(f"{path}.name", name, text) for text in subdomain(name)]
    if group != wanted:
        causes.append(not_supported(f"{path}.apiGroup", group, [wanted]))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        causes.append(required(f"{path}.namespace"))
    return causes


def _created(obj: Json, _: datetime) -> str:
    return str(obj["metadata"]["creationTimestamp"])


def _role_of(obj: Json, _: datetime) -> str:
    return f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"


def _subjects(kind: str) -> Cell:
    def cell(obj: Json, _: datetime) -> str:
        chosen = [subject for subject in obj.get("subjects") or () if subject["kind"] == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{subject.get('namespace', '')}/{subject['name']}" for subject in chosen)
        return ", ".join(subject["name"] for subject in chosen)

    return cell


_ROLE_COLUMNS = (NAME, Column("Created At", "date", _created))
_BINDING_COLUMNS = (
    NAME,
    Column("Role", "string", _role_of),
    AGE,
    Column("Users", "string", _subjects("User"), 1),
    Column("Groups", "string", _subjects("Group"), 1),
    Column("ServiceAccounts", "string", _subjects("ServiceAccount"), 1),
)


def _resource(kind: str, schema: Schema, columns: tuple[Column, ...], **how: Any) -> Resource:
    return Resource(
        group=GROUP, version="v1", plural=f"{kind.lower()}s", singular=kind.lower(), kind=kind, schema=schema,
        validate=validator(schema), namespaced=not kind.startswith("Cluster"), columns=columns, path_names=True,
        patches=PATCHES, creates_on_update=True, **how,
    )  # fmt: skip


def access_resources() -> tuple[Resource, ...]:
    """Return the four resources of RBAC."""
    role = kind_schema("Role gives rights within a namespace.", {"rules": _RULES})
    cluster_role = kind_schema(
        "ClusterRole gives rights in all namespaces or, bound by a RoleBinding, in one.",
        {"rules": _RULES, "aggregationRule": _AGGREGATION},
    )
    parts = {"subjects": _SUBJECTS, "roleRef": _ROLE_REF}
    binding = kind_schema("RoleBinding gives a role to subjects within a namespace.", parts)
    cluster_binding = kind_schema("ClusterRoleBinding gives a ClusterRole to subjects everywhere.", parts)
    bindings: dict[str, Any] = {"prepare": _prepare_binding, "check": _check_binding, "guard": guard_binding}
    return (
        _resource("ClusterRole", cluster_role, _ROLE_COLUMNS, prepare=_prepare_role, check=_check_cluster_role,
                  guard=guard_cluster_role),
        _resource("ClusterRoleBinding", cluster_binding, _BINDING_COLUMNS, **bindings),
        _resource("Role", role, _ROLE_COLUMNS, prepare=_prepare_role, check=_check_role, guard=guard_role),
        _resource("RoleBinding", binding, _BINDING_COLUMNS, **bindings),
    )  # fmt: skip
