"""Holds: what a Cluster needs for its own deletion stays until the Cluster is gone.

`kubectl delete -f DIR` deletes the Machines and the SSH Secret together with the Cluster. Without a hold the Cluster
could never be taken off its machines. A hold is the finalizer groundplane.dev/in-use, on the Machines, their
Secrets, the Foundation and the Distribution; it goes when no Cluster needs the object any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.meta import FINALIZER_IN_USE
from groundplane.client.contract import Object, Resource
from groundplane.client.errors import NotFound
from groundplane.client.typed import RESOURCES, SECRETS

from ..objects import Objects
from .scope import ClusterScope, load

_Held = tuple[Resource, str]


def needed(scope: ClusterScope) -> set[_Held]:
    """Return what the Cluster needs, as (resource, name) in its namespace."""
    held: set[_Held] = {(RESOURCES[type(machine)], machine.metadata.name) for machine in scope.machines}
    for machine in scope.machines:
        references = [machine.spec.ssh.secret_ref, machine.spec.ssh.jump and machine.spec.ssh.jump.secret_ref]
        held |= {(SECRETS, reference.name) for reference in references if reference}
    for value in (scope.foundation, scope.distribution):
        if value is not None:
            held.add((RESOURCES[type(value)], value.metadata.name))
    return held


async def hold(objects: Objects, scope: ClusterScope) -> None:
    """Put the finalizer on everything that the Cluster needs and that is not being deleted."""
    for resource, name in sorted(needed(scope), key=str):
        document = await _find(objects, resource, scope.cluster.metadata.namespace, name)
        if document is None or document["metadata"].get("deletionTimestamp"):
            continue
        finalizers = document["metadata"].get("finalizers", [])
        if FINALIZER_IN_USE not in finalizers:
            await _set(objects, resource, document, [*finalizers, FINALIZER_IN_USE])


async def release(objects: Objects, scope: ClusterScope) -> None:
    """Take the finalizer off everything that only this Cluster needed."""
    namespace = scope.cluster.metadata.namespace
    others: set[_Held] = set()
    for cluster in scope.world.clusters:
        meta = cluster.metadata
        if meta.namespace == namespace and meta.uid != scope.cluster.metadata.uid:
            other = await load(objects, namespace, meta.name)
            others |= needed(other) if other else set()
    await _drop(objects, namespace, needed(scope) - others)


async def _drop(objects: Objects, namespace: str, held: Iterable[_Held]) -> None:
    for resource, name in sorted(held, key=str):
        document = await _find(objects, resource, namespace, name)
        finalizers = document["metadata"].get("finalizers", []) if document else []
        if document is not None and FINALIZER_IN_USE in finalizers:
            await _set(objects, resource, document, [f for f in finalizers if f != FINALIZER_IN_USE])


async def _find(objects: Objects, resource: Resource, namespace: str, name: str) -> Object | None:
    try:
        return await objects.client.get(resource, namespace, name)
    except NotFound:
        return None


async def _set(objects: Objects, resource: Resource, document: Object, finalizers: list[str]) -> None:
    meta = document["metadata"]
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": meta["resourceVersion"]}}
    await objects.client.patch(resource, meta["namespace"], meta["name"], patch)
