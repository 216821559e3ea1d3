"""The Host contract, held by the real sshd and by the scripted machine alike; and faults of the latter."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundplane.base.clock import utc_now
from groundplane.hosts.errors import (
    CommandFailed,
    HostDenied,
    HostTimeout,
    HostUnreachable,
    SurveyIncomplete,
    WriteRefused,
)
from groundplane.hosts.facts import survey
from groundplane.hosts.ssh import HostAccess, HostPool, Ssh
from support.scripted_host import Answer, Script, ScriptedHost, scripted_host
from support.sshd import running_sshd


@contextlib.asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Ssh]:
    with running_sshd(folder / "sshd") as server:
        access = HostAccess(
            name="m", address="127.0.0.1", port=server.port, private_keys=(server.client_key,), host_key=server.host_key
        )
        async with HostPool() as pool:
            yield pool.connect(access)


@contextlib.asynccontextmanager
async def scripted(folder: Path) -> AsyncIterator[Ssh]:
    async with scripted_host() as server, HostPool() as pool:
        yield pool.connect(access_of(server))


def access_of(server: ScriptedHost) -> HostAccess:
    return HostAccess(
        name="m", address="127.0.0.1", port=server.port, password=server.password, host_key=server.host_key
    )


MACHINES = pytest.mark.parametrize("machine", [real, scripted])


@MACHINES
async def test_commands(machine: object, tmp_path: Path) -> None:
    async with machine(tmp_path) as host:  # type: ignore[operator]
        result = await host.run(["sh", "-c", "cat; echo err >&2; exit 7"], stdin=b"in\0put", check=False)
        assert (result.status, result.stdout, result.stderr) == (7, b"in\0put", b"err\n")
        with pytest.raises(CommandFailed, match="status 1"):
            await host.run(["false"])
        assert (await host.script("echo one\necho two")).text == "one\ntwo"
        assert (await host.query(["uname"])).text == "Linux"
        with pytest.raises(WriteRefused):
            await host.query(["rm", "x"])
        with pytest.raises(HostTimeout):
            await host.run(["sleep", "60"], timeout=1)


@MACHINES
async def test_files(machine: object, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    (tmp_path / "source").write_bytes(content)
    async with machine(tmp_path) as host:  # type: ignore[operator]
        path = str(tmp_path / "a folder" / "file")
        assert await host.read(path) is None
        assert await host.stat(path) is None
        assert await host.digest(path) is None
        await host.write(path, content, mode=0o640)
        assert await host.read(path) == content
        assert (await host.stat(path)).mode == 0o640
        assert await host.digest(path) == hashlib.sha256(content).hexdigest()
        await host.upload(str(tmp_path / "source"), f"{path}.up", mode=0o755)
        assert await host.read(f"{path}.up") == content


@MACHINES
async def test_a_survey_gives_facts(machine: object, tmp_path: Path) -> None:
    async with machine(tmp_path) as host:  # type: ignore[operator]
        facts = await survey(host, utc_now)
    assert facts.kernel.release == os.uname().release
    assert facts.cpus == os.cpu_count()
    assert abs(facts.time.offset_seconds) < 2


async def against(script: Script) -> None:
    async with scripted_host(script) as server, HostPool() as pool:
        await survey(pool.connect(access_of(server)), utc_now)


async def test_a_survey_that_is_cut_in_the_middle_gives_no_facts() -> None:
    def cut(argv: list[str]) -> Answer | None:
        return Answer(stdout=b"@@ identity\n machine-id=1\n" * 100, cut_after=50) if argv[:2] == ["sh", "-c"] else None

    with pytest.raises(HostUnreachable):
        await against(cut)


async def test_a_survey_without_its_end_gives_no_facts() -> None:
    def short(argv: list[str]) -> Answer | None:
        return Answer(stdout=b"@@ identity\n machine-id=1\n") if argv[:2] == ["sh", "-c"] else None

    with pytest.raises(SurveyIncomplete, match=r"m \(127\.0\.0\.1\)"):
        await against(short)


async def test_a_machine_that_never_answers_a_command_is_given_up() -> None:
    def silent(argv: list[str]) -> Answer | None:
        return Answer(silent=True) if argv == ["uname"] else None

    async with scripted_host(silent) as server, HostPool(connect_timeout=1) as pool:
        host = pool.connect(access_of(server))
        with pytest.raises(HostTimeout, match="uname"):
            await host.query(["uname"], timeout=0.1)
        assert (await host.query(["id", "-u"])).ok


async def test_a_login_shell_that_prints_is_refused_before_it_spoils_anything() -> None:
    async with scripted_host(lambda argv: Answer(stdout=b"Welcome!\n")) as server, HostPool() as pool:
        with pytest.raises(HostDenied, match="prints text of its own") as caught:
            await pool.connect(access_of(server)).read("/etc/hostname")
    assert "bashrc" in caught.value.remedy


async def test_a_login_shell_that_runs_nothing_is_refused() -> None:
    nologin = Answer(stdout=b"", stderr=b"This account is currently not available.\n", status=1)
    async with scripted_host(lambda argv: nologin) as server, HostPool() as pool:
        with pytest.raises(HostDenied, match="currently not available"):
            await pool.connect(access_of(server)).run(["true"])
