"""The wire: what goes out, and that every failure names server and remedy and never a secret."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundplane.base.errors import Denied, Refused, Unavailable
from groundplane.kube.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    ServerUnavailable,
    TooManyRequests,
    Unauthorized,
    Untrusted,
)
from groundplane.kube.kubeconfig import Access, ExecPlugin
from groundplane.kube.transport import Call, Transport
from support.pki import Pki, server_tls
from support.scripted_kube import Reply, Request, ScriptedKube

GET = Call("GET", "/api/v1/things/a", "get things/a")


def status(code: int, reason: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": "the server's words", "details": details}


@pytest.mark.parametrize(
    ("code", "reason", "kind", "family"),
    [
        (404, "NotFound", NotFound, Refused),
        (409, "AlreadyExists", AlreadyExists, Refused),
        (409, "Conflict", Conflict, Refused),
        (409, "", Conflict, Refused),
        (410, "Expired", Gone, Refused),
        (410, "Gone", Gone, Refused),
        (422, "Invalid", Invalid, Refused),
        (415, "UnsupportedMediaType", BadRequest, Refused),
        (400, "SomethingNew", BadRequest, Refused),
        (401, "Unauthorized", Unauthorized, Denied),
        (403, "Forbidden", Forbidden, Denied),
        (429, "TooManyRequests", TooManyRequests, Unavailable),
        (500, "InternalError", ServerUnavailable, Unavailable),
        (504, "Timeout", ServerUnavailable, Unavailable),
        (503, "SomethingNew", ServerUnavailable, Unavailable),
    ],
)
async def test_the_reason_of_a_status_decides_the_error(code, reason, kind, family):
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json(status(code, reason), code)

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        with pytest.raises(kind, match=f"cannot get things/a at {kube.url}: the server's words") as caught:
            await transport.request(GET)
        await transport.close()
    assert isinstance(caught.value, family)


async def test_an_invalid_object_brings_all_its_causes():
    causes = [
        {"field": "spec.a", "message": "Required value", "reason": "FieldValueRequired"},
        {"field": "spec.b", "message": "Invalid value: 7", "reason": "FieldValueInvalid"},
    ]

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json(status(422, "Invalid", causes=causes), 422)

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        with pytest.raises(Invalid) as caught:
            await transport.request(GET)
        await transport.close()
    assert [(c.field, c.message, c.reason) for c in caught.value.causes] == [tuple(c.values()) for c in causes]


async def test_an_answer_of_a_proxy_is_an_error_by_its_code_and_retry_after_is_kept():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.text("<html>Bad gateway</html>", 502, "Retry-After: 7\r\n")

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        with pytest.raises(ServerUnavailable, match="Bad gateway") as caught:
            await transport.request(GET)
        await transport.close()
    assert caught.value.retry_after == 7


async def test_a_success_that_is_no_json_is_an_error():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.text("<html>Please log in to the hotel network</html>")

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        with pytest.raises(ServerUnavailable, match="no JSON"):
            await transport.request(GET)
        await transport.close()


async def test_a_server_that_is_down_or_mute_is_named():
    async def mute(_: Request, reply: Reply) -> None:
        await reply.silence()

    async with ScriptedKube(mute) as kube:
        transport = Transport(Access(kube.url), timeout=0.1)
        with pytest.raises(ServerUnavailable, match=f"{kube.url} did not answer in time"):
            await transport.request(GET)
    with pytest.raises(ServerUnavailable, match=f"{kube.url} cannot be reached: Connection refused"):
        await transport.request(GET)
    await transport.close()


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("POST", 1)])
async def test_a_read_on_a_dead_connection_is_repeated_and_a_write_is_not(method, tries):
    cuts = [True]

    async def answer(_: Request, reply: Reply) -> None:
        if cuts:
            cuts.pop()
            reply.cut()
        else:
            await reply.json({"fine": True})

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        call = Call(method, "/x", "touch x")
        if method == "GET":
            assert await transport.request(call) == {"fine": True}
        else:
            with pytest.raises(ServerUnavailable):
                await transport.request(call)
        await transport.close()
        assert len(kube.requests) == tries


async def test_the_token_goes_out_and_never_into_an_error_or_a_repr():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json(status(401, "Unauthorized"), 401)

    async with ScriptedKube(answer) as kube:
        access = Access(kube.url, token="s3cr3t-token", key=b"s3cr3t-key")
        transport = Transport(access)
        with pytest.raises(Unauthorized) as caught:
            await transport.request(GET)
        await transport.close()
        assert kube.requests[0].headers["authorization"] == "Bearer s3cr3t-token"
    assert "s3cr3t" not in repr(caught.value) + str(caught.value) + repr(access)


PLUGIN = """
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
counter = sys.argv[1]
count = int(open(counter).read() or 0) + 1
open(counter, "w").write(str(count))
status = {"token": f"token-{count}"}
if os.environ["EXPIRES"]:
    status["expirationTimestamp"] = os.environ["EXPIRES"]
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


def plugin(folder: Path, version: str, expires: str = "") -> ExecPlugin:
    (folder / "count").write_text("")
    (folder / "plugin.py").write_text(PLUGIN)
    return ExecPlugin(
        api_version=f"client.authentication.k8s.io/{version}",
        command=sys.executable,
        arguments=(str(folder / "plugin.py"), str(folder / "count")),
        environment={"EXPIRES": expires},
    )


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_plugins_token_is_used_until_it_expires(tmp_path, version):
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({})

    async with ScriptedKube(answer) as kube:
        access = Access(kube.url, exec_plugin=plugin(tmp_path, version, "2026-01-01T00:10:00Z"))
        transport = Transport(access, now=lambda: moment)
        await transport.request(GET)
        await transport.request(GET)
        moment += timedelta(minutes=10)
        await transport.request(GET)
        await transport.close()
        tokens = [request.headers["authorization"] for request in kube.requests]
    assert tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_plugin_is_run_again_when_the_server_refuses_its_token_and_only_once(tmp_path):
    async def answer(request: Request, reply: Reply) -> None:
        if request.headers["authorization"] in ("Bearer token-2",):
            await reply.json({"fine": True})
        else:
            await reply.json(status(401, "Unauthorized"), 401)

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url, exec_plugin=plugin(tmp_path, "v1")))
        assert await transport.request(GET) == {"fine": True}
        (tmp_path / "count").write_text("10")
        transport._login.drop(await transport._login.credentials())
        with pytest.raises(Unauthorized):
            await transport.request(GET)
        await transport.close()
        assert len(kube.requests) == 4


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; sys.exit('the vault is sealed')", "the vault is sealed"),
        ("print('s3cr3t but no json')", "did not print an ExecCredential"),
        ("print('[]')", "did not print an ExecCredential"),
        ('print(\'{"apiVersion": "other/v1"}\')', "other/v1"),
        ('print(\'{"apiVersion": "client.authentication.k8s.io/v1", "status": {}}\')', "neither"),
    ],
)
async def test_a_plugin_that_fails_is_named_with_its_reason_and_what_it_printed_is_not(code, words):
    broken = ExecPlugin("client.authentication.k8s.io/v1", sys.executable, ("-c", code))
    transport = Transport(Access("http://127.0.0.1:1", exec_plugin=broken))
    with pytest.raises(Unauthorized, match=words) as caught:
        await transport.request(GET)
    await transport.close()
    assert sys.executable in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


async def test_a_plugin_that_is_missing_says_how_to_get_it():
    missing = ExecPlugin("client.authentication.k8s.io/v1", "no-such-plugin", install_hint="apt install it")
    transport = Transport(Access("http://127.0.0.1:1", exec_plugin=missing))
    with pytest.raises(Unauthorized, match=r"no-such-plugin does not start.*apt install it"):
        await transport.request(GET)
    await transport.close()


async def test_tls_shows_our_certificate_and_trusts_the_named_ca_and_server_name_only(tmp_path):
    pki = Pki()
    certificate, key = pki.issue("admin")

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"fine": True})

    async with ScriptedKube(answer, tls=server_tls(pki, tmp_path)) as kube:

        async def ask(**changes: Any) -> Any:
            good = {"ca": pki.ca, "certificate": certificate, "key": key, "tls_server_name": "kube.example.dev"}
            transport = Transport(Access(kube.url, **(good | changes)))
            try:
                return await transport.request(GET)
            finally:
                await transport.close()

        assert await ask() == {"fine": True}
        assert await ask(ca=Pki().ca, insecure=True) == {"fine": True}
        for wrong in ({"ca": Pki().ca}, {"ca": b""}, {"tls_server_name": "other.example.dev"}):
            with pytest.raises(Untrusted, match=f"{kube.url} showed a certificate that is not trusted"):
                await ask(**wrong)
        with pytest.raises(ServerUnavailable):
            await ask(certificate=b"", key=b"")
        with pytest.raises(Refused, match="no usable PEM"):
            await ask(key=b"not a key")


async def test_lines_come_as_they_are_sent_and_leaving_early_closes_the_connection():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.stream()
        await reply.chunk(b'{"a": 1}\n{"b"')
        await reply.chunk(b": 2}\n")
        await reply.silence()

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        async with transport.lines(Call("GET", "/x", "follow x", {"watch": "1"})) as lines:
            assert [json.loads(await anext(lines)) for _ in range(2)] == [{"a": 1}, {"b": 2}]
        await transport.close()


@pytest.mark.parametrize("wait", [10**400, -1, 1e300, True, "7"], ids=["huge", "negative", "far", "truth", "text"])
@pytest.mark.parametrize("header", ["\u00b2", "9" * 5000, "-1"], ids=["power", "long", "negative"])
async def test_a_wait_that_nobody_can_wait_is_none(wait, header):
    async def answer(_: Request, reply: Reply) -> None:
        status = json.dumps({"kind": "Status", "details": {"retryAfterSeconds": wait}}).encode()
        head = f"HTTP/1.1 503 Said\r\nRetry-After: {header}\r\nContent-Length: {len(status)}\r\n\r\n"
        await reply.raw(head.encode("latin-1") + status)

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        with pytest.raises(ServerUnavailable) as caught:
            await transport.request(GET)
        await transport.close()
    assert caught.value.retry_after in (0, 1)


async def test_of_an_error_without_end_only_the_beginning_is_read():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.raw(b"HTTP/1.1 500 Said\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while not reply.gone.is_set():
                await reply.chunk(b"x" * 65536)

    async with ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url))
        async with asyncio.timeout(5):
            with pytest.raises(ServerUnavailable, match="xxx"):
                await transport.fetch(GET, limit=1000)
        await transport.close()


async def test_a_redirect_is_not_followed_and_what_it_says_is_no_answer():
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"kind": "Namespace"}, 302, f"Location: {elsewhere.url}/api\r\n")

    async with ScriptedKube(answer) as elsewhere, ScriptedKube(answer) as kube:
        transport = Transport(Access(kube.url, token="t"))
        with pytest.raises(ServerUnavailable, match="cannot get things"):
            await transport.fetch(GET, limit=1000)
        with pytest.raises(ServerUnavailable, match="cannot get things"):
            await transport.request(GET)
        await transport.close()
        assert elsewhere.requests == []
