"""The catalog, the settings and the parts of the server with kubectl, as its three minors see them."""

from __future__ import annotations

import json

from .conftest import Api


def test_the_catalog_is_read_by_who_has_no_role(api: Api) -> None:
    printed = api.ok("get", "catalogtables", user="nobody").splitlines()
    assert printed[0].split() == ["NAME", "ROWS", "NEWEST", "TO", "REVIEW", "WHAT"]
    assert any(line.startswith("runtime_lines ") for line in printed)
    table = json.loads(api.ok("get", "catalogtables", "kubernetes", "-o", "json", user="nobody"))
    assert table["spec"]["key"] == ["minor"]
    assert all(row["source"].startswith("https://") for row in table["spec"]["rows"])
    told = api.ok("explain", "catalogtables.spec.rows.review")
    assert "cannot change any more" in told
    # kubectl warns of the namespace that every command here is given.
    assert "(MethodNotAllowed)" in api.refused("delete", "catalogtables", "kubernetes")


def test_settings_and_parts_are_read_by_administrators(api: Api) -> None:
    printed = api.ok("get", "serversettings", "--field-selector=spec.origin=Flag").splitlines()
    assert printed[0].split() == ["NAME", "VALUE", "DEFAULT", "FROM"]
    assert [line.split()[0] for line in printed[1:]] == ["GROUNDPLANE_HOME", "GROUNDPLANE_LISTEN"]
    size = api.ok("get", "serversettings", "audit.maxSize", "-o", "jsonpath={.spec.value} {.spec.origin}")
    assert size == "100 Default"
    checks = api.ok("get", "serverchecks")
    assert checks.split()[:3] == ["NAME", "STATE", "MESSAGE"]
    assert "store" in checks
    for plural in ("serversettings", "serverchecks"):
        assert api.refused("get", plural, user="nobody").startswith("Error from server (Forbidden)")
        assert api.run("auth", "can-i", "list", plural, user="nobody").stdout.strip() == "no"
    assert api.run("auth", "can-i", "list", "catalogtables", user="nobody").stdout.strip() == "yes"
