"""Discovery: which groups, versions and resources there are, in the plain and in the aggregated form."""

from __future__ import annotations

from importlib.metadata import version as package_version

from .requestinfo import EXEC_VERB
from .resources import Resource, Resources
from .status import Json

# The release of Kubernetes whose API conventions this server follows; kubectl compares its own version with it.
KUBERNETES_LEVEL = ("1", "36")

# Resources that are asked, not stored: (group, version, plural, kind).
REVIEWS = (
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview"),
    ("authentication.k8s.io", "v1", "tokenreviews", "TokenReview"),
    ("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview"),
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview"),
)


def _local(kind: str) -> bool:
    """Tell whether a review is asked in a namespace."""
    return kind.startswith("Local")


def version() -> Json:
    """Return what /version answers."""
    major, minor = KUBERNETES_LEVEL
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+groundplane.{package_version('groundplane')}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": "linux",
    }


def api_versions(address: str) -> Json:
    """Return what /api answers."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_versions(resources: Resources) -> list[tuple[str, str]]:
    """Return all groups but the core one, with their versions."""
    found = [key for key in resources.groups() if key[0]]
    found += [(group, version) for group, version, *_ in REVIEWS]
    return sorted(set(found))


def api_group(group: str, version: str) -> Json:
    """Return the APIGroup of a group; every group has one version."""
    served = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [served], "preferredVersion": served}


def groups(resources: Resources) -> Json:
    """Return what /apis answers."""
    listed = [api_group(group, version) for group, version in group_versions(resources)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def one_group(resources: Resources, group: str) -> Json | None:
    """Return what /apis/GROUP answers, None when there is no such group."""
    for name, served in group_versions(resources):
        if name == group:
            return {"kind": "APIGroup", "apiVersion": "v1", **api_group(name, served)}
    return None


def resource_list(resources: Resources, group: str, version: str) -> Json | None:
    """Return the APIResourceList of one version, None when there is no such version."""
    found = [entry for r in resources.groups().get((group, version), []) for entry in _entries(r)]
    for review_group, review_version, plural, kind in REVIEWS:
        if (review_group, review_version) == (group, version):
            found.append({"name": plural, "singularName": kind.lower(), "namespaced": _local(kind), "kind": kind,
                          "verbs": ["create"]})  # fmt: skip
    if not found:
        return None
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": found}


def _entries(resource: Resource) -> list[Json]:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_entry_below(resource, *below) for below in _subresources(resource))]


def _entry_below(resource: Resource, name: str, kind: Json, verbs: list[str]) -> Json:
    entry = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    # Group and version are told only where they are others than those of the list.
    own = (kind["group"], kind["version"]) == (resource.group, resource.version)
    return {**entry, **({"kind": kind["kind"]} if own else kind), "verbs": verbs}


def _subresources(resource: Resource) -> list[tuple[str, Json, list[str]]]:
    found = []
    own = _kind(resource.group, resource.version, resource.kind)
    if resource.has_status:
        verbs = ["get", "patch", "update"]
        found.append(("status", own, [verb for verb in verbs if verb in resource.verbs]))
    if resource.has_log:
        found.append(("log", own, ["get"]))
    if resource.has_plan:
        found.append(("unifyplan", _kind(resource.group, resource.version, "UnifyPlan"), ["get"]))
    if resource.has_exec:
        found.append(("exec", own, [EXEC_VERB]))
    if resource.has_password:
        found.append(
            ("password", _kind(resource.group, resource.version, "PasswordChange"), list(resource.verbs_on("password")))
        )
    if resource.has_token:
        found.append(("token", _kind("authentication.k8s.io", "v1", "TokenRequest"), ["create"]))
    return found


def aggregated(resources: Resources, form: str, *, core: bool) -> Json:
    """Return aggregated discovery (apidiscovery.k8s.io) of /api or of /apis."""
    wanted = [("", "v1")] if core else group_versions(resources)
    items = []
    for group, served in wanted:
        version: Json = {
            "version": served,
            "resources": _aggregated_resources(resources, group, served),
            "freshness": "Current",
        }
        items.append({"metadata": {"name": group} if group else {}, "versions": [version]})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{form}",
        "metadata": {},
        "items": items,
    }


def _aggregated_resources(resources: Resources, group: str, version: str) -> list[Json]:
    found = [_aggregated_resource(r) for r in resources.groups().get((group, version), [])]
    for review_group, review_version, plural, kind in REVIEWS:
        if (review_group, review_version) == (group, version):
            found.append({"resource": plural, "responseKind": _kind(group, version, kind),
                          "scope": "Namespaced" if _local(kind) else "Cluster",
                          "singularResource": kind.lower(), "verbs": ["create"]})  # fmt: skip
    return found


def _kind(group: str, version: str, kind: str) -> Json:
    return {"group": group, "version": version, "kind": kind}


def _aggregated_resource(resource: Resource) -> Json:
    entry: Json = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    below = [
        {"subresource": name, "responseKind": kind, "verbs": verbs} for name, kind, verbs in _subresources(resource)
    ]
    if below:
        entry["subresources"] = below
    return entry
