"""A cluster from its manifests to its deletion, twice on the same machines: with containerd, then with Docker."""

import time
from pathlib import Path

import pytest
import yaml

from groundplane_lab.engine import cluster_kubectl

from . import by_browser, fleet_view, through_the_gateway
from .world import World, node_ready, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e]

# Everything that a Kubernetes could leave behind, and what the machine had there before.
_TRACES = r"""
find /etc/kubernetes /etc/groundplane /etc/cni /etc/systemd/system /etc/modules-load.d /etc/sysctl.d /etc/containerd \
     /etc/docker /var/lib/kubelet /var/lib/etcd /var/lib/groundplane /opt/cni /usr/local/bin /usr/bin/kubeadm \
     /usr/bin/kubelet /usr/bin/kubectl -mindepth 0 ! -type d 2>/dev/null | sort | while read -r path; do
  if [ -L "$path" ]; then echo "$path -> $(readlink "$path")"; else sha256sum "$path"; fi
done
ip -br link | awk '{print $1}' | grep -E '^(cni|flannel|kube)' || true
ip route show proto 157
for unit in kubelet containerd docker; do
  echo "$unit $(systemctl is-active $unit) $(systemctl is-enabled $unit 2>&1)"
done
iptables-save 2>/dev/null | grep -E '^:(KUBE|CNI|GROUNDPLANE)' || true
mount | grep -E '/var/lib/kubelet/' || true
"""


def traces(world: World) -> dict[str, str]:
    return {machine.name: world.on(machine.name, "sh", "-c", _TRACES) for machine in world.lab.machines}


def create(world: World, runtime: str) -> None:
    world.apply(world.manifests(runtime=runtime))
    world.wait_ready(seconds=420)
    operation = world.finished("Create")
    assert operation["status"]["phase"] == "Succeeded", operation["status"]["progress"]
    nodes = world.nodes()
    assert set(nodes) == {machine.name for machine in world.lab.machines}
    assert all(node_ready(node) for node in nodes.values())
    runtimes = {node["status"]["nodeInfo"]["containerRuntimeVersion"].partition(":")[0] for node in nodes.values()}
    assert runtimes == {runtime}
    assert len(world.workload_answers()) == 2


def delete(world: World, runtime: str) -> None:
    world.engine.kubectl(
        "delete", "-f", "-", "--timeout=300s", stdin=yaml.safe_dump_all(world.manifests(runtime=runtime))
    )
    assert world.engine.get("clusters")["items"] == []
    assert world.engine.get("machines")["items"] == []


def test_a_cluster_is_created_deleted_and_created_again_on_the_same_machines(world: World, tmp_path: Path) -> None:
    before = traces(world)
    create(world, "containerd")
    fleet_view.expect(world, "OnFoundation")
    fleet_view.import_elsewhere(world, tmp_path)
    through_the_gateway.use(world, tmp_path)
    by_browser.look(world)

    described = world.engine.kubectl("describe", "cluster", "e2e").stdout
    assert "AllNodesReady" in described
    assert "Events:" in described
    wide = world.engine.kubectl("get", "clusters,machines,operations", "-o", "wide").stdout
    assert "v1.20.2" in wide
    assert "BEGIN" not in world.engine.kubectl("get", "operations", "-o", "yaml").stdout

    operations = len(world.operations())
    started = time.monotonic()
    again = world.engine.cli("apply", "-f", "-", "--wait", stdin=yaml.safe_dump_all(world.manifests()))
    seconds = time.monotonic() - started
    assert again.stdout.count("unchanged") == 5, again.stdout
    assert len(world.operations()) == operations
    assert seconds < 30, "a second apply has nothing to do"

    log = world.engine.cli("operation", "logs", world.operation("Create")["metadata"]["name"]).stdout
    assert "init/" in log
    delete(world, "containerd")
    assert traces(world) == before

    create(world, "docker")
    fleet_view.expect(world, "Exceptions")
    delete(world, "docker")
    assert traces(world) == before


def test_labels_and_taints_of_a_machine_reach_its_node_and_a_person_can_approve_the_plan(world: World) -> None:
    documents = world.manifests(change={"approval": "Manual"})
    worker = documents[-1]
    worker["spec"] |= {"labels": {"rack": "r7"}, "taints": [{"key": "batch", "value": "only", "effect": "NoSchedule"}]}
    world.apply(documents)

    operation = wait_for("an Operation", lambda: world.operation("Create"), seconds=60)
    name = operation["metadata"]["name"]
    world.engine.kubectl("wait", "--for=condition=Approved=False", f"operation/{name}", "--timeout=30s")
    assert world.on(worker["metadata"]["name"], "sh", "-c", "ls /etc/groundplane 2>/dev/null || true") == ""
    plan = world.engine.cli("plan", "e2e").stdout
    assert worker["metadata"]["name"] in plan
    assert "containerd" in plan

    world.engine.cli("approve", name)
    watched = world.engine.cli("operation", "watch", name)
    assert "Verify the cluster" in watched.stdout
    world.wait_ready()
    node = world.nodes()[worker["metadata"]["name"]]
    assert node["metadata"]["labels"]["rack"] == "r7"
    assert {"key": "batch", "value": "only", "effect": "NoSchedule"} in node["spec"]["taints"]
    leftovers = cluster_kubectl(world.kubeconfig(), "get", "namespaces", "-o", "name").stdout
    assert "probe" not in leftovers
