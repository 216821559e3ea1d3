"""The wire: errors for bad requests, negotiation, lists and pages, access."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest

from groundplane.server.http import MAX_BODY
from groundplane.server.routes import ROUTES
from groundplane.server.service import encoder
from groundplane.store.contract import Key

from .conftest import FOUNDATION, GROUP, SECRET, Running, Start

FOUNDATIONS = f"{GROUP}/foundations"
SECRETS = "/api/v1/namespaces/default/secrets"
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.mark.parametrize(
    ("content", "content_type", "code", "reason"),
    [
        (b"{", "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"\xff\xfe", "application/json", 400, "BadRequest"),
        (b"[" * 100_000, "application/json", 400, "BadRequest"),
        (b"a: [", "application/yaml", 400, "BadRequest"),
        (b"{}", "text/plain", 415, "UnsupportedMediaType"),
        (b"x" * (MAX_BODY + 1), "application/json", 413, "RequestEntityTooLarge"),
        (b"garbage", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b"k8s\x00\xff\xff\xff", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":[]}', "application/json", 400, "BadRequest"),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":7}}', "application/json", 400, "BadRequest"),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"A_b"}}', "application/json", 422, "Invalid"),
        (b'{"apiVersion":"v1","kind":"Secret","data":7,"metadata":{}}', "application/json", 400, "BadRequest"),
        (b'{"apiVersion":"v1","kind":"Secret","metadata":{}}', "application/json", 422, "Invalid"),
        (b'{"apiVersion":"v1","kind":"Event","metadata":{"name":"a"}}', "application/json", 400, "BadRequest"),
    ],
)
async def test_bad_bodies_are_answered_with_a_status(
    start: Start, content: bytes, content_type: str, code: int, reason: str
) -> None:
    async with start() as running:
        answer = await running.http.post(SECRETS, content=content, headers={"content-type": content_type})
        status = answer.json()
        assert (answer.status_code, status["kind"], status["reason"], status["code"]) == (code, "Status", reason, code)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/none/v1/things", 404),
        ("GET", "/nothing", 404),
        ("GET", f"{GROUP}/widgets", 404),
        ("GET", f"{FOUNDATIONS}/none", 404),
        ("PUT", FOUNDATIONS, 405),
        ("GET", f"{FOUNDATIONS}/f/log", 404),
        ("GET", f"{FOUNDATIONS}?continue=nonsense", 400),
        ("GET", f"{FOUNDATIONS}?labelSelector=a%20b", 400),
        ("GET", f"{FOUNDATIONS}?fieldSelector=spec.x%3D1", 400),
        ("GET", f"{FOUNDATIONS}?resourceVersion=x", 400),
        ("GET", f"{FOUNDATIONS}?resourceVersion=99999", 504),
        ("GET", f"{FOUNDATIONS}?resourceVersionMatch=Exact", 422),
        ("POST", f"{FOUNDATIONS}?dryRun=Some", 422),
        ("POST", f"{FOUNDATIONS}?fieldValidation=Maybe", 422),
    ],
)
async def test_bad_requests_are_answered_with_a_status(start: Start, method: str, path: str, code: int) -> None:
    async with start() as running:
        answer = await running.http.request(method, path, json=FOUNDATION if method == "POST" else None)
        assert (answer.status_code, answer.json()["kind"]) == (code, "Status"), answer.text


OPEN = ("/livez", "/healthz", "/readyz", "/version")


async def test_only_health_and_version_are_open_to_the_anonymous(start: Start) -> None:
    async with start() as running, running.anonymous() as http:
        for row in ROUTES:
            if row.path.startswith(("/login", "/logout", "/session")):
                # They look at their caller by themselves: see test_login and test_oidc_login.
                continue
            path = row.path.replace("{version}", "v1").replace("{group}", "groundplane.dev")
            for name in ("namespace", "resource", "name"):
                path = path.replace(f"{{{name}}}", "x")
            code = (await http.request(row.method, path)).status_code
            assert code == (200 if row.path in OPEN else 401), row
        assert (await http.get("/no/such/path")).status_code == 401


async def test_wrong_and_expired_tokens_are_refused(start: Start) -> None:
    async with start() as running, running.anonymous() as http:
        expired = running.tokens.issue_token("late", ("system:masters",), timedelta(seconds=-1))
        for value in (f"Bearer {expired}", "Bearer wrong", "Basic YTpi", "Bearer"):
            answer = await http.get("/livez", headers={"authorization": value})
            assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized"), value
            assert "www-authenticate" in answer.headers


async def test_every_answer_carries_the_security_headers(start: Start) -> None:
    async with start() as running:
        for path in ("/version", "/nothing"):
            headers = (await running.http.get(path)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["audit-id"]


async def test_protobuf_alone_is_not_acceptable(start: Start) -> None:
    async with start() as running:
        for path in ("/openapi/v2", "/openapi/v3", FOUNDATIONS, "/apis"):
            answer = await running.http.get(path, headers={"accept": "application/vnd.kubernetes.protobuf"})
            assert (answer.status_code, answer.json()["reason"]) == (406, "NotAcceptable"), path


async def test_tables_and_partial_objects_are_negotiated(start: Start) -> None:
    async with start() as running:
        await running.http.post(FOUNDATIONS, json=FOUNDATION)
        wanted = "application/json;as={};g=meta.k8s.io;v=v1,application/json"
        for path, form, kind in (
            (FOUNDATIONS, "Table", "Table"),
            (f"{FOUNDATIONS}/f", "Table", "Table"),
            (FOUNDATIONS, "PartialObjectMetadataList", "PartialObjectMetadataList"),
            (f"{FOUNDATIONS}/f", "PartialObjectMetadata", "PartialObjectMetadata"),
        ):
            answer = await running.http.get(path, headers={"accept": wanted.format(form)})
            assert answer.json()["kind"] == kind
        full = await running.http.get(f"{FOUNDATIONS}?includeObject=Object", headers={"accept": wanted.format("Table")})
        assert full.json()["rows"][0]["object"]["spec"]["kubernetes"]["version"] == "v1.20.2"


async def test_managed_fields_are_left_out_of_tables_and_partial_objects_where_that_is_asked_for(start: Start) -> None:
    async with start() as running:
        await running.http.post(FOUNDATIONS, json=FOUNDATION)
        for form, query in itertools.product(("Table", "PartialObjectMetadataList"), ("", "?omitManagedFields=true")):
            accept = {"accept": f"application/json;as={form};g=meta.k8s.io;v=v1"}
            answer = (await running.http.get(f"{FOUNDATIONS}{query}", headers=accept)).json()
            found = answer["rows"][0]["object"] if form == "Table" else answer["items"][0]
            assert (found["metadata"]["name"], "managedFields" in found["metadata"]) == ("f", not query)


async def test_a_list_of_one_name_has_that_one_alone_and_is_followed_from_there(start: Start) -> None:
    async with start() as running:
        await running.http.post(FOUNDATIONS, json=FOUNDATION)
        await running.http.post(FOUNDATIONS, json={**FOUNDATION, "metadata": {"name": "g", "labels": {"a": "b"}}})

        async def names(query: str) -> list[str]:
            items = (await running.http.get(f"{FOUNDATIONS}?fieldSelector=metadata.name%3D{query}")).json()["items"]
            return [item["metadata"]["name"] for item in items]

        assert await names("f") == ["f"]
        assert await names("none") == []
        assert await names("g&labelSelector=a%3Db") == ["g"]
        assert await names("f&labelSelector=a%3Db") == []
        assert await names("f,metadata.name%3Dg") == []
        assert await names("f&limit=1") == ["f"]
        listed = (await running.http.get(f"{FOUNDATIONS}?fieldSelector=metadata.name%3Df")).json()["metadata"]
        assert listed == {"resourceVersion": str(await running.service.store.revision())}


async def test_pages_show_one_snapshot(start: Start) -> None:
    async with start() as running:
        for name in ("a", "b", "c", "d"):
            await running.http.post(SECRETS, json={**SECRET, "metadata": {"name": name}})
        first = (await running.http.get(f"{SECRETS}?limit=2")).json()
        await running.http.delete(f"{SECRETS}/d")
        await running.http.post(SECRETS, json={**SECRET, "metadata": {"name": "cc"}})
        token = first["metadata"]["continue"]
        second = (await running.http.get(f"{SECRETS}?limit=2&continue={token}")).json()
        assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c", "d"]
        assert second["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}
        old = (await running.http.get(f"{SECRETS}?resourceVersion={first['metadata']['resourceVersion']}"
                                      "&resourceVersionMatch=Exact")).json()  # fmt: skip
        assert [item["metadata"]["name"] for item in old["items"]] == ["a", "b", "c", "d"]


async def test_an_old_snapshot_is_answered_with_410(start: Start) -> None:
    async with start() as running:
        for name in ("a", "b", "c"):
            await running.http.post(SECRETS, json={**SECRET, "metadata": {"name": name}})
        token = (await running.http.get(f"{SECRETS}?limit=1")).json()["metadata"]["continue"]
        await running.http.delete(f"{SECRETS}/c")
        await running.service.store.compact(await running.service.store.revision())
        answer = await running.http.get(f"{SECRETS}?limit=1&continue={token}")
        assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")
        watched = await running.http.get(f"{SECRETS}?watch=true&resourceVersion=1&timeoutSeconds=1")
        event = json.loads(watched.text)
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_an_update_needs_the_revision_and_finds_conflicts(start: Start) -> None:
    async with start() as running:
        made = (await running.http.post(FOUNDATIONS, json=FOUNDATION)).json()
        assert (await running.http.put(f"{FOUNDATIONS}/f", json=FOUNDATION)).status_code == 422
        await running.http.patch(f"{FOUNDATIONS}/f", content=b'{"metadata":{"labels":{"a":"b"}}}', headers=MERGE)
        stale = await running.http.put(f"{FOUNDATIONS}/f", json=made)
        assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
        moved = {**FOUNDATION, "metadata": {"name": "g", "resourceVersion": "1"}}
        assert (await running.http.put(f"{FOUNDATIONS}/f", json=moved)).status_code == 400


async def test_a_write_that_changes_nothing_makes_no_revision(start: Start) -> None:
    async with start() as running:
        await running.http.post(FOUNDATIONS, json=FOUNDATION)
        before = await running.service.store.revision()
        answer = await running.http.patch(
            f"{FOUNDATIONS}/f", content=b'{"spec":{"kubernetes":{"version":"v1.20.2"}}}', headers=MERGE
        )
        assert answer.status_code == 200
        assert await running.service.store.revision() == before


async def test_what_the_server_sets_cannot_be_changed(start: Start) -> None:
    async with start() as running:
        made = (await running.http.post(FOUNDATIONS, json=FOUNDATION)).json()["metadata"]
        past = "2001-01-01T00:00:00Z"
        forged = {"creationTimestamp": past, "generation": 9}
        patch = json.dumps({"metadata": forged}).encode()
        found = (await running.http.patch(f"{FOUNDATIONS}/f", content=patch, headers=MERGE)).json()["metadata"]
        for name in ("uid", "creationTimestamp", "generation", "resourceVersion"):
            assert found[name] == made[name]
        ended = json.dumps({"metadata": {"deletionTimestamp": past}}).encode()
        refused = (await running.http.patch(f"{FOUNDATIONS}/f", content=ended, headers=MERGE)).json()
        assert (refused["code"], refused["details"]["causes"][0]["field"]) == (422, "metadata.deletionTimestamp")


async def test_a_deletion_keeps_to_its_preconditions_and_dry_run(start: Start) -> None:
    async with start() as running:
        made = (await running.http.post(SECRETS, json=SECRET)).json()["metadata"]
        for body, code in (
            ({"preconditions": {"uid": "other"}}, 409),
            ({"preconditions": {"resourceVersion": "1"}}, 409),
            ({"dryRun": ["All"]}, 200),
            ({"dryRun": ["Some"]}, 422),
            ({"propagationPolicy": "Sideways"}, 422),
            (SECRET, 400),
        ):
            assert (await running.http.request("DELETE", f"{SECRETS}/s", json=body)).status_code == code, body
        assert (await running.http.get(f"{SECRETS}/s")).status_code == 200
        done = await running.http.request("DELETE", f"{SECRETS}/s", json={"preconditions": {"uid": made["uid"]}})
        assert done.json()["details"] == {"name": "s", "kind": "secrets", "uid": made["uid"]}
        assert (await running.http.get(f"{SECRETS}/s")).status_code == 404


async def test_a_refused_secret_does_not_come_back_in_the_error(start: Start) -> None:
    async with start() as running:
        bad = {**SECRET, "data": {"a": "not base64, but secret"}}
        answer = await running.http.post(SECRETS, json=bad)
        assert answer.status_code == 400
        assert "not base64, but secret" not in answer.text
        as_yaml = {"content-type": "application/yaml"}
        yaml = await running.http.post(SECRETS, content=b"data: {a: 'hush", headers=as_yaml)
        assert yaml.status_code == 400
        assert "hush" not in yaml.text


async def test_warnings_name_unknown_fields_which_are_pruned(start: Start) -> None:
    async with start() as running:
        answer = await running.http.post(FOUNDATIONS, json={**FOUNDATION, "extra": 1})
        assert answer.headers.get_list("warning") == ['299 - "unknown field \\"extra\\""']
        assert "extra" not in answer.json()
        silent = {**FOUNDATION, "extra": 1, "metadata": {"name": "g"}}
        assert "warning" not in (await running.http.post(f"{FOUNDATIONS}?fieldValidation=Ignore", json=silent)).headers


async def test_the_log_of_an_operation_is_streamed(start: Start) -> None:
    async with start() as running:
        uid = await stored_operation(running)
        running.logbook.append(uid, "init/m1", "hello")
        running.logbook.append(uid, "join/m2", "world")
        running.logbook.finish(uid)
        for query, lines in (("", ["hello", "world"]), ("?step=join/m2&follow=true", ["world"])):
            answer = await running.http.get(f"{GROUP}/operations/o/log{query}")
            assert [json.loads(line)["line"] for line in answer.text.splitlines()] == lines
        assert (await running.http.get(f"{GROUP}/operations/none/log")).status_code == 404


async def stored_operation(running: Running) -> str:
    """Store an Operation, past admission, which is not what this is about; return its uid."""
    metadata = {"name": "o", "namespace": "default", "uid": "11111111-2222"}
    body = {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Operation", "metadata": metadata}
    await running.service.store.create(Key("operations.groundplane.dev", "default", "o"), encoder(body))
    return metadata["uid"]


async def test_discovery_names_the_same_resources_in_both_forms(start: Start) -> None:
    async with start() as running:
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        aggregated = (await running.http.get("/apis", headers={"accept": accept})).json()
        for item in aggregated["items"]:
            group, version = item["metadata"]["name"], item["versions"][0]["version"]
            plain = (await running.http.get(f"/apis/{group}/{version}")).json()
            names = {entry["name"] for entry in plain["resources"] if "/" not in entry["name"]}
            assert names == {entry["resource"] for entry in item["versions"][0]["resources"]}
        assert (await running.http.get("/apis")).json()["kind"] == "APIGroupList"


async def test_openapi_references_lead_somewhere(start: Start) -> None:
    async with start() as running:
        index = (await running.http.get("/openapi/v3")).json()["paths"]
        for served in index.values():
            document = (await running.http.get(served["serverRelativeURL"])).json()
            schemas = document["components"]["schemas"]
            for name in set(_references(document)):
                assert name.removeprefix("#/components/schemas/") in schemas
        swagger = (await running.http.get("/openapi/v2")).json()
        for name in set(_references(swagger)):
            assert name.removeprefix("#/definitions/") in swagger["definitions"]


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [name for part in node.values() for name in _references(part)]
    return [name for part in node for name in _references(part)] if isinstance(node, list) else []
