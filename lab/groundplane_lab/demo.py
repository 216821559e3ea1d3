"""`make demo`: the main job, done as a user does it, with the commands that a user types.

Everything of the demo lives in `.groundplane/demo` of the checkout and in the lab called "demo"; `down` removes both.
It calls the command line and kubectl, never the insides, so it shows what a user would see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.errors import LabError
from groundplane_lab.lab import down as lab_down
from groundplane_lab.lab import up as lab_up
from groundplane_lab.manifests import secret_manifest
from groundplane_lab.model import Lab, LabSpec

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".groundplane" / "demo"
LISTEN = "127.0.0.1:7444"
NODE_PORT = 30080
_ANSWER_SECONDS = 120


@dataclass(slots=True)
class Phases:
    """How long each phase took, in seconds, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase and note its seconds."""
        _say(f"\n== {name}")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def up() -> None:
    """Bring the demo up and show what to do with it."""
    phases = Phases()
    with phases.phase("Kubernetes binaries and images"):
        artifacts = ensure_artifacts()
    with phases.phase("three lab machines"):
        lab = lab_up(LabSpec(name="demo"))
    with phases.phase("Groundplane"):
        _groundplane("up", "--detach", "--home", str(HOME), "--listen", LISTEN)
    with phases.phase("a real Kubernetes cluster"):
        _groundplane("apply", "-f", str(artifacts / "distribution.yaml"))
        _groundplane("apply", "-f", "-", stdin=secret_manifest(lab, "demo-key"))
        _groundplane("apply", "-f", str(ROOT / "examples/demo"), "--wait")
    kubeconfig = HOME / "demo-cluster.kubeconfig"
    _groundplane("kubeconfig", "cluster/demo", "--output", str(kubeconfig))
    with phases.phase("a workload behind a Service"):
        replicas = _workload(lab, kubeconfig)
    _kubectl(kubeconfig, "get", "nodes", "-o", "wide")
    _summary(phases, lab, kubeconfig, replicas)


def down() -> None:
    """Remove all that `up` made."""
    if (HOME / "admin.kubeconfig").exists():
        _groundplane("down", "--home", str(HOME))
    lab_down("demo")
    shutil.rmtree(HOME, ignore_errors=True)
    _say("the demo is gone; binaries and images stay in the cache")


def _workload(lab: Lab, kubeconfig: Path) -> set[str]:
    """Apply the example workload; return the names of the replicas that answered through the Service."""
    _kubectl(kubeconfig, "apply", "-f", str(ROOT / "examples/workload/echo.yaml"))
    _kubectl(kubeconfig, "rollout", "status", "deployment/echo", "--timeout=120s")
    url = f"http://{lab.machines[0].address}:{NODE_PORT}/"
    replicas: set[str] = set()
    deadline = time.monotonic() + _ANSWER_SECONDS
    while len(replicas) < 2:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                replicas.add(answer.read().decode().strip())
        except (urllib.error.URLError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise LabError(f"cannot reach the workload at {url}: {error}") from error
            time.sleep(0.5)
        if time.monotonic() > deadline:
            raise LabError(f"only {len(replicas)} of 2 replicas answered at {url}")
    _say(f"{url} answered from {' and '.join(sorted(replicas))}")
    return replicas


def _summary(phases: Phases, lab: Lab, kubeconfig: Path, replicas: set[str]) -> None:
    _say("\n== done")
    for name, seconds in phases.seconds.items():
        _say(f"  {seconds:7.1f} s  {name}")
    _say(f"  {sum(phases.seconds.values()):7.1f} s  in all")
    api = HOME / "admin.kubeconfig"
    _say(f"\nGroundplane's API:   export KUBECONFIG={api}")
    _say(f"the cluster's API:   export KUBECONFIG={kubeconfig}")
    _say(f"the workload:        curl http://{lab.machines[0].address}:{NODE_PORT}/   ({len(replicas)} replicas answer)")
    _say("\nwhat to try next:")
    kubectl = ROOT / ".venv/bin/kubectl"
    groundplane = f"{ROOT / '.venv/bin/groundplane'} --kubeconfig {api}"
    _say(f"  {kubectl} --kubeconfig {api} get clusters,machines,operations -o wide")
    _say(f"  {kubectl} --kubeconfig {api} describe cluster demo")
    _say(f"  {groundplane} fleet                       # where every cluster stands, and what it costs")
    _say(f"  {groundplane} explain cluster/demo        # the same of one, with findings and remedies")
    _say(f"  {groundplane} operation logs --help")
    _say(f"  {groundplane} delete cluster demo --wait    # and the machines are as they were before")
    _say("  make demo-down                              # removes all of it")


def _groundplane(*arguments: str, stdin: str | None = None) -> None:
    command = [str(_tool("groundplane")), "--kubeconfig", str(HOME / "admin.kubeconfig"), *arguments]
    _run(command, stdin=stdin)


def _kubectl(kubeconfig: Path, *arguments: str) -> None:
    _run([str(_tool("kubectl")), "--kubeconfig", str(kubeconfig), *arguments])


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _run(command: Sequence[str], *, stdin: str | None = None) -> None:
    done = subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        text=True,
        check=False,
        env={**os.environ, "GROUNDPLANE_HOME": str(HOME)},
    )
    if done.returncode != 0:
        raise LabError(f"cannot go on: {' '.join(command)} ended with exit status {done.returncode}")


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    """Run `up` or `down`, as the first argument says."""
    action = {"up": up, "down": down}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if action is None:
        _say("usage: demo up|down")
        return 2
    try:
        action()
    except LabError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
