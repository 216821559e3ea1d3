"""Real kubectl of three minors against the real server: a process of its own, SQLite, TLS, bearer tokens.

Every test that takes `api` runs once with each kubectl, in a namespace of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.kubectls import KUBECTLS, Kubectl, ensure_kubectl
from support.running import running_server


@dataclass(frozen=True)
class Api:
    """The running server as kubectl sees it."""

    folder: Path
    program: Path
    kubectl: Kubectl
    namespace: str = "default"

    def within(self, namespace: str) -> Api:
        """Return the same kubectl in another namespace."""
        return replace(self, namespace=namespace)

    def start(self, *arguments: str, user: str = "admin") -> subprocess.Popen[str]:
        """Start kubectl in the background, with pipes."""
        return subprocess.Popen(
            self._command(arguments, user), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str, stdin: str = "", user: str = "admin") -> subprocess.CompletedProcess[str]:
        """Run kubectl to its end."""
        return subprocess.run(
            self._command(arguments, user), input=stdin, capture_output=True, text=True, timeout=40, check=False
        )

    def ok(self, *arguments: str, stdin: str = "", user: str = "admin") -> str:
        """Run kubectl; it must succeed and have nothing to warn of."""
        done = self.run(*arguments, stdin=stdin, user=user)
        assert (done.returncode, done.stderr) == (0, ""), f"kubectl {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, *arguments: str, stdin: str = "", user: str = "admin") -> str:
        """Run kubectl; it must fail. Returns what it says about it."""
        done = self.run(*arguments, stdin=stdin, user=user)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def read(self, *what: str) -> dict:  # type: ignore[type-arg]
        """Return one object."""
        found: dict = json.loads(self.ok("get", *what, "-o", "json", "--show-managed-fields"))  # type: ignore[type-arg]
        return found

    def _command(self, arguments: tuple[str, ...], user: str) -> list[str]:
        settings = [
            f"--kubeconfig={self.folder}/kubeconfig",
            f"--cache-dir={self.folder}/cache-{self.kubectl.minor}",
            f"--context={user}",
        ]
        # kubectl warns of a namespace given beside a thing that has none.
        scope = [] if arguments[1:2] == ("namespace",) else [f"--namespace={self.namespace}"]
        return [str(self.program), *settings, *scope, *arguments]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start the server; return the folder of kubectl's configuration."""
    with running_server(tmp_path_factory.mktemp("api")) as kubeconfig:
        yield kubeconfig.parent


@pytest.fixture(params=KUBECTLS, ids=lambda kubectl: kubectl.minor)
def api(server: Path, request: pytest.FixtureRequest) -> Api:
    """Give a namespace of its own to every test, with each kubectl."""
    name = "t" + "".join(c for c in request.node.name.lower().replace("_", "-") if c.isalnum() or c == "-")[-50:]
    api = Api(server, ensure_kubectl(request.param), request.param, name.strip("-"))
    api.ok("create", "namespace", api.namespace)
    return api


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[str], str]:
    """Write a manifest and return its path."""

    def write(text: str) -> str:
        path = tmp_path / "manifest.yaml"
        path.write_text(text)
        return str(path)

    return write
