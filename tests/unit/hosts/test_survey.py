"""The survey over SSH: one exec, whatever stands around its output, and no machine that delays another."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from groundplane.base.clock import utc_now
from groundplane.hosts import shell
from groundplane.hosts.errors import CommandFailed, HostTimeout, SurveyIncomplete
from groundplane.hosts.facts import offset_of, survey
from groundplane.hosts.facts.network import ADDRESSES_KEPT
from groundplane.hosts.facts.script import SURVEY
from groundplane.hosts.facts.sections import split
from groundplane.hosts.ssh import HostAccess, HostPool, Limits
from support.pki import Pki
from support.scripted_host import Answer, ScriptedHost, scripted_host

from .test_facts import facts_of

CAPTURED = (Path(__file__).parents[2] / "data/facts/captured-lab-fresh.txt").read_bytes()


def whole() -> bytes:
    return b"@@ begin\n@@ clock\n%.6f\n@@ files\n" % time.time() + CAPTURED


def access_of(server: ScriptedHost, name: str = "shop-1") -> HostAccess:
    return HostAccess(
        name=name, address="127.0.0.1", port=server.port, password=server.password, host_key=server.host_key
    )


@contextlib.asynccontextmanager
async def answering(answer: Callable[[], Answer]) -> AsyncIterator[ScriptedHost]:
    async with scripted_host(lambda argv: answer()) as server:
        yield server


async def test_a_survey_is_one_exec_on_a_new_connection_and_on_an_old_one() -> None:
    async with answering(lambda: Answer(stdout=whole())) as server, HostPool() as pool:
        for number in (1, 2):
            facts = await survey(pool.connect(access_of(server)), utc_now)
            assert facts.os.id == "debian"
            assert len(server.commands) == number


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda text: b"Welcome to this machine!\n" + text + b"Good bye\n@@ end\n",
        lambda text: b"no newline at the end: " + text,
        lambda text: b"@@ files\n/etc/os-release:ID=forged\n" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"@@ identity", b"\0\0@@ identity"),
        lambda text: b"\xff\xfe\n" + text,
    ],
    ids=["banner", "banner without newline", "forged section", "CRLF", "NUL", "binary"],
)
async def test_what_others_print_around_it_does_not_spoil_a_survey(wrapped: Callable[[bytes], bytes]) -> None:
    async with answering(lambda: Answer(stdout=wrapped(whole()))) as server, HostPool() as pool:
        facts = await survey(pool.connect(access_of(server)), utc_now)
    assert (facts.os.id, facts.network.hostname) == ("debian", facts_of(CAPTURED).network.hostname)
    assert abs(facts.time.offset_seconds) < 1


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Answer(stdout=whole()[: len(CAPTURED) // 2]), SurveyIncomplete, "cut short"),
        (Answer(stdout=CAPTURED), CommandFailed, "status 1"),
        (Answer(stdout=b"@@ begin\n@@ clock\nyesterday\n@@ files\n" + CAPTURED), SurveyIncomplete, "its time"),
        (Answer(stdout=b"@@ begin\n" + b"x" * 5_000_000), SurveyIncomplete, "more than 4 MiB"),
    ],
    ids=["half", "no begin", "no time", "endless"],
)
async def test_an_output_that_is_not_whole_is_refused_with_the_reason(
    answer: Answer, error: type[Exception], words: str
) -> None:
    def script(argv: list[str]) -> Answer:
        return Answer() if argv == ["true"] else Answer(answer.stdout, status=1 if error is CommandFailed else 0)

    async with scripted_host(script) as server, HostPool() as pool:
        with pytest.raises(error, match=words) as caught:
            await survey(pool.connect(access_of(server)), utc_now)
    assert "shop-1 (127.0.0.1" in str(caught.value)


async def test_a_machine_that_is_silent_is_given_up_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "KILL_AFTER", 0)
    async with answering(lambda: Answer(silent=True)) as server, HostPool() as pool:
        with pytest.raises(HostTimeout, match=r"cannot survey shop-1 .*did not answer in 0.2 s"):
            await pool.connect(access_of(server)).survey(timeout=0.2)


async def test_a_machine_that_accepts_and_says_nothing_delays_nobody() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    dead = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = dead.sockets[0].getsockname()[1]
    limits = Limits(commands=1, handshakes=1)
    async with (
        dead,
        answering(lambda: Answer(stdout=whole())) as server,
        HostPool(limits=limits, connect_timeout=5) as pool,
    ):
        lost = [HostAccess(name=f"lost-{n}", address="127.0.0.1", port=port, password="x") for n in range(20)]
        waiting = [asyncio.create_task(pool.connect(access).survey()) for access in lost]
        await asyncio.sleep(0)
        started = time.monotonic()
        await survey(pool.connect(access_of(server)), utc_now)
        assert time.monotonic() - started < 4
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, HostTimeout) for answer in answers)


async def test_only_the_connections_used_last_stay_open() -> None:
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(answering(lambda: Answer(stdout=whole()))) for _ in range(4)]
        pool = await stack.enter_async_context(HostPool(limits=Limits(kept=2)))
        for server in servers:
            await survey(pool.connect(access_of(server)), utc_now)
        for _ in range(100):
            open_now = [not server.connections[0].is_closed() for server in servers]
            if open_now == [False, False, True, True]:
                break
            await asyncio.sleep(0.02)
        assert open_now == [False, False, True, True]
        await survey(pool.connect(access_of(servers[0])), utc_now)
        assert len(servers[0].connections) == 2


async def test_behind_sudo_the_script_comes_on_standard_input(tmp_path: Path) -> None:
    seen: list[str] = []

    def script(argv: list[str]) -> Answer:
        seen.append(" ".join(argv))
        return Answer(stdout=whole())

    async with scripted_host(script) as server, HostPool() as pool:
        host = pool.connect(HostAccess(**{**_fields(access_of(server)), "user": "admin"}))
        assert (await survey(host, utc_now)).os.id == "debian"
    assert len(seen) == 1
    assert SURVEY not in seen[0]


def _fields(access: HostAccess) -> dict[str, object]:
    return {name: getattr(access, name) for name in access.__slots__}


@pytest.mark.parametrize(
    ("there", "offset"),
    [
        ((100.5, 100.5), 0.0),
        ((99.0, 99.0), -1.0),
        ((103.0, 103.0), 2.0),
        ((99.9, 100.9), 0.0),
        ((98.0, 99.0), -1.0),
    ],
)
def test_only_an_offset_that_is_certain_counts(there: tuple[float, float], offset: float) -> None:
    assert offset_of(there, asked=100.0, answered=101.0) == pytest.approx(offset)


def run(script: str, *, before: str) -> bytes:
    """Run the facts script in namespaces of its own, after the commands `before`."""
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-ec", f'{before}\nexec sh -c "$1"', "sh", script],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_many_interfaces_are_counted_and_not_listed() -> None:
    batch = "".join(
        f"link add d{n} type bridge\naddr add 10.1.{n // 200}.{n % 200 + 1}/32 dev d{n}\n" for n in range(600)
    )
    output = run(SURVEY, before=f"mount -t sysfs sysfs /sys; ip -batch - <<'X'\n{batch}X")
    network = facts_of(output).network
    assert network.interfaces >= 600
    assert 0 < len(network.addresses) <= ADDRESSES_KEPT
    assert split(output)["addresses"][ADDRESSES_KEPT:] == []


@pytest.fixture
def cluster_member(tmp_path: Path) -> tuple[Path, bytes]:
    """The folders of a machine with certificates, keys among them; and the lines of the keys."""
    certificate, key = Pki().issue("kube-apiserver")
    pki = tmp_path / "etc/kubernetes/pki"
    (pki / "etcd").mkdir(parents=True)
    (tmp_path / "lib/kubelet/pki").mkdir(parents=True)
    (pki / "apiserver.crt").write_bytes(certificate + key)
    (pki / "first-the-key.crt").write_bytes(key + certificate)
    (pki / "broken.crt").write_bytes(certificate[: len(certificate) // 2] + b"\n" + key)
    (pki / "etcd/no-certificate.crt").write_bytes(b"nothing\n")
    (tmp_path / "lib/kubelet/pki/kubelet-client-current.pem").write_bytes(certificate + key)
    data = (base64.b64encode(content).decode() for content in (certificate, key))
    (tmp_path / "etc/kubernetes/admin.conf").write_text(
        "users:\n- user:\n    client-certificate-data: {}\n    client-key-data: {}\n".format(*data)
    )
    return tmp_path, key


def test_certificates_are_read_and_no_line_of_a_key_leaves_the_machine(cluster_member: tuple[Path, bytes]) -> None:
    folder, key = cluster_member
    output = run(SURVEY, before=f"mount --bind {folder}/etc /etc; mount --bind {folder}/lib /var/lib")
    assert b"PRIVATE" not in output
    assert b"client-key-data" not in output
    assert not [line for line in key.splitlines() if len(line) > 20 and line in output]
    found = [(os.path.basename(one.path), one.subject) for one in facts_of(output).certificates]
    assert sorted(found) == [
        ("admin.conf", "kube-apiserver"),
        ("apiserver.crt", "kube-apiserver"),
        ("broken.crt", ""),
        ("first-the-key.crt", "kube-apiserver"),
        ("kubelet-client-current.pem", "kube-apiserver"),
    ]
