"""A cluster that plain kubeadm made is moved from Docker to containerd while it is used: no request of its users fails.

And back: one node is rolled back and goes forward again, then Docker is removed for good. What is asked of Groundplane
is asked by the command line, and what came of it is seen on the machines and in the cluster.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from groundplane_lab import Lab, LabSpec, down, execute, up
from groundplane_lab.engine import Engine
from groundplane_lab.plain import PlainCluster, node_ready, plain_cluster
from support.changing import Change, Changing
from support.live_workloads import LOCAL_IMAGE, NODE_PORT, LiveWorkloads, agent, local_only, settle, web
from support.long import long
from support.steady_client import SteadyClient

from .world import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e, pytest.mark.timeout(2400)]

PLANES = LabSpec(name="t-planes", machines=3, subnet="198.18.21.0/24")
CONTAINERD = {"runtime": {"name": "containerd"}}
# Elections of etcd and of the controllers, not the seconds that an API server needs to come up.
API_AWAY = 10.0


@pytest.fixture
def planes_lab() -> Iterator[Lab]:
    """Three clean machines, for three control planes that carry workloads, too."""
    down(PLANES.name)
    yield up(PLANES)
    down(PLANES.name)


@contextmanager
def served(cluster: PlainCluster) -> Iterator[SteadyClient]:
    """Users ask the Service all the time; afterwards none of them has gone without an answer."""
    addresses = {machine.name: machine.address for machine in cluster.lab.machines}
    # What is shown begins with a Service that every node serves.
    wait_for("the Service on every node", lambda: all(map(_serves, addresses.values())) or None, seconds=180)
    with SteadyClient(cluster.kubeconfig, addresses, port=NODE_PORT) as client:
        yield client
    assert client.balanced.count > 100, client.report()
    assert not client.balanced.failures, client.report()
    assert len(client.balanced.answered_by) >= 3, client.report()


def _serves(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:{NODE_PORT}/", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def succeeded(change: Change) -> Change:
    assert change.phase == "Succeeded", change.shown
    return change


def expect_sound(workloads: LiveWorkloads, runtimes: dict[str, str]) -> None:
    """Every node is Ready on its runtime, all workloads run on it, and the cordon of somebody else is as it was."""
    cluster = workloads.cluster
    assert cluster.runtimes() == runtimes
    assert all(node_ready(node) for node in cluster.nodes().values())
    settle(cluster, [*web(), *local_only(workloads.local_node), agent()])
    wait_for("evicted pods gone", lambda: not evicted(cluster), seconds=90, otherwise=lambda: str(evicted(cluster)))
    for pod in cluster.get("pods", "-A")["items"]:
        started_by = {each["containerID"].partition(":")[0] for each in pod["status"]["containerStatuses"]}
        assert started_by == {runtimes[pod["spec"]["nodeName"]]}, pod["metadata"]["name"]
    cordoned = [name for name, node in cluster.nodes().items() if node["spec"].get("unschedulable")]
    assert cordoned == [workloads.cordoned]
    marks = [key for node in cluster.nodes().values() for key in node["metadata"]["annotations"] if "cordon" in key]
    assert marks == []


def evicted(cluster: PlainCluster) -> list[str]:
    """Pods that ended, and whose objects the kubelet that runs now has not taken away yet."""
    pods = cluster.get("pods", "-A")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("deletionTimestamp")]


def expect_kubeadm_content(cluster: PlainCluster) -> None:
    """What kubeadm says to an upgrade, on every control plane, has nothing about a runtime that is not there.

    It always complains of CoreDNS, which the lab has no image of.
    """
    command = "kubeadm upgrade plan v1.20.2 --ignore-preflight-errors=CoreDNSUnsupportedPlugins,CoreDNSMigration"
    for machine in cluster.lab.machines[: cluster.control_planes]:
        said = execute(cluster.lab, machine.name, ["sh", "-c", f"{command} 2>&1; true"])
        assert "[preflight] Running pre-flight checks" in said
        assert not [word for word in ("docker", "cri-socket", "cri socket") if word in said.lower()], said


def expect_no_docker(cluster: PlainCluster) -> None:
    for machine in cluster.lab.machines:
        left = "ls -d /var/lib/docker/* /usr/bin/dockerd /usr/sbin/dockerd /var/run/docker.sock 2>/dev/null; true"
        assert execute(cluster.lab, machine.name, ["sh", "-c", left]) == ""


def test_a_cluster_in_use_is_migrated_rolled_back_in_part_and_cleaned_up(lab: Lab, engine: Engine) -> None:
    cluster, changing = plain_cluster(lab), Changing(engine, "plain")
    first, second, third = (machine.name for machine in lab.machines)
    workloads = LiveWorkloads(cluster, local_node=second, cordoned=first)
    workloads.deploy()
    everywhere = dict.fromkeys((first, second, third), "containerd")
    changing.adopt(cluster)

    with served(cluster):
        migration = succeeded(changing.wish(CONTAINERD))
    expect_sound(workloads, everywhere)
    assert LOCAL_IMAGE in workloads.local_images()
    expect_kubeadm_content(cluster)

    with served(cluster):
        succeeded(changing.ask("operation", "rollback", migration.name, "--machine", second))
    expect_sound(workloads, {**everywhere, second: "docker"})

    with served(cluster):
        succeeded(changing.retry())
    expect_sound(workloads, everywhere)

    with served(cluster):
        succeeded(changing.ask("clean-up", "cluster/plain"))
    expect_no_docker(cluster)
    expect_sound(workloads, everywhere)
    expect_kubeadm_content(cluster)


@long
def test_the_api_stays_while_each_of_three_control_planes_is_migrated(planes_lab: Lab, engine: Engine) -> None:
    cluster, changing = plain_cluster(planes_lab, control_planes=3), Changing(engine, "planes")
    cluster.kubectl("taint", "nodes", "--all", "node-role.kubernetes.io/master-")
    workloads = LiveWorkloads(cluster, local_node=planes_lab.machines[2].name, cordoned=planes_lab.machines[1].name)
    workloads.deploy()
    changing.adopt(cluster)
    with served(cluster) as client:
        succeeded(changing.wish(CONTAINERD))
    assert client.api_away < API_AWAY
    expect_sound(workloads, {machine.name: "containerd" for machine in planes_lab.machines})
    expect_kubeadm_content(cluster)
