"""Users and tokens over the API: who may give which, what is never told again, and the files that stay in step."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import argon2
import httpx2
import pytest

from groundplane.server.app import build
from groundplane.server.audit.log import AuditLog, RotatingFile, Rotation
from groundplane.server.audit.middleware import Audit
from groundplane.server.audit.policy import load_policy
from groundplane.server.authn import passwords
from groundplane.server.authn.bearer import Bearer
from groundplane.server.authn.chain import Chain
from groundplane.server.authn.passwords import Account, PasswordCheck, UserChanged, Users
from groundplane.server.authn.sessions import Holders, Lifetimes, Sessions
from groundplane.server.authn.tokens import Tokens
from groundplane.server.login import Logins

from .access import RBAC, binding, caller, role, rule, user, write
from .conftest import FOUNDATION, GROUP, Running, Start

API = "/apis/access.groundplane.dev/v1alpha1"
OURS = "access.groundplane.dev"
PASSWORD = "correct horse battery"
OTHER = "staple in the stable"
CSRF = {"x-groundplane-csrf": "1"}
HOSTILE = "<img-src=x-onerror=alert(1)>&'\"é"
ALL = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody's password"))


@dataclass
class Site:
    """A server with everything that signs people in, and an audit log of everything. `http`: as an administrator."""

    running: Running
    http: httpx2.AsyncClient
    users: Users
    tokens: Tokens

    async def login(self, http: httpx2.AsyncClient, name: str, password: str) -> int:
        answer = await http.post("/login", json={"user": name, "password": password}, headers=CSRF)
        return answer.status_code


Open = Callable[[], AbstractAsyncContextManager[Site]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "audit.log"


@pytest.fixture
def site(start: Start, tmp_path: Path, log: Path) -> Open:
    @asynccontextmanager
    async def run() -> AsyncIterator[Site]:
        users = Users(tmp_path / "users.json")
        check = PasswordCheck(users)
        policy = tmp_path / "policy.yaml"
        policy.write_text(ALL)
        written = AuditLog(RotatingFile(log, Rotation()), on_failure="continue")
        async with start() as running, written.writing():
            holders = Holders(users, running.tokens)
            sessions = Sessions(tmp_path / "sessions.json", holders, Lifetimes())
            chain = Chain(Bearer(running.tokens), sessions)
            audit = Audit(load_policy(policy), written)
            running.server = replace(running.server, authn=chain, logins=Logins(check, sessions), audit=audit)
            transport = httpx2.ASGITransport(build(running.server))
            async with httpx2.AsyncClient(transport=transport, base_url="https://gp", headers=running.bearer) as http:
                yield Site(running, http, users, running.tokens)
        check.close()

    return run


def a_user(name: str, *groups: str, password: str = PASSWORD) -> dict[str, Any]:
    spec = {"groups": list(groups), "password": password}
    return {"apiVersion": f"{OURS}/v1alpha1", "kind": "User", "metadata": {"name": name}, "spec": spec}


def a_token(name: str, *groups: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{OURS}/v1alpha1", "kind": "Token", "spec": {"user": name, "groups": list(groups), **spec}}


async def allow(site: Site, name: str, *rules: dict[str, list[str]]) -> None:
    """Give a user these rules in the whole cluster."""
    assert (await write(site.running.http, "ClusterRole", role(name, *rules))).status_code == 201
    made = await write(site.running.http, "ClusterRoleBinding", binding(name, name, user(name)))
    assert made.status_code == 201, made.text


MANAGES = rule("create delete get list update", "users users/password tokens", OURS)


async def test_a_user_is_added_signs_in_gets_another_password_and_is_removed(site: Open) -> None:
    async with site() as at, at.running.anonymous() as browser:
        made = await at.http.post(f"{API}/users", json=a_user("ada", "team-a", "team-a"))
        assert (made.status_code, made.json()["spec"]) == (201, {"groups": ["team-a"]})
        assert (await at.http.post(f"{API}/users", json=a_user("ada"))).json()["reason"] == "AlreadyExists"
        assert await at.login(browser, "ada", PASSWORD) == 200
        assert (await browser.get("/session")).json()["groups"] == ["team-a", "system:authenticated"]
        shown = (await at.http.get(f"{API}/users/ada")).json()
        assert shown["metadata"]["creationTimestamp"]
        assert shown["status"]["lastUsed"]
        changed = await at.http.put(f"{API}/users/ada/password", json={"spec": {"password": OTHER}})
        assert (changed.status_code, changed.json()["status"]) == (200, "Success")
        assert (await browser.get("/session")).status_code == 401, "sessions under the old password end"
        assert await at.login(browser, "ada", PASSWORD) == 401
        assert await at.login(browser, "ada", OTHER) == 200
        gone = await at.http.delete(f"{API}/users/ada")
        assert gone.json()["details"]["name"] == "ada"
        assert (await browser.get("/session")).status_code == 401
        await at.http.post(f"{API}/users", json=a_user("ada", password=OTHER))
        assert (await at.http.get(f"{API}/users/ada")).json()["status"] == {}, "another ada, who has not signed in"
        assert (await at.http.delete(f"{API}/users/ada")).status_code == 200
        for method, path in (("GET", ""), ("DELETE", ""), ("PUT", "/password")):
            body = {"spec": {"password": OTHER}} if path else None
            assert (await at.http.request(method, f"{API}/users/ada{path}", json=body)).status_code == 404


async def test_a_token_is_told_once_and_is_no_good_from_its_revocation_on(site: Open) -> None:
    async with site() as at, at.running.anonymous() as other:
        made = (await at.http.post(f"{API}/tokens", json=a_token("ci", "system:masters"))).json()
        token, name = made["status"]["token"], made["metadata"]["name"]
        other.headers["authorization"] = f"Bearer {token}"
        assert (await other.get(f"{GROUP}/foundations")).status_code == 200
        listed = await at.http.get(f"{API}/tokens")
        one = await at.http.get(f"{API}/tokens/{name}")
        assert token not in listed.text + one.text
        assert one.json()["spec"] == {"user": "ci", "groups": ["system:masters"]}
        assert one.json()["status"]["lastUsed"]
        assert {item["spec"]["user"] for item in listed.json()["items"]} == {"admin", "ci"}
        assert (await at.http.delete(f"{API}/tokens/{name}")).status_code == 200
        assert (await other.get(f"{GROUP}/foundations")).status_code == 401
        assert (await at.http.delete(f"{API}/tokens/{name}")).status_code == 404


async def test_what_the_command_line_does_to_the_files_and_what_the_api_does_is_one(site: Open, tmp_path: Path) -> None:
    async with site() as at:
        Users(tmp_path / "users.json").add("by-hand", ("g",), PASSWORD)
        assert (await at.http.get(f"{API}/users/by-hand")).json()["spec"] == {"groups": ["g"]}
        await at.http.post(f"{API}/users", json=a_user("by-api"))
        assert {account.name for account in Users(tmp_path / "users.json").list()} == {"by-hand", "by-api"}
        made = (await at.http.post(f"{API}/tokens", json=a_token("ci"))).json()
        Tokens(tmp_path / "tokens").revoke(made["metadata"]["name"])
        assert (await at.http.get(f"{API}/tokens/{made['metadata']['name']}")).status_code == 404


async def test_lines_of_an_earlier_version_are_shown_without_when_they_were_made(site: Open, tmp_path: Path) -> None:
    async with site() as at:
        (tmp_path / "users.json").touch(mode=0o600)
        (tmp_path / "users.json").write_text('{"name":"old","groups":[],"hash":"$argon2id$"}\n')
        shown = (await at.http.get(f"{API}/users")).json()["items"]
        assert [(one["metadata"]["name"], one["metadata"].get("creationTimestamp")) for one in shown] == [("old", None)]
        accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = (await at.http.get(f"{API}/users", headers=accept)).json()
        assert [row["cells"] for row in table["rows"]] == [["old", "", "", "<unknown>"]]


async def test_nobody_but_the_administrators_may_do_any_of_it_by_default(site: Open) -> None:
    async with site() as at:
        for level in ("view", "edit", "admin"):
            made = await write(at.running.http, "ClusterRoleBinding", binding(level, level, user(level)))
            assert made.status_code == 201
            async with caller(at.running, level) as http:
                for method, path in (
                    ("GET", "users"), ("POST", "users"), ("GET", "users/a"), ("DELETE", "users/a"),
                    ("PUT", "users/a/password"), ("GET", "tokens"), ("POST", "tokens"), ("DELETE", "tokens/a"),
                    ("GET", "auditevents"),
                ):  # fmt: skip
                    answer = await http.request(method, f"{API}/{path}", json=a_user("x"))
                    assert answer.status_code == 403, (level, method, path)
        async with at.running.anonymous() as nobody:
            assert (await nobody.get(f"{API}/users")).status_code == 401


async def test_nobody_gives_a_name_or_a_group_that_they_could_not_act_as(site: Open) -> None:
    async with site() as at, caller(at.running, "jane", "team-a") as jane:
        await allow(at, "jane", MANAGES, rule("impersonate", "users groups", resourceNames=["ci", "team-b"]))
        for body, lacking in (
            (a_token("ci", "team-a"), "team-a"),
            (a_token("ci", "team-b", "team-c"), "team-c"),
            (a_token("admin"), "admin"),
            (a_token("jane"), "jane"),
            (a_token("system:serviceaccount:default:robot"), "robot"),
            (a_user("bob"), "bob"),
            (a_user("ci", "team-a"), "team-a"),
        ):
            refused = await jane.post(f"{API}/{body['kind'].lower()}s", json=body)
            assert (refused.status_code, refused.json()["reason"]) == (403, "Forbidden"), body
            assert f'"{lacking}" cannot be given by who could not act as it' in refused.json()["message"]
        assert [record.user for record in at.tokens.records()] == ["admin", "jane"]
        assert at.users.list() == []
        assert (await jane.post(f"{API}/tokens", json=a_token("ci", "team-b"))).status_code == 201
        assert (await jane.post(f"{API}/users", json=a_user("ci", "team-b"))).status_code == 201


async def test_the_group_of_the_administrators_is_given_by_administrators_alone(site: Open) -> None:
    async with site() as at, caller(at.running, "root") as root:
        await write(at.running.http, "ClusterRoleBinding", binding("root", "cluster-admin", user("root")))
        acting = {"impersonate-user": "x", "impersonate-group": "system:masters"}
        assert (await root.get(f"{API}/users", headers=acting)).status_code == 200
        for headers in ({}, acting):
            for body in (a_token("x", "system:masters"), a_user("x", "team-a", "system:masters")):
                refused = await root.post(f"{API}/{body['kind'].lower()}s", json=body, headers=headers)
                assert refused.status_code == 403, (headers, body)
                assert 'only who is in the group "system:masters" may give it' in refused.json()["message"]
        assert (await root.post(f"{API}/tokens", json=a_token("x", "anything"))).status_code == 201
        # An administrator who acts as somebody less may not either: what is asked for is theirs to judge.
        less = {"impersonate-user": "root"}
        refused = await at.http.post(f"{API}/tokens", json=a_token("x", "system:masters"), headers=less)
        assert refused.status_code == 403
        assert (await at.http.post(f"{API}/tokens", json=a_token("x", "system:masters"))).status_code == 201


async def test_who_sets_a_password_could_act_as_its_user(site: Open) -> None:
    async with site() as at, caller(at.running, "jane") as jane, at.running.anonymous() as browser:
        await allow(
            at, "jane", MANAGES, rule("impersonate", "users"), rule("impersonate", "groups", resourceNames=["a"])
        )
        for name, groups in (("boss", ("system:masters",)), ("bob", ("a", "b")), ("ann", ("a",))):
            assert (await at.http.post(f"{API}/users", json=a_user(name, *groups))).status_code == 201
        change = {"kind": "PasswordChange", "spec": {"password": OTHER}}
        codes = {
            name: (await jane.put(f"{API}/users/{name}/password", json=change)).status_code
            for name in ("boss", "bob", "ann")
        }
        assert codes == {"boss": 403, "bob": 403, "ann": 200}
        assert await at.login(browser, "boss", OTHER) == 401
        assert await at.login(browser, "ann", OTHER) == 200


async def test_a_user_whose_groups_changed_since_they_were_looked_at_keeps_the_password(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    users.add("ann", ("a",), PASSWORD)
    seen = users.find("ann")
    users.remove("ann")
    users.add("ann", ("system:masters",), PASSWORD)
    with pytest.raises(UserChanged):
        users.change_password("ann", OTHER, seen=seen)
    assert isinstance(users.find("ann"), Account)


async def test_a_right_to_one_token_shows_and_takes_that_one_alone(site: Open) -> None:
    async with site() as at, caller(at.running, "jane") as jane:
        name = (await at.http.post(f"{API}/tokens", json=a_token("ci"))).json()["metadata"]["name"]
        other = at.tokens.records()[0].id
        await allow(at, "jane", rule("list get delete", "tokens", OURS, resourceNames=[name]))
        assert (await jane.get(f"{API}/tokens")).status_code == 403
        found = (await jane.get(f"{API}/tokens?fieldSelector=metadata.name%3D{name}")).json()
        assert [item["metadata"]["name"] for item in found["items"]] == [name]
        assert (await jane.delete(f"{API}/tokens/{other}")).status_code == 403
        assert (await jane.delete(f"{API}/tokens/{name}")).status_code == 200


async def test_a_right_in_a_namespace_is_none_to_users_and_tokens(site: Open) -> None:
    async with site() as at, caller(at.running, "jane") as jane:
        await write(at.running.http, "RoleBinding", binding("all", "cluster-admin", user("jane")), "default")
        for path in ("users", "tokens", "auditevents"):
            assert (await jane.get(f"{API}/{path}")).status_code == 403
            inside = await jane.get(f"{API}/namespaces/default/{path}")
            assert inside.status_code == 404, "they are in no namespace"


async def test_no_password_and_no_token_is_in_the_audit_log_whatever_the_policy_says(site: Open, log: Path) -> None:
    typed = "secret-that-is-mistyped"
    async with site() as at:
        await at.http.post(f"{API}/users", json=a_user("ada"))
        await at.http.post(f"{API}/users", json=a_user("bob", password="short1"))
        await at.http.post(f"{API}/users", json={**a_user("bob"), "spec": {"password": [typed]}})
        await at.http.post(f"{API}/users?fieldValidation=Strict", json={**a_user("bob"), "spec": {"pasword": typed}})
        await at.http.post(f"{API}/users", content=json.dumps(a_user("bob", password=typed))[:-1])
        await at.http.put(f"{API}/users/ada/password", json={"spec": {"password": OTHER}})
        await at.http.put(f"{API}/users/ada/password", json={"spec": {"password": {"is": typed}}})
        await at.http.put(f"{API}/users/ada/password", json={"spec": {"password": "short2", "more": typed}})
        token = (await at.http.post(f"{API}/tokens", json=a_token("ci"))).json()["status"]["token"]
        await at.http.get(f"{API}/auditevents")
        await at.http.post(f"{GROUP}/foundations", json=FOUNDATION)
    text = log.read_text()
    assert "requestObject" in text, "the policy asks for bodies"
    for secret in (PASSWORD, OTHER, typed, token, "short1", "short2"):
        assert secret not in text
    ours = [event for event in map(json.loads, text.splitlines()) if event["objectRef"].get("apiGroup") == OURS]
    assert {event["level"] for event in ours} == {"Metadata"}
    assert len(ours) == 2 * 10


async def test_a_write_by_session_needs_the_header_and_our_origin(site: Open) -> None:
    async with site() as at, at.running.anonymous() as browser:
        await at.http.post(f"{API}/users", json=a_user("ada", "system:masters"))
        assert await at.login(browser, "ada", PASSWORD) == 200
        for headers, code in (
            ({}, 403),
            ({**CSRF, "origin": "https://evil"}, 403),
            ({**CSRF, "origin": "https://gp"}, 201),
        ):
            made = await browser.post(f"{API}/tokens", json=a_token("ci"), headers=headers)
            assert made.status_code == code


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (a_user("a/b"), "metadata.name"),
        (a_user("50%"), "metadata.name"),
        (a_user(".."), "metadata.name"),
        (a_user("with space"), "metadata.name"),
        (a_user("system:kube"), "metadata.name"),
        (a_user("x" * 129), "metadata.name"),
        (a_user("x", ""), "spec.groups[0]"),
        (a_user("x", "ok", "line\nbreak"), "spec.groups[1]"),
        (a_user("x", *map(str, range(101))), "spec.groups"),
        (a_user("x", password="short"), "spec.password"),
        (a_user("x", password=""), "spec.password"),
        ({**a_user("x"), "metadata": {"name": "x", "labels": {"a": "b"}}}, "metadata.labels"),
        (a_token(""), "spec.user"),
        (a_token("a\x00b"), "spec.user"),
        (a_token("x", expirationSeconds=599), "spec.expirationSeconds"),
        (a_token("x", expirationSeconds=2**33), "spec.expirationSeconds"),
        (a_token("x", expirationSeconds="1h"), "spec.expirationSeconds"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_at_its_field_and_nothing_is_made(
    site: Open, body: dict[str, Any], field: str
) -> None:
    async with site() as at:
        refused = await at.http.post(f"{API}/{body['kind'].lower()}s", json=body)
        assert refused.status_code == 422, refused.text
        assert field in [cause["field"] for cause in refused.json()["details"]["causes"]]
        assert at.users.list() == []
        assert [record.user for record in at.tokens.records()] == ["admin"]


async def test_a_name_with_markup_is_a_name(site: Open) -> None:
    async with site() as at, at.running.anonymous() as browser:
        made = await at.http.post(f"{API}/users", json=a_user(HOSTILE, HOSTILE))
        assert made.status_code == 201, made.text
        assert made.headers["content-type"] == "application/json"
        assert await at.login(browser, HOSTILE, PASSWORD) == 200
        path = httpx2.URL(f"https://gp{API}/users/").copy_with(path=f"{API}/users/{HOSTILE}")
        assert (await at.http.get(path)).json()["spec"] == {"groups": [HOSTILE]}
        assert (await at.http.delete(path)).status_code == 200
        token = await at.http.post(f"{API}/tokens", json=a_token(HOSTILE, HOSTILE))
        assert token.json()["spec"] == {"user": HOSTILE, "groups": [HOSTILE]}


async def test_a_dry_run_changes_nothing_and_tells_no_token(site: Open) -> None:
    async with site() as at, at.running.anonymous() as browser:
        await at.http.post(f"{API}/users", json=a_user("ada"))
        name = at.tokens.records()[0].id
        tried = await at.http.post(f"{API}/users?dryRun=All", json=a_user("bob"))
        assert tried.status_code == 201
        made = await at.http.post(f"{API}/tokens?dryRun=All", json=a_token("ci"))
        assert (made.status_code, "token" in made.json()["status"]) == (201, False)
        assert (await at.http.post(f"{API}/users?dryRun=All", json=a_user("ada"))).status_code == 409
        changed = await at.http.put(f"{API}/users/ada/password?dryRun=All", json={"spec": {"password": OTHER}})
        assert changed.status_code == 200
        for path in ("users/ada", f"tokens/{name}"):
            assert (await at.http.delete(f"{API}/{path}?dryRun=All")).status_code == 200
            body = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
            assert (await at.http.request("DELETE", f"{API}/{path}", json=body)).status_code == 200
            wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}}
            assert (await at.http.request("DELETE", f"{API}/{path}", json=wrong)).status_code == 409
        assert [account.name for account in at.users.list()] == ["ada"]
        assert [record.id for record in at.tokens.records()] == [name]
        assert await at.login(browser, "ada", PASSWORD) == 200


async def test_other_verbs_are_refused_and_discovery_tells_which_there_are(site: Open) -> None:
    async with site() as at:
        for method, path in (
            ("PUT", "users/ada"), ("PATCH", "users/ada"), ("DELETE", "users"), ("DELETE", "tokens"),
            ("GET", "users?watch=1"), ("GET", "auditevents?watch=1"), ("POST", "auditevents"),
        ):  # fmt: skip
            headers = {"content-type": "application/apply-patch+yaml"} if method == "PATCH" else {}
            answer = await at.http.request(method, f"{API}/{path}", json=a_user("ada"), headers=headers)
            assert answer.status_code == 405, (method, path, answer.text)
        assert (await at.http.get(f"{API}/auditevents/x")).status_code == 405
        found = {one["name"]: one["verbs"] for one in (await at.http.get(API)).json()["resources"]}
        assert found == {
            "users": ["create", "delete", "get", "list"],
            "users/password": ["update"],
            "tokens": ["create", "delete", "get", "list"],
            "auditevents": ["list"],
        }


async def test_a_server_that_signs_in_nobody_has_neither(start: Start) -> None:
    async with start() as running:
        for path in ("users", "tokens", "auditevents"):
            assert (await running.http.get(f"{API}/{path}")).status_code == 404
        assert (await running.http.get(f"{RBAC}/clusterroles")).status_code == 200
