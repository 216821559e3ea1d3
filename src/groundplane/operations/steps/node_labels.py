"""node-labels: labels and taints of the Machines, on their Nodes.

Which of them are Groundplane's is kept in annotations of the Node, so that a label taken off a Machine goes from
the Node too, and what others put there stays.
"""

from __future__ import annotations

import json
from typing import Any

from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_LABELS, ANNOTATION_TAINTS
from groundplane.api.operation import PlannedChange

from .. import nodes
from ..nodes import Object
from ..scope import ReadScope, Scope


class NodeLabels:
    name = "node-labels"
    title = "Set labels and taints of the nodes"

    def wanted(self, scope: ReadScope) -> bool:
        return True

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        return [PlannedChange(what=f"node {name}", after=words) for name, (_, words) in (await _patches(scope)).items()]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)
        for name, (patch, _) in (await _patches(scope)).items():
            await cluster.patch(f"{nodes.NODES}/{name}", patch)


async def _patches(scope: ReadScope) -> dict[str, tuple[Object, str]]:
    """Return for each Node that differs the merge patch and what it does in words."""
    cluster = await nodes.door(scope)
    patches = {}
    for name in scope.concerned:
        found = await nodes.need_node(cluster, name)
        labels, taints = _labels(scope.machines[name], found), _taints(scope.machines[name], found)
        if labels or taints is not None:
            patches[name] = (_patch(scope.machines[name], found, labels, taints), _in_words(labels, taints))
    return patches


def _managed(found: Object, key: str) -> list[str]:
    return list(json.loads(nodes.meta(found, "annotations").get(key, "[]")))


def _labels(machine: Machine, found: Object) -> dict[str, str | None]:
    now, wanted = nodes.meta(found, "labels"), machine.spec.labels
    changed: dict[str, str | None] = {key: value for key, value in wanted.items() if now.get(key) != value}
    gone = [key for key in _managed(found, ANNOTATION_LABELS) if key not in wanted and key in now]
    return changed | dict.fromkeys(gone)


def _taints(machine: Machine, found: Object) -> list[dict[str, Any]] | None:
    """Return the Node's taints as they have to be, or None when they are."""
    now: list[dict[str, Any]] = (found.get("spec") or {}).get("taints") or []
    wanted = {f"{taint.key}:{taint.effect}": taint.value for taint in machine.spec.taints}
    managed = set(_managed(found, ANNOTATION_TAINTS)) | wanted.keys()
    there = {f"{t['key']}:{t['effect']}": t.get("value", "") for t in now}
    if all(there.get(key) == value for key, value in wanted.items()) and not (managed - wanted.keys()) & there.keys():
        return None
    others = [taint for taint in now if f"{taint['key']}:{taint['effect']}" not in managed]
    ours = [{"key": t.key, "value": t.value, "effect": t.effect} for t in machine.spec.taints]
    return [*others, *ours]


def _patch(
    machine: Machine, found: Object, labels: dict[str, str | None], taints: list[dict[str, Any]] | None
) -> Object:
    managed = {
        ANNOTATION_LABELS: json.dumps(sorted(machine.spec.labels)),
        ANNOTATION_TAINTS: json.dumps(sorted(f"{taint.key}:{taint.effect}" for taint in machine.spec.taints)),
    }
    # With the version that was read: a taint that somebody else sets meanwhile must not be lost.
    metadata = {"annotations": managed, "resourceVersion": found["metadata"]["resourceVersion"]}
    patch: Object = {"metadata": metadata | ({"labels": labels} if labels else {})}
    return patch if taints is None else patch | {"spec": {"taints": taints}}


def _in_words(labels: dict[str, str | None], taints: list[dict[str, Any]] | None) -> str:
    words = [f"label {key}={value}" if value is not None else f"no label {key}" for key, value in labels.items()]
    if taints is not None:
        words.append("taints " + (", ".join(f"{t['key']}:{t['effect']}" for t in taints) or "none"))
    return "; ".join(words)
