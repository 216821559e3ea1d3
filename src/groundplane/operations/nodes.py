"""Nodes and other objects of the managed cluster, read through its door, in the words of the steps."""

from __future__ import annotations

from typing import Any

from groundplane.api.foundation import RuntimeName
from groundplane.hosts.contract import ReadHost

from .errors import NotYet, StepRefused
from .places import ADMIN_CONF
from .scope import ClusterDoor, ReadScope

Object = dict[str, Any]

NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"


def machine_of(host: ReadHost) -> str:
    """Return the name of the host's Machine: outside the namespace "default" hosts are called NAMESPACE/NAME."""
    return host.name.rpartition("/")[2]


async def door(scope: ReadScope) -> ClusterDoor:
    """Return the cluster's door; StepRefused when there is no admin kubeconfig on any control plane."""
    found = await scope.cluster()
    if found is None:
        raise StepRefused(
            f"cannot reach the API of cluster {scope.target.name}: no control plane has {ADMIN_CONF}",
            remedy="the control plane is not initialised: look at step init",
        )
    return found


async def node(cluster: ClusterDoor, name: str) -> Object | None:
    """Return the Node called `name`, or None."""
    return await cluster.get(f"{NODES}/{name}")


async def need_node(cluster: ClusterDoor, name: str) -> Object:
    """Return the Node called `name`; NotYet when it has not registered."""
    found = await node(cluster, name)
    if found is None:
        raise NotYet(f"cannot find node {name}: it has not registered yet")
    return found


async def items(cluster: ClusterDoor, path: str) -> list[Object]:
    """Return the objects of a list."""
    found: Any = await cluster.get(path) or {}
    return list(found.get("items") or [])


def meta(obj: Object, key: str) -> dict[str, str]:
    """Return labels or annotations of an object."""
    return dict(obj["metadata"].get(key) or {})


def has_condition(obj: Object, kind: str) -> bool:
    """Tell whether the object has the condition `kind` with status True."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def not_on(node: Object, runtime: RuntimeName) -> str:
    """Return why the Node is not Ready on the runtime, or ""."""
    info = (node.get("status") or {}).get("nodeInfo") or {}
    found = str(info.get("containerRuntimeVersion", ""))
    if not found.startswith(f"{runtime}://"):
        return f"it runs on {found or 'nothing that is known'}"
    return "" if has_condition(node, "Ready") else "not Ready"


def pod_cidr(obj: Object) -> str:
    """Return the Node's IPv4 pod range, or ""."""
    spec = obj.get("spec") or {}
    ranges = spec.get("podCIDRs") or [spec.get("podCIDR") or ""]
    return next((cidr for cidr in ranges if "." in cidr), "")
