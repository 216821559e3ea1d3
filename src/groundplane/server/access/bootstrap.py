"""The roles and bindings that are always there, made at the first start and completed at every later one.

As in kube-apiserver: what is missing is added, what was added by hand stays, and an object whose annotation
rbac.authorization.kubernetes.io/autoupdate is "false" is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import msgspec

from groundplane.store.contract import Key, NotThere

from ..about.kinds import CATALOG_GROUP, TABLES
from ..service import Call, Options, Service, decode
from ..status import Json
from ..users import ADMINISTRATORS, AUTHENTICATED, CONTROLLER, UNAUTHENTICATED
from ..verbs.create import create
from ..verbs.delete import delete
from ..verbs.delete_options import DeleteOptions
from ..verbs.update import rewrite
from .index import read_rules
from .rules import EVERYTHING, GROUP, Rule, missing

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_BOOTSTRAPPED = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
OURS = "groundplane.dev"
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_KINDS = ("clusters", "distributions", "foundations", "machines", "operations")
_HEALTH = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_MONITORING = ("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*")
_DISCOVERY = ("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz",
              "/version", "/version/")  # fmt: skip

_VIEW = (
    Rule(_READ, (OURS,), (*_KINDS, *(f"{kind}/status" for kind in _KINDS), "operations/log", "foundations/unifyplan")),
    Rule(("get",), (OURS,), ("clusters/proxy",)),
    Rule(_READ, ("",), ("configmaps", "events", "namespaces", "namespaces/status", "serviceaccounts")),
    Rule(_READ, ("coordination.k8s.io",), ("leases",)),
)
_EDIT = (
    Rule(_WRITE, (OURS,), _KINDS),
    Rule(("create", "delete", "patch", "update"), (OURS,), ("clusters/proxy",)),
    Rule((*_READ, *_WRITE), ("",), ("secrets",)),
    Rule(_WRITE, ("",), ("configmaps", "events", "serviceaccounts")),
    Rule(_WRITE, ("coordination.k8s.io",), ("leases",)),
    # Whoever may make an object that runs as a ServiceAccount may act as one: as in Kubernetes, where it is pods.
    Rule(("impersonate",), ("",), ("serviceaccounts",)),
    Rule(("create",), ("",), ("serviceaccounts/token",)),
)
_ADMIN = (
    Rule(("create",), (OURS,), ("machines/exec",)),
    Rule(("create",), ("authorization.k8s.io",), ("localsubjectaccessreviews",)),
    Rule((*_READ, *_WRITE), (GROUP,), ("rolebindings", "roles")),
)
_OWN_REVIEWS = (
    Rule(("create",), ("authorization.k8s.io",), ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
    Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
)
_REVIEWS = (
    Rule(("create",), ("authentication.k8s.io",), ("tokenreviews",)),
    Rule(("create",), ("authorization.k8s.io",), ("subjectaccessreviews",)),
)


def _object(kind: str, name: str, labels: dict[str, str], **parts: object) -> Json:
    metadata = {"name": name, "labels": {**_BOOTSTRAPPED, **labels}, "annotations": {AUTOUPDATE: "true"}}
    body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, **parts}
    made: Json = msgspec.to_builtins(body)
    return made


def _role(name: str, *rules: Rule, labels: dict[str, str] | None = None) -> Json:
    return _object("ClusterRole", name, labels or {}, rules=rules)


def _level(name: str, above: str, rules: tuple[Rule, ...]) -> Iterator[Json]:
    """Yield a role that gathers rules by label, and those that it has from the start; it is part of the one above."""
    selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
    labels = {f"{_AGGREGATE}{above}": "true"} if above else {}
    yield _object("ClusterRole", name, labels, aggregationRule={"clusterRoleSelectors": [selector]}, rules=None)
    yield _role(f"system:aggregate-to-{name}", *rules, labels={f"{_AGGREGATE}{name}": "true"})


def _binding(name: str, *groups: str) -> Json:
    subjects = [{"kind": "Group", "apiGroup": GROUP, "name": group} for group in groups]
    reference = {"kind": "ClusterRole", "apiGroup": GROUP, "name": name}
    return _object("ClusterRoleBinding", name, {}, subjects=subjects, roleRef=reference)


def defaults() -> list[Json]:
    """Return the roles and bindings that every server has."""
    return [
        _role("cluster-admin", *EVERYTHING),
        *_level("admin", "", _ADMIN),
        *_level("edit", "admin", _EDIT),
        *_level("view", "edit", _VIEW),
        _role("system:auth-delegator", *_REVIEWS),
        _role("system:basic-user", *_OWN_REVIEWS),
        _role("system:discovery", Rule(("get",), non_resource_urls=_DISCOVERY)),
        _role("system:catalog-viewer", Rule(("get", "list"), (CATALOG_GROUP,), (TABLES,))),
        _role("system:public-info-viewer", Rule(("get",), non_resource_urls=_HEALTH)),
        _role("system:monitoring", Rule(("get",), non_resource_urls=_MONITORING)),
        _binding("cluster-admin", ADMINISTRATORS),
        _binding("system:basic-user", AUTHENTICATED),
        _binding("system:discovery", AUTHENTICATED),
        _binding("system:catalog-viewer", AUTHENTICATED),
        _binding("system:public-info-viewer", AUTHENTICATED, UNAUTHENTICATED),
        _binding("system:monitoring", "system:monitoring"),
    ]


async def create_roles(service: Service) -> None:
    """Make or complete the default roles and bindings; a start that finds all of them writes nothing."""
    # One at a time would be one sync of the disk each; together they are a few.
    await asyncio.gather(*(_reconcile(service, wanted) for wanted in defaults()))


async def _reconcile(service: Service, wanted: Json) -> None:
    call = _call(service, wanted)
    try:
        present = decode((await service.store.get(call.key)).value)
    except NotThere:
        await create(service, call, wanted)
        return
    if (present["metadata"].get("annotations") or {}).get(AUTOUPDATE) == "false":
        return
    if present.get("roleRef") != wanted.get("roleRef"):
        # The reference cannot be changed: the binding is made anew.
        await delete(service, call, DeleteOptions(uid=present["metadata"]["uid"]))
        await create(service, call, wanted)
        return
    await rewrite(service, call, lambda old: completed(old, wanted))


def _call(service: Service, wanted: Json) -> Call:
    resource = service.resources.by_stored[Key(f"{wanted['kind'].lower()}s.{GROUP}", "", "").resource]
    options = Options(field_manager="groundplane")
    return Call(CONTROLLER, resource, name=wanted["metadata"]["name"], options=options)


def completed(present: Json, wanted: Json) -> Json:
    """Return `present` with what it lacks of `wanted`; what it has beyond that stays."""
    metadata = present["metadata"]
    for field in ("labels", "annotations"):
        metadata[field] = {**(metadata.get(field) or {}), **wanted["metadata"][field]}
    if "aggregationRule" in wanted:
        present["aggregationRule"] = wanted["aggregationRule"]
    elif wanted.get("rules"):
        lacking = missing(read_rules(present.get("rules")), read_rules(wanted["rules"]))
        present["rules"] = [*(present.get("rules") or ()), *(msgspec.to_builtins(rule) for rule in lacking)]
    subjects = present.get("subjects") or []
    added = [subject for subject in wanted.get("subjects") or () if subject not in subjects]
    if added:
        present["subjects"] = [*subjects, *added]
    return present
