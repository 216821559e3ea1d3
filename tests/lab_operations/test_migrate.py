"""One worker from Docker to containerd and back, on real machines: cut at every step, and with a containerd that fails.

Whatever happens, the Operation completes or takes the node back, and the node is Ready either way. The cluster is made
once; each test takes the worker as the one before left it and moves it to the other runtime.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from groundplane.api.meta import ANNOTATION_CORDON
from groundplane.api.operation import Plan
from groundplane.operations import Limits, Outcome
from groundplane.operations.steps import verify_node
from groundplane.plan.change import without_hold
from groundplane_lab import Lab, LabSpec, disconnect, down, execute, power_off, reconnect, start, up
from groundplane_lab.engine import cluster_kubectl
from groundplane_lab.model import state_folder

from .driver import Record, Site, site

ROOT = Path(__file__).parents[2]
_SPEC = LabSpec("migrate", machines=2, subnet="198.18.11.0/24")
_PLANE, _WORKER = "migrate-1", "migrate-2"
_STEPS = ("stage-runtime", "drain", "switch-runtime", "verify-node", "uncordon")


@pytest.fixture(scope="module")
def made() -> Iterator[Lab]:
    """A cluster on Docker: one control plane, one worker."""
    lab = up(_SPEC)
    done = _drive(lab, "create", "docker").communicate(timeout=600)[0]
    assert "Succeeded: " in done, done[-3000:]
    yield lab
    down(_SPEC.name)


def _drive(lab: Lab, action: str, runtime: str) -> subprocess.Popen[str]:
    """Start a run in a process of its own, as Groundplane is one. Changes leave the control plane alone."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.lab_operations.driver", action, lab.name, runtime]
    environment = {**os.environ, "HELD_BACK": _PLANE, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _node(lab: Lab, name: str) -> dict[str, Any]:
    kubeconfig = state_folder(lab.name) / "driver.kubeconfig"
    found: dict[str, Any] = json.loads(cluster_kubectl(kubeconfig, "get", "node", name, "-o", "json").stdout)
    return found


def _state(lab: Lab) -> tuple[str, bool, bool]:
    """The worker's runtime, whether it is Ready, and whether it is open for pods without a mark of ours."""
    node = _node(lab, _WORKER)
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    marked = ANNOTATION_CORDON in node["metadata"].get("annotations", {})
    runtime = node["status"]["nodeInfo"]["containerRuntimeVersion"].partition("://")[0]
    return runtime, ready, not (node["spec"].get("unschedulable") or marked)


def _other(lab: Lab) -> str:
    return "containerd" if _state(lab)[0] == "docker" else "docker"


def _until(process: subprocess.Popen[str], line: str, heard: list[str]) -> bool:
    """Read what the run says until a line is there; False when it ended without it."""
    assert process.stdout is not None
    for said in process.stdout:
        heard.append(said)
        if line in said:
            return True
    return False


def _strike(lab: Lab, fault: str, process: subprocess.Popen[str]) -> None:
    if fault == "kill -9":
        process.send_signal(signal.SIGKILL)
    elif fault == "SSH cut":
        disconnect(lab, _WORKER)
        reconnect(lab, _WORKER)
    else:
        power_off(lab, _WORKER)
        start(lab, _WORKER)


@pytest.mark.parametrize("step", _STEPS)
def test_a_migration_that_is_cut_anywhere_completes(made: Lab, step: str) -> None:
    """At one step of a migration Groundplane is killed, then loses the machine, then sees it start anew."""
    wanted, heard = _other(made), list[str]()
    for faults in (["kill -9"], ["SSH cut", "kill -9"], ["reboot"]):
        heard = []
        with _drive(made, "change", wanted) as process:
            try:
                begun = _until(process, f"{step}/{_WORKER}: Running", heard)
                for fault in faults if begun else []:
                    _strike(made, fault, process)
                heard.append(process.communicate(timeout=400)[0])
            finally:
                process.kill()
    assert "Succeeded: " in "".join(heard), "".join(heard)[-4000:]
    assert _state(made) == (wanted, True, True)


# --- a containerd that fails ---------------------------------------------------------------------------------------


async def _change(lab: Lab, sabotage: Callable[[], None], *, before: str, accept: Limits | None = None) -> Outcome:
    """Move the worker to containerd, with a sabotage right before a step is begun."""
    record = Saboteur(before, sabotage)
    record.kubeconfig = (state_folder(lab.name) / "driver.kubeconfig").read_bytes()
    async with site(lab, record=record, runtime="containerd") as opened:
        plan = await _only_the_worker(opened)
        return await opened.runner(plan, limits=accept or Limits(deadline=60)).run()


async def _only_the_worker(opened: Site) -> Plan:
    opened.wanted = without_hold(opened.wanted, [_WORKER])
    return await opened.plan_change()


class Saboteur(Record):
    """Does something to the machine when a step begins, once."""

    def __init__(self, step: str, deed: Callable[[], None]) -> None:
        super().__init__()
        self._before = step
        self._deed: Callable[[], None] | None = deed

    async def step(self, status: Any) -> None:
        await super().step(status)
        if status.name == f"{self._before}/{_WORKER}" and status.state == "Running" and self._deed is not None:
            deed, self._deed = self._deed, None
            await asyncio.to_thread(deed)


@pytest.fixture
def on_docker(made: Lab) -> Iterator[Lab]:
    """The worker on Docker, with nothing staged."""
    if _state(made)[0] != "docker":
        assert "Succeeded: " in _drive(made, "change", "docker").communicate(timeout=400)[0]
    _sh(made, "rm -f /var/lib/groundplane/notes/staged-runtime.json")
    return made


_BUDGET = """
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: all}
spec: {minAvailable: "100%", selector: {matchLabels: {app: echo}}}
"""


def _sh(lab: Lab, script: str) -> str:
    return execute(lab, _WORKER, ["sh", "-c", script])


@contextmanager
def _kept(lab: Lab, path: str) -> Iterator[None]:
    """A file as it was, whatever is done to it."""
    _sh(lab, f"cp -a {path} /root/kept")
    yield
    _sh(lab, f"cp -a /root/kept {path} && systemctl restart containerd")


async def test_a_configuration_that_containerd_does_not_take_stops_it_before_the_drain(on_docker: Lab) -> None:
    lab, path = on_docker, "/etc/containerd/config.toml"
    with _kept(lab, path):
        _sh(lab, f"echo 'this is no TOML' >> {path}")
        outcome = await _change(lab, lambda: None, before="none")
    assert outcome.phase == "Failed"
    assert "config.toml" in outcome.message
    assert _state(lab) == ("docker", True, True)


async def test_a_port_that_is_taken_gives_docker_its_containerd_back(on_docker: Lab) -> None:
    lab, path = on_docker, "/etc/containerd/config.toml"
    with _kept(lab, path):
        before = _sh(lab, f"cat {path}")
        _sh(lab, f"sed -i '/SystemdCgroup/d' {path}; printf '[metrics]\\naddress = \"127.0.0.1:22\"\\n' >> {path}")
        outcome = await _change(lab, lambda: None, before="none")
        assert outcome.phase == "Failed"
        assert "containerd" in outcome.message
        _sh(lab, "docker ps -q | grep -q .")
        assert "metrics" not in before
    assert _state(lab) == ("docker", True, True)


async def test_a_runtime_that_does_not_start_after_the_switch_brings_docker_back(on_docker: Lab) -> None:
    lab, path = on_docker, "/etc/containerd/config.toml"

    def break_it() -> None:
        _sh(lab, f"echo 'this is no TOML' >> {path}; systemctl stop docker.socket docker containerd")

    with _kept(lab, path):
        outcome = await _change(lab, break_it, before="switch-runtime")
    assert outcome.phase == "Failed"
    assert "containerd" in outcome.message
    assert f"brought back as it was: {_WORKER}" in outcome.message
    assert _state(lab) == ("docker", True, True)


async def test_a_missing_pause_image_brings_docker_back_and_says_so(
    on_docker: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = on_docker
    monkeypatch.setattr(verify_node, "_PATIENCE", 25.0)

    def lose_it() -> None:
        _sh(lab, "ctr -n k8s.io images ls -q | grep pause | xargs ctr -n k8s.io images rm --sync")

    outcome = await _change(lab, lose_it, before="switch-runtime")
    assert outcome.phase == "Failed"
    assert "does not run on containerd yet" in outcome.message
    assert f"brought back as it was: {_WORKER}" in outcome.message
    assert _state(lab) == ("docker", True, True)


async def test_a_full_disk_is_found_while_docker_runs(on_docker: Lab) -> None:
    lab = on_docker
    _sh(lab, "ctr -n k8s.io images ls -q | grep echo | xargs -r ctr -n k8s.io images rm --sync")
    store = "/var/lib/containerd/io.containerd.content.v1.content"
    _sh(lab, f"mount -t tmpfs -o size=64k tmpfs {store}")
    try:
        outcome = await _change(lab, lambda: None, before="none", accept=Limits(deadline=5))
    finally:
        _sh(lab, f"umount {store}")
    assert outcome.phase == "Failed"
    assert "stage-runtime" in outcome.message
    assert "MiB free" in outcome.message
    assert _state(lab) == ("docker", True, True)


async def test_a_budget_that_cannot_be_met_ends_the_drain_and_names_the_pod(on_docker: Lab) -> None:
    lab = on_docker
    kubeconfig = state_folder(lab.name) / "driver.kubeconfig"
    cluster_kubectl(kubeconfig, "apply", "-f", str(ROOT / "examples/workload/echo.yaml"))
    cluster_kubectl(kubeconfig, "rollout", "status", "deployment/echo", "--timeout=120s")
    budget = state_folder(lab.name) / "budget.yaml"
    budget.write_text(_BUDGET)
    cluster_kubectl(kubeconfig, "apply", "-f", str(budget))
    record = Record()
    record.kubeconfig = kubeconfig.read_bytes()
    try:
        async with site(lab, record=record, runtime="containerd", change={"drain": {"timeout": "6s"}}) as opened:
            outcome = await opened.runner(await _only_the_worker(opened)).run()
    finally:
        cluster_kubectl(kubeconfig, "delete", "poddisruptionbudget", "all")
        cluster_kubectl(kubeconfig, "delete", "-f", str(ROOT / "examples/workload/echo.yaml"))
    assert outcome.phase == "Failed"
    assert "PodDisruptionBudget keeps default/echo-" in outcome.message
    assert "loosen" in outcome.remedy
    assert _state(lab) == ("docker", True, True)
