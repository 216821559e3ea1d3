"""What the end-to-end tests work with: a lab, a Groundplane of their own, and manifests as a user writes them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from groundplane_lab import Lab, execute
from groundplane_lab.engine import Engine, cluster_kubectl
from groundplane_lab.manifests import secret_manifest

ROOT = Path(__file__).parents[2]
POLL = 0.2
T = TypeVar("T")


def wait_for(
    what: str, look: Callable[[], T | None], *, seconds: float = 300, otherwise: Callable[[], str] = lambda: ""
) -> T:
    """Look until there is something; the look itself takes most of the time. `otherwise` says what there was."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s; {otherwise()}"
        time.sleep(POLL)


@dataclass(slots=True)
class World:
    """One lab and one engine. Objects are in namespace default; the cluster is called "e2e"."""

    lab: Lab
    engine: Engine
    artifacts: Path
    folder: Path

    def manifests(
        self, *, runtime: str = "containerd", machine: dict[str, Any] | None = None, **cluster: Any
    ) -> list[dict[str, Any]]:
        """The demo's manifests for this lab; `machine` is laid over each Machine's spec, `cluster` over the other."""
        foundation, wanted = (self._demo(name)[0] for name in ("foundation", "cluster"))
        wanted["metadata"]["name"] = "e2e"
        wanted["spec"] |= {"runtime": {"name": runtime}, **cluster}
        machines = [
            {
                "apiVersion": "groundplane.dev/v1alpha1",
                "kind": "Machine",
                "metadata": {"name": found.name},
                "spec": {
                    "address": found.address,
                    "clusterRef": {"name": "e2e"},
                    "role": "Worker" if index else "ControlPlane",
                    "ssh": {"user": "root", "secretRef": {"name": "lab-key"}, "hostKey": found.host_key},
                }
                | (machine or {}),
            }
            for index, found in enumerate(self.lab.machines)
        ]
        return [foundation, wanted, *machines]

    def _demo(self, name: str) -> list[dict[str, Any]]:
        return list(yaml.safe_load_all((ROOT / "examples/demo" / f"{name}.yaml").read_text()))

    def prepare(self) -> None:
        """Apply what every test needs: the distribution and the SSH key."""
        self.engine.cli("apply", "-f", str(self.artifacts / "distribution.yaml"))
        self.engine.cli("apply", "-f", "-", stdin=secret_manifest(self.lab, "lab-key"))

    def apply(self, documents: list[dict[str, Any]]) -> None:
        """Apply with kubectl."""
        self.engine.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))

    def operations(self) -> list[dict[str, Any]]:
        """All Operations, oldest first."""
        items: list[dict[str, Any]] = self.engine.get("operations")["items"]
        return sorted(items, key=lambda item: int(item["metadata"]["resourceVersion"]))

    def operation(self, action: str) -> dict[str, Any] | None:
        """The newest Operation of an action, if any."""
        found = [each for each in self.operations() if each["spec"]["plan"]["action"] == action]
        return found[-1] if found else None

    def finished(self, action: str, *, seconds: float = 600) -> dict[str, Any]:
        """Wait until the newest Operation of an action has ended, and return it."""

        def look() -> dict[str, Any] | None:
            operation = self.operation(action)
            return operation if operation and operation.get("status", {}).get("finishedAt") else None

        what = f"an Operation of action {action} to end"
        return wait_for(what, look, seconds=seconds, otherwise=self.situation)

    def situation(self) -> str:
        """What an engineer would look at first: the state of every step, and the end of the log."""
        states = [
            {"name": each["metadata"]["name"], "rv": each["metadata"]["resourceVersion"], **each.get("status", {})}
            for each in self.operations()
        ]
        log = (self.engine.home.parent / "engine.err").read_text(errors="replace")[-6000:]
        return f"{json.dumps(states, indent=1)}\n{log}"

    def wait_ready(self, *, seconds: int = 300) -> None:
        """Wait as a user does."""
        self.engine.kubectl("wait", "--for=condition=Ready", "cluster/e2e", f"--timeout={seconds}s")

    def kubeconfig(self) -> Path:
        """The managed cluster's kubeconfig, by the command line."""
        path = self.folder / "cluster.kubeconfig"
        self.engine.cli("kubeconfig", "cluster/e2e", "--direct", "--output", str(path))
        return path

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The managed cluster's Nodes by name."""
        found = json.loads(cluster_kubectl(self.kubeconfig(), "get", "nodes", "-o", "json").stdout)
        return {item["metadata"]["name"]: item for item in found["items"]}

    def workload_answers(self) -> set[str]:
        """Run the example workload; return the replicas that answered through the Service, asked on every node."""
        kubeconfig = self.kubeconfig()
        cluster_kubectl(kubeconfig, "apply", "-f", str(ROOT / "examples/workload/echo.yaml"))
        cluster_kubectl(kubeconfig, "rollout", "status", "deployment/echo", "--timeout=180s")
        answers: set[str] = set()

        def look() -> bool:
            asked = [self._ask(machine.address) for machine in self.lab.machines]
            answers.update(name for name in asked if name)
            return all(asked) and len(answers) >= 2

        wait_for("both replicas to answer", look, seconds=60)
        return answers

    def _ask(self, address: str) -> str:
        """Ask the Service on one node; "" while it does not answer, for kube-proxy sets its rules a little later."""
        try:
            with urllib.request.urlopen(f"http://{address}:30080/", timeout=5) as answer:
                name: str = answer.read().decode().strip()
                return name
        except (urllib.error.URLError, TimeoutError):
            return ""

    def on(self, machine: str, *argv: str) -> str:
        """Run a command on a lab machine, past Groundplane."""
        return execute(self.lab, machine, list(argv))


def node_ready(node: dict[str, Any]) -> bool:
    """Tell whether a Node is Ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
