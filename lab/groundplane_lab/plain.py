"""A cluster that Groundplane did not make: plain kubeadm on a lab's machines, as an administrator's script does it.

`lab/plain.sh` is that script, and also the peer of the benchmark `create_cluster`. With several control planes the API
is behind a load balancer of the lab (`balancer`). kubeadm's defaults stay as they are, its taints too; the pod network
is CNI configuration called "pods" and routes that a unit of systemd sets again after a restart.

    cluster = plain_cluster(lab, runtime="docker")
    cluster.kubectl("get", "nodes")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from groundplane_lab import balancer
from groundplane_lab.artifacts import ensure_artifacts
from groundplane_lab.errors import LabError
from groundplane_lab.machines import execute
from groundplane_lab.model import Lab, state_folder
from groundplane_lab.paths import REPOSITORY
from groundplane_lab.progress import Report, timed, to_stderr
from groundplane_lab.shell import run, wait_until

SCRIPT = REPOSITORY / "lab" / "plain.sh"
_CONNECT = REPOSITORY / "lab" / "connect.sh"
Runtime = Literal["docker", "containerd"]
_TAIL = 3000


@dataclass(frozen=True, slots=True)
class PlainCluster:
    """A cluster on the machines of a lab. The first machines are its control planes; Nodes are named as machines."""

    lab: Lab
    kubeconfig: Path
    control_planes: int

    @property
    def workers(self) -> list[str]:
        """The machines that are no control planes."""
        return [machine.name for machine in self.lab.machines[self.control_planes :]]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the cluster's administrator; returns what it printed."""
        kubectl = str(Path(sys.executable).with_name("kubectl"))
        return run([kubectl, "--kubeconfig", str(self.kubeconfig), *arguments], stdin=stdin)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what `kubectl get` shows of these, as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The Nodes by name."""
        return {node["metadata"]["name"]: node for node in self.get("nodes")["items"]}

    def runtimes(self) -> dict[str, str]:
        """The container runtime of each Node, such as docker or containerd."""
        return {
            name: node["status"]["nodeInfo"]["containerRuntimeVersion"].partition(":")[0]
            for name, node in self.nodes().items()
        }

    def connect(self) -> None:
        """Set the pod network up on the nodes that have come since; whoever makes a network by hand has to."""
        run([str(_CONNECT), str(state_folder(self.lab.name) / "lab.json")])

    def wait_ready(self, *, seconds: float = 120) -> None:
        """Wait until every Node is Ready."""

        def ready() -> bool | None:
            try:
                nodes = self.nodes().values()
            except LabError:
                return None
            return all(node_ready(node) for node in nodes) or None

        wait_until(f"the nodes of lab {self.lab.name} to be Ready", ready, seconds=seconds, pause=0.5)


def node_ready(node: dict[str, Any]) -> bool:
    """Tell whether a Node says that it is Ready."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", []))


def plain_cluster(
    lab: Lab,
    *,
    runtime: Runtime = "docker",
    control_planes: int = 1,
    balanced: bool = False,
    report: Report = to_stderr,
) -> PlainCluster:
    """Make a cluster on fresh machines, all nodes Ready; it cannot be made a second time on the same machines.

    `balanced`: its API is behind a load balancer before all machines, so that any of them may become a control plane.
    """
    if not 1 <= control_planes <= len(lab.machines):
        raise LabError(f"cannot make {control_planes} control planes: lab {lab.name} has {len(lab.machines)} machines")
    artifacts = ensure_artifacts()
    backends = [machine.address for machine in lab.machines[: None if balanced else control_planes]]
    words = [str(control_planes), balancer.ensure(lab, backends)] if balanced or control_planes > 1 else []
    with timed(report, f"plain kubeadm cluster on lab {lab.name}, control planes: {control_planes}"):
        _run_script(lab, artifacts, [runtime, *words])
    kubeconfig = state_folder(lab.name) / "plain.kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(execute(lab.machines[0].name, ["cat", "/etc/kubernetes/admin.conf"]))
    return PlainCluster(lab, kubeconfig, control_planes)


def _run_script(lab: Lab, artifacts: Path, words: list[str]) -> None:
    done = subprocess.run(
        [str(SCRIPT), str(state_folder(lab.name) / "lab.json"), str(artifacts), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PLAIN_WORKLOAD": "no"},
    )
    if done.returncode != 0:
        raise LabError(
            f"cannot make a plain cluster on lab {lab.name}: {done.stdout}{done.stderr[-_TAIL:]}\n"
            f"it needs fresh machines: take the lab down and bring it up again"
        )
