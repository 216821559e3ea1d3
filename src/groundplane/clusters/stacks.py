"""From Node objects to what nodes stand on: one entry for all that share system, kernel, kubelet and runtime. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from groundplane.api.facts import NodeFacts, StackFacts
from groundplane.api.meta import ANNOTATION_CORDON, ANNOTATION_LABELS, ANNOTATION_TAINTS

from .reading import items, mapping, text, texts

# More than a cluster is meant to have; what is beyond is counted and not named, or not listed.
NAMES_KEPT = 10_000
STACKS_KEPT = 500


def node_of(node: dict[str, Any]) -> NodeFacts:
    """Return what one Node object says of itself."""
    info = mapping(node, "status", "nodeInfo")
    addresses = {text(entry, "type"): text(entry, "address") for entry in reversed(items(node, "status", "addresses"))}
    return NodeFacts(
        name=text(node, "metadata", "name"),
        ready=has_condition(node, "Ready"),
        unschedulable=mapping(node, "spec").get("unschedulable") is True,
        cordoned_by=texts(node, "metadata", "annotations").get(ANNOTATION_CORDON, ""),
        address=addresses.get("InternalIP", ""),
        pod_cidr=text(node, "spec", "podCIDR"),
        kubelet_version=text(info, "kubeletVersion"),
        runtime=text(info, "containerRuntimeVersion"),
        os_image=text(info, "osImage"),
        kernel=text(info, "kernelVersion"),
        architecture=text(info, "architecture"),
        machine_id=text(info, "machineID"),
        labels=texts(node, "metadata", "labels"),
        taints=[f"{text(t, 'key')}={text(t, 'value')}:{text(t, 'effect')}" for t in items(node, "spec", "taints")],
        managed_labels=_managed(node, ANNOTATION_LABELS),
        managed_taints=_managed(node, ANNOTATION_TAINTS),
    )


def has_condition(value: dict[str, Any], kind: str) -> bool:
    """Tell whether the object's condition `kind` is True."""
    return any(text(c, "type") == kind and text(c, "status") == "True" for c in items(value, "status", "conditions"))


def _managed(node: dict[str, Any], annotation: str) -> list[str]:
    """Read a list of ours. What is no list of texts was not written by us, and nothing is taken off because of it."""
    try:
        return msgspec.json.decode(texts(node, "metadata", "annotations").get(annotation, "[]"), type=list[str])
    except msgspec.DecodeError:
        return []


def stacks_of(nodes: Iterable[NodeFacts]) -> list[StackFacts]:
    """Return the nodes by what they stand on, largest first; names in order."""
    by_ground: dict[tuple[str, ...], list[NodeFacts]] = defaultdict(list)
    for node in nodes:
        by_ground[node.os_image, node.kernel, node.architecture, node.kubelet_version, node.runtime].append(node)
    found, room = [], NAMES_KEPT
    for ground, members in sorted(by_ground.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        names = sorted(node.name for node in members)[:room]
        room -= len(names)
        os_image, kernel, architecture, kubelet, runtime = ground
        found.append(
            StackFacts(
                os_image=os_image,
                kernel=kernel,
                architecture=architecture,
                kubelet=kubelet,
                runtime=runtime,
                count=len(members),
                ready=sum(1 for node in members if node.ready),
                nodes=names,
            )
        )
    return found
