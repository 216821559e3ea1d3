"""Logging in as a kubeconfig file says, with real plugin programs and a real TLS server that demands certificates."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
import yaml

from groundplane.kube.errors import Unauthorized
from groundplane.kube.kubeconfig import Access, ExecPlugin, Kubeconfig
from groundplane.kube.transport import Call, Transport
from support.pki import Pki, server_tls
from support.scripted_kube import Reply, Request, ScriptedKube

GET = Call("GET", "/api/v1/things/a", "get things/a")
V1 = "client.authentication.k8s.io/v1"

Ask = Callable[..., Any]


def kubeconfig(folder: Path, server: str, user: dict[str, Any], **cluster: Any) -> Access:
    """Write a kubeconfig file and resolve it, as the command line does."""
    folder.mkdir(exist_ok=True)
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return Kubeconfig.load([path]).access()


def program(folder: Path, code: str) -> str:
    """Make a plugin of Python code in `folder`, and return its path relative to that."""
    folder.mkdir(exist_ok=True)
    (folder / "code.py").write_text(code)
    script = folder / "plugin"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(folder / "code.py"))} "$@"\n')
    script.chmod(0o755)
    return "./plugin"


def plugin(folder: Path, code: str, **settings: Any) -> dict[str, Any]:
    """Return a user that logs in by `code`."""
    entry = {"apiVersion": V1, "command": program(folder, code), "interactiveMode": "Never", **settings}
    return {"exec": entry}


async def fine(_: Request, reply: Reply) -> None:
    await reply.json({"fine": True})


async def ask(access: Access, *, times: int = 1) -> Any:
    transport = Transport(access)
    try:
        for _ in range(times):
            answer = await transport.request(GET)
        return answer
    finally:
        await transport.close()


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_plugins_certificate_lets_us_in_where_one_is_demanded(tmp_path, version):
    pki = Pki()
    certificate, key = (pem.decode() for pem in pki.issue("admin"))
    status = {"clientCertificateData": certificate, "clientKeyData": key}
    printed = {"apiVersion": f"client.authentication.k8s.io/{version}", "kind": "ExecCredential", "status": status}
    user = plugin(tmp_path / "kube", f"print({json.dumps(json.dumps(printed))})")
    user["exec"]["apiVersion"] = printed["apiVersion"]
    (tmp_path / "kube" / "ca.crt").write_bytes(pki.ca)
    async with ScriptedKube(fine, tls=server_tls(pki, tmp_path)) as kube:
        cluster = {"certificate-authority": "ca.crt", "tls-server-name": "kube.example.dev"}
        access = kubeconfig(tmp_path / "kube", kube.url, user, **cluster)
        assert await ask(access, times=2) == {"fine": True}


async def test_certificates_of_files_and_inside_the_document_are_shown(tmp_path):
    pki = Pki()
    certificate, key = pki.issue("admin")
    folder = tmp_path / "kube"
    folder.mkdir()
    (folder / "me.crt").write_bytes(certificate)
    (folder / "me.key").write_bytes(key)
    files = {"client-certificate": "me.crt", "client-key": "me.key"}
    inside = {"client-certificate-data": base64.b64encode(certificate).decode()}
    inside["client-key-data"] = base64.b64encode(key).decode()
    cluster = {"certificate-authority-data": base64.b64encode(pki.ca).decode(), "tls-server-name": "kube.example.dev"}
    async with ScriptedKube(fine, tls=server_tls(pki, tmp_path)) as kube:
        for user in (files, inside):
            assert await ask(kubeconfig(folder, kube.url, user, **cluster)) == {"fine": True}


async def test_a_plugin_is_told_of_the_cluster_when_it_asks_for_it(tmp_path):
    told = tmp_path / "told"
    code = f"""
import json, os, pathlib
info = os.environ["KUBERNETES_EXEC_INFO"]
pathlib.Path({str(told)!r}).write_text(info)
status = {{"token": os.environ["T"]}}
print(json.dumps({{"apiVersion": json.loads(info)["apiVersion"], "kind": "ExecCredential", "status": status}}))
"""
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "shop"}}
    cluster = {"tls-server-name": "kube.example.dev", "extensions": [extension]}
    async with ScriptedKube(fine) as kube:
        for provide in (False, True):
            settings = {"provideClusterInfo": provide, "env": [{"name": "T", "value": "token-of-the-test"}]}
            await ask(kubeconfig(tmp_path / "kube", kube.url, plugin(tmp_path / "kube", code, **settings), **cluster))
            info = json.loads(told.read_text())
            assert (info["apiVersion"], info["kind"], info["spec"]["interactive"]) == (V1, "ExecCredential", False)
            if not provide:
                assert "cluster" not in info["spec"]
        wanted = {"server": kube.url, "insecure-skip-tls-verify": False, "tls-server-name": "kube.example.dev"}
        assert info["spec"]["cluster"] == wanted | {"config": {"audience": "shop"}}
        assert {r.headers["authorization"] for r in kube.requests} == {"Bearer token-of-the-test"}


async def test_a_watch_too_asks_the_plugin_once_more_after_a_401(tmp_path):
    count = tmp_path / "count"
    count.write_text("")
    code = f"""
import json, pathlib
count = pathlib.Path({str(count)!r})
count.write_text(count.read_text() + "x")
status = {{"token": "token-" + str(len(count.read_text()))}}
print(json.dumps({{"apiVersion": {V1!r}, "kind": "ExecCredential", "status": status}}))
"""

    async def answer(request: Request, reply: Reply) -> None:
        if request.headers["authorization"] != "Bearer token-2":
            await reply.json({"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "expired"}, 401)
            return
        await reply.stream()
        await reply.chunk(b'{"a": 1}\n')
        await reply.end()

    async with ScriptedKube(answer) as kube:
        transport = Transport(kubeconfig(tmp_path / "kube", kube.url, plugin(tmp_path / "kube", code)))
        async with transport.lines(Call("GET", "/x", "follow x", {"watch": "1"})) as lines:
            assert [line async for line in lines] == [b'{"a": 1}']
        await transport.close()
    assert count.read_text() == "xx"


async def test_a_token_file_is_read_again_when_it_was_renewed_between_two_looks(tmp_path):
    folder = tmp_path / "kube"
    folder.mkdir()
    (folder / "token").write_text("first\n")

    async def answer(request: Request, reply: Reply) -> None:
        if request.headers["authorization"] == "Bearer first":
            # Whoever keeps the file renews it while our request is on its way.
            (folder / "token").write_text("second\n")
            await reply.json({"kind": "Status", "code": 401, "reason": "Unauthorized", "message": "expired"}, 401)
        else:
            await reply.json({"fine": True})

    async with ScriptedKube(answer) as kube:
        assert await ask(kubeconfig(folder, kube.url, {"tokenFile": "token"})) == {"fine": True}
        assert [request.headers["authorization"] for request in kube.requests] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"clientCertificateData": "s3cr3t"}, "a certificate or a key, and not both"),
        ({"token": "s3cr3t", "expirationTimestamp": "soon"}, "did not print an ExecCredential"),
    ],
)
async def test_half_a_credential_is_refused(tmp_path, status, words):
    printed = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})
    access = kubeconfig(tmp_path / "kube", "http://127.0.0.1:1", plugin(tmp_path / "kube", f"print({printed!r})"))
    with pytest.raises(Unauthorized, match=words) as caught:
        await ask(access)
    assert "s3cr3t" not in str(caught.value)


async def test_what_a_plugin_was_given_is_not_in_its_complaint_and_the_hint_is(tmp_path):
    code = "import os, sys; sys.exit('bad login: ' + os.environ['PASSWORD'] + ' ' + sys.argv[1])"
    settings = {"env": [{"name": "PASSWORD", "value": "s3cr3t-password"}], "args": ["s3cr3t-argument"]}
    user = plugin(tmp_path / "kube", code, installHint="ask the platform team", **settings)
    with pytest.raises(Unauthorized, match=r"bad login: … ….*ask the platform team") as caught:
        await ask(kubeconfig(tmp_path / "kube", "http://127.0.0.1:1", user))
    assert "s3cr3t" not in str(caught.value)


async def test_a_plugin_that_wants_a_terminal_is_not_started(tmp_path):
    started = tmp_path / "started"
    user = plugin(tmp_path / "kube", f"open({str(started)!r}, 'w')", interactiveMode="Always")
    with pytest.raises(Unauthorized, match="wants a terminal"):
        await ask(kubeconfig(tmp_path / "kube", "http://127.0.0.1:1", user))
    assert not started.exists()


async def test_a_plugin_that_hangs_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("groundplane.kube.login._LONGEST", 0.3)
    hanging = ExecPlugin(V1, "/bin/sh", ("-c", "exec sleep 600"))
    with pytest.raises(Unauthorized, match="took longer than"):
        await ask(Access("http://127.0.0.1:1", exec_plugin=hanging))


async def test_a_handshake_that_is_given_up_leaves_no_connection(tmp_path):
    left = asyncio.Event()
    begun = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        while await reader.read(1000):
            pass
        left.set()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(Access(f"https://127.0.0.1:{port}"))
    asking = asyncio.create_task(transport.request(GET))
    await asyncio.wait_for(begun.wait(), 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    # Before the transport is closed, and without a look of the garbage collector.
    await asyncio.wait_for(left.wait(), 10)
    await transport.close()
    server.close()


async def test_a_server_that_is_not_checked_is_warned_of(tmp_path):
    async with ScriptedKube(fine) as kube:
        access = kubeconfig(tmp_path / "kube", kube.url, {"token": "t"}, **{"insecure-skip-tls-verify": True})
        with structlog.testing.capture_logs() as logged:
            await ask(access, times=2)
    assert [entry["event"] for entry in logged] == ["the server's certificate is not checked"]
