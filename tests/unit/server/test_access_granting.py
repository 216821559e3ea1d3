"""What nobody can give away, acting as others, tokens of ServiceAccounts, and questions about rights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from groundplane.base.clock import utc_now
from groundplane.server.access.accounts import TOKENS

from .access import API_GROUP, RBAC, binding, caller, role, rule, user, write
from .conftest import SECRET, Start

SECRETS = "/api/v1/namespaces/default/secrets"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
LACKING = (
    'user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
    '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
)


async def test_nobody_writes_a_role_that_allows_more_than_they_may_do(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        may = [rule("create update", "roles", API_GROUP), rule("get", "events")]
        await write(running.http, "Role", role("writer", *may), "default")
        await write(running.http, "RoleBinding", binding("writer", "writer", user("jane"), kind="Role"), "default")
        refused = await write(jane, "Role", role("r", rule("get list", "secrets")), "default")
        assert (refused.status_code, refused.json()["message"]) == (
            403,
            f'roles.rbac.authorization.k8s.io "r" is forbidden: {LACKING}',
        )
        assert (await write(jane, "Role", role("r", rule("get", "events")), "default")).status_code == 201
        more = {"apiVersion": f"{API_GROUP}/v1", "kind": "Role", **role("r", rule("get list", "secrets"))}
        changed = await jane.put(f"{RBAC}/namespaces/default/roles/r", json=more)
        assert (changed.status_code, changed.json()["message"].partition(": ")[2]) == (403, LACKING)
        await write(running.http, "Role", role("up", rule("escalate", "roles", API_GROUP)), "default")
        await write(running.http, "RoleBinding", binding("up", "up", user("jane"), kind="Role"), "default")
        assert (await jane.put(f"{RBAC}/namespaces/default/roles/r", json=more)).status_code == 200


async def test_nobody_binds_a_role_that_allows_more_than_they_may_do(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "Role", role("binder", rule("create", "rolebindings", API_GROUP)), "default")
        await write(running.http, "RoleBinding", binding("binder", "binder", user("jane"), kind="Role"), "default")
        await write(running.http, "Role", role("secret", rule("get list", "secrets")), "default")
        wanted = binding("b", "secret", user("jane"), kind="Role")
        refused = await write(jane, "RoleBinding", wanted, "default")
        message = f'rolebindings.rbac.authorization.k8s.io "b" is forbidden: {LACKING}'
        assert (refused.status_code, refused.json()["message"]) == (403, message)
        none = await write(jane, "RoleBinding", binding("b", "none", user("jane"), kind="Role"), "default")
        assert none.status_code == 404
        bind = rule("bind", "roles", API_GROUP, resourceNames=["secret"])
        await write(running.http, "Role", role("may-bind", bind), "default")
        await write(running.http, "RoleBinding", binding("mb", "may-bind", user("jane"), kind="Role"), "default")
        assert (await write(jane, "RoleBinding", wanted, "default")).status_code == 201
        assert (await jane.get(SECRETS)).status_code == 200


async def test_an_aggregation_rule_takes_all_rights(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "ClusterRole", role("w", rule("create", "clusterroles", API_GROUP)))
        await write(running.http, "ClusterRoleBinding", binding("w", "w", user("jane")))
        gathers = {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": [{}]}}
        refused = await write(jane, "ClusterRole", gathers)
        assert refused.json()["message"] == (
            'clusterroles.rbac.authorization.k8s.io "all" is forbidden: must have cluster-admin privileges to use the '
            "aggregationRule"
        )


async def test_applying_what_is_not_there_takes_the_right_to_create(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "Role", role("patcher", rule("patch", "secrets")), "default")
        await write(running.http, "RoleBinding", binding("p", "patcher", user("jane"), kind="Role"), "default")
        headers = {"content-type": "application/apply-patch+yaml"}
        refused = await jane.patch(f"{SECRETS}/s?fieldManager=m", json=SECRET, headers=headers)
        assert refused.json()["message"] == (
            'secrets "s" is forbidden: User "jane" cannot create resource "secrets" in API group "" in the namespace '
            '"default"'
        )
        await running.http.post(SECRETS, json=SECRET)
        assert (await jane.patch(f"{SECRETS}/s?fieldManager=m&force=1", json=SECRET, headers=headers)).is_success


async def _whoami(http: httpx2.AsyncClient, **headers: str) -> dict[str, Any]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=body, headers=dashed)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["status"]["userInfo"]
    return found


async def test_an_administrator_acts_as_others(start: Start) -> None:
    async with start() as running:
        assert await _whoami(running.http, impersonate_user="jane") == {
            "username": "jane",
            "groups": ["system:authenticated"],
        }
        full = {"impersonate_user": "jane", "impersonate_group": "team", "impersonate_uid": "7",
                "impersonate_extra_Some%2fKey": "v"}  # fmt: skip
        assert await _whoami(running.http, **full) == {
            "username": "jane",
            "uid": "7",
            "groups": ["team", "system:authenticated"],
            "extra": {"some/key": ["v"]},
        }
        account = await _whoami(running.http, impersonate_user="system:serviceaccount:default:robot")
        assert account["groups"] == [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
        ]
        assert (await running.http.get(SECRETS, headers={"impersonate-user": "jane"})).status_code == 403
        assert (await running.http.get(SECRETS, headers={"impersonate-group": "team"})).status_code == 400


async def test_acting_as_others_takes_the_verb_for_each_of_user_groups_and_extra(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        rules = [
            rule("impersonate", "users", resourceNames=["bob"]),
            rule("impersonate", "groups", resourceNames=["g"]),
        ]
        await write(running.http, "ClusterRole", role("as", *rules))
        await write(running.http, "ClusterRoleBinding", binding("as", "as", user("jane")))
        assert (await _whoami(jane, impersonate_user="bob", impersonate_group="g"))["groups"][0] == "g"
        denied = [
            ({"impersonate-user": "admin"}, 'users "admin"', '"users" in API group ""'),
            ({"impersonate-user": "bob", "impersonate-group": "system:masters"}, 'groups "system:masters"',
             '"groups" in API group ""'),
            ({"impersonate-user": "bob", "impersonate-extra-k": "v"}, 'userextras.authentication.k8s.io "v"',
             '"userextras/k" in API group "authentication.k8s.io"'),
        ]  # fmt: skip
        for headers, subject, what in denied:
            answer = await jane.get(SECRETS, headers=headers)
            assert answer.json()["message"] == (
                f'{subject} is forbidden: User "jane" cannot impersonate resource {what} at the cluster scope'
            )
        account = await jane.get(SECRETS, headers={"impersonate-user": "system:serviceaccount:default:robot"})
        assert account.json()["message"] == (
            'serviceaccounts "robot" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API '
            'group "" in the namespace "default"'
        )


async def _account(http: httpx2.AsyncClient, name: str = "robot", **spec: Any) -> dict[str, Any]:
    body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    assert (await http.post(ACCOUNTS, json=body)).status_code == 201
    return await _token(http, name, **spec)


async def _token(http: httpx2.AsyncClient, name: str = "robot", **spec: Any) -> dict[str, Any]:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await http.post(f"{ACCOUNTS}/{name}/token", json=body)
    found: dict[str, Any] = answer.json()
    return found


async def test_a_service_account_has_tokens_that_end_with_it(start: Start) -> None:
    async with start() as running, running.anonymous() as http:
        made = await _account(running.http)
        assert made["spec"]["expirationSeconds"] == 3600
        http.headers["authorization"] = f"Bearer {made['status']['token']}"
        assert await _whoami(http) == {
            "username": "system:serviceaccount:default:robot",
            "uid": (await running.http.get(f"{ACCOUNTS}/robot")).json()["metadata"]["uid"],
            "groups": ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        }
        subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
        await write(running.http, "RoleBinding", binding("robot", "edit", subject), "default")
        assert (await http.get(SECRETS)).status_code == 200
        await running.http.delete(f"{ACCOUNTS}/robot")
        assert (await http.get(SECRETS)).status_code == 401
        await _account(running.http)
        assert (await http.get(SECRETS)).status_code == 401
        await running.service.accounts.sweep()
        assert len((await running.service.store.list(TOKENS)).entries) == 1


async def test_the_store_holds_no_token_of_a_service_account(start: Start) -> None:
    async with start() as running:
        token = (await _account(running.http))["status"]["token"]
        page = await running.service.store.list(TOKENS)
        assert len(page.entries) == 1
        assert token not in repr(page.entries)
        assert (await running.http.get("/apis/internal.groundplane.dev/v1/serviceaccounttokens")).status_code == 404


async def test_a_token_of_a_service_account_is_over_when_its_time_is(start: Start) -> None:
    async with start() as running, running.anonymous() as http:
        await _account(running.http)
        account = (await running.http.get(f"{ACCOUNTS}/robot")).json()["metadata"]
        key = running.service.resources.by_stored["serviceaccounts"]
        entry = (await running.service.store.list(key.stored)).entries[0]
        token, end = await running.service.accounts.issue(entry.key, account["uid"], timedelta(seconds=-1))
        assert end < utc_now()
        answer = await http.get(SECRETS, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 401


async def test_a_token_for_somebody_else_does_not_let_in_here(start: Start) -> None:
    async with start() as running, running.anonymous() as http:
        made = await _account(running.http, audiences=["vault"])
        answer = await http.get(SECRETS, headers={"authorization": f"Bearer {made['status']['token']}"})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("name", "spec", "code", "message"),
    [
        ("robot", {"expirationSeconds": 60}, 422,
         'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify '
         "a duration less than 10 minutes"),
        ("robot", {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}}, 400,
         "cannot bind token for object of type v1, Kind=Pod"),
        ("none", {}, 404, 'serviceaccounts "none" not found'),
    ],
)  # fmt: skip
async def test_a_token_request_that_cannot_be_met_is_refused(
    start: Start, name: str, spec: dict[str, Any], code: int, message: str
) -> None:
    async with start() as running:
        await _account(running.http)
        refused = await _token(running.http, name, **spec)
        assert (refused["code"], refused["message"]) == (code, message)


async def _review(http: httpx2.AsyncClient, path: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    group = path.partition("/")[0]
    answer = await http.post(f"/apis/{path}", json={"apiVersion": f"{group}/v1", "kind": kind, "spec": spec})
    found: dict[str, Any] = answer.json()
    return found


async def test_rights_of_others_are_asked_for_by_those_who_may_ask(start: Start) -> None:
    async with start() as running, caller(running, "jane") as jane:
        await write(running.http, "RoleBinding", binding("b", "admin", user("jane")), "default")
        about = {"verb": "list", "resource": "secrets", "namespace": "default"}
        spec = {"user": "jane", "resourceAttributes": about}
        everywhere = "authorization.k8s.io/v1/subjectaccessreviews"
        found = await _review(running.http, everywhere, "SubjectAccessReview", spec)
        assert found["status"] == {
            "allowed": True,
            "reason": 'RBAC: allowed by RoleBinding "b/default" of ClusterRole "admin" to User "jane"',
        }
        assert (await _review(jane, everywhere, "SubjectAccessReview", spec))["code"] == 403
        local = "authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews"
        assert (await _review(jane, local, "LocalSubjectAccessReview", spec))["status"]["allowed"] is True
        elsewhere = {**spec, "resourceAttributes": {**about, "namespace": "other"}}
        assert (await _review(jane, local, "LocalSubjectAccessReview", elsewhere))["code"] == 422
        assert (await _review(running.http, everywhere, "SubjectAccessReview", {"user": "x"}))["code"] == 422


async def test_a_token_is_reviewed_by_those_who_may(start: Start) -> None:
    async with start() as running, caller(running, "jane", "team") as jane:
        token = jane.headers["authorization"].partition(" ")[2]
        path = "authentication.k8s.io/v1/tokenreviews"
        good = await _review(running.http, path, "TokenReview", {"token": token})
        assert good["status"] == {
            "authenticated": True,
            "user": {"username": "jane", "groups": ["team", "system:authenticated"]},
        }
        bad = await _review(running.http, path, "TokenReview", {"token": "wrong"})
        assert bad["status"] == {"user": {}, "error": "invalid bearer token"}
        assert (await _review(running.http, path, "TokenReview", {}))["code"] == 400
        assert (await _review(jane, path, "TokenReview", {"token": token}))["code"] == 403
