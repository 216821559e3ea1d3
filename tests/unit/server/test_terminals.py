"""Terminals on Machines over the API: a client of WebSockets that is not ours on one side, a real sshd on the other."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncssh
import httpx2
import pytest
from httpx2.websockets import AsyncWebSocketSession, WebSocketDisconnect, WebSocketUpgradeError

from groundplane.base.clock import utc_now
from groundplane.controllers.access import Access
from groundplane.controllers.objects import Objects
from groundplane.controllers.terminals import Terminals
from groundplane.server import certificates
from groundplane.server.app import build
from groundplane.server.audit.log import AuditLog, RotatingFile, Rotation
from groundplane.server.audit.middleware import Audit
from groundplane.server.audit.policy import load_policy
from groundplane.server.http import Limits
from groundplane.server.local import LocalClient
from groundplane.server.run import listen, serve
from support.jump import Jump, jump_host
from support.sshd import Sshd, running_sshd

from .access import binding, caller, user, write
from .conftest import GROUP, Running, Start

PATIENCE = 20.0
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
MACHINE = f"{GROUP}/machines/shop-1"
POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"


@dataclass
class Screen:
    """The caller's side of one terminal. `status` is there when it has ended."""

    session: AsyncWebSocketSession
    shown: dict[int, bytes] = field(default_factory=lambda: {1: b"", 2: b""})
    status: dict[str, Any] = field(default_factory=dict)

    async def say(self, channel: int, data: bytes) -> None:
        await self.session.send_bytes(bytes([channel]) + data)

    async def type(self, text: str) -> None:
        await self.say(0, text.encode())

    async def size(self, columns: int, rows: int) -> None:
        await self.say(4, json.dumps({"Width": columns, "Height": rows}).encode())

    async def _next(self) -> None:
        message = await self.session.receive_bytes()
        if message[0] == 3:
            self.status = json.loads(message[1:])
        else:
            self.shown[message[0]] += message[1:]

    async def until(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while text.encode() not in self.shown[1]:
                await self._next()

    async def end(self) -> int:
        """Wait for the server to close, and return with which code."""
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(WebSocketDisconnect) as caught:
                while True:
                    await self._next()
        return caught.value.code


@dataclass
class Site:
    running: Running
    sshd: Sshd
    url: str
    trust: ssl.SSLContext
    authority: Path
    audit: Path
    stopping: asyncio.Event

    @asynccontextmanager
    async def opens(
        self, *argv: str, tty: bool = True, headers: dict[str, str] | None = None, protocol: str = V5
    ) -> AsyncIterator[Screen]:
        query = urlencode([("tty", str(tty).lower()), *(("command", word) for word in argv)])
        async with (
            httpx2.AsyncClient(verify=self.trust, headers=headers or self.running.bearer) as http,
            http.websocket(
                f"{self.url.replace('https', 'wss')}{MACHINE}/exec?{query}", subprotocols=[protocol]
            ) as session,
        ):
            yield Screen(session)

    async def change(self, **ssh: Any) -> None:
        done = await self.running.http.patch(
            MACHINE, json={"spec": {"ssh": ssh}}, headers={"content-type": "application/merge-patch+json"}
        )
        assert done.status_code == 200, done.text

    def events(self) -> list[dict[str, Any]]:
        lines = self.audit.read_bytes().splitlines() if self.audit.exists() else []
        return [event for event in map(json.loads, lines) if event["objectRef"].get("subresource") == "exec"]

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Return the events of terminals when there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.events()) < count:
                await asyncio.sleep(0.01)
        return self.events()


Open = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site(start: Start, tmp_path: Path) -> Open:
    @asynccontextmanager
    async def run(limits: Limits | None = None) -> AsyncIterator[Site]:
        files = certificates.ensure(tmp_path / "home")
        trust = ssl.create_default_context(cafile=str(files.ca))
        policy, log_file = tmp_path / "policy.yaml", tmp_path / "audit.log"
        policy.write_text(POLICY)
        log = AuditLog(RotatingFile(log_file, Rotation()), on_failure="continue")
        with running_sshd(tmp_path / "sshd") as sshd, jump_host(sshd.port) as jump:
            async with start() as running, log.writing():
                objects = Objects(LocalClient(running.service))
                access = Access(objects, now=utc_now)
                server = replace(
                    running.server,
                    terminals=Terminals(objects, access),
                    audit=Audit(load_policy(policy), log),
                    limits=limits or running.server.limits,
                )
                try:
                    async with serve(build(server), files, listen("127.0.0.1", 0), server.stopping) as at:
                        await _make(running.http, sshd, jump)
                        yield Site(running, sshd, at.url, trust, files.ca, log_file, server.stopping)
                finally:
                    await access.close()

    return run


async def _make(http: httpx2.AsyncClient, sshd: Sshd, jump: Jump) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "groundplane.dev/ssh",
        "metadata": {"name": "key"},
        "data": {"ssh-privatekey": base64.b64encode(sshd.client_key).decode()},
    }
    assert (await http.post("/api/v1/namespaces/default/secrets", json=secret)).status_code == 201
    ssh = {"secretRef": {"name": "key"}, "hostKey": sshd.host_key, "jump": jump.spec("key")}
    machine = {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Machine",
        "metadata": {"name": "shop-1"},
        "spec": {"address": "198.18.9.11", "ssh": ssh},
    }
    made = await http.post(f"{GROUP}/machines", json=machine)
    assert made.status_code == 201, made.text


async def _ended(pid: int) -> None:
    """Wait until a process is gone; one that nobody waits for has no command line any more."""
    found = Path(f"/proc/{pid}/cmdline")
    async with asyncio.timeout(PATIENCE):
        while found.exists() and found.read_bytes():
            await asyncio.sleep(0.01)


async def _stubborn(screen: Screen, folder: Path) -> int:
    """Start what does not mind that its terminal is gone; return its process id."""
    file = folder / "pid"
    await screen.type(f"setsid -f sh -c \"trap '' HUP TERM; echo \\$\\$ > {file}; while :; do sleep 1; done\"\n")
    async with asyncio.timeout(PATIENCE):
        while not (file.exists() and file.read_text().strip()):
            await asyncio.sleep(0.01)
    return int(file.read_text())


@pytest.mark.parametrize("protocol", [V4, V5])
async def test_a_terminal_shows_what_the_machine_says_and_ends_with_its_status(site: Open, protocol: str) -> None:
    async with site() as at, at.opens(protocol=protocol) as screen:
        await screen.size(101, 31)
        await screen.type("stty size; echo $((6*7)); exit 3\n")
        assert await screen.end() == 1000
        assert b"31 101\r\n42\r\n" in screen.shown[1]
        assert screen.status["status"] == "Failure"
        assert screen.status["reason"] == "NonZeroExitCode"
        assert screen.status["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}


async def test_a_client_of_pods_exec_speaks_to_a_machine(site: Open) -> None:
    async with site() as at:
        status, shown = await asyncio.to_thread(_as_to_a_pod, at)
    assert (status, sorted(shown.splitlines())) == (5, ["43", "bad"])


def _as_to_a_pod(at: Site) -> tuple[int, str]:
    from kubernetes.client import Configuration
    from kubernetes.stream.ws_client import WSClient

    settings = Configuration()
    settings.ssl_ca_cert = str(at.authority)
    command = urlencode([("command", word) for word in ("sh", "-c", "read n; echo $((n+1)); echo bad >&2; exit 5")])
    headers = {**at.running.bearer, "sec-websocket-protocol": V4}
    client = WSClient(settings, f"{at.url.replace('https', 'wss')}{MACHINE}/exec?{command}", headers, True)
    try:
        client.write_stdin("42\n")
        client.run_forever(timeout=PATIENCE)
        return client.returncode, client.read_all()
    finally:
        # Closing would be enough before the other side has closed; after that it leaves the socket open.
        client.sock.shutdown()


async def test_a_command_without_a_terminal_has_two_outputs_and_an_end_of_its_input(site: Open) -> None:
    async with site() as at, at.opens("sh", "-c", "cat; echo bad >&2", tty=False) as screen:
        await screen.say(0, b"a\0b")
        await screen.say(255, b"\0")
        assert await screen.end() == 1000
        assert screen.shown == {1: b"a\0b", 2: b"bad\n"}
        assert screen.status == {"metadata": {}, "status": "Success"}


async def test_what_a_signal_ended_has_the_status_that_a_shell_gives_it(site: Open) -> None:
    async with site() as at, at.opens("sh", "-c", "kill -9 $$", tty=False) as screen:
        await screen.end()
        assert screen.status["details"]["causes"][0]["message"] == "137"


async def test_it_is_recorded_who_had_a_terminal_from_when_to_when_and_not_what_was_typed(site: Open) -> None:
    async with site() as at:
        async with at.opens("sh") as screen:
            await screen.type("echo s3cr3t-$((6*7))\n")
            await screen.until("s3cr3t-42")
            received, started = await at.told(2)
            await screen.type("exit\n")
            await screen.end()
        events = await at.told(3)
        ended = events[2]
        assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
        for event in events:
            assert event["verb"] == "create"
            assert event["user"]["username"] == "admin"
            assert (event["objectRef"]["resource"], event["objectRef"]["name"]) == ("machines", "shop-1")
            assert "requestObject" not in event
        assert started["responseStatus"]["code"] == 101
        assert received["stageTimestamp"] < ended["stageTimestamp"]
        assert b"s3cr3t" not in at.audit.read_bytes()


async def test_it_takes_the_right_to_create_machines_exec_which_admin_has_and_edit_has_not(site: Open) -> None:
    async with site() as at:
        for name, role in (("ada", "admin"), ("eve", "edit")):
            done = await write(at.running.http, "RoleBinding", binding(name, role, user(name)), "default")
            assert done.status_code == 201
        async with caller(at.running, "ada") as ada, at.opens("true", headers=_of(ada)) as screen:
            await screen.end()
            assert screen.status["status"] == "Success"
        async with caller(at.running, "eve") as eve:
            with pytest.raises(WebSocketUpgradeError) as caught:
                async with at.opens("true", headers=_of(eve)):
                    pass
            assert caught.value.response.status_code == 403
        refused = (await at.told(5))[-1]
        assert refused["responseStatus"]["code"] == 403
        assert refused["annotations"]["authorization.k8s.io/decision"] == "forbid"
        assert 'cannot create resource "machines/exec"' in refused["annotations"]["authorization.k8s.io/reason"]


def _of(http: httpx2.AsyncClient) -> dict[str, str]:
    return {"authorization": http.headers["authorization"]}


async def test_who_leaves_leaves_nothing_behind(site: Open, tmp_path: Path) -> None:
    async with site() as at:
        async with at.opens("sh") as screen:
            pid = await _stubborn(screen, tmp_path)
        await _ended(pid)
        assert (await at.told(3))[2]["stage"] == "ResponseComplete"


async def test_the_record_of_the_end_comes_when_nothing_is_left_on_the_machine(site: Open, tmp_path: Path) -> None:
    async with site() as at:
        async with at.opens("sh") as screen:
            pid = await _stubborn(screen, tmp_path)
        await at.told(3)
        found = Path(f"/proc/{pid}/cmdline")
        assert not found.exists() or not found.read_bytes()


async def test_a_server_that_stops_says_so_and_leaves_nothing_behind(site: Open, tmp_path: Path) -> None:
    async with site() as at, at.opens("sh") as screen:
        pid = await _stubborn(screen, tmp_path)
        at.stopping.set()
        assert await screen.end() == 1001
        assert "the server stops" in screen.status["message"]
        await _ended(pid)


async def test_a_machine_that_is_away_is_told_in_words(site: Open) -> None:
    async with site() as at:
        at.sshd.stop()
        async with at.opens() as screen:
            assert await screen.end() == 1000
            assert screen.status["code"] == 503
            assert "cannot connect to shop-1 (198.18.9.11 through jump host of shop-1)" in screen.status["message"]
            assert "see that the machine is up" in screen.status["message"]


async def test_another_host_key_is_told_in_words(site: Open) -> None:
    async with site() as at:
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
        await at.change(hostKey=other)
        async with at.opens() as screen:
            await screen.end()
            assert "cannot trust shop-1" in screen.status["message"]
            assert "spec.ssh.hostKey" in screen.status["message"]


async def test_a_machine_without_credentials_is_told_in_words(site: Open) -> None:
    async with site() as at:
        await at.change(secretRef={"name": "nowhere"})
        async with at.opens() as screen:
            await screen.end()
            assert "there is no Secret nowhere" in screen.status["message"]
            assert "create a Secret" in screen.status["message"]


async def test_a_connection_that_is_cut_is_told_in_words(site: Open) -> None:
    async with site() as at, at.opens("sh") as screen:
        await screen.type("echo $((6*7))\n")
        await screen.until("42")
        at.sshd.cut()
        await screen.end()
        assert "the connection was" in screen.status["message"]


async def test_what_takes_nothing_of_what_is_typed_is_ended(site: Open) -> None:
    async with site(Limits(request=5, body=1, slow_reader=0.3)) as at, at.opens("sleep", "600", tty=False) as screen:

        async def flood() -> None:
            while True:
                await screen.say(0, bytes(256 * 1024))

        flooding = asyncio.create_task(flood())
        await screen.end()
        await asyncio.wait([flooding])
        assert isinstance(flooding.exception(), Exception)
        assert "takes nothing of what is typed" in screen.status["message"]


@pytest.mark.parametrize("message", [b"\x04{}", b'\x04{"Width":0,"Height":5}', b"\x01x", b"\xff\x01", b"\x07"])
async def test_what_means_nothing_ends_it_with_a_reason(site: Open, message: bytes) -> None:
    async with site() as at, at.opens("sh") as screen:
        await screen.session.send_bytes(message)
        await screen.end()
        assert screen.status["code"] == 400


async def test_without_a_websocket_or_a_machine_it_is_refused(site: Open) -> None:
    async with site() as at, httpx2.AsyncClient(verify=at.trust, base_url=at.url, headers=at.running.bearer) as http:
        assert (await http.get(f"{MACHINE}/exec")).status_code == 400
        assert (await http.post(f"{MACHINE}/exec")).status_code == 405
        assert (await http.get(f"{GROUP}/machines/other/exec")).status_code == 404
        assert (await http.get(f"{GROUP}/clusters/shop/exec")).status_code == 404


async def test_discovery_tells_of_it(site: Open) -> None:
    async with site() as at:
        listed = (await at.running.http.get("/apis/groundplane.dev/v1alpha1")).json()["resources"]
    found = next(resource for resource in listed if resource["name"] == "machines/exec")
    assert found["verbs"] == ["create"]
