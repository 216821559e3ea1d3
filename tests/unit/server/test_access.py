"""Access over HTTP: what roles and bindings allow, what everybody else is told, and what nobody can give away."""

from __future__ import annotations

from typing import Any

import pytest

from .access import API_GROUP, RBAC, binding, caller, role, rule, user, write
from .conftest import GROUP, SECRET, Start

SECRETS = "/api/v1/namespaces/default/secrets"


async def test_a_binding_is_effective_when_its_write_is_answered_and_over_when_its_deletion_is(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        for round_ in range(20):
            assert (await jane.get(SECRETS)).status_code == 403
            made = await write(running.http, "RoleBinding", binding(f"b{round_}", "edit", user("jane")), "default")
            assert made.status_code == 201, made.text
            assert (await jane.get(SECRETS)).status_code == 200
            await running.http.delete(f"{RBAC}/namespaces/default/rolebindings/b{round_}")
        assert (await jane.get(SECRETS)).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", f"{GROUP}/machines",
         'machines.groundplane.dev is forbidden: User "jane" cannot list resource "machines" in API group '
         '"groundplane.dev" in the namespace "default"'),
        ("GET", f"{GROUP}/machines?watch=1",
         'machines.groundplane.dev is forbidden: User "jane" cannot watch resource "machines" in API group '
         '"groundplane.dev" in the namespace "default"'),
        ("PUT", f"{GROUP}/machines/m/status",
         'machines.groundplane.dev "m" is forbidden: User "jane" cannot update resource "machines/status" in API '
         'group "groundplane.dev" in the namespace "default"'),
        ("DELETE", "/api/v1/namespaces/default/secrets",
         'secrets is forbidden: User "jane" cannot deletecollection resource "secrets" in API group "" in the '
         'namespace "default"'),
        ("GET", "/api/v1/secrets",
         'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" at the cluster scope'),
        ("POST", "/api/v1/namespaces",
         'namespaces is forbidden: User "jane" cannot create resource "namespaces" in API group "" at the cluster '
         "scope"),
        ("GET", "/api/v1/namespaces/default",
         'namespaces "default" is forbidden: User "jane" cannot get resource "namespaces" in API group "" in the '
         'namespace "default"'),
        ("GET", "/nothing", 'forbidden: User "jane" cannot get path "/nothing"'),
        ("PUT", f"{GROUP}/machines",
         'machines.groundplane.dev is forbidden: User "jane" cannot update resource "machines" in API group '
         '"groundplane.dev" in the namespace "default"'),
        ("PUT", "/version", 'forbidden: User "jane" cannot put path "/version"'),
        ("GET", "/apis/none/v1/things",
         'things.none is forbidden: User "jane" cannot list resource "things" in API group "none" at the cluster '
         "scope"),
    ],
)  # fmt: skip
async def test_what_is_not_allowed_is_refused_in_the_words_of_kubernetes(
    start: Start, method: str, path: str, message: str
) -> None:
    async with start() as running, caller(running, "jane") as jane:
        answer = await jane.request(method, path)
        assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
        assert answer.json()["message"] == message


async def test_an_admin_of_a_namespace_may_do_everything_in_it_and_sees_nothing_elsewhere(start: Start) -> None:
    async with start() as running, caller(running, "jane", "team-a") as jane:
        await running.http.post("/api/v1/namespaces", json={"apiVersion": "v1", "kind": "Namespace",
                                                            "metadata": {"name": "a"}})  # fmt: skip
        group = {"kind": "Group", "apiGroup": API_GROUP, "name": "team-a"}
        await write(running.http, "RoleBinding", binding("team", "admin", group), "a")
        for resource in running.service.resources.all:
            if not resource.namespaced:
                continue
            root = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
            assert (await jane.get(f"{root}/namespaces/a/{resource.plural}")).status_code == 200, resource.plural
            assert (await jane.delete(f"{root}/namespaces/a/{resource.plural}/x")).status_code == 404, resource.plural
            for elsewhere in ("/namespaces/default", ""):
                answer = await jane.get(f"{root}{elsewhere}/{resource.plural}")
                assert answer.status_code == 403, resource.plural
        assert (await jane.get("/api/v1/namespaces/a")).status_code == 200
        for path in ("/api/v1/namespaces/default", "/api/v1/namespaces", f"{RBAC}/clusterroles"):
            assert (await jane.get(path)).status_code == 403


async def test_a_viewer_reads_no_secret_and_writes_nothing_and_an_editor_writes_no_role(start: Start) -> None:
    async with start() as running, caller(running, "vic") as vic, caller(running, "ed") as ed:
        await write(running.http, "RoleBinding", binding("v", "view", user("vic")), "default")
        await write(running.http, "RoleBinding", binding("e", "edit", user("ed")), "default")
        assert (await vic.get(f"{GROUP}/clusters")).status_code == 200
        assert (await vic.get(SECRETS)).status_code == 403
        assert (await vic.post(SECRETS, json=SECRET)).status_code == 403
        assert (await ed.post(SECRETS, json=SECRET)).status_code == 201
        assert (await ed.get(f"{RBAC}/namespaces/default/roles")).status_code == 403


async def test_rules_can_name_objects_subresources_and_paths(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await running.http.post(SECRETS, json=SECRET)
        rules = [rule("get list watch", "secrets", resourceNames=["s"]), rule("get", "*/status", "groundplane.dev")]
        await write(running.http, "Role", role("r", *rules), "default")
        await write(running.http, "RoleBinding", binding("b", "r", user("jane"), kind="Role"), "default")
        paths = {"verbs": ["get"], "nonResourceURLs": ["/nothing/*"]}
        await write(running.http, "ClusterRole", role("paths", paths))
        await write(running.http, "ClusterRoleBinding", binding("paths", "paths", user("jane")))
        codes = {
            f"{SECRETS}/s": 200,
            f"{SECRETS}/t": 403,
            SECRETS: 403,
            f"{SECRETS}?fieldSelector=metadata.name%3Ds": 200,
            f"{SECRETS}?fieldSelector=metadata.name!%3Ds": 403,
            f"{SECRETS}?fieldSelector=type!%3Da%5C,metadata.name%3Ds": 403,
            f"{GROUP}/machines/m": 403,
            f"{GROUP}/machines/m/status": 404,
            "/nothing/here": 404,
            "/nothing": 403,
        }
        assert {path: (await jane.get(path)).status_code for path in codes} == codes


async def test_a_binding_without_its_role_gives_nothing_and_the_refusal_says_so(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "RoleBinding", binding("b", "none", user("jane")), "default")
        message = (await jane.get(SECRETS)).json()["message"]
        assert message.endswith('in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "none" not '
                                "found")  # fmt: skip


async def test_aggregated_roles_follow_their_labels_at_once_and_show_what_they_gathered(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "RoleBinding", binding("b", "admin", user("jane")), "default")
        path = "/apis/example.com/v1/namespaces/default/things"
        assert (await jane.get(path)).status_code == 403
        more = role("things", rule("list", "things", "example.com"))
        more["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
        await write(running.http, "ClusterRole", more)
        assert (await jane.get(path)).status_code == 404
        await running.http.delete(f"{RBAC}/clusterroles/things")
        assert (await jane.get(path)).status_code == 403


@pytest.mark.parametrize(
    ("kind", "obj", "message"),
    [
        ("Role", role("r", {"verbs": [], "apiGroups": [""], "resources": ["x"]}),
         'Role.rbac.authorization.k8s.io "r" is invalid: rules[0].verbs: Required value: verbs must contain at least '
         "one value"),
        ("Role", role("r", {"verbs": ["get"]}),
         'Role.rbac.authorization.k8s.io "r" is invalid: [rules[0].apiGroups: Required value: resource rules must '
         "supply at least one api group, rules[0].resources: Required value: resource rules must supply at least one "
         "resource]"),
        ("Role", role("r", {"verbs": ["get"], "nonResourceURLs": ["/x"]}),
         'Role.rbac.authorization.k8s.io "r" is invalid: rules[0].nonResourceURLs: Invalid value: []string{"/x"}: '
         "namespaced rules cannot apply to non-resource URLs"),
        ("Role", role("a%"),
         'Role.rbac.authorization.k8s.io "a%" is invalid: metadata.name: Invalid value: "a%": may not contain \'%\''),
        ("RoleBinding", binding("b", "", user("jane")),
         'RoleBinding.rbac.authorization.k8s.io "b" is invalid: roleRef.name: Required value'),
        ("RoleBinding", binding("b", "r", user("jane"), kind="Thing"),
         'RoleBinding.rbac.authorization.k8s.io "b" is invalid: roleRef.kind: Unsupported value: "Thing": supported '
         'values: "Role", "ClusterRole"'),
        ("RoleBinding", binding("b", "r", {"kind": "Robot", "name": "x"}),
         'RoleBinding.rbac.authorization.k8s.io "b" is invalid: subjects[0].kind: Unsupported value: "Robot": '
         'supported values: "ServiceAccount", "User", "Group"'),
    ],
)  # fmt: skip
async def test_objects_of_rbac_are_checked_in_the_words_of_kubernetes(
    start: Start, kind: str, obj: dict[str, Any], message: str
) -> None:
    async with start() as running:
        answer = await write(running.http, kind, obj, "default")
        assert (answer.status_code, answer.json()["message"]) == (422, message)


async def test_the_role_of_a_binding_cannot_be_changed(start: Start) -> None:
    async with start() as running:
        made = (await write(running.http, "RoleBinding", binding("b", "view", user("jane")), "default")).json()
        made["roleRef"]["name"] = "edit"
        answer = await running.http.put(f"{RBAC}/namespaces/default/rolebindings/b", json=made)
        assert answer.json()["message"] == (
            'RoleBinding.rbac.authorization.k8s.io "b" is invalid: roleRef: Invalid value: '
            'rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"ClusterRole", Name:"edit"}: cannot change roleRef'
        )
