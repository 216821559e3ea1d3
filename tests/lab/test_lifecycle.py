"""Bringing a lab up twice, taking it down after a crash, and never touching what the lab does not own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from groundplane_lab import Lab, LabError, LabSpec, down, load, prerequisites, up
from groundplane_lab.cli import lab as command
from groundplane_lab.paths import lab_home
from groundplane_lab.shell import docker, wait_until

from .conftest import SPEC

pytestmark = pytest.mark.lab

_LISTINGS = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))


def _left_of(name: str) -> list[str]:
    label = ("--quiet", "--filter", f"label=groundplane-lab={name}")
    return [line for listing in _LISTINGS for line in docker(*listing, *label).split()]


def test_a_second_up_returns_the_same_machines_and_starts_none(lab: Lab) -> None:
    listed = ("ps", "--no-trunc", "--filter", f"label=groundplane-lab={lab.name}", "--format", "{{.ID}}")
    before = docker(*listed)
    assert up(SPEC) == lab == load(lab.name)
    assert docker(*listed) == before


def test_a_lab_of_another_shape_is_refused_and_left_as_it_is(lab: Lab) -> None:
    with pytest.raises(LabError, match="choose another name"):
        up(LabSpec(name=SPEC.name, machines=3, subnet=SPEC.subnet))
    assert load(SPEC.name) == lab


def test_a_network_that_is_taken_is_refused_and_nothing_of_the_lab_stays(lab: Lab) -> None:
    taken = LabSpec(name="t-taken", machines=1, subnet=lab.subnet)
    try:
        with pytest.raises(LabError, match="try another --subnet"):
            up(taken)
    finally:
        down(taken.name)
    assert _left_of(taken.name) == []


def test_down_removes_what_a_run_left_that_was_killed_half_way(lab: Lab) -> None:
    code = "from groundplane_lab import *; up(LabSpec('t-crash', 2, '198.18.91.0/24'))"
    run = subprocess.Popen([sys.executable, "-c", code])
    try:
        wait_until("the first Docker objects", lambda: len(_left_of("t-crash")) >= 3 or None, seconds=60)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert not (lab_home() / "t-crash" / "lab.json").exists()
        assert _left_of("t-crash") != []
        assert "t-crash\tincomplete" in CliRunner().invoke(command, ["status"]).output
        down("t-crash")
    assert _left_of("t-crash") == []
    assert not (lab_home() / "t-crash").exists()
    assert load(lab.name) == lab


def test_down_of_a_lab_that_is_not_there_is_fine() -> None:
    down("t-none")


def test_an_unknown_lab_is_an_error_that_says_how_to_start_it() -> None:
    result = CliRunner().invoke(command, ["ssh", "t-none-1"])
    assert result.exit_code == 1
    assert "groundplane lab up --name t-none" in result.output


def test_status_shows_every_machine(lab: Lab) -> None:
    result = CliRunner().invoke(command, ["status"])
    for machine in lab.machines:
        assert f"{lab.name}\t{machine.name}\t{machine.address}\trunning" in result.output


def test_status_says_so_when_there_is_no_lab(tmp_path: Path) -> None:
    # In a namespace of its own, where no engine answers: the labs of this host are not seen.
    hidden = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs none /run && exec "$0" -m groundplane_lab status']
    env = {**os.environ, "GROUNDPLANE_CACHE": str(tmp_path)}
    done = subprocess.run([*hidden, sys.executable], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "no lab\n"), done.stderr


def test_an_engine_that_the_lab_did_not_start_is_never_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDPLANE_CACHE", str(tmp_path))
    victim = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        # The process id of an engine that ended long ago, now worn by another process.
        lab_home().mkdir(parents=True)
        (lab_home() / "dockerd.pid").write_text(json.dumps({"pid": victim.pid, "startTime": "1"}))
        prerequisites.stop_engine()
        os.kill(victim.pid, 0)
        assert victim.poll() is None
        assert not (lab_home() / "dockerd.pid").exists()
    finally:
        victim.communicate()


_ENGINE_ROUND_TRIP = """
mount -t tmpfs none /run && mount -t tmpfs none /var/lib/docker && ip link set lo up && exec "$0" -c '
from groundplane_lab import ensure_prerequisites, prerequisites
assert not prerequisites.engine_answers()
ensure_prerequisites()
assert prerequisites.engine_answers()
prerequisites.stop_engine()
assert not prerequisites.engine_answers()
'
"""


def test_an_engine_that_the_lab_started_answers_and_is_stopped_again(tmp_path: Path) -> None:
    # In namespaces of its own, where no engine runs: the labs of this host keep theirs.
    apart = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    done = subprocess.run(
        [*apart, "sh", "-ec", _ENGINE_ROUND_TRIP, sys.executable],
        env={**os.environ, "GROUNDPLANE_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "started the Docker engine" in done.stderr
    assert "stopped the Docker engine" in done.stderr
