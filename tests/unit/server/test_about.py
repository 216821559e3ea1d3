"""What the server tells of itself: who may ask, what is told and never told, and that nobody can change it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from groundplane.base.errors import Unavailable
from groundplane.base.settings import Settings, read_settings
from groundplane.catalog.site import SITE, load_site
from groundplane.catalog.tables import TABLES, tables
from groundplane.server.about.settings import settings_in_force
from groundplane.server.app import build
from groundplane.server.config import read_config_file
from groundplane.server.health import Health

from .access import binding, caller, role, rule, user, write
from .conftest import Running, Start

CATALOG = "/apis/catalog.groundplane.dev/v1alpha1/catalogtables"
SETTINGS = "/apis/server.groundplane.dev/v1alpha1/serversettings"
CHECKS = "/apis/server.groundplane.dev/v1alpha1/serverchecks"
AS_TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
HOSTILE = "<img src=x onerror=alert(1)>"
SECRET = "s3cr3t-of-the-house"
ROWS = f"""
systems:
- {{id: debian, version_id: "12", name: "{HOSTILE}", family: debian, kernel: "6.1",
   source: https://example.com/ours, date: "2098-01-02", review: "2099-05-06", verified: memory}}
- {{id: ourlinux, version_id: "1", name: Our Linux, family: debian, kernel: "6.1",
   source: https://example.com/ours, date: "2020-01-02"}}
"""


@dataclass
class Part:
    name: str
    trouble: str


@asynccontextmanager
async def another(running: Running, **changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Give an administrator's client of the same server with something changed."""
    server = replace(running.server, **{"health": Health(), **changes})
    transport = httpx2.ASGITransport(build(server))
    async with httpx2.AsyncClient(transport=transport, base_url="https://gp", headers=running.bearer) as http:
        yield http


async def specs(http: httpx2.AsyncClient, path: str) -> dict[str, dict[str, Any]]:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return {item["metadata"]["name"]: item["spec"] for item in answer.json()["items"]}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[None]:
    """Two rows of this site over the catalog, for the length of the test."""
    (tmp_path / SITE).write_text(ROWS)
    load_site(tmp_path)
    yield
    load_site(tmp_path / "nowhere")


async def test_every_table_is_served_with_every_row_and_how_it_was_read(start: Start) -> None:
    async with start() as running:
        found = await specs(running.http, CATALOG)
        assert set(found) == set(TABLES)
        assert {name: len(spec["rows"]) for name, spec in found.items()} == {
            name: len(rows) for name, rows in tables().items()
        }
        one = (await running.http.get(f"{CATALOG}/kubernetes")).json()
        assert one["spec"] == found["kubernetes"]
        assert one["kind"] == "CatalogTable"
        (row,) = [row for row in one["spec"]["rows"] if row["values"]["minor"] == "1.20"]
        shipped = next(row for row in tables()["kubernetes"] if row.identity() == ("1.20",))
        assert row["source"] == shipped.source
        assert (row["verified"], row["origin"], row["review"]) == ("primary", "Shipped", "settled")
        assert (await running.http.get(f"{CATALOG}/weather")).json()["reason"] == "NotFound"


async def test_rows_of_the_site_are_told_apart_and_a_day_of_review_that_is_not_written_is_a_year_later(
    start: Start, site: None
) -> None:
    async with start() as running:
        rows = (await specs(running.http, CATALOG))["systems"]["rows"]
        ours = {row["values"]["name"]: row for row in rows if row["origin"] == "Site"}
        assert set(ours) == {HOSTILE, "Our Linux"}
        assert ours[HOSTILE]["verified"] == "memory"
        assert ours[HOSTILE]["review"] == "2099-05-06"
        assert ours["Our Linux"]["review"] == "2021-01-01"
        shown = (await running.http.get(f"{CATALOG}/systems", headers=AS_TABLE)).json()
        columns = [column["name"] for column in shown["columnDefinitions"]]
        cells = dict(zip(columns, shown["rows"][0]["cells"], strict=True))
        assert cells["Newest"] == "2098-01-02"
        assert (cells["Site"], cells["Rows"]) == (2, len(rows))
        before = dict(zip(columns, (await _without_site(running))["rows"][0]["cells"], strict=True))
        assert cells["To review"] == before["To review"] + 1


async def _without_site(running: Running) -> Any:
    load_site(Path("/nowhere"))
    return (await running.http.get(f"{CATALOG}/systems", headers=AS_TABLE)).json()


async def test_the_catalog_is_for_everybody_with_credentials_and_the_server_for_administrators(start: Start) -> None:
    async with start() as running, caller(running, "tenant") as http, running.anonymous() as nobody:
        bound = binding("viewers", "view", user("tenant"))
        assert (await write(running.http, "ClusterRoleBinding", bound)).status_code == 201
        assert set(await specs(http, CATALOG)) == set(TABLES)
        for path in (SETTINGS, f"{SETTINGS}/audit.maxSize", CHECKS, f"{CHECKS}/store"):
            assert (await http.get(path)).status_code == 403
        for path in (CATALOG, SETTINGS, CHECKS):
            assert (await nobody.get(path)).status_code == 401
        reads = role("reads", rule("get list", "serversettings serverchecks", "server.groundplane.dev"))
        assert (await write(running.http, "ClusterRole", reads)).status_code == 201
        reader = binding("reads", "reads", user("tenant"))
        assert (await write(running.http, "ClusterRoleBinding", reader)).status_code == 201
        assert (await http.get(SETTINGS)).status_code == 200
        assert (await http.get(CHECKS)).status_code == 200


async def test_nothing_of_it_is_changed_or_watched(start: Start) -> None:
    async with start() as running:
        for path in (CATALOG, SETTINGS, CHECKS):
            for method, where in (("POST", path), ("DELETE", path), ("PUT", f"{path}/x"), ("PATCH", f"{path}/x"),
                                  ("DELETE", f"{path}/x"), ("GET", f"{path}?watch=true")):  # fmt: skip
                answer = await running.http.request(method, where, json={} if method in ("POST", "PUT") else None)
                assert answer.status_code == 405, (method, where, answer.text)


async def test_parts_are_told_with_what_is_wrong_as_readyz_judges_them(start: Start) -> None:
    def away() -> str:
        raise Unavailable("the disk is away")

    async with start() as running:
        health = Health()
        health.add("disk", away)
        parts = (Part("oidc", "the issuer does not answer"), Part("disk", "slow"), Part("quiet", ""))
        async with another(running, health=health, parts=parts) as http:
            assert await specs(http, CHECKS) == {
                "oidc": {"state": "Degraded", "message": "the issuer does not answer"},
                "disk": {"state": "Failed", "message": "the disk is away"},
                "quiet": {"state": "Ready", "message": ""},
                "ping": {"state": "Ready", "message": ""},
                "store": {"state": "Ready", "message": ""},
                "shutdown": {"state": "Ready", "message": ""},
            }
            assert (await http.get(f"{CHECKS}/disk")).json()["spec"]["state"] == "Failed"
            assert (await http.get("/readyz")).status_code == 500
            bad = (await http.get(CHECKS, params={"fieldSelector": "spec.state!=Ready"})).json()["items"]
            assert {item["metadata"]["name"] for item in bad} == {"oidc", "disk"}


def in_force(settings: Settings, folder: Path, text: str = "") -> dict[str, Any]:
    if text:
        settings = replace(settings, config=folder / "server.yaml")
        (folder / "server.yaml").write_text(text)
    return {setting.name: setting for setting in settings_in_force(settings, read_config_file(settings.config))}


def test_what_nobody_set_has_its_default_and_says_where_to_set_it(tmp_path: Path) -> None:
    found = in_force(read_settings({"GROUNDPLANE_HOME": str(tmp_path)}), tmp_path)
    home = found.pop("GROUNDPLANE_HOME")
    assert (home.origin, home.value, home.flag, home.differs) == ("Environment", str(tmp_path), "--home", True)
    assert {(setting.origin, setting.differs) for setting in found.values()} == {("Default", False)}
    assert found["GROUNDPLANE_SURVEY_EVERY"].value == "10m"
    assert found["GROUNDPLANE_LISTEN"].variable == "GROUNDPLANE_LISTEN"
    assert found["audit.logFile"].value == str(tmp_path / "logs/audit/audit.log")
    assert found["audit.maxSize"].value == "100"
    assert {setting.file for name, setting in found.items() if "." in name} == {str(tmp_path / "server.yaml")}
    assert (found["oidc.usernameClaim"].value, found["oidc.usernameClaim"].default) == ("", "sub")


def test_what_was_set_says_by_what_and_whether_it_differs(tmp_path: Path) -> None:
    environment = {"GROUNDPLANE_SURVEY_EVERY": "90s", "GROUNDPLANE_LISTEN": "127.0.0.1:1", "GROUNDPLANE_CACHE": "/c"}
    flags = {"GROUNDPLANE_LISTEN": "[::1]:2", "GROUNDPLANE_HOME": str(tmp_path), "GROUNDPLANE_CONFIG": ""}
    text = "audit: {enabled: false, maxSize: 100, maxBackups: 0}\nlimits: {requestTimeout: 1.5}\nsessions: {}\n"
    found = in_force(read_settings(environment, flags), tmp_path, text)
    told = {name: (one.value, one.origin, one.differs) for name, one in found.items() if one.origin != "Default"}
    assert told == {
        "GROUNDPLANE_SURVEY_EVERY": ("1m30s", "Environment", True),
        "GROUNDPLANE_LISTEN": ("[::1]:2", "Flag", True),
        "GROUNDPLANE_CACHE": ("/c", "Environment", True),
        "GROUNDPLANE_HOME": (str(tmp_path), "Flag", True),
        "audit.enabled": ("false", "File", True),
        "audit.maxSize": ("100", "File", False),
        "audit.maxBackups": ("0", "File", True),
        "limits.requestTimeout": ("1.5", "File", True),
    }


OIDC = f"""
oidc:
  issuerUrl: https://reader:{SECRET}@sso.example.com/realms/staff
  clientId: groundplane
  clientSecretFile: SECRET_FILE
  redirectUrl: https://gp.example.com/login/oidc/callback
  requiredClaims: {{hd: example.com}}
  scopes: [openid, groups]
"""
# Whose value is told as it is. Whoever adds a setting decides here whether it may be.
TOLD = {
    *(f"GROUNDPLANE_{name}" for name in ("HOME", "CACHE", "LISTEN", "CONFIG", "SURVEY_EVERY", "EXEC_PLUGINS")),
    *(f"audit.{name}" for name in ("enabled", "policyFile", "logFile", "maxSize", "maxAgeDays", "maxBackups",
                                   "onFailure")),
    *(f"limits.{name}" for name in ("maxConnections", "maxRequestsInFlight", "maxMutatingRequestsInFlight",
                                    "requestTimeout", "bodyTimeout", "headerTimeout", "handshakeTimeout",
                                    "slowReaderTimeout", "maxUrlBytes", "maxHeaderBytes", "maxHeaders")),
    *(f"sessions.{name}" for name in ("idleTimeout", "lifetime")),
    *(f"oidc.{name}" for name in ("clientId", "caFile", "usernameClaim", "usernamePrefix", "groupsClaim",
                                  "groupsPrefix", "requiredClaims", "signingAlgs", "redirectUrl", "clientSecretFile",
                                  "scopes", "displayName")),
}  # fmt: skip


async def test_no_secret_is_told_whatever_was_written_where(start: Start, tmp_path: Path) -> None:
    kept = tmp_path / "client-secret"
    kept.write_text(SECRET)
    kept.chmod(0o600)
    command = f"/usr/bin/vault read --token={SECRET}"
    settings = read_settings({"GROUNDPLANE_HOME": str(tmp_path), "GROUNDPLANE_SEAL_COMMAND": command})
    found = in_force(settings, tmp_path, OIDC.replace("SECRET_FILE", str(kept)))
    assert {name for name, setting in found.items() if not setting.secret} == TOLD
    async with start() as running, another(running, settings=tuple(found.values())) as http:
        told = await specs(http, SETTINGS)
        assert SECRET not in (await http.get(SETTINGS)).text
        assert SECRET not in (await http.get(SETTINGS, headers=AS_TABLE)).text
        assert "vault" not in (await http.get(f"{SETTINGS}/GROUNDPLANE_SEAL_COMMAND")).text
        for name in ("GROUNDPLANE_SEAL_COMMAND", "oidc.issuerUrl"):
            assert (told[name]["value"], told[name]["secret"], told[name]["differs"]) == ("set", True, True)
        assert told["oidc.clientSecretFile"]["value"] == str(kept)
        assert told["oidc.scopes"]["value"] == '["openid","groups"]'
        assert told["oidc.requiredClaims"]["value"] == '{"hd":"example.com"}'
        differing = (await http.get(SETTINGS, params={"fieldSelector": "spec.origin=File"})).json()["items"]
        assert len(differing) == 6


def test_an_issuer_whose_address_has_no_login_is_told(tmp_path: Path) -> None:
    text = "oidc: {issuerUrl: https://sso.example.com, clientId: groundplane}"
    found = in_force(read_settings({"GROUNDPLANE_HOME": str(tmp_path)}), tmp_path, text)
    assert (found["oidc.issuerUrl"].value, found["oidc.issuerUrl"].secret) == ("https://sso.example.com", False)
    assert (found["oidc.usernameClaim"].value, found["oidc.usernameClaim"].differs) == ("sub", False)


async def test_discovery_and_openapi_know_the_kinds(start: Start) -> None:
    async with start() as running:
        served = {group["name"] for group in (await running.http.get("/apis")).json()["groups"]}
        assert {"catalog.groundplane.dev", "server.groundplane.dev"} <= served
        listed = (await running.http.get("/apis/server.groundplane.dev/v1alpha1")).json()["resources"]
        assert {one["name"]: one["verbs"] for one in listed} == {
            "serversettings": ["get", "list"],
            "serverchecks": ["get", "list"],
        }
        document = (await running.http.get("/openapi/v3/apis/catalog.groundplane.dev/v1alpha1")).json()
        assert set(document["paths"][CATALOG]) == {"get", "parameters"}
