"""The real API server as a process, and the command line run against it in this one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from groundplane.cli import main
from groundplane.client.http import HttpClient
from groundplane.kube.kubeconfig import Access, render_kubeconfig

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command line left."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def run_cli(arguments: Sequence[str], *, stdin: str = "", env: dict[str, str] | None = None) -> Outcome:
    """Run one command line as `main.run` does, with its outputs caught."""
    import click

    @click.command(context_settings={"ignore_unknown_options": True})
    def whole() -> None:
        sys.exit(main.run(arguments))

    result = CliRunner().invoke(whole, [], input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@dataclass(frozen=True, slots=True)
class Server:
    """A running API server; `access` is the administrator's."""

    access: Access
    nobody: Access
    kubeconfig: Path
    home: Path

    def do(self, work: Callable[[HttpClient], Coroutine[Any, Any, Any]]) -> Any:
        """Run something against the API as a user with another client would."""

        async def session() -> Any:
            async with HttpClient(self.access) as client:
                return await work(client)

        return asyncio.run(session())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.api_server", str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        ca = Path(told["ca"]).read_bytes()
        access = Access(server=told["url"], ca=ca, token=told["admin"])
        kubeconfig = home / "admin.kubeconfig"
        kubeconfig.write_bytes(render_kubeconfig(access, name="test"))
        yield Server(access, Access(server=told["url"], ca=ca, token=told["nobody"]), kubeconfig, home)
        process.communicate()


@pytest.fixture
def namespace(server: Server) -> str:
    """A namespace of this test's own."""
    name = f"t-{os.urandom(4).hex()}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    from groundplane.client.typed import NAMESPACES

    server.do(lambda client: client.create(NAMESPACES, body))
    return name


@pytest.fixture
def cli(server: Server, namespace: str) -> Cli:
    """Run a command line as the administrator, in the test's namespace."""

    def run(*arguments: str, stdin: str = "") -> Outcome:
        return run_cli(["--kubeconfig", str(server.kubeconfig), "-n", namespace, *arguments], stdin=stdin)

    return run
