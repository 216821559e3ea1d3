"""The gateway: what goes through to a managed cluster and back, as whom, and what stays behind."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support.scripted_kube import Reply, Request, ScriptedKube

from groundplane.kube.kubeconfig import Access, render_kubeconfig
from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.gateway.doors import Doors
from groundplane.server.gateway.identity import impersonation
from groundplane.server.run import listen, serve
from groundplane.server.status import StatusError
from groundplane.server.users import User

from .access import binding, caller, user, write
from .conftest import GROUP, Running, Start

PROXY = "/clusters/default/shop/proxy"
TOKEN = "the-token-of-the-cluster"
CLUSTER = {
    "apiVersion": "groundplane.dev/v1alpha1",
    "kind": "Cluster",
    "metadata": {"name": "shop"},
    "spec": {"provider": "Imported", "kubeconfigRef": {"name": "shop-kubeconfig"}},
}
PATIENCE = 10.0


@dataclass
class Gate:
    """A server on a socket with the Cluster "shop", which leads to `member`; `http` calls as an administrator."""

    running: Running
    member: ScriptedKube
    http: httpx2.AsyncClient
    port: int
    trust: ssl.SSLContext

    @asynccontextmanager
    async def of(self, name: str, *groups: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Give a client of another user."""
        async with caller(self.running, name, *groups) as made:
            self_as = {"authorization": made.headers["authorization"]}
        async with httpx2.AsyncClient(verify=self.trust, base_url=str(self.http.base_url), headers=self_as) as http:
            yield http

    async def bind(self, name: str, role: str) -> None:
        done = await write(self.http, "RoleBinding", binding(f"{name}-{role}", role, user(name)), "default")
        assert done.status_code == 201, done.text

    async def point(self, url: str) -> None:
        """Let the Cluster's Secret lead elsewhere."""
        path = "/api/v1/namespaces/default/secrets/shop-kubeconfig"
        done = await self.http.patch(
            path, json={"data": _data(url)}, headers={"content-type": "application/merge-patch+json"}
        )
        assert done.status_code == 200, done.text


Open = Callable[..., AbstractAsyncContextManager[Gate]]


def _data(url: str, token: str = TOKEN) -> dict[str, str]:
    return {"kubeconfig": base64.b64encode(render_kubeconfig(Access(url, token=token), name="shop")).decode()}


async def _told(request: Request, reply: Reply) -> None:
    """Answer with what came."""
    said = {"method": request.method, "path": request.path, "params": request.params, "headers": request.headers}
    await reply.json({**said, "body": request.body.decode()})


@pytest.fixture
def gate(start: Start, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def run(script: Callable[[Request, Reply], Any] = _told) -> AsyncIterator[Gate]:
        files = certificates.ensure(tmp_path / "home")
        trust = ssl.create_default_context(cafile=str(files.ca))
        async with start() as running, ScriptedKube(script) as member:
            doors = Doors(running.service.store)
            app = build(replace(running.server, gateway=doors))
            try:
                async with (
                    serve(app, files, listen("127.0.0.1", 0), running.server.stopping) as at,
                    httpx2.AsyncClient(verify=trust, base_url=at.url, headers=running.bearer) as http,
                ):
                    await _make(http, member.url)
                    yield Gate(running, member, http, at.port, trust)
            finally:
                await doors.aclose()

    return run


async def _make(http: httpx2.AsyncClient, url: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "groundplane.dev/kubeconfig",
        "metadata": {"name": "shop-kubeconfig"},
        "data": _data(url),
    }
    assert (await http.post("/api/v1/namespaces/default/secrets", json=secret)).status_code == 201
    made = await http.post(f"{GROUP}/clusters", json=CLUSTER)
    assert made.status_code == 201, made.text
    status = {**made.json(), "status": {"kubeconfigRef": {"name": "shop-kubeconfig"}}}
    done = await http.put(f"{GROUP}/clusters/shop/status", json=status)
    assert done.status_code == 200, done.text


async def test_a_request_goes_through_as_it_came_with_the_clusters_credentials(gate: Open) -> None:
    async with gate() as at:
        answer = await at.http.post(
            f"{PROXY}/api/v1/namespaces/a%2Fb/pods?dryRun=All&x=%20y",
            content=b'{"kind":"Pod"}',
            headers={
                "content-type": "application/json",
                "cookie": "a=b",
                "x-remote-user": "root",
                "origin": "https://x",
            },
        )
        assert answer.status_code == 200
        seen = answer.json()
        assert (seen["method"], seen["path"]) == ("POST", "/api/v1/namespaces/a%2Fb/pods")
        assert (seen["params"], seen["body"]) == ({"dryRun": "All", "x": " y"}, '{"kind":"Pod"}')
        assert seen["headers"]["authorization"] == f"Bearer {TOKEN}"
        assert seen["headers"]["content-type"] == "application/json"
        assert seen["headers"]["audit-id"] == answer.headers["audit-id"]
        assert not {"cookie", "x-remote-user", "origin", "impersonate-user"} & seen["headers"].keys()


async def test_an_answer_is_no_page_of_ours_and_sets_nothing_in_a_browser(gate: Open) -> None:
    async def page(request: Request, reply: Reply) -> None:
        evil = "Set-Cookie: a=b\r\nContent-Security-Policy: script-src *\r\nAccess-Control-Allow-Origin: *\r\n"
        await reply.text("<script>1</script>", 418, f"Content-Type: text/html\r\nWarning: 299 - x\r\n{evil}")

    async with gate(page) as at:
        answer = await at.http.get(f"{PROXY}/api/v1/namespaces/default/services/x/proxy/")
        assert (answer.status_code, answer.text) == (418, "<script>1</script>")
        assert answer.headers["warning"] == "299 - x"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not {"set-cookie", "access-control-allow-origin"} & set(answer.headers)


async def test_who_may_not_read_the_kubeconfig_is_impersonated_apart_from_the_clusters_own_names(gate: Open) -> None:
    async with gate() as at, at.of("ada", "ops") as ada:
        assert (await ada.get(f"{PROXY}/version")).status_code == 403
        await at.bind("ada", "view")
        seen = (await ada.get(f"{PROXY}/version")).json()["headers"]
        assert seen["impersonate-user"] == "groundplane:ada"
        # Of a header that comes several times the script keeps the last.
        assert seen["impersonate-group"] == "groundplane:view"
        assert (await ada.post(f"{PROXY}/api/v1/pods", content=b"{}")).status_code == 403
        await at.bind("ada", "edit")
        seen = (await ada.post(f"{PROXY}/api/v1/pods", content=b"{}")).json()["headers"]
        assert "impersonate-user" not in seen, "an editor may read the Secret, and so use what is in it"


async def test_who_may_write_but_not_read_secrets_is_in_the_group_of_editors(gate: Open) -> None:
    async with gate() as at, at.of("bob") as bob:
        rules = [{"verbs": ["*"], "resources": ["clusters/proxy"], "apiGroups": ["groundplane.dev"]}]
        await write(at.http, "Role", {"metadata": {"name": "go"}, "rules": rules}, "default")
        await write(at.http, "RoleBinding", binding("bob", "go", user("bob"), kind="Role"), "default")
        assert (await bob.get(f"{PROXY}/version")).json()["headers"]["impersonate-group"] == "groundplane:edit"


async def test_nobody_without_credentials_gets_through(gate: Open) -> None:
    async with gate() as at, httpx2.AsyncClient(verify=at.trust, base_url=at.http.base_url) as nobody:
        assert (await nobody.get(f"{PROXY}/version")).status_code == 401
        assert at.member.requests == []


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2E/b", "/..", "/./x", "/a/..%2fb", "/%2E%2e%5cx", "/a/..\\b"])
async def test_dot_segments_are_refused(gate: Open, path: str) -> None:
    async with gate() as at:
        reader, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}{path}"))
        assert (await _until(reader, b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        writer.transport.abort()
        assert at.member.requests == []


async def test_what_is_not_there_is_told(gate: Open) -> None:
    async with gate() as at:
        missing = await at.http.get("/clusters/default/none/proxy/version")
        assert (missing.status_code, missing.json()["message"]) == (404, 'clusters.groundplane.dev "none" not found')
        assert (await at.http.get("/clusters/default/shop")).status_code == 404
        assert (await at.http.request("TRACE", f"{PROXY}/version")).status_code == 405
        await at.http.delete("/api/v1/namespaces/default/secrets/shop-kubeconfig")
        gone = await at.http.get(f"{PROXY}/version")
        assert gone.status_code == 503
        assert "there is no Secret shop-kubeconfig" in gone.json()["message"]


async def test_a_cluster_that_refuses_our_credentials_is_unavailable_and_not_the_callers_fault(gate: Open) -> None:
    async def refuse(request: Request, reply: Reply) -> None:
        await reply.json({"kind": "Status", "code": 401}, 401)

    async with gate(refuse) as at:
        answer = await at.http.get(f"{PROXY}/version")
        assert answer.status_code == 503
        assert "does not accept the credentials" in answer.json()["message"]
        assert "import the cluster again with --renew" in answer.json()["message"]


async def test_a_401_of_something_behind_the_cluster_is_the_callers(gate: Open) -> None:
    async def refuse(request: Request, reply: Reply) -> None:
        await reply.text("log in", 401)

    async with gate(refuse) as at:
        answer = await at.http.get(f"{PROXY}/api/v1/namespaces/a/services/grafana/proxy/login")
        assert (answer.status_code, answer.text) == (401, "log in")


async def test_the_cluster_hears_when_the_caller_leaves_before_it_has_answered(gate: Open) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def never(request: Request, reply: Reply) -> None:
        asked.set()
        await reply.silence()
        gone.set()

    async with gate(never) as at:
        _, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}/api/v1/pods?watch=true"))
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
            writer.transport.abort()
            await gone.wait()


async def test_a_group_with_the_name_of_a_level_gives_nothing(gate: Open) -> None:
    async with gate() as at:
        await at.bind("ada", "view")
        ada = User("ada", ("edit", "view", "ops"))
        told = impersonation(at.running.service.authorizer, ada, "default", "shop")
        groups = [value for name, value in told if name == b"impersonate-group"]
        assert groups == [b"groundplane:ops", b"groundplane:view"]


@pytest.mark.parametrize("name", ["a\r\nb", "ada ", "\x00"])
async def test_a_name_that_is_no_header_is_refused(gate: Open, name: str) -> None:
    async with gate() as at:
        with pytest.raises(StatusError, match="cannot be written into a header"):
            impersonation(at.running.service.authorizer, User(name), "default", "shop")


async def test_an_upgrade_that_the_connection_does_not_name_is_none(gate: Open) -> None:
    async with gate() as at:
        seen = (await at.http.get(f"{PROXY}/version", headers={"upgrade": "websocket"})).json()
        assert "upgrade" not in seen["headers"]


async def test_a_cluster_that_does_not_answer_is_unavailable(gate: Open) -> None:
    async with gate() as at:
        await at.point("http://127.0.0.1:1")
        answer = await at.http.get(f"{PROXY}/version")
        assert answer.status_code == 503
        assert "http://127.0.0.1:1 cannot be reached" in answer.json()["message"]


async def test_a_new_kubeconfig_counts_from_the_next_request_on(gate: Open) -> None:
    async with gate() as at, ScriptedKube(_told) as other:
        await at.http.get(f"{PROXY}/version")
        await at.point(other.url)
        assert (await at.http.get(f"{PROXY}/version")).status_code == 200
        assert (len(at.member.requests), len(other.requests)) == (1, 1)


async def test_a_watch_comes_event_by_event_and_ends_there_when_the_caller_leaves(gate: Open) -> None:
    gone = asyncio.Event()

    async def watch(request: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.event("ADDED", {"n": 1})
        await reply.silence()
        gone.set()

    async with gate(watch) as at:
        async with at.http.stream("GET", f"{PROXY}/api/v1/pods?watch=true") as answer:
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["object"] == {"n": 1}
            await lines.aclose()
        async with asyncio.timeout(PATIENCE):
            await gone.wait()


async def test_an_answer_that_breaks_off_there_breaks_off_here(gate: Open) -> None:
    async def cut(request: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.chunk(b"half")
        reply.cut()

    async with gate(cut) as at:
        with pytest.raises(httpx2.RemoteProtocolError):
            await at.http.get(f"{PROXY}/api/v1/pods")


async def _connect(at: Gate) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", at.port, ssl=at.trust, server_hostname="localhost")


def _head(at: Gate, path: str, *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: {at.running.bearer['authorization']}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


async def _until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await reader.readuntil(end)


class Echo:
    """A cluster that agrees to every upgrade and answers in capitals; "bye" ends it."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.left = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                     b"X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\nhello ")  # fmt: skip
        while data := await reader.read(65536):
            if data == b"bye":
                break
            writer.write(data.upper())
            await writer.drain()
        self.left.set()
        writer.close()


UPGRADE = (
    "connection: Upgrade",
    "upgrade: SPDY/3.1",
    "x-stream-protocol-version: v4.channel.k8s.io",
    "content-length: 0",
)


async def test_an_upgraded_connection_carries_bytes_both_ways_until_either_side_ends_it(gate: Open) -> None:
    echo = Echo()
    async with gate() as at, echo.serving() as url:
        await at.point(url)
        reader, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}/api/v1/namespaces/a/pods/b/exec?command=sh", *UPGRADE, method="POST"))
        head = await _until(reader, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"upgrade: SPDY/3.1\r\n" in head
        assert b"x-stream-protocol-version: v4.channel.k8s.io\r\n" in head
        assert b"\r\nPOST /api/v1/namespaces/a/pods/b/exec?command=sh " in b"\r\n" + echo.heads[0]
        assert b"upgrade: spdy/3.1" in echo.heads[0].lower()
        large = b"x" * 3_000_000
        writer.write(large)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(6 + len(large)) == b"hello " + large.upper()
        writer.write(b"bye")
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.transport.abort()


async def test_the_cluster_hears_when_the_caller_of_an_upgraded_connection_leaves(gate: Open) -> None:
    echo = Echo()
    async with gate() as at, echo.serving() as url:
        await at.point(url)
        reader, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}/exec", *UPGRADE, method="POST"))
        await _until(reader, b"hello ")
        writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            await echo.left.wait()


async def test_an_upgrade_takes_the_right_to_create_whatever_its_method(gate: Open) -> None:
    async with gate() as at, at.of("ada") as ada:
        await at.bind("ada", "view")
        headers = {"connection": "Upgrade", "upgrade": "websocket"}
        refused = await ada.get(f"{PROXY}/api/v1/namespaces/a/pods/b/exec", headers=headers)
        assert refused.status_code == 403
        assert 'cannot create resource "clusters/proxy"' in refused.json()["message"]


async def test_an_upgrade_that_the_cluster_declines_is_answered_as_it_answers(gate: Open) -> None:
    async with gate() as at:
        reader, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}/exec", *UPGRADE, method="POST"))
        head = await _until(reader, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close\r\n" in head
        async with asyncio.timeout(PATIENCE):
            assert json.loads(await reader.read())["path"] == "/exec"
        writer.transport.abort()


async def test_everything_that_goes_through_ends_when_the_server_stops(gate: Open) -> None:
    echo = Echo()
    async with gate() as at, echo.serving() as url:
        await at.point(url)
        reader, writer = await _connect(at)
        writer.write(_head(at, f"{PROXY}/exec", *UPGRADE, method="POST"))
        await _until(reader, b"hello ")
        at.running.server.stopping.set()
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.transport.abort()
