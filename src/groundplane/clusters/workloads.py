"""Components and add-ons by the images that run them, from DaemonSets, Deployments and static pods. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from typing import Any

from groundplane.api.facts import ComponentFacts

from .network import image_version
from .reading import items, mapping, number, text
from .stacks import has_condition

ADDONS_KEPT = 200
_SYSTEM_NAMESPACE = "kube-system"


def workload_of(workload: dict[str, Any]) -> ComponentFacts:
    """Return a DaemonSet or Deployment as a component: the image of its first container, and how many are ready."""
    image = _image(mapping(workload, "spec", "template", "spec"), "")
    return ComponentFacts(
        name=text(workload, "metadata", "name"),
        version=image_version(image),
        image=image,
        namespace=text(workload, "metadata", "namespace"),
        count=number(workload, "status", "numberReady") or number(workload, "status", "readyReplicas"),
    )


def _image(spec: dict[str, Any], name: str) -> str:
    containers = items(spec, "containers")
    wanted = [one for one in containers if text(one, "name") == name] or containers
    return text(wanted[0], "image") if wanted else ""


def is_kube_proxy(component: ComponentFacts) -> bool:
    """Tell whether a DaemonSet is kube-proxy; some platforms have one for each kind of node."""
    return component.namespace == _SYSTEM_NAMESPACE and component.name.startswith("kube-proxy")


def control_plane_of(pods: Iterable[dict[str, Any]]) -> tuple[list[ComponentFacts], list[str]]:
    """Return the components that run as pods of the control plane, and the names of those pods that do not run."""
    counts: Counter[tuple[str, str]] = Counter()
    down = []
    for pod in pods:
        name = text(pod, "metadata", "labels", "component")
        if name:
            counts[name, _image(mapping(pod, "spec"), name)] += 1
        if not has_condition(pod, "Ready") and not _alive(pod):
            down.append(text(pod, "metadata", "name"))
    found = [
        ComponentFacts(name=name, version=image_version(image), image=image, namespace=_SYSTEM_NAMESPACE, count=count)
        for (name, image), count in sorted(counts.items())
    ]
    return found, sorted(down)


def _alive(pod: dict[str, Any]) -> bool:
    """Tell whether all containers run: kubelet may notice a static pod's readiness a minute late."""
    containers = items(pod, "status", "containerStatuses")
    return bool(containers) and all("running" in mapping(one, "state") for one in containers)


def addons_of(
    sets: Iterable[ComponentFacts], deployments: Iterable[ComponentFacts], namespaces: Set[str]
) -> list[ComponentFacts]:
    """Return what runs in the system namespaces and is not kube-proxy, by namespace and name."""
    inside = [one for one in (*sets, *deployments) if one.namespace in namespaces and not is_kube_proxy(one)]
    return sorted(inside, key=lambda one: (one.namespace, one.name))[:ADDONS_KEPT]
