"""Object metadata: what the server sets itself, and the rules for what the caller sets."""

from __future__ import annotations

import random
import re
import uuid
from typing import Any

from groundplane.api.cause import Cause, forbidden, invalid, required

from .resources import STRATEGIC, Resource
from .status import Json, bad_request

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
# k8s.io/apimachinery/pkg/api/validation.TotalAnnotationSizeLimitB
MAX_ANNOTATION_BYTES = 256 * 1024
# Kubernetes' own alphabet for generated names: no vowels, nothing that is easily misread.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_MAX_GENERATED_BASE = 63 - _SUFFIX_LENGTH
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_CORE_FINALIZERS = (FOREGROUND, ORPHAN)
# What a caller can never change after creation.
SYSTEM_FIELDS = (
    "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
    "generation", "generateName", "selfLink", "resourceVersion",
)  # fmt: skip

_names = random.SystemRandom()


def check_shape(body: Any, resource: Resource) -> Json:
    """Refuse (400) a body that is no object of this resource; return it."""
    if not isinstance(body, dict):
        raise bad_request("the object provided is not a JSON object")
    given = (body.get("apiVersion"), body.get("kind"))
    if given != (resource.api_version, resource.kind):
        raise bad_request(
            f"the object provided is {given[1] or 'of no kind'} in {given[0] or 'no version'}, not {resource.kind} in "
            f"{resource.api_version}"
        )
    if not isinstance(body.setdefault("metadata", {}), dict):
        raise bad_request("the object provided is unrecognized: metadata is not an object")
    return body


def named_kind(body: Any, resource: Resource) -> Any:
    """Fill in the kind of a built-in resource where the body does not name it: most typed clients leave it out."""
    if isinstance(body, dict) and STRATEGIC in resource.patches:
        body["apiVersion"] = body.get("apiVersion") or resource.api_version
        body["kind"] = body.get("kind") or resource.kind
    return body


def generate_name(base: str) -> str:
    """Return `base` with a random ending, as generateName asks for."""
    suffix = "".join(_names.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return base[:_MAX_GENERATED_BASE] + suffix


def stamp_new(obj: Json, resource: Resource, namespace: str, now: str) -> None:
    """Set what the server decides about a new object."""
    meta = obj["metadata"]
    for name in ("resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        meta.pop(name, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(str(meta["generateName"]))
    if resource.namespaced:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now
    if resource.generation:
        meta["generation"] = 1


def keep_system_fields(obj: Json, old: Json) -> None:
    """Put what a caller cannot change back to what it was."""
    for name in SYSTEM_FIELDS:
        if name in old["metadata"]:
            obj["metadata"][name] = old["metadata"][name]
        else:
            obj["metadata"].pop(name, None)


def check(obj: Json, old: Json | None, resource: Resource) -> list[Cause]:
    """Return what is wrong with the metadata."""
    meta = obj["metadata"]
    causes = check_name(str(meta.get("name") or ""), resource)
    causes += _check_labels(meta.get("labels") or {})
    causes += _check_annotations(meta.get("annotations") or {})
    causes += _check_finalizers(meta, old)
    causes += _check_owners(meta.get("ownerReferences") or [])
    return causes


def check_path_name(name: str) -> list[str]:
    """Return what is wrong with a name that has only to be a segment of a path, as that of a role."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{sign}'" for sign in ("/", "%") if sign in name]


def check_name(name: str, resource: Resource) -> list[Cause]:
    """Return what is wrong with a name."""
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    if resource.path_names:
        return [invalid("metadata.name", name, text) for text in check_path_name(name)]
    pattern, limit, what = (_LABEL, 63, "label") if resource.label_names else (_SUBDOMAIN, 253, "subdomain")
    if len(name) <= limit and pattern.match(name):
        return []
    more = "" if resource.label_names else ", '.'"
    rule = f"a lowercase RFC 1123 {what} must consist of lower case alphanumeric characters, '-'{more}, "
    rule += f"start and end with an alphanumeric character, and have at most {limit} characters"
    return [invalid("metadata.name", name, rule)]


def _qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.match(prefix)):
        return False
    return bool(_QUALIFIED_NAME.match(name))


def _check_labels(labels: dict[str, str]) -> list[Cause]:
    rule = "a {} consists of at most 63 alphanumeric characters, '-', '_' or '.', and starts and ends with an "
    rule += "alphanumeric character"
    causes = [invalid("metadata.labels", k, rule.format("label key's name")) for k in labels if not _qualified(k)]
    bad = [value for value in labels.values() if not _LABEL_VALUE.match(value)]
    return causes + [invalid("metadata.labels", value, rule.format("valid label value")) for value in bad]


def _check_annotations(annotations: dict[str, str]) -> list[Cause]:
    rule = "an annotation key is a qualified name, such as example.com/name"
    causes = [invalid("metadata.annotations", key, rule) for key in annotations if not _qualified(key.lower())]
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > MAX_ANNOTATION_BYTES:
        message = f"Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes"
        causes.append(Cause("metadata.annotations", "FieldValueInvalid", None, message))
    return causes


def _check_finalizers(meta: Json, old: Json | None) -> list[Cause]:
    given = meta.get("finalizers") or []
    causes = []
    for name in given:
        if not _qualified(name) or ("/" not in name and name not in _CORE_FINALIZERS):
            causes.append(invalid("metadata.finalizers", name, "name is neither a standard finalizer nor qualified"))
    if old is not None and old["metadata"].get("deletionTimestamp"):
        added = [name for name in given if name not in (old["metadata"].get("finalizers") or [])]
        if added:
            rule = "no new finalizers can be added if the object is being deleted, found new finalizers"
            causes.append(forbidden("metadata.finalizers", added, f"{rule} {added}"))
    return causes


def _check_owners(owners: list[Json]) -> list[Cause]:
    causes = []
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        missing = (name for name in ("apiVersion", "kind", "name", "uid") if not owner.get(name))
        causes += [required(f"{path}.{name}", "must not be empty") for name in missing]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        rule = "only one reference can have controller set to true"
        causes.append(invalid("metadata.ownerReferences", len(controllers), rule))
    return causes
