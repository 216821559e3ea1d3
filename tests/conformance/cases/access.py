"""Access: roles and bindings as objects, what they allow to an impersonated user, and questions about rights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..dsl import (
    FOUNDATIONS,
    JSON_PATCH,
    SECRETS,
    Request,
    apply,
    case,
    delete,
    foundation,
    get,
    meta,
    patch,
    post,
    put,
    secret,
)  # fmt: skip

GROUP = "rbac.authorization.k8s.io"
ROOT = f"/apis/{GROUP}/v1"
ROLES = f"{ROOT}/namespaces/{{ns}}/roles"
BINDINGS = f"{ROOT}/namespaces/{{ns}}/rolebindings"
CLUSTER_ROLES = f"{ROOT}/clusterroles"
CLUSTER_BINDINGS = f"{ROOT}/clusterrolebindings"
ACCOUNTS = "/api/v1/namespaces/{ns}/serviceaccounts"
REVIEWS = "/apis/authorization.k8s.io/v1"
WHO = "/apis/authentication.k8s.io/v1"
JANE = "jane-{ns}"
FINE = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
SUBJECT = {"kind": "User", "apiGroup": GROUP, "name": JANE}


def role(*rules: dict[str, Any], name: str = "r", kind: str = "Role", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "rules": list(rules), **fields}


def cluster_role(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return role(*rules, name="r-{ns}", kind="ClusterRole", **fields)


def binding(*subjects: dict[str, Any], to: str = "r", of: str = "Role", kind: str = "RoleBinding") -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": "b" if kind == "RoleBinding" else "b-{ns}"},
        "subjects": list(subjects),
        "roleRef": {"apiGroup": GROUP, "kind": of, "name": to},
    }


def by(request: Request, user: str = JANE) -> Request:
    return request.header("Impersonate-User", user)


def may(*rules: dict[str, Any]) -> tuple[Request, Request, Request]:
    """Let the user do what the rules say in the case's namespace; goes on when it is so."""
    probe = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["probe"], "verbs": ["get"]}
    made = post(ROLES, role(*rules, probe, name="may"))
    bound = post(BINDINGS, meta(binding(SUBJECT, to="may"), name="may"))
    known = by(get(f"{SECRETS}/probe"))
    return made, bound, replace(known, until=404)


def review(kind: str, path: str = "", **spec: Any) -> Request:
    group = path or f"{REVIEWS}/{kind.lower()}s"
    return post(group, {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec})


ABOUT = {"namespace": "{ns}", "verb": "list", "resource": "secrets"}
WRITER = {"apiGroups": [GROUP], "resources": ["roles", "rolebindings"], "verbs": ["create", "update", "patch"]}
# The real server learns of roles and bindings in the order of their writes: once this is known, so is what was before.
SEEN = may(WRITER)

CASES = [
    case("a role", post(ROLES, role(FINE)), get(f"{ROLES}/r"), put(f"{ROLES}/r", role()), delete(f"{ROLES}/r")),
    case("a cluster role", post(CLUSTER_ROLES, cluster_role(FINE)), delete(f"{CLUSTER_ROLES}/r-{{ns}}")),
    case("a binding", post(BINDINGS, binding(SUBJECT)), get(f"{BINDINGS}/b"), delete(f"{BINDINGS}/b")),
    case("a binding without subjects", post(BINDINGS, binding())),
    case("a role without rules", post(ROLES, {**role(), "rules": None})),
    case("a role without verbs", post(ROLES, role({**FINE, "verbs": []}))),
    case("a role without resources", post(ROLES, role({**FINE, "resources": []}))),
    case("a role without groups", post(ROLES, role({"verbs": ["get"], "resources": ["secrets"]}))),
    case("a role of paths", post(ROLES, role({"verbs": ["get"], "nonResourceURLs": ["/x"]}))),
    case("a role of paths and resources", post(CLUSTER_ROLES, cluster_role({**FINE, "nonResourceURLs": ["/x"]}))),
    case("a role with a percent in its name", post(ROLES, role(FINE, name="a%b"))),
    case("a role with a slash in its name", post(ROLES, role(FINE, name="a/b"))),
    case("a role called dots", post(ROLES, role(FINE, name=".."))),
    case("a role with colons and capitals", post(ROLES, role(FINE, name="system:Some:Role"))),
    case("a binding to nothing", post(BINDINGS, binding(SUBJECT, to=""))),
    case("a binding to another kind", post(BINDINGS, binding(SUBJECT, of="Thing"))),
    case("a cluster binding to a role", post(CLUSTER_BINDINGS, binding(SUBJECT, kind="ClusterRoleBinding"))),
    case("a subject of another kind", post(BINDINGS, binding({"kind": "Robot", "name": "x"}))),
    case("a subject without a name", post(BINDINGS, binding({"kind": "User", "name": ""}))),
    case("a subject of another group", post(BINDINGS, binding({**SUBJECT, "apiGroup": "example.com"}))),
    case("an account with a bad name", post(BINDINGS, binding({"kind": "ServiceAccount", "name": "A_b"}))),
    case("a cluster binding of an account without a namespace",
         post(CLUSTER_BINDINGS, binding({"kind": "ServiceAccount", "name": "a"}, to="view", of="ClusterRole",
                                        kind="ClusterRoleBinding"))),
    case("a subject whose group is left out", post(BINDINGS, binding({"kind": "User", "name": "x"}))),
    case("the role of a binding changed", post(BINDINGS, binding(SUBJECT)),
         put(f"{BINDINGS}/b", binding(SUBJECT, to="other"))),
    case("an aggregation without selectors", post(CLUSTER_ROLES, cluster_role(aggregationRule={}))),
    case("an aggregation with a bad selector", post(CLUSTER_ROLES, cluster_role(
        aggregationRule={"clusterRoleSelectors": [{"matchExpressions": [{"key": "a", "operator": "Near"}]}]}))),
    case("an update of a role at an old revision", post(ROLES, role(FINE)),
         put(f"{ROLES}/r", meta(role(FINE), resourceVersion="1"))),
    case("an update of a role that is not there", put(f"{ROLES}/r", role(FINE))),
    case("no rights", by(get(SECRETS)), by(get(f"{SECRETS}/s")), by(post(SECRETS, secret())),
         by(delete(SECRETS)), by(get("/api/v1/secrets")), by(put(f"{FOUNDATIONS}/f/status", foundation())),
         by(get(f"{SECRETS}?watch=1")), by(patch(f"{SECRETS}/s", {}))),
    case("no rights on a namespace", by(get("/api/v1/namespaces/{ns}")), by(get("/api/v1/namespaces")),
         by(post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}))),
    case("no rights on what there is not", by(get("/apis/example.com/v1/things")), by(get("/metrics"))),
    case("paths that everybody may read", by(get("/readyz"))),
    case("rights in one namespace", *may(FINE), by(get(SECRETS)), by(get(f"{SECRETS}/s")), by(delete(f"{SECRETS}/s")),
         by(get(SECRETS.replace("{ns}", "default")))),
    case("rights on one name", *may({**FINE, "resourceNames": ["s"]}), by(get(f"{SECRETS}/s")), by(get(SECRETS)),
         by(get(f"{SECRETS}?fieldSelector=metadata.name%3Ds")), by(get(f"{SECRETS}/t"))),
    case("rights on subresources",
         *may({"apiGroups": ["groundplane.dev"], "resources": ["*/status"], "verbs": ["get"]}),
         by(get(f"{FOUNDATIONS}/f/status")), by(get(f"{FOUNDATIONS}/f"))),
    case("rights of a group", post(ROLES, role(FINE)),
         post(BINDINGS, binding({"kind": "Group", "apiGroup": GROUP, "name": "g"})),
         *SEEN, by(get(SECRETS)), by(get(SECRETS)).header("Impersonate-Group", "g")),
    case("rights of an account", post(ROLES, role(FINE)), post(BINDINGS, binding({"kind": "ServiceAccount",
                                                                                  "name": "robot"})),
         *SEEN, by(get(SECRETS), "system:serviceaccount:{ns}:robot"), by(get(SECRETS), "system:serviceaccount:{ns}:other")),
    case("a binding without its role", post(BINDINGS, binding(SUBJECT, to="none")), *SEEN, by(get(SECRETS))),
    case("apply without create", *may({**FINE, "verbs": ["patch"]}), by(apply(f"{SECRETS}/s", secret())),
         post(SECRETS, secret()), by(apply(f"{SECRETS}/s", secret()))),
    case("giving away in a role what one lacks", *may(WRITER), by(post(ROLES, role(FINE))),
         by(post(ROLES, role({**FINE, "resources": ["secrets", "pods/log"], "resourceNames": ["a"]}))),
         post(ROLES, role()), by(put(f"{ROLES}/r", role(FINE))),
         by(patch(f"{ROLES}/r", [{"op": "add", "path": "/rules", "value": [FINE]}], JSON_PATCH))),
    case("giving away in a role what one has", *may(WRITER, FINE), by(post(ROLES, role(FINE)))),
    case("escalate", *may(WRITER, {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["escalate"]}),
         by(post(ROLES, role(FINE)))),
    case("binding a role that allows what one lacks", *may(WRITER), post(ROLES, role(FINE)),
         by(post(BINDINGS, binding(SUBJECT))), by(post(BINDINGS, binding(SUBJECT, to="none")))),
    case("bind", *may(WRITER, {"apiGroups": [GROUP], "resources": ["roles"], "verbs": ["bind"],
                               "resourceNames": ["r"]}), post(ROLES, role(FINE)),
         by(post(BINDINGS, binding(SUBJECT)))),
    case("a review of oneself", review("SelfSubjectAccessReview", resourceAttributes=ABOUT),
         by(review("SelfSubjectAccessReview", resourceAttributes=ABOUT)), *may(FINE),
         by(review("SelfSubjectAccessReview", resourceAttributes=ABOUT))),
    case("a review about nothing", review("SelfSubjectAccessReview")),
    case("a review about both", review("SelfSubjectAccessReview", resourceAttributes=ABOUT,
                                       nonResourceAttributes={"path": "/x", "verb": "get"})),
    case("a review about a path", review("SubjectAccessReview", user=JANE, groups=["system:authenticated"],
                                         nonResourceAttributes={"path": "/api", "verb": "get"})),
    case("a review of somebody", *may(FINE), review("SubjectAccessReview", user=JANE, resourceAttributes=ABOUT),
         review("SubjectAccessReview", user="other", resourceAttributes=ABOUT)),
    case("a review of nobody", review("SubjectAccessReview", resourceAttributes=ABOUT)),
    case("a review in a namespace", review("LocalSubjectAccessReview",
                                           f"{REVIEWS}/namespaces/{{ns}}/localsubjectaccessreviews", user="x",
                                           resourceAttributes={**ABOUT, "namespace": "default"})),
    case("a review without the right", by(review("SubjectAccessReview", user="x", resourceAttributes=ABOUT))),
    case("rules without a namespace", by(review("SelfSubjectRulesReview", f"{REVIEWS}/selfsubjectrulesreviews"))),
    case("a review of no token", post(f"{WHO}/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {}})),
    case("an account", post(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}),
         get(f"{ACCOUNTS}/robot"), delete(f"{ACCOUNTS}/robot")),
    case("a token that is too short", post(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount",
                                                      "metadata": {"name": "robot"}}),
         post(f"{ACCOUNTS}/robot/token", {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                                          "spec": {"expirationSeconds": 60}})),
    case("a token of an account that is not there", post(f"{ACCOUNTS}/none/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})),
]  # fmt: skip
