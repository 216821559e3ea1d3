"""The rules of object metadata, with the paths, reasons and sentences of k8s.io/apimachinery/pkg/api/validation."""

from __future__ import annotations

from groundplane.api.cause import Cause, forbidden, invalid, required, shown, too_long

from . import names
from .meta import FOREGROUND, ORPHAN
from .resources import Resource
from .status import Json

# k8s.io/apimachinery/pkg/api/validation.TotalAnnotationSizeLimitB
MAX_ANNOTATION_BYTES = 256 * 1024
MAX_FINALIZERS = 1000
_STANDARD_FINALIZERS = (FOREGROUND, ORPHAN, "kubernetes")
_OWNER_FIELDS = (("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid"))


def check(obj: Json, old: Json | None, resource: Resource) -> list[Cause]:
    """Return what is wrong with the metadata."""
    meta = obj["metadata"]
    causes = _check_generated(str(meta.get("generateName") or ""), resource)
    causes += check_name(str(meta.get("name") or ""), resource)
    causes += _check_labels(meta.get("labels") or {})
    causes += _check_annotations(meta.get("annotations") or {})
    causes += _check_owners(meta.get("ownerReferences") or [])
    finalizers = len(meta.get("finalizers") or ())
    if finalizers > MAX_FINALIZERS and finalizers > len((old or {"metadata": {}})["metadata"].get("finalizers") or ()):
        # kube-apiserver has no such rule; looking for each among the others takes too long.
        rule = f"Too many: {finalizers}: must have at most {MAX_FINALIZERS} items"
        return [*causes, Cause("metadata.finalizers", "FieldValueInvalid", None, rule)]
    causes += _check_finalizers(meta.get("finalizers") or [], old, resource)
    return causes


def check_name(name: str, resource: Resource) -> list[Cause]:
    """Return what is wrong with a name."""
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    return [invalid("metadata.name", name, problem) for problem in _name_problems(name, resource)]


def _name_problems(name: str, resource: Resource) -> list[str]:
    if resource.path_names:
        return names.path_segment(name)
    return names.label(name) if resource.label_names else names.subdomain(name)


def _check_generated(base: str, resource: Resource) -> list[Cause]:
    # The hyphen at the end is in order here: more follows.
    tried = f"{base[:-2]}a" if base.endswith("-") else base
    problems = _name_problems(tried, resource) if base else []
    return [invalid("metadata.generateName", base, problem) for problem in problems]


def _check_labels(labels: dict[str, str]) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        if problems := names.qualified_name(key):
            causes += [invalid("metadata.labels", key, problem) for problem in problems]
        if problems := names.label_value(value):
            causes += [invalid("metadata.labels", value, problem) for problem in problems]
    return causes


def _check_annotations(annotations: dict[str, str]) -> list[Cause]:
    path = "metadata.annotations"
    causes = [invalid(path, key, problem) for key in annotations for problem in names.qualified_name(key.lower())]
    letters = sum(map(len, annotations)) + sum(map(len, annotations.values()))
    # A letter has four bytes at most.
    if letters > MAX_ANNOTATION_BYTES // 4 and _size(annotations) > MAX_ANNOTATION_BYTES:
        causes.append(too_long(path, MAX_ANNOTATION_BYTES))
    return causes


def _size(texts: dict[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in texts.items())


def _check_owners(owners: list[Json]) -> list[Cause]:
    path = "metadata.ownerReferences"
    causes = [cause for owner in owners for cause in _check_owner(path, owner)]
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        found = " and ".join(str(owner.get("name")) for owner in controllers[:2])
        rule = f'Only one reference can have Controller set to true. Found "true" in references for {found}'
        causes.append(invalid(path, None, rule))
    return causes


def _check_owner(path: str, owner: Json) -> list[Cause]:
    causes = []
    for field, what in _OWNER_FIELDS:
        given = str(owner.get(field) or "")
        if not given or (field == "apiVersion" and given.count("/") > 1):
            causes.append(invalid(f"{path}.{field}", given, f"{what} must not be empty"))
    if (owner.get("apiVersion"), owner.get("kind")) == ("v1", "Event"):
        causes.append(invalid(path, None, "/v1, Kind=Event is disallowed from being an owner"))
    return causes


def _check_finalizers(given: list[str], old: Json | None, resource: Resource) -> list[Cause]:
    path = "metadata.finalizers"
    causes = [invalid(path, name, problem) for name in given for problem in names.qualified_name(name)]
    if FOREGROUND in given and ORPHAN in given:
        causes.append(invalid(path, given, f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"))
    if not resource.custom:
        rule = "name is neither a standard finalizer name nor is it fully qualified"
        for index, name in enumerate(given):
            if "/" not in name and name not in _STANDARD_FINALIZERS:
                causes.append(invalid(f"{path}[{index}]", name, rule))
    return causes + _check_added(path, given, old)


def _check_added(path: str, given: list[str], old: Json | None) -> list[Cause]:
    if old is None or not old["metadata"].get("deletionTimestamp"):
        return []
    added = [name for name in given if name not in (old["metadata"].get("finalizers") or [])]
    if not added:
        return []
    rule = "no new finalizers can be added if the object is being deleted, found new finalizers"
    return [forbidden(path, added, f"{rule} {shown(sorted(added))}")]
