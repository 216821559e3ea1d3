"""The API server as a process of its own (support.api_server), and the kubeconfig that leads there."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running_server(folder: Path, *, port: int = 0, may_say: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Run the server with all that it keeps in `folder`; give the path of a kubeconfig with users admin and nobody.

    At the end it must stop by itself and have said nothing on its standard error but lines with a text of `may_say`.
    """
    command = [sys.executable, "-W", "error", "-m", "tests.support.api_server", str(folder / "home"), str(port)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "log").read_text()
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(json.loads(line)))
    kubeconfig.chmod(0o600)
    try:
        yield kubeconfig
        process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    said = [line for line in (folder / "log").read_text().splitlines() if not any(text in line for text in may_say)]
    assert said == [], "\n".join(said)


def _kubeconfig(started: dict[str, str]) -> str:
    authority = base64.b64encode(Path(started["ca"]).read_bytes()).decode()
    users = ("admin", "nobody")
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "g", "cluster": {"server": started["url"], "certificate-authority-data": authority}}],
            "users": [{"name": name, "user": {"token": started[name]}} for name in users],
            "contexts": [{"name": name, "context": {"cluster": "g", "user": name}} for name in users],
            "current-context": "admin",
        }
    )
