"""A cluster that plain kubeadm made is adopted: nothing on it is changed, and what does not fit is refused."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from groundplane_lab import execute
from groundplane_lab.engine import cluster_kubectl

from .world import ROOT, World, node_ready, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

# Everything that a change could write to; pods come and go by themselves.
_FOLDERS = ("/etc", "/usr/local", "/opt", "/root", "/var/lib/kubelet", "/var/lib/groundplane", "/run/groundplane")
_LIST = f"find {' '.join(_FOLDERS)} -path /var/lib/kubelet/pods -prune -o -printf '%p %m %s %T@\\n'; true"
_KINDS = "configmaps,daemonsets,deployments,serviceaccounts,services,clusterroles,clusterrolebindings,roles"


@dataclass(frozen=True)
class Seen:
    """Files and units of every machine, and the objects of the cluster with their versions."""

    files: dict[str, list[str]]
    units: dict[str, dict[str, str]]
    nodes: dict[str, Any]
    objects: dict[str, str]


def look(world: World, kubeconfig: Path) -> Seen:
    files, units = {}, {}
    for machine in world.lab.machines:
        files[machine.name] = sorted(execute(world.lab, machine.name, ["sh", "-c", _LIST]).splitlines())
        units[machine.name] = _unit_files(
            execute(world.lab, machine.name, ["systemctl", "list-unit-files", "--no-legend"])
        )
    nodes = json.loads(cluster_kubectl(kubeconfig, "get", "nodes", "-o", "json").stdout)["items"]
    listed = json.loads(cluster_kubectl(kubeconfig, "get", "-A", _KINDS, "-o", "json").stdout)["items"]
    return Seen(
        files,
        units,
        {node["metadata"]["name"]: _without_heartbeat(node) for node in nodes},
        {
            f"{one['kind']}/{one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one["metadata"][
                "resourceVersion"
            ]
            for one in listed
        },
    )


def _unit_files(listed: str) -> dict[str, str]:
    """Units and whether they start at boot, but for those that come and go with containers and logins."""
    states = (line.split()[:2] for line in listed.splitlines())
    return {unit: state for unit, state in states if state != "transient"}


def _without_heartbeat(node: dict[str, Any]) -> dict[str, Any]:
    meta = {key: node["metadata"].get(key) for key in ("uid", "labels", "annotations", "finalizers")}
    writers = sorted({entry["manager"] for entry in node["metadata"].get("managedFields", [])})
    return {**meta, "spec": node["spec"], "writers": writers}


@pytest.fixture
def admin(world: World, tmp_path: Path) -> Path:
    """A plain kubeadm cluster on Docker, one control plane and two workers; its administrator's kubeconfig."""
    state = world.lab.private_key.with_name("lab.json")
    script = [str(ROOT / "lab/plain.sh"), str(state), str(world.artifacts), "docker"]
    made = subprocess.run(script, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    path = tmp_path / "plain.conf"
    path.write_text(execute(world.lab, world.lab.machines[0].name, ["cat", "/etc/kubernetes/admin.conf"]))
    path.chmod(0o600)
    return path


def machines(world: World, addresses: dict[str, str]) -> list[dict[str, Any]]:
    """Machines of the cluster, at other addresses where told."""
    found = world.manifests()[2:]
    for one in found:
        one["spec"]["address"] = addresses.get(one["metadata"]["name"], one["spec"]["address"])
        del one["spec"]["ssh"]["hostKey"]
    return found


def adopted(world: World, status: str, reason: str) -> str:
    """Wait for the condition Adopted, and return its message."""

    def seen() -> str:
        found = world.engine.condition("cluster", "e2e", "Adopted")
        return found["message"] if (found.get("status"), found.get("reason")) == (status, reason) else ""

    return wait_for(f"Adopted {status} {reason}", seen, seconds=90, otherwise=lambda: conditions(world))


def conditions(world: World) -> str:
    return json.dumps(world.engine.get("cluster", "e2e").get("status", {}).get("conditions"), indent=1)


def swapped(world: World) -> dict[str, str]:
    _, second, third = world.lab.machines
    return {second.name: third.address, third.name: second.address}


def patch(world: World, kind: str, name: str, **spec: Any) -> None:
    world.engine.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps({"spec": spec}))


def adopt(world: World) -> str:
    return world.engine.cli("adopt", "cluster/e2e", "--ssh-key", str(world.lab.private_key)).stdout


def swap_two(world: World) -> None:
    """Two Machines that are each other's hosts, and then the command line, which makes a Secret of its own."""
    _, second, third = (machine.name for machine in world.lab.machines)
    world.apply(machines(world, swapped(world)))
    said = adopted(world, "False", "NotMatched")
    assert f"machine {second}: the host has the machine-id" in said
    assert f"this host is Node {third}: correct spec.address, or the Machine's name" in said
    world.engine.kubectl("delete", "machine", second, third)
    done = adopt(world)
    assert "3 Machines for its Nodes (2 created, 1 changed)" in done
    assert "adopted: 3 Machines matched by name, machine-id and address\nnothing was changed" in done
    assert "(3 as it was)" in adopt(world)


def spoil_one_by_one(world: World) -> None:
    """A host with another key than the Machine says, an address where nobody is, a part that is not the Node's."""
    first, second, third = world.lab.machines
    patch(world, "machine", second.name, ssh={"hostKey": third.host_key})
    assert f"machine {second.name}:" in adopted(world, "False", "MachinesUnreachable")
    patch(world, "machine", second.name, ssh={"hostKey": None})
    adopted(world, "True", "Matched")

    patch(world, "machine", third.name, address=f"{third.address.rpartition('.')[0]}.250")
    assert f"machine {third.name}:" in adopted(world, "False", "MachinesUnreachable")
    assert "Adopted (MachinesUnreachable)" in world.engine.cli("plan", "e2e").stdout
    adopt(world)

    patch(world, "machine", first.name, role="Worker")
    said = adopted(world, "False", "NotMatched")
    assert f"set spec.role of Machine {first.name} to ControlPlane" in said
    adopt(world)


def ready(kubeconfig: Path) -> list[bool]:
    nodes = json.loads(cluster_kubectl(kubeconfig, "get", "nodes", "-o", "json").stdout)["items"]
    return [node_ready(node) for node in nodes]


def let_go_after_a_change(world: World, admin: Path) -> None:
    """Imported again and changed, so that the mark is on its machines: it goes with the Cluster, and nothing else."""
    world.engine.cli("import", "--kubeconfig", str(admin), "--name", "e2e")
    adopt(world)
    wanted = {"swap": "Ignored", "timeSync": "Ignored", "modules": [], "sysctls": {"net.ipv4.tcp_fin_timeout": "59"}}
    patch(world, "cluster", "e2e", settings=wanted)
    change = wait_for("the Operation", lambda: world.operation("Change"), otherwise=lambda: conditions(world))
    assert [step["step"] for step in change["spec"]["plan"]["steps"]] == ["claim", "host-settings"] * 3
    world.engine.cli("approve", change["metadata"]["name"])
    assert world.finished("Change")["status"]["phase"] == "Succeeded"
    marks = ["/etc/groundplane/machine.json", "/var/lib/groundplane"]
    assert all(seen(world, path) == 3 for path in marks)

    world.engine.kubectl("delete", "cluster", "e2e", "--timeout=120s")
    assert [seen(world, path) for path in (*marks, "/etc/groundplane")] == [0, 0, 0]
    assert seen(world, "/etc/sysctl.d/90-groundplane.conf") == 3
    assert ready(admin) == [True] * 3


def seen(world: World, path: str) -> int:
    """On how many machines the path is."""
    found = [execute(world.lab, machine.name, ["sh", "-c", f"ls -d {path} || true"]) for machine in world.lab.machines]
    return sum(bool(one.strip()) for one in found)


def test_a_plain_cluster_is_adopted_unchanged_and_what_does_not_fit_is_refused(world: World, admin: Path) -> None:
    before = look(world, admin)
    world.engine.cli("import", "--kubeconfig", str(admin), "--name", "e2e")
    swap_two(world)
    spoil_one_by_one(world)
    assert world.operations() == []

    # What is wished for waits for a person, and until then nothing is written either.
    patch(world, "cluster", "e2e", runtime={"name": "containerd"})
    waiting = wait_for("the Operation to wait", lambda: world.operation("Change"), otherwise=lambda: conditions(world))
    assert waiting["spec"]["approval"] == "Pending"
    endpoint = waiting["spec"]["target"]["endpoint"]
    assert (endpoint["host"], endpoint["provider"]) == (world.lab.machines[0].address, "None")
    assert look(world, admin) == before

    # Without a mark on any machine it is forgotten at once.
    world.engine.kubectl("delete", "cluster", "e2e", "--timeout=60s")
    assert [one for one in world.operations() if one["spec"]["plan"]["action"] == "Release"] == []
    assert look(world, admin) == before
    assert ready(admin) == [True] * 3

    let_go_after_a_change(world, admin)
