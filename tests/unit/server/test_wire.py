"""What goes over the wire: ETags, compression, YAML, methods and paths, as kube-apiserver has them."""

from __future__ import annotations

import gzip
import json

import httpx2
import pytest
import yaml

from .conftest import FOUNDATION, GROUP, Start

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
LARGE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"a": "x" * 200_000}}


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api", AGGREGATED.format("v2")),
        ("/apis", AGGREGATED.format("v2")),
        ("/apis", AGGREGATED.format("v2beta1")),
        ("/openapi/v3", "application/json"),
        ("/openapi/v3/api/v1", "application/json"),
        ("/openapi/v2", "application/json"),
        ("/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"),
    ],
)
async def test_a_document_that_the_caller_has_is_not_sent_again(start: Start, path: str, accept: str) -> None:
    async with start() as running:
        first = await running.http.get(path, headers={"accept": accept})
        assert first.status_code == 200
        assert "Accept" in first.headers["vary"].split(", ")
        assert first.headers["cache-control"] == "public"
        again = await running.http.get(path, headers={"accept": accept, "if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await running.http.get(path, headers={"accept": accept, "if-none-match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content)


async def test_forms_of_one_document_have_different_etags(start: Start) -> None:
    async with start() as running:
        tags = {
            (await running.http.get("/apis", headers={"accept": AGGREGATED.format(form)})).headers["etag"]
            for form in ("v2", "v2beta1")
        }
        assert len(tags) == 2


async def test_an_openapi_document_is_kept_by_its_hash_and_an_old_hash_leads_to_the_present_one(start: Start) -> None:
    async with start() as running:
        paths = (await running.http.get("/openapi/v3")).json()["paths"]
        url = paths["apis/groundplane.dev/v1alpha1"]["serverRelativeURL"]
        kept = await running.http.get(url)
        assert kept.headers["cache-control"] == "public, immutable"
        assert kept.headers["expires"].endswith("GMT")
        old = await running.http.get(url.partition("=")[0] + "=OLD")
        assert (old.status_code, old.headers["location"]) == (301, url)
        assert (await running.http.get("/openapi/v3/apis/none/v1")).status_code == 404


async def raw(running_http: httpx2.AsyncClient, path: str, encoding: str) -> tuple[httpx2.Headers, bytes]:
    """Return headers and the body as it came, not decoded."""
    async with running_http.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


async def test_large_answers_are_compressed_for_those_who_take_it(start: Start) -> None:
    async with start() as running:
        assert (await running.http.post(CONFIG_MAPS, json=LARGE)).status_code == 201
        plain_headers, plain = await raw(running.http, f"{CONFIG_MAPS}/large", "identity")
        assert "content-encoding" not in plain_headers
        for encoding in ("gzip", "deflate, gzip;q=0.5"):
            headers, body = await raw(running.http, f"{CONFIG_MAPS}/large", encoding)
            assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
            assert int(headers["content-length"]) == len(body) < len(plain) / 10
            assert gzip.decompress(body) == plain
        for encoding in ("gzip;q=0", "br", "xgzip"):
            assert "content-encoding" not in (await raw(running.http, f"{CONFIG_MAPS}/large", encoding))[0]


async def test_small_answers_and_watches_are_not_compressed(start: Start) -> None:
    async with start() as running:
        await running.http.post(CONFIG_MAPS, json=LARGE)
        assert "content-encoding" not in (await raw(running.http, "/version", "gzip"))[0]
        headers, body = await raw(running.http, f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1", "gzip")
        assert "content-encoding" not in headers
        assert json.loads(body.splitlines()[0])["object"]["metadata"]["name"] == "large"


async def test_a_compressed_request_is_refused_as_what_it_is_not(start: Start) -> None:
    async with start() as running:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = await running.http.post(
            CONFIG_MAPS, content=gzip.compress(json.dumps(LARGE).encode()), headers=headers
        )
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


async def test_answers_are_yaml_for_those_who_prefer_it(start: Start) -> None:
    async with start() as running:
        await running.http.post(f"{GROUP}/foundations", json=FOUNDATION)
        wanted = {"accept": "application/yaml"}
        answer = await running.http.get(f"{GROUP}/foundations/f", headers=wanted)
        assert answer.headers["content-type"] == "application/yaml"
        assert yaml.safe_load(answer.text) == (await running.http.get(f"{GROUP}/foundations/f")).json()
        missing = await running.http.get(f"{GROUP}/foundations/none", headers=wanted)
        assert (missing.status_code, yaml.safe_load(missing.text)["reason"]) == (404, "NotFound")
        table = await running.http.get(
            f"{GROUP}/foundations", headers={"accept": "application/yaml;as=Table;g=meta.k8s.io;v=v1"}
        )
        assert yaml.safe_load(table.text)["kind"] == "Table"
        both = await running.http.get(
            f"{GROUP}/foundations/f", headers={"accept": "application/json, application/yaml"}
        )
        assert both.headers["content-type"] == "application/json"


async def test_a_watch_is_no_yaml(start: Start) -> None:
    async with start() as running:
        answer = await running.http.get(f"{CONFIG_MAPS}?watch=1", headers={"accept": "application/yaml"})
        assert answer.status_code == 406
        assert "application/json;stream=watch" in yaml.safe_load(answer.text)["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("HEAD", f"{CONFIG_MAPS}/a", 405),
        ("HEAD", CONFIG_MAPS, 405),
        ("HEAD", "/version", 405),
        ("HEAD", "/livez", 200),
        ("HEAD", "/readyz/ping", 200),
        ("OPTIONS", CONFIG_MAPS, 405),
        ("OPTIONS", "/version", 405),
        ("FOO", f"{CONFIG_MAPS}/a", 405),
        ("PUT", "/version", 405),
        ("POST", f"{CONFIG_MAPS}/a", 405),
        ("GET", "/", 200),
        ("GET", "/api/", 200),
        ("GET", f"{CONFIG_MAPS}/", 200),
        ("GET", "/version/", 200),
        ("GET", "/api/v1/namespaces/default//configmaps", 404),
        ("GET", "//api/v1/namespaces/default/configmaps", 404),
        ("GET", f"{CONFIG_MAPS}/kube%2Droot", 404),
        ("GET", f"{CONFIG_MAPS}/a%2Fb", 404),
        ("GET", f"{CONFIG_MAPS}/a/b", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/apis/groundplane.dev/v9", 404),
    ],
)
async def test_methods_and_paths_are_answered_as_by_kubernetes(start: Start, method: str, path: str, code: int) -> None:
    async with start() as running:
        answer = await running.http.request(method, path)
        assert answer.status_code == code
        if code >= 400 and method != "HEAD":
            assert answer.json()["kind"] == "Status"


async def test_percent_encoding_of_plain_letters_means_nothing(start: Start) -> None:
    async with start() as running:
        await running.http.post(CONFIG_MAPS, json=LARGE)
        assert (await running.http.get(f"{CONFIG_MAPS}/l%61rge")).json()["metadata"]["name"] == "large"


@pytest.mark.parametrize("path", ["/apis/none", "/apis/none/v1"])
async def test_a_group_that_is_not_there_is_said_in_plain_text(start: Start, path: str) -> None:
    async with start() as running:
        answer = await running.http.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_root_lists_what_there_is(start: Start) -> None:
    async with start() as running:
        paths = (await running.http.get("/")).json()["paths"]
        wanted = {"/api/v1", "/apis/groundplane.dev/v1alpha1", "/readyz/store", "/livez/ping", "/metrics"}
        assert wanted <= set(paths)
        assert "/livez/store" not in paths
