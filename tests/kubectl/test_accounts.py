"""Users, tokens and the audit log with kubectl, as its three minors see them."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Api

VERSION = "access.groundplane.dev/v1alpha1"


def manifest(kind: str, metadata: dict[str, str], **spec: Any) -> str:
    return json.dumps({"apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec})


def test_users_are_added_shown_explained_and_removed(api: Api) -> None:
    name = f"{api.namespace}-ada"
    body = manifest("User", {"name": name}, password="correct horse battery", groups=["team-a", "team-b"])
    tried = api.ok("create", "--dry-run=server", "-f", "-", stdin=body)
    assert f"user.access.groundplane.dev/{name} created (server dry run)" in tried
    api.refused("get", "users", name)
    assert "created" in api.ok("create", "-f", "-", stdin=body)
    printed = api.ok("get", "users", name)
    assert printed.split()[:5] == ["NAME", "GROUPS", "LAST", "USED", "AGE"]
    assert "team-a,team-b" in printed
    assert "correct horse" not in api.ok("get", "users", "-o", "yaml")
    mistyped = manifest("User", {"name": f"{name}-2"}, pasword="correct horse battery")
    # kubectl checks fields by itself, from the OpenAPI document, where a kind cannot be patched.
    assert 'unknown field "pasword"' in api.refused("create", "-f", "-", stdin=mistyped)
    assert "The password, when a user is made" in api.ok("explain", "users.spec.password", f"--api-version={VERSION}")
    # kubectl warns of the namespace that every command here is given.
    assert "deleted" in api.run("delete", "users", name).stdout
    assert "not found" in api.refused("get", "users", name)
    assert api.refused("get", "users", user="nobody").startswith("Error from server (Forbidden)")


def test_a_token_is_created_used_and_revoked(api: Api) -> None:
    user = f"{api.namespace}-ci"
    token = api.ok("create", "-o", "jsonpath={.status.token}", "-f", "-", stdin=manifest("Token", {}, user=user))
    assert len(token) > 40
    who = api.ok("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", f"--token={token}", user="nobody")
    assert who == user
    listed = json.loads(api.ok("get", "tokens", "-o", "json"))["items"]
    (name,) = [item["metadata"]["name"] for item in listed if item["spec"]["user"] == user]
    assert token not in json.dumps(listed)
    assert "deleted" in api.run("delete", "tokens", name).stdout
    assert name not in api.ok("get", "tokens")


def test_the_audit_log_is_listed_in_parts(api: Api) -> None:
    api.refused("get", "secrets", "-n", api.namespace, user="nobody")
    selector = f"--field-selector=event.objectRef.namespace={api.namespace},event.user.username=nobody"
    printed = ""
    # A line is written a moment after its request was answered.
    for _ in range(20):
        printed = api.run("get", "auditevents", selector, "--chunk-size=7").stdout
        if printed:
            break
    assert printed.split()[:7] == ["TIME", "USER", "VERB", "RESOURCE", "NAMESPACE", "OBJECT", "CODE"]
    assert "secrets" in printed
    assert "403" in printed
    for user, answer in (("admin", "yes"), ("nobody", "no")):
        assert api.run("auth", "can-i", "list", "auditevents", user=user).stdout.strip() == answer
