"""runtime-classes: a RuntimeClass for each runtime handler beside runc, so that pods can ask for it by name.

A class that is there with the handler is right, whoever made it. Its handler cannot be changed, so one of that name
with another handler is a person's to take away.
"""

from __future__ import annotations

from typing import Any

from groundplane.api.operation import PlannedChange

from .. import nodes
from ..errors import StepRefused
from ..scope import ClusterDoor, ReadScope, Scope

_GROUP = "/apis/node.k8s.io"
# Served from Kubernetes 1.20 on, and before that from 1.14 on.
_VERSIONS = ("v1", "v1beta1")


class RuntimeClasses:
    name = "runtime-classes"
    title = "Make the RuntimeClasses of the runtime handlers"

    def wanted(self, scope: ReadScope) -> bool:
        return bool(_handlers(scope))

    async def plan(self, scope: ReadScope) -> list[PlannedChange]:
        cluster = await nodes.door(scope)
        version = await _served(cluster)
        missing = [name for name in _handlers(scope) if not await _there(cluster, version, name)]
        return [PlannedChange(what=f"RuntimeClass {name}", after=f"handler {name}") for name in missing]

    async def apply(self, scope: Scope, changes: list[PlannedChange]) -> None:
        cluster = await nodes.door(scope)
        version = await _served(cluster)
        for name in _handlers(scope):
            if not await _there(cluster, version, name):
                await cluster.apply(_manifest(version, name))
                scope.log(f"made RuntimeClass {name}")


def _handlers(scope: ReadScope) -> list[str]:
    return [name for name in scope.target.runtime.handlers if name != "runc"]


async def _served(cluster: ClusterDoor) -> str:
    group: Any = await cluster.get(_GROUP) or {}
    served = {entry.get("version") for entry in group.get("versions") or []}
    for version in _VERSIONS:
        if version in served:
            return version
    raise StepRefused(
        "cannot make RuntimeClasses: the cluster does not serve node.k8s.io",
        remedy="use a Kubernetes version from 1.14 on, or take the handlers out of runtime.handlers",
    )


async def _there(cluster: ClusterDoor, version: str, name: str) -> bool:
    found: Any = await cluster.get(f"{_GROUP}/{version}/runtimeclasses/{name}")
    if found is not None and found.get("handler") != name:
        raise StepRefused(
            f"cannot make RuntimeClass {name}: there is one with handler {found.get('handler')}, which is fixed",
            remedy=f"delete it with `kubectl delete runtimeclass {name}` when nothing needs it",
        )
    return found is not None


def _manifest(version: str, name: str) -> dict[str, object]:
    return {
        "apiVersion": f"node.k8s.io/{version}",
        "kind": "RuntimeClass",
        "metadata": {"name": name},
        "handler": name,
    }
