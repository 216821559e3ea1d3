"""What the fleet says of a cluster that has just been made, and what another Groundplane learns by importing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from groundplane_lab.engine import Engine

from .world import World, wait_for


def expect(world: World, reason: str) -> None:
    """The fleet knows the cluster as it is, and says so on one screen."""
    cluster = _judged(world.engine, "e2e", reason)
    facts = cluster["status"]["facts"]
    assert not facts.get("gaps"), facts["gaps"]
    assert facts["platform"]["name"] == "native"
    assert sum(stack["count"] for stack in facts["stacks"]) == len(world.lab.machines)
    assert {"kube-apiserver", "etcd"} <= {one["name"] for one in facts["components"]}, facts["components"]
    assert "e2e" in world.engine.cli("fleet").stdout
    assert "v1.20.2" in world.engine.cli("explain", "cluster/e2e").stdout


def import_elsewhere(world: World, folder: Path) -> None:
    """Another Groundplane imports the cluster; the one that made it refuses to."""
    kubeconfig = str(world.kubeconfig())
    refused = world.engine.cli("import", "--kubeconfig", kubeconfig, "--name", "second", check=False)
    assert refused.returncode == 3
    assert "default/e2e" in refused.stderr
    other = Engine(folder / "other" / "home")
    other.start()
    try:
        other.cli("import", "--kubeconfig", kubeconfig, "--name", "adopted")
        cluster = _judged(other, "adopted", "NoFoundation")
        assert cluster["status"]["phase"] == "Ready"
        assert cluster["status"]["readyNodes"] == len(world.lab.machines)
        assert "adopted" in other.cli("fleet").stdout
    finally:
        other.stop()


def _judged(engine: Engine, name: str, reason: str) -> dict[str, Any]:
    """Wait until the Cluster is judged so, and return it."""

    def look() -> dict[str, Any] | None:
        # One look: what is asked twice may have become something else in between.
        cluster = engine.get("cluster", name)
        status = cluster.get("status", {})
        reasons = {each["type"]: each["reason"] for each in status.get("conditions", [])}
        return cluster if reasons.get("Uniform") == reason and status.get("facts") else None

    def otherwise() -> str:
        return str(engine.condition("cluster", name, "Uniform")) + engine.cli("explain", f"cluster/{name}").stdout

    return wait_for(f"cluster {name} to be {reason}", look, seconds=120, otherwise=otherwise)
