"""The stock Python clients against the real server, each in a namespace of its own test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running import running_server


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # schemathesis sends requests that are no HTTP, too.
    with running_server(tmp_path_factory.mktemp("api"), may_say=frozenset({"Invalid HTTP request received."})) as path:
        yield path


@pytest.fixture
def namespace(kubeconfig: Path, request: pytest.FixtureRequest) -> str:
    """A namespace of its own to every test."""
    name = "".join(c for c in request.node.name.lower().replace("_", "-") if c.isalnum() or c == "-")[-60:].strip("-")
    command = [Path(sys.executable).with_name("kubectl"), f"--kubeconfig={kubeconfig}", "create", "namespace", name]
    subprocess.run(command, check=True, capture_output=True)
    return name
