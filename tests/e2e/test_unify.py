"""Two clusters that plain kubeadm made are brought to one Foundation, the canary first, wave by wave, by `unify`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundplane_lab import Lab, LabSpec, down, execute, up
from groundplane_lab.engine import Engine
from groundplane_lab.plain import PlainCluster, plain_cluster
from support.changing import Changing

from .world import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

CANARY, OTHER = "canary", "shop"
SPECS = {
    CANARY: LabSpec(name="t-unify-1", machines=1, subnet="198.18.22.0/24"),
    OTHER: LabSpec(name="t-unify-2", machines=1, subnet="198.18.23.0/24"),
}
SYSCTL = "vm.max_map_count"
FOUNDATION: dict[str, Any] = {
    "apiVersion": "groundplane.dev/v1alpha1",
    "kind": "Foundation",
    "metadata": {"name": "production", "namespace": "default"},
    "spec": {
        "kubernetes": {"distribution": "native", "version": "v1.20.2"},
        "runtime": {"name": "containerd"},
        "operatingSystem": {"settings": {"timeSync": "Ignored", "sysctls": {SYSCTL: "262144"}}},
    },
}


@pytest.fixture
def labs() -> Iterator[dict[str, Lab]]:
    """Two labs of one clean machine each."""
    for spec in SPECS.values():
        down(spec.name)
    yield {name: up(spec) for name, spec in SPECS.items()}
    for spec in SPECS.values():
        down(spec.name)


def run_of(engine: Engine) -> dict[str, Any]:
    found: dict[str, Any] = engine.get("foundation", "production").get("status", {}).get("unify", {})
    return found


def unify(engine: Engine, *words: str) -> str:
    done = engine.cli("unify", "--foundation", "production", *words)
    return done.stdout + done.stderr


def operations(engine: Engine, cluster: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = engine.get("operations")["items"]
    return [one for one in listed if one["spec"]["clusterRef"]["name"] == cluster]


def wait_phase(engine: Engine, phase: str, *, wave: int = 0, seconds: int = 300) -> dict[str, Any]:
    """Wait until the run is in a phase, and its message is about the wave."""

    def there() -> dict[str, Any] | None:
        run = run_of(engine)
        right = run.get("phase") == phase and (not wave or f"wave {wave} of" in run.get("message", ""))
        return run if right else None

    def situation() -> str:
        return json.dumps(run_of(engine), indent=1)

    return wait_for(f"the run to be {phase}", there, seconds=seconds, otherwise=situation)


def test_a_fleet_is_unified_wave_by_wave_with_one_drain_a_node(
    labs: dict[str, Lab], engine: Engine, artifacts: Path
) -> None:
    engine.cli("apply", "-f", str(artifacts / "distribution.yaml"))
    clusters: dict[str, PlainCluster] = {name: plain_cluster(lab) for name, lab in labs.items()}
    engine.kubectl("apply", "-f", "-", stdin=json.dumps(FOUNDATION))
    for name, cluster in clusters.items():
        Changing(engine, name).adopt(cluster)
        engine.kubectl(
            "patch", "cluster", name, "--type=merge", "-p", '{"spec": {"foundationRef": {"name": "production"}}}'
        )
    engine.kubectl("label", "cluster", CANARY, "groundplane.dev/canary=true")
    wait_for("both clusters to adopt their Foundation", lambda: differ(engine) or None, seconds=120)
    shown = unify(engine)
    assert CANARY in shown
    assert OTHER in shown
    assert operations(engine, CANARY) == operations(engine, OTHER) == []

    unify(engine, "--start", "--approval", "per-wave", "--yes")
    wait_phase(engine, "AwaitingApproval", wave=1)
    assert [one.get("status", {}).get("phase") for one in operations(engine, CANARY)] == ["AwaitingApproval"]
    assert operations(engine, OTHER) == []
    unify(engine, "--approve-wave", "1")
    wait_phase(engine, "AwaitingApproval", wave=2)
    assert clusters[CANARY].runtimes() == {"t-unify-1-1": "containerd"}
    assert clusters[OTHER].runtimes() == {"t-unify-2-1": "docker"}
    unify(engine, "--approve-wave", "2", "--watch")
    assert run_of(engine)["phase"] == "Succeeded"

    for name, cluster in clusters.items():
        assert set(cluster.runtimes().values()) == {"containerd"}
        only = operations(engine, name)
        assert [one["status"]["phase"] for one in only] == ["Succeeded"]
        steps = [step["step"] for step in only[0]["spec"]["plan"]["steps"]]
        assert steps.count("drain") == steps.count("uncordon") == 1
        machine = labs[name].machines[0].name
        assert execute(labs[name], machine, ["sysctl", "-n", SYSCTL]).strip() == "262144"
        node = cluster.nodes()[machine]
        assert not node["spec"].get("unschedulable")
    assert "nothing" in unify(engine)


def differ(engine: Engine) -> bool:
    """Tell whether both clusters are known to differ from their Foundation."""
    return all(engine.condition("cluster", name, "Uniform").get("status") == "False" for name in SPECS)
