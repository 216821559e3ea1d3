"""Servers that are forked in a fraction of a second, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.server_forks import Forks, server_forks

from groundplane.cli import main

# Runs one command line and returns its exit code, what it said, and what it complained of.
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with server_forks(tmp_path_factory.mktemp("forks") / "log") as made:
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in ("GROUNDPLANE_HOME", "GROUNDPLANE_SEAL_COMMAND"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main.run([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return code, said.out, said.err

    return run
