"""The server on a real socket: TLS, start, stop with open watches, an address that is taken."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509

from groundplane.base.files import FileOpenToOthers
from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.authn.tokens import Tokens
from groundplane.server.renewal import Renewal
from groundplane.server.run import STOP_SECONDS, CannotListen, listen, serve

from .conftest import Start

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_it_serves_over_tls_and_ends_open_watches_soon(start: Start, tmp_path: Path) -> None:
    async with start() as running:
        files = certificates.ensure(tmp_path / "home")
        context = ssl.create_default_context(cafile=str(files.ca))
        loop = asyncio.get_running_loop()
        async with httpx2.AsyncClient(verify=context, headers=running.bearer) as http:
            bound = listen("127.0.0.1", 0)
            async with serve(build(running.server), files, bound, running.server.stopping) as listening:
                for host in ("127.0.0.1", "localhost"):
                    answer = await http.get(f"https://{host}:{listening.port}/readyz")
                    assert answer.text == "ok"
                request = http.build_request("GET", f"{listening.url}/api/v1/secrets?watch=true")
                watch = await http.send(request, stream=True)
                begun = loop.time()
            assert loop.time() - begun < STOP_SECONDS + 0.5
            assert await watch.aread() == b""
            await watch.aclose()


SERVE = """
import asyncio, sys, uvloop
from pathlib import Path
from groundplane.server import certificates
from groundplane.server.run import listen, serve

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

async def main():
    files = certificates.ensure(Path(sys.argv[1]))
    async with serve(app, files, listen("127.0.0.1", 0), asyncio.Event()) as listening:
        print(listening.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)

uvloop.run(main())
"""


@pytest.mark.parametrize("reached", ["connected", "shaken hands", "answered"])
def test_a_peer_that_never_says_goodbye_holds_up_no_stop(tmp_path: Path, reached: str) -> None:
    command = [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path / "home")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    with socket.create_connection(("127.0.0.1", port)) as plain:
        peer = plain
        if reached != "connected":
            context = ssl.create_default_context(cafile=str(tmp_path / "home" / "ca.crt"))
            peer = context.wrap_socket(plain, server_hostname="127.0.0.1")
        if reached == "answered":
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.recv(1000).startswith(b"HTTP/1.1 200")
        # It reads nothing more, as a pooled connection of a program that is busy elsewhere.
        try:
            _, errors = server.communicate(timeout=20)
        finally:
            server.kill()
        peer.close()
    assert (server.returncode, errors) == (0, "")


async def test_old_tls_is_refused(start: Start, tmp_path: Path) -> None:
    async with start() as running:
        files = certificates.ensure(tmp_path / "home")
        context = ssl.create_default_context(cafile=str(files.ca))
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        bound = listen("127.0.0.1", 0)
        async with serve(build(running.server), files, bound, running.server.stopping) as listening:
            _, writer = await asyncio.open_connection("localhost", listening.port, ssl=context)
            assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
            writer.close()
            await writer.wait_closed()
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection("localhost", listening.port, ssl=context)


def test_an_address_that_is_taken_is_named_with_a_remedy() -> None:
    bound = listen("127.0.0.1", 0)
    bound.listen()
    port = bound.getsockname()[1]
    with pytest.raises(CannotListen) as refused:
        listen("127.0.0.1", port)
    assert f"127.0.0.1:{port}" in refused.value.message
    assert "GROUNDPLANE_LISTEN" in refused.value.remedy
    bound.close()


def test_certificates_are_made_once_with_private_keys(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, names=("gp.example",), now=lambda: NOW)
    before = files.server.read_bytes()
    assert certificates.ensure(tmp_path, names=("gp.example",), now=lambda: NOW).server.read_bytes() == before
    for key in (files.ca_key, files.server_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(before)
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in named} == {"localhost", "127.0.0.1", "::1", "gp.example"}


def test_a_certificate_is_renewed_under_the_same_authority_before_it_ends(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, now=lambda: NOW)
    authority, server = files.ca.read_bytes(), files.server.read_bytes()
    later = NOW + certificates.SERVER_LIFE - certificates.RENEW_BEFORE + timedelta(days=1)
    certificates.ensure(tmp_path, now=lambda: later)
    assert files.ca.read_bytes() == authority
    assert files.server.read_bytes() != server


async def test_a_renewed_certificate_is_served_without_a_restart(start: Start, tmp_path: Path) -> None:
    home, moment = tmp_path / "home", [datetime.now(UTC) - certificates.SERVER_LIFE + certificates.RENEW_BEFORE]
    files = certificates.ensure(home, now=lambda: moment[0])
    trust = ssl.create_default_context(cafile=str(files.ca))

    async def served(port: int) -> bytes:
        _, writer = await asyncio.open_connection("localhost", port, ssl=trust)
        der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return der

    async with start() as running:
        server = running.server
        async with serve(build(server), files, listen("127.0.0.1", 0), server.stopping) as listening:
            renewal = Renewal(home, (), listening.context, now=lambda: moment[0])
            renewal.look()
            first = await served(listening.port)
            moment[0] = datetime.now(UTC)
            files.ca_key.chmod(0o644)
            renewal.look()
            assert await served(listening.port) == first, "what cannot be renewed is served on"
            files.ca_key.chmod(0o600)
            renewal.look()
            # Verified against the same authority as before.
            assert await served(listening.port) != first


def test_a_certificate_is_made_anew_for_a_new_name(tmp_path: Path) -> None:
    server = certificates.ensure(tmp_path, now=lambda: NOW).server.read_bytes()
    assert certificates.ensure(tmp_path, names=("10.1.2.3",), now=lambda: NOW).server.read_bytes() != server


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    files = certificates.ensure(tmp_path, now=lambda: NOW)
    files.ca_key.chmod(0o644)
    with pytest.raises(certificates.KeyRefused, match="others may read it"):
        certificates.ensure(tmp_path, now=lambda: NOW)


def test_tokens_are_kept_as_hashes_and_end(tmp_path: Path) -> None:
    moment = [NOW]
    tokens = Tokens(tmp_path / "tokens", now=lambda: moment[0])
    token = tokens.issue_token("ada", ("system:masters",), timedelta(hours=1))
    assert token not in (tmp_path / "tokens").read_text()
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
    found = Tokens(tmp_path / "tokens", now=lambda: moment[0]).authenticate(token)
    assert found is not None
    assert (found.name, found.administrator) == ("ada", True)
    assert tokens.authenticate(token[:-1]) is None
    moment[0] += timedelta(hours=1)
    assert tokens.authenticate(token) is None


def test_a_token_issued_elsewhere_is_seen_without_a_restart(tmp_path: Path) -> None:
    server, other = Tokens(tmp_path / "tokens"), Tokens(tmp_path / "tokens")
    assert server.authenticate("x") is None
    token = other.issue_token("ada", (), timedelta(hours=1))
    assert server.authenticate(token) is not None


def test_a_tokens_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    token = tokens.issue_token("ada", (), timedelta(hours=1))
    (tmp_path / "tokens").chmod(0o640)
    with pytest.raises(FileOpenToOthers, match="0640"):
        tokens.authenticate(token)
