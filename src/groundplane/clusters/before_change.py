"""What the cluster's API tells that has to be known before living nodes are changed. Reads only.

A part that cannot be read is a gap and hides nothing else: whoever judges it decides what that means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from groundplane.api.migration import BudgetFacts, PodFacts, WorkloadFacts

from .errors import AccessForbidden, ClusterRefused, ClusterUnavailable
from .reading import items, mapping, number, text, texts

_PAGE = 500
_PAGES_AT_MOST = 400
_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/var/run/dockershim.sock")
_DOCKER = "/var/lib/docker"
_LOGS = ("/var/log", "/var/log/containers", "/var/log/pods")
_MIRROR = "kubernetes.io/config.mirror"
# Parts of the names of images: agents that read logs or ask the runtime for its containers.
# fmt: off
_AGENTS = (
    "fluentd", "fluent-bit", "filebeat", "metricbeat", "logstash", "promtail", "logtail", "vector", "cadvisor",
    "datadog", "newrelic", "dynatrace", "sysdig", "falco", "aqua", "twistlock", "prisma", "telegraf", "loglistener",
    "splunk", "sumologic", "node-problem-detector", "weave-scope", "weaveworks/scope", "portainer",
)
# Groups whose objects make new nodes, and the kinds to look for.
_TEMPLATES = {
    "cluster.x-k8s.io": ("machinedeployments", "machinepools"),
    "cluster.k8s.io": ("machinedeployments",),
    "machine.openshift.io": ("machinesets",),
    "karpenter.sh": ("nodepools", "provisioners"),
}
# fmt: on


class Reads(Protocol):
    """The reading half of a cluster's door."""

    async def get(self, path: str) -> dict[str, Any] | None: ...


async def look(door: Reads) -> WorkloadFacts:
    """Return what runs on the cluster that a change of its nodes touches.

    Raises the errors of `clusters.errors` for pods and nodes, which must be readable.
    """
    pods = [pod for pod in await _all(door, "/api/v1/pods") if _lives(pod)]
    nodes = await _all(door, "/api/v1/nodes")
    gaps: list[str] = []
    budgets = await _budgets(door, gaps)
    templates = await _templates(door, gaps)
    templates += sorted(f"pod {_pod(pod).said}" for pod in pods if any("cluster-autoscaler" in i for i in _images(pod)))
    return WorkloadFacts(
        socket_mounts=_found(pods, lambda pod: _mounted(pod, _of_docker)),
        log_mounts=_found(pods, lambda pod: _mounted(pod, lambda path: path in _LOGS)),
        agents=_found(pods, lambda pod: _agents(pod) if _owner(pod).startswith("DaemonSet/") else []),
        unmanaged=[_pod(pod) for pod in pods if not _owner(pod) and not _static(pod)],
        local_storage=_found(pods, _local_volumes),
        gpus=_found(pods, _gpus),
        budgets=sorted(_tight(budgets, pods), key=lambda one: (one.namespace, one.name)),
        templates=templates,
        troubled=dict(_troubled(nodes)),
        gaps=gaps,
    )


async def _all(door: Reads, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token = ""
    for _ in range(_PAGES_AT_MOST):
        query = urlencode({"limit": str(_PAGE)} | ({"continue": token} if token else {}))
        page = await door.get(f"{path}?{query}")
        found += items(page, "items")
        following = mapping(page, "metadata").get("continue")
        if not isinstance(following, str) or not following:
            return found
        token = following
    raise ClusterUnavailable(f"cannot list {path}: the cluster gives pages without end")


def _lives(pod: dict[str, Any]) -> bool:
    return text(pod, "status", "phase") not in ("Succeeded", "Failed")


def _static(pod: dict[str, Any]) -> bool:
    return _MIRROR in mapping(pod, "metadata", "annotations")


def _owner(pod: dict[str, Any]) -> str:
    owners = items(pod, "metadata", "ownerReferences")
    chosen = next((one for one in owners if one.get("controller") is True), owners[0] if owners else {})
    # kubelet owns what it made of a file; that is no controller of the cluster's.
    kind = text(chosen, "kind")
    return f"{kind}/{text(chosen, 'name')}" if kind and kind != "Node" else ""


def _pod(pod: dict[str, Any], what: Iterable[str] = ()) -> PodFacts:
    return PodFacts(
        namespace=text(pod, "metadata", "namespace"),
        name=text(pod, "metadata", "name"),
        node=text(pod, "spec", "nodeName"),
        owner=_owner(pod),
        what=sorted(set(what)),
    )


def _found(pods: Iterable[dict[str, Any]], pick: Callable[[dict[str, Any]], list[str]]) -> list[PodFacts]:
    seen = [(pod, pick(pod)) for pod in pods]
    return sorted((_pod(pod, what) for pod, what in seen if what), key=lambda one: (one.namespace, one.name))


def _mounted(pod: dict[str, Any], matches: Callable[[str], bool]) -> list[str]:
    paths = [text(volume, "hostPath", "path").rstrip("/") for volume in items(pod, "spec", "volumes")]
    return [path for path in paths if path and matches(path)]


def _of_docker(path: str) -> bool:
    return path in _SOCKETS or path == _DOCKER or path.startswith(f"{_DOCKER}/")


def _images(pod: dict[str, Any]) -> list[str]:
    return [text(one, "image") for one in items(pod, "spec", "containers")]


def _agents(pod: dict[str, Any]) -> list[str]:
    return [image for image in _images(pod) if any(word in image for word in _AGENTS)]


def _local_volumes(pod: dict[str, Any]) -> list[str]:
    """Volumes whose data a drain gives up; DaemonSets' and static pods are not drained."""
    if _static(pod) or _owner(pod).startswith("DaemonSet/"):
        return []
    return [text(volume, "name") for volume in items(pod, "spec", "volumes") if "emptyDir" in volume]


def _gpus(pod: dict[str, Any]) -> list[str]:
    limits = [mapping(one, "resources", "limits") for one in items(pod, "spec", "containers")]
    return [name for limit in limits for name in limit if name.endswith("/gpu") or name.startswith("nvidia.com/")]


async def _budgets(door: Reads, gaps: list[str]) -> list[dict[str, Any]]:
    group = mapping(await _optional(door, "/apis/policy", gaps))
    served = {text(version, "version") for version in items(group, "versions")}
    version = next((one for one in ("v1", "v1beta1") if one in served), "")
    if not version:
        return []
    try:
        return await _all(door, f"/apis/policy/{version}/poddisruptionbudgets")
    except (AccessForbidden, ClusterRefused, ClusterUnavailable) as error:
        gaps.append(f"PodDisruptionBudgets: {error.message}")
        return []


def _tight(budgets: Iterable[dict[str, Any]], pods: list[dict[str, Any]]) -> Iterator[BudgetFacts]:
    for budget in budgets:
        if number(budget, "status", "disruptionsAllowed") or not number(budget, "status", "expectedPods"):
            continue
        namespace, selector = text(budget, "metadata", "namespace"), mapping(budget, "spec", "selector")
        chosen = [pod for pod in pods if text(pod, "metadata", "namespace") == namespace and selects(selector, pod)]
        yield BudgetFacts(
            namespace=namespace,
            name=text(budget, "metadata", "name"),
            healthy=number(budget, "status", "currentHealthy"),
            desired=number(budget, "status", "desiredHealthy"),
            nodes=sorted({text(pod, "spec", "nodeName") for pod in chosen} - {""}),
        )


def selects(selector: Mapping[str, Any], pod: dict[str, Any]) -> bool:
    """Tell whether a label selector chooses the pod; an empty one chooses every pod."""
    labels = texts(pod, "metadata", "labels")
    if any(labels.get(key) != value for key, value in texts(selector, "matchLabels").items()):
        return False
    return all(_meets(one, labels) for one in items(selector, "matchExpressions"))


def _meets(expression: dict[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = text(expression, "key"), text(expression, "operator")
    wanted = expression.get("values") or []
    if operator == "In":
        return labels.get(key) in wanted
    if operator == "NotIn":
        return labels.get(key) not in wanted
    return (key in labels) == (operator == "Exists")


async def _templates(door: Reads, gaps: list[str]) -> list[str]:
    """Return the objects that new nodes are made from, of every group that the cluster serves."""
    groups = {text(group, "name"): group for group in items(await _optional(door, "/apis", gaps), "groups")}
    found = []
    for name, resources in _TEMPLATES.items():
        served = text(groups.get(name, {}), "preferredVersion", "groupVersion")
        for resource in resources if served else ():
            listed = await _optional(door, f"/apis/{served}/{resource}", gaps)
            for one in items(listed, "items"):
                found.append(f"{resource[:-1]} {text(one, 'metadata', 'namespace')}/{text(one, 'metadata', 'name')}")
    return sorted(found)


async def _optional(door: Reads, path: str, gaps: list[str]) -> dict[str, Any]:
    try:
        return await door.get(path) or {}
    except (AccessForbidden, ClusterRefused, ClusterUnavailable) as error:
        gaps.append(f"{path}: {error.message}")
        return {}


def _troubled(nodes: Iterable[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    for node in nodes:
        conditions = items(node, "status", "conditions")
        # Conditions beside kubelet's own are those of node-problem-detector: True is a problem.
        bad = [text(c, "type") for c in conditions if text(c, "type") != "Ready" and text(c, "status") == "True"]
        if bad:
            yield text(node, "metadata", "name"), sorted(bad)
