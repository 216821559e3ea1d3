"""One engine a home: it holds its pid file locked, a stale file stops nobody, and stopping waits for the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from groundplane.base.errors import Refused
from groundplane.cli import process
from groundplane.cli.exits import Stopped
from groundplane.cli.ready import Ready

from .conftest import run_cli

_ENGINE = """
import signal, sys
from pathlib import Path
from groundplane.cli.process import only_engine
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with only_engine(Path(sys.argv[1])):
    print("running", flush=True)
    signal.pause()
    signal.pause()
"""


def _engine(home: Path, manner: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", _ENGINE, str(home), manner], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"running\n"
    return child


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with _engine(tmp_path, "") as child:
        yield child
        child.kill()


def test_a_running_engine_is_found_and_a_second_one_refused(engine: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert process.running(tmp_path) == engine.pid
    with pytest.raises(Refused, match=f"process {engine.pid} already runs"), process.only_engine(tmp_path):
        pytest.fail("two engines in one home")


def test_down_stops_the_engine_and_waits_for_its_end(engine: subprocess.Popen[bytes], tmp_path: Path) -> None:
    outcome = run_cli(["down", "--home", str(tmp_path)])
    assert outcome.out == f"stopped process {engine.pid}\n"
    assert engine.wait(5) == -signal.SIGTERM
    assert run_cli(["down", "--home", str(tmp_path)]).out == f"no Groundplane runs in {tmp_path}\n"


def test_an_engine_that_was_killed_leaves_nothing_that_blocks_the_next(
    engine: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    engine.kill()
    engine.wait()
    assert process.pid_file(tmp_path).read_text() == f"{engine.pid}\n"
    assert process.running(tmp_path) == 0
    with process.only_engine(tmp_path):
        assert process.running(tmp_path) == os.getpid()
    assert process.running(tmp_path) == 0


def test_a_number_in_a_stale_pid_file_is_never_signalled(tmp_path: Path) -> None:
    process.pid_file(tmp_path).write_text(f"{os.getpid()}\n")
    assert process.stop(tmp_path, patience=1) == 0


def test_an_engine_that_does_not_end_is_said_to_run_on(tmp_path: Path) -> None:
    with _engine(tmp_path, "deaf") as child:
        with pytest.raises(Stopped, match=f"process {child.pid} still runs"):
            process.stop(tmp_path, patience=0.2)
        child.kill()


def test_the_token_travels_over_the_pipe_and_not_by_repr() -> None:
    reading, writing = os.pipe()
    ready = Ready(url="https://127.0.0.1:1", kubeconfig=Path("/k"), token="secret")
    process.announce(writing, ready)
    with os.fdopen(reading, "rb") as pipe:
        assert b"secret" in pipe.read()
    assert "secret" not in repr(ready)


def test_a_starter_that_has_gone_does_not_stop_the_engine() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process.announce(writing, Ready(url="", kubeconfig=Path("/k")))


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    home = tmp_path / "home"
    outcome = run_cli(["up", "--detach", "--home", str(home), "--listen", "127.0.0.1:0"])
    try:
        assert outcome.code == 0, outcome.err
        yield home, outcome.out
    finally:
        run_cli(["down", "--home", str(home)])


def set_by(url: str, token: str, origin: str) -> set[str]:
    """Return the settings of a running engine that came so."""
    path, bearer = "/apis/server.groundplane.dev/v1alpha1/serversettings", {"authorization": f"Bearer {token}"}
    items = httpx2.get(f"{url}{path}", verify=False, headers=bearer).json()["items"]
    return {one["metadata"]["name"] for one in items if one["spec"]["origin"] == origin}


def test_a_detached_engine_answers_and_shows_its_first_token_once(detached: tuple[Path, str]) -> None:
    home, out = detached
    token = next(line.split(": ", 1)[1] for line in out.splitlines() if "token" in line)
    assert run_cli(["--kubeconfig", str(home / "admin.kubeconfig"), "get", "namespaces"]).code == 0
    assert token not in process.log_file(home).read_text()
    again = run_cli(["up", "--detach", "--home", str(home)])
    assert again.code == 0, again.err
    assert "already runs" in again.out
    assert token not in again.out
    assert run_cli(["down", "--home", str(home)]).out.startswith("stopped process")
    assert process.running(home) == 0


def test_a_detached_engine_knows_what_was_set_by_which_means(
    detached: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, out = detached
    url = next(line.split(" at ", 1)[1] for line in out.splitlines() if "answers at" in line)
    token = next(line.split(": ", 1)[1] for line in out.splitlines() if "token" in line)
    assert set_by(url, token, "Flag") == {"GROUNDPLANE_HOME", "GROUNDPLANE_LISTEN"}
    run_cli(["down", "--home", str(home)])
    monkeypatch.setenv("GROUNDPLANE_HOME", str(home))
    monkeypatch.setenv("GROUNDPLANE_LISTEN", url.removeprefix("https://"))
    assert run_cli(["up", "--detach"]).code == 0
    assert set_by(url, token, "Flag") == set()
    assert {"GROUNDPLANE_HOME", "GROUNDPLANE_LISTEN"} <= set_by(url, token, "Environment")


def test_an_engine_that_cannot_start_says_why_with_its_own_exit_code(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = run_cli(["up", "--detach", "--home", str(tmp_path / "home"), "--listen", listen])
    assert outcome.code == 3
    assert f"cannot listen on {listen}" in outcome.err
    assert process.running(tmp_path / "home") == 0
