"""What runs on a cluster while it is changed: a Service that must not lose a request, and what changes like to break.

- `web`: three replicas that prefer different nodes, a budget that lets one of them go at a time, and a NodePort. A
  replica goes on serving for a while after its eviction, since routes to it are taken away a moment later.
- `local-only`: one replica on one node, of an image that no registry has and no other node: tagged by hand there, as
  it happens. Whoever changes the runtime must carry it over.
- `agent`: a DaemonSet, on control planes too.
- a cordon that somebody else set.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from groundplane_lab import execute
from groundplane_lab.plain import PlainCluster

IMAGE = "groundplane.dev/lab/echo:1"
LOCAL_IMAGE = "local.only/thing:1"
NODE_PORT = 30081
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LiveWorkloads:
    """`local_node` has the image that no other node has; `cordoned` was cordoned by somebody else, "" for none."""

    cluster: PlainCluster
    local_node: str
    cordoned: str = ""

    def deploy(self) -> None:
        """Make all of it and wait until it runs. The cordon is set last, so that replicas may be on that node."""
        execute(self.cluster.lab, self.local_node, ["docker", "tag", IMAGE, LOCAL_IMAGE])
        deploy(self.cluster, [*web(), *local_only(self.local_node), agent()])
        if self.cordoned:
            self.cluster.kubectl("cordon", self.cordoned)

    def local_images(self) -> str:
        """The images in containerd's store on the node that has the local one."""
        return execute(self.cluster.lab, self.local_node, ["ctr", "-n", "k8s.io", "images", "list", "--quiet"])


def deploy(cluster: PlainCluster, objects: Iterable[Object]) -> None:
    """Apply these objects and wait until what they start runs."""
    objects = list(objects)
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    settle(cluster, objects)


def settle(cluster: PlainCluster, objects: Iterable[Object], *, seconds: int = 180) -> None:
    """Wait until the Deployments and DaemonSets among these objects have all their replicas ready."""
    for each in objects:
        if each["kind"] in ("Deployment", "DaemonSet"):
            name = f"{each['kind'].lower()}/{each['metadata']['name']}"
            cluster.kubectl("rollout", "status", name, f"--timeout={seconds}s")


def web(*, name: str = "web", node_port: int = NODE_PORT, linger: int = 5) -> list[Object]:
    """Three replicas, their budget and their Service; `linger`: seconds that one serves after its eviction."""
    labels = {"app": name}
    selector = {"matchLabels": labels}
    elsewhere = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    pod = {
        "terminationGracePeriodSeconds": 20,
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": elsewhere}]
            }
        },
        "containers": [_container(lifecycle={"preStop": {"exec": {"command": ["sleep", str(linger)]}}})],
    }
    return [
        _replicas("Deployment", name, pod, replicas=3),
        {
            "apiVersion": "policy/v1beta1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name},
            "spec": {"minAvailable": 2, "selector": selector},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {
                "type": "NodePort",
                "selector": labels,
                "ports": [{"port": 80, "targetPort": 8080, "nodePort": node_port}],
            },
        },
    ]


def local_only(node: str) -> list[Object]:
    """One replica of an image that is on this node alone."""
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "terminationGracePeriodSeconds": 5,
        "containers": [_container(image=LOCAL_IMAGE)],
    }
    return [_replicas("Deployment", "local-only", pod, replicas=1)]


def agent() -> Object:
    """A DaemonSet on every node, as an agent for logs or metrics is."""
    pod = {
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 5,
        "containers": [_container()],
    }
    return _replicas("DaemonSet", "agent", pod)


def _container(**fields: Any) -> Object:
    return {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        **fields,
    }


def _replicas(kind: str, name: str, pod: Object, **spec: Any) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }
