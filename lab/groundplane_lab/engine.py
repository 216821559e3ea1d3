"""A Groundplane of its own for tests and benchmarks: a real process, in its own home, on a free port.

It can be killed as nothing kills politely, started again on the same home, and asked with the real kubectl and the
real command line.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundplane_lab.errors import LabError

_START_SECONDS = 60
_STOP_SECONDS = 30


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


Done = subprocess.CompletedProcess[str]


@dataclass(slots=True)
class Engine:
    """`home` is kept between starts. Files `engine.out` and `engine.err` beside it take what the process prints."""

    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        """The first administrator's kubeconfig."""
        return self.home / "admin.kubeconfig"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the command line needs to find this engine."""
        return {
            **os.environ,
            "GROUNDPLANE_HOME": str(self.home),
            "GROUNDPLANE_LISTEN": f"127.0.0.1:{self.port}",
            "GROUNDPLANE_KUBECONFIG": str(self.kubeconfig),
        }

    def start(self) -> None:
        """Start the process and wait until the API says that it is ready."""
        self.home.parent.mkdir(parents=True, exist_ok=True)
        out, err = (self.home.parent / f"engine.{name}" for name in ("out", "err"))
        with out.open("ab") as stdout, err.open("ab") as stderr:
            self.process = subprocess.Popen(
                [_tool("groundplane"), "up"],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=dict(self.environment),
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"Groundplane did not start: {err.read_text()[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        if not self.kubeconfig.exists():
            return False
        return self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def kill(self) -> None:
        """Kill the process as a power cut does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask the process to end, and wait for it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_STOP_SECONDS)
            self.process = None

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Done:
        """Run the real kubectl against Groundplane's API."""
        return _run(
            [_tool("kubectl"), "--kubeconfig", str(self.kubeconfig), *arguments], stdin, check, self.environment
        )

    def cli(self, *arguments: str, stdin: str | None = None, check: bool = True) -> Done:
        """Run the groundplane command line."""
        return _run([_tool("groundplane"), *arguments], stdin, check, self.environment)

    def get(self, kind: str, name: str = "", *, namespace: str = "default") -> dict[str, Any]:
        """Return an object, or the list of all of its kind."""
        words = ("get", kind, *([name] if name else []), "-n", namespace, "-o", "json")
        document: dict[str, Any] = json.loads(self.kubectl(*words).stdout)
        return document

    def condition(self, kind: str, name: str, condition: str) -> dict[str, Any]:
        """Return a condition of an object, {} when it does not have it."""
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((found for found in conditions if found["type"] == condition), {})


def cluster_kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None, check: bool = True) -> Done:
    """Run the real kubectl against a managed cluster."""
    return _run([_tool("kubectl"), "--kubeconfig", str(kubeconfig), *arguments], stdin, check, os.environ)


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _run(command: list[str], stdin: str | None, check: bool, environment: Mapping[str, str]) -> Done:
    done = subprocess.run(
        command, input=stdin or "", capture_output=True, text=True, check=False, timeout=900, env=dict(environment)
    )
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(command[:6])} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done
