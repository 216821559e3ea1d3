"""kubectl with roles: making them, asking about them, and working under them."""

from __future__ import annotations

import json

from .conftest import Api


def test_roles_and_bindings_are_made_shown_and_described(api: Api) -> None:
    api.ok("create", "role", "reader", "--verb=get,list", "--resource=secrets,machines.groundplane.dev")
    api.ok("create", "rolebinding", "readers", "--role=reader", "--user=jane", "--group=team")
    api.ok("create", "clusterrole", f"paths-{api.namespace}", "--verb=get", "--non-resource-url=/metrics")
    assert "NAME     CREATED AT" in api.ok("get", "roles")
    wide = api.ok("get", "rolebindings", "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"]
    assert wide[1].split()[:2] == ["readers", "Role/reader"]
    described = api.ok("describe", "role", "reader")
    assert "machines.groundplane.dev  []                 []              [get list]" in described
    assert "Group  team" in api.ok("describe", "rolebinding", "readers")
    assert "FIELDS:" in api.ok("explain", "rolebinding")


def test_a_tenant_works_in_their_namespace_and_sees_nothing_elsewhere(api: Api) -> None:
    api.ok("create", "rolebinding", "tenant", "--clusterrole=admin", "--user=nobody")
    assert api.ok("auth", "can-i", "delete", "clusters.groundplane.dev", user="nobody") == "yes\n"
    assert api.run("auth", "can-i", "get", "secrets", "-n", "default", user="nobody").stdout == "no\n"
    api.ok("create", "secret", "generic", "s", "--from-literal=a=b", user="nobody")
    api.ok("create", "role", "r", "--verb=get", "--resource=secrets", user="nobody")
    refused = api.refused("create", "role", "n", "--verb=get", "--resource=clusterroles", user="nobody")
    assert "is attempting to grant RBAC permissions not currently held" in refused
    assert 'cannot list resource "secrets" in API group "" at the cluster scope' in api.refused(
        "get", "secrets", "-A", user="nobody"
    )
    listed = api.ok("auth", "can-i", "--list", user="nobody")
    assert "rolebindings.rbac.authorization.k8s.io" in listed
    assert "selfsubjectreviews.authentication.k8s.io" in listed


def test_an_administrator_acts_as_others(api: Api) -> None:
    said = json.loads(api.ok("auth", "whoami", "-o", "json", "--as=jane", "--as-group=team", "--as-uid=7"))
    assert said["status"]["userInfo"] == {"username": "jane", "uid": "7", "groups": ["team", "system:authenticated"]}
    assert api.run("auth", "can-i", "get", "secrets", "--as=jane").stdout == "no\n"
    assert "cannot impersonate resource" in api.refused("get", "secrets", "--as=admin", user="nobody")


def test_a_service_account_gets_a_token_that_works(api: Api) -> None:
    api.ok("create", "serviceaccount", "robot")
    api.ok("create", "rolebinding", "robot", "--clusterrole=view", f"--serviceaccount={api.namespace}:robot")
    token = api.ok("create", "token", "robot", "--duration=20m").strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    said = json.loads(api.ok("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    assert said["status"]["user"]["username"] == f"system:serviceaccount:{api.namespace}:robot"
    assert "robot" in api.ok("get", "sa")
    account = f"system:serviceaccount:{api.namespace}:robot"
    assert api.ok("auth", "can-i", "list", "machines", "--as", account) == "yes\n"
    assert "cannot list" in api.refused("get", "secrets", "--as", account)


def test_reconcile_completes_roles_and_makes_bindings_anew_whose_role_changed(api: Api) -> None:
    # kubectl gives no namespace to what it reconciles.
    wanted = f"""
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: r, namespace: {api.namespace}}}
rules: [{{apiGroups: [""], resources: [secrets], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: b, namespace: {api.namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}}]
"""
    api.ok("create", "role", "r", "--verb=list", "--resource=secrets")
    api.ok("create", "rolebinding", "b", "--clusterrole=view", "--user=jane")
    # What it did it tells on standard error.
    done = api.run("auth", "reconcile", "-f", "-", stdin=wanted)
    assert (done.returncode, "reconciliation required recreate" in done.stderr) == (0, True), done.stderr
    assert api.read("rolebinding", "b")["roleRef"]["kind"] == "Role"
    verbs = {verb for rule in api.read("role", "r")["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list"}


def test_an_aggregated_role_shows_what_it_gathers(api: Api) -> None:
    described = api.ok("describe", "clusterrole", "admin")
    assert "rolebindings.rbac.authorization.k8s.io" in described
    assert "clusters.groundplane.dev" in described
