"""The life of a cluster that plain kubeadm made, under Groundplane: converted, upgraded, shrunk, grown, let go.

It runs on Docker behind a load balancer of its owner's, and its pod network is set up by hand on each machine. All that
is asked is asked by the command line and kubectl, and what came of it is seen in the cluster and on the machines.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from groundplane_lab import Lab, ensure_artifacts, ensure_stamped, execute
from groundplane_lab.engine import Engine
from groundplane_lab.plain import PlainCluster, node_ready, plain_cluster
from support.changing import Change, Changing
from support.long import long

from .world import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.e2e, pytest.mark.timeout(2400)]

# Due to the lab: its machines are containers of one small host.
IGNORED = ["SystemVerification", "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables", "NumCPU", "Mem"]
_MEMBER = "ls -A /var/lib/etcd /etc/kubernetes/manifests 2>/dev/null | grep -v : ; true"
_MARK = "ls -d /etc/groundplane /var/lib/groundplane 2>/dev/null; true"


def succeeded(change: Change) -> Change:
    assert change.phase == "Succeeded", change.shown
    return change


def kubelets(cluster: PlainCluster) -> dict[str, str]:
    """The version of each node's kubelet; every node is Ready and open."""
    found = cluster.nodes()
    wait_for("all nodes Ready", lambda: all(map(node_ready, cluster.nodes().values())) or None, seconds=90)
    assert not [name for name, node in found.items() if node["spec"].get("unschedulable")]
    return {name: node["status"]["nodeInfo"]["kubeletVersion"] for name, node in found.items()}


def served(cluster: PlainCluster) -> str:
    return str(json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"])


def kubernetes(version: str) -> dict[str, Any]:
    return {"kubernetes": {"distribution": "tke", "version": version}}


def machine(lab: Lab, name: str, role: str) -> dict[str, Any]:
    """A Machine as somebody writes it who adds a node; the key is the one that the cluster was adopted with."""
    found = lab.machine(name)
    ssh = {"user": "root", "secretRef": {"name": "plain-ssh"}, "hostKey": found.host_key}
    spec = {"address": found.address, "clusterRef": {"name": "plain"}, "role": role, "ssh": ssh}
    return {"apiVersion": "groundplane.dev/v1alpha1", "kind": "Machine", "metadata": {"name": name}, "spec": spec}


def converted_and_upgraded(cluster: PlainCluster, changing: Changing, held: str) -> None:
    """From native to tke, and to its next patch, at first without one worker."""
    names = [one.name for one in cluster.lab.machines]
    succeeded(changing.wish(kubernetes("v1.20.2-tke.1")))
    assert (served(cluster), kubelets(cluster)) == ("v1.20.2-tke.1", dict.fromkeys(names, "v1.20.2-tke.1"))

    changing.engine.kubectl("annotate", "machine", held, "groundplane.dev/hold-back=true")
    succeeded(changing.wish(kubernetes("v1.20.6-tke.1")))
    after = dict.fromkeys(names, "v1.20.6-tke.1")
    assert (served(cluster), kubelets(cluster)) == ("v1.20.6-tke.1", after | {held: "v1.20.2-tke.1"})

    freed = ("annotate", "machine", held, "groundplane.dev/hold-back-")
    succeeded(changing.after(lambda: changing.engine.kubectl(*freed)))
    assert kubelets(cluster) == after


def shrunk(cluster: PlainCluster, changing: Changing, *names: str) -> None:
    succeeded(changing.remove(*names))
    assert set(kubelets(cluster)) == {one.name for one in cluster.lab.machines} - set(names)
    for name in names:
        assert execute(cluster.lab, name, ["sh", "-c", _MARK]) == ""
        assert execute(cluster.lab, name, ["sh", "-c", _MEMBER]).split() == []
    # An etcd that still counts on those that are gone takes nothing any more.
    cluster.kubectl("create", "configmap", f"without-{'-'.join(names)}-{len(cluster.get('configmaps')['items'])}")


def grown(cluster: PlainCluster, changing: Changing, *names: str) -> None:
    """Control planes join, by the wish of their Machines; their owner connects their pods, as before."""
    change = succeeded(changing.apply(*(machine(cluster.lab, name, "ControlPlane") for name in names)))
    assert change.operation["spec"]["target"]["origin"] == "Adopted"
    cluster.connect()
    first = cluster.lab.machines[0].name
    every = dict.fromkeys((first, *names), "v1.20.6-tke.1")
    assert kubelets(cluster) == every
    pods = cluster.get("pods", "-n", "kube-system", "-l", "component=etcd")["items"]
    assert {pod["spec"]["nodeName"] for pod in pods if pod["status"]["phase"] == "Running"} == set(every)
    conditions = changing.situation()
    assert f"{len(every)} Machines matched" in conditions


def renewed(cluster: PlainCluster, changing: Changing) -> None:
    def made(name: str) -> str:
        certificate = "/etc/kubernetes/pki/apiserver.crt"
        return execute(cluster.lab, name, ["openssl", "x509", "-noout", "-startdate", "-serial", "-in", certificate])

    names = [one.name for one in cluster.lab.machines]
    before = {name: made(name) for name in names}
    succeeded(changing.ask("renew-certificates", "cluster/plain"))
    assert all(made(name) != before[name] for name in names)
    assert set(kubelets(cluster)) == set(names)


@long
def test_a_plain_cluster_is_converted_upgraded_shrunk_grown_renewed_and_let_go(lab: Lab, engine: Engine) -> None:
    cluster, changing = plain_cluster(lab, balanced=True), Changing(engine, "plain")
    first, second, third = (one.name for one in lab.machines)
    for folder in (ensure_artifacts(), ensure_stamped()):
        engine.cli("apply", "-f", str(folder / "distribution.yaml"))
    changing.adopt(cluster)
    ignored = json.dumps({"spec": {"kubeadm": {"ignorePreflightErrors": IGNORED}}})
    engine.kubectl("patch", "cluster", "plain", "--type=merge", "-p", ignored)

    converted_and_upgraded(cluster, changing, held=third)
    shrunk(cluster, changing, second, third)
    grown(cluster, changing, second, third)
    renewed(cluster, changing)
    shrunk(cluster, changing, second, third)

    engine.kubectl("delete", "machine", first, "--wait=false")
    refusal = wait_for("the refusal", lambda: "no control plane would be left" in changing.situation() or None)
    assert refusal
    engine.kubectl("delete", "cluster", "plain", "--timeout=180s")
    assert execute(lab, first, ["sh", "-c", _MARK]) == ""
    assert kubelets(cluster) == {first: "v1.20.6-tke.1"}
