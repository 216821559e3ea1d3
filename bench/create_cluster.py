"""Create a cluster: Groundplane against a plain script of the same kubeadm and image commands.

Both make one control plane and two workers on the same lab machines, made fresh before each turn, and end when both
replicas of the workload answer through its Service. Turns alternate, so that what else the machine does hits both.
The script checks nothing, repairs nothing and cannot run twice; Groundplane's time includes survey, preflight,
planning, the look after each step and the probe pods of its `verify` step.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from bench.figures import Figure, compared
from groundplane_lab import Lab, LabSpec, down, ensure_artifacts, fresh_all, up
from groundplane_lab.engine import Engine, cluster_kubectl
from groundplane_lab.manifests import secret_manifest

ROOT = Path(__file__).parents[1]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
RATIO_GOAL = 1.10
SECOND_APPLY_GOAL = 2.0
_SPEC = LabSpec(name="bench", subnet="198.18.30.0/24")


def run() -> list[Figure]:
    """Return the figures."""
    artifacts = ensure_artifacts()
    lab = up(_SPEC)
    ours, peer, again = [], [], []
    try:
        for number in range(ROUNDS):
            fresh_all(lab)
            lab = up(_SPEC)
            peer.append(_plain(lab, artifacts))
            _progress(f"round {number + 1}: script {peer[-1]:.1f} s")
            fresh_all(lab)
            lab = up(_SPEC)
            seconds, second_apply = _groundplane(lab, artifacts)
            ours.append(seconds)
            again.append(second_apply)
            _progress(f"round {number + 1}: groundplane {seconds:.1f} s, second apply {second_apply:.2f} s")
    finally:
        down(_SPEC.name)
    return [
        compared("create a cluster, workload answers", ours, peer, RATIO_GOAL),
        Figure("second apply with nothing to do", "s", sorted(again)[len(again) // 2], goal=SECOND_APPLY_GOAL),
    ]


def _plain(lab: Lab, artifacts: Path) -> float:
    started = time.monotonic()
    state = lab.private_key.with_name("lab.json")
    subprocess.run(
        [str(ROOT / "lab/plain.sh"), str(state), str(artifacts)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def _groundplane(lab: Lab, artifacts: Path) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="groundplane-bench-") as folder:
        engine = Engine(Path(folder) / "home")
        engine.start()
        try:
            return _timed(engine, lab, artifacts, Path(folder))
        finally:
            engine.stop()


def _timed(engine: Engine, lab: Lab, artifacts: Path, folder: Path) -> tuple[float, float]:
    engine.cli("apply", "-f", str(artifacts / "distribution.yaml"))
    engine.cli("apply", "-f", "-", stdin=secret_manifest(lab, "demo-key"))
    manifests = folder / "manifests"
    manifests.mkdir()
    _write_manifests(lab, manifests)
    kubeconfig = folder / "cluster.kubeconfig"
    started = time.monotonic()
    engine.cli("apply", "-f", str(manifests), "--wait")
    engine.cli("kubeconfig", "cluster/demo", "--output", str(kubeconfig))
    cluster_kubectl(kubeconfig, "apply", "-f", str(ROOT / "examples/workload/echo.yaml"))
    cluster_kubectl(kubeconfig, "rollout", "status", "deployment/echo", "--timeout=120s")
    _until_it_answers(f"http://{lab.machines[0].address}:30080/")
    created = time.monotonic() - started
    started = time.monotonic()
    engine.cli("apply", "-f", str(manifests), "--wait")
    return created, time.monotonic() - started


def _until_it_answers(url: str) -> None:
    """Ask the Service until it answers: kube-proxy sets its rules a moment after the replicas are ready."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                answer.read()
                return
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _write_manifests(lab: Lab, folder: Path) -> None:
    """Write the demo's manifests for the machines of this lab."""
    for name in ("foundation", "cluster", "machines"):
        text = (ROOT / "examples/demo" / f"{name}.yaml").read_text()
        documents = list(yaml.safe_load_all(text))
        if name == "machines":
            for document, machine in zip(documents, lab.machines, strict=True):
                document["metadata"]["name"] = machine.name
                document["spec"]["address"] = machine.address
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
