"""Holds: what a Cluster needs for its own deletion stays until the Cluster is gone.

`kubectl delete -f DIR` deletes the Machines and the SSH Secret together with the Cluster. Without a hold the Cluster
could never be taken off its machines. A hold is the finalizer groundplane.dev/in-use, on the Machines, their
Secrets, the Foundation and the Distribution. It goes when no Cluster needs the object any more: with the last Cluster
that did, and for what is only read (Secrets, Foundations, Distributions) as soon as nothing points to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import FINALIZER_CLUSTER, FINALIZER_IN_USE, ObjectMeta
from groundplane.base.logs import get_logger
from groundplane.client.contract import Resource
from groundplane.client.errors import NotFound
from groundplane.client.typed import RESOURCES, SECRETS

from ..objects import Objects
from .scope import ClusterScope, World, basis, belongs

_Key = tuple[Resource, str]

logger = get_logger()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Something that can be held."""

    resource: Resource
    meta: ObjectMeta

    @property
    def key(self) -> _Key:
        return self.resource, self.meta.name

    @property
    def held(self) -> bool:
        return FINALIZER_IN_USE in self.meta.finalizers


def marked(cluster: Cluster) -> bool:
    """Tell whether a deletion waits for us: from then on the Cluster's mark may be on machines."""
    return FINALIZER_CLUSTER in cluster.metadata.finalizers


async def mark(objects: Objects, cluster: Cluster) -> None:
    """Make sure that a deletion waits for us before anything is done to a machine."""
    meta = cluster.metadata
    finalizers = [*meta.finalizers, FINALIZER_CLUSTER]
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": meta.resource_version}}
    await objects.patch(Cluster, meta.namespace, meta.name, patch)


def needed(world: World, cluster: Cluster) -> set[_Key]:
    """Return what the Cluster needs, as (resource, name) in its namespace.

    An imported one goes without any work, unless its machines carry its mark: then they are needed to take it away.
    """
    held: set[_Key] = set()
    imported = cluster.spec.provider == "Imported"
    if imported and not marked(cluster):
        return held
    for machine in world.machines:
        if belongs(machine, cluster):
            held.add((RESOURCES[Machine], machine.metadata.name))
            held |= _secrets(machine)
    for value in () if imported else basis(world, cluster):
        if value is not None:
            held.add((RESOURCES[type(value)], value.metadata.name))
    return held


def _secrets(machine: Machine) -> set[_Key]:
    """Return the Secrets that a Machine is reached with."""
    references = [machine.spec.ssh.secret_ref, machine.spec.ssh.jump and machine.spec.ssh.jump.secret_ref]
    return {(SECRETS, reference.name) for reference in references if reference}


async def hold(objects: Objects, scope: ClusterScope) -> None:
    """Hold what the Cluster needs and that is not being deleted; let go what nothing points to any more."""
    mine, pointed_at = needed(scope.world, scope.cluster), _pointed_at(scope)
    for one in await _candidates(objects, scope):
        if one.key in mine and not one.held and not one.meta.deletion_timestamp:
            await _set(objects, one, [*one.meta.finalizers, FINALIZER_IN_USE])
        elif one.held and one.key not in pointed_at and one.resource != RESOURCES[Machine]:
            await _let_go(objects, one)


async def release_left(objects: Objects, scope: ClusterScope, names: Collection[str]) -> None:
    """Let go of Machines that have left a Cluster which stays: they disappear."""
    for machine in scope.machines:
        candidate = _Candidate(RESOURCES[Machine], machine.metadata)
        if machine.metadata.name in names and machine.metadata.deletion_timestamp and candidate.held:
            await _let_go(objects, candidate)


async def release(objects: Objects, scope: ClusterScope) -> None:
    """Let go everything in the namespace that no other Cluster needs, also what this one needed in earlier days."""
    meta = scope.cluster.metadata
    others: set[_Key] = set()
    for cluster in scope.world.clusters:
        if cluster.metadata.namespace == meta.namespace and cluster.metadata.uid != meta.uid:
            others |= needed(scope.world, cluster)
    for one in await _candidates(objects, scope):
        if one.held and one.key not in others:
            await _let_go(objects, one)


def _pointed_at(scope: ClusterScope) -> set[_Key]:
    namespace = scope.cluster.metadata.namespace
    clusters = (c for c in scope.world.clusters if c.metadata.namespace == namespace)
    machines = (m for m in scope.world.machines if m.metadata.namespace == namespace)
    return set().union(*(needed(scope.world, c) for c in clusters), *(_secrets(m) for m in machines))


async def _candidates(objects: Objects, scope: ClusterScope) -> list[_Candidate]:
    """Return everything of the namespace that can be held."""
    namespace = scope.cluster.metadata.namespace
    values: list[Machine | Foundation | Distribution] = [
        *scope.world.machines,
        *scope.world.foundations,
        *scope.world.distributions,
    ]
    secrets = await objects.client.list(SECRETS, namespace=namespace)
    return [
        *(_Candidate(RESOURCES[type(v)], v.metadata) for v in values if v.metadata.namespace == namespace),
        *(_Candidate(SECRETS, msgspec.convert(secret["metadata"], ObjectMeta)) for secret in secrets.items),
    ]


async def _let_go(objects: Objects, one: _Candidate) -> None:
    await _set(objects, one, [finalizer for finalizer in one.meta.finalizers if finalizer != FINALIZER_IN_USE])


async def _set(objects: Objects, one: _Candidate, finalizers: list[str]) -> None:
    meta = one.meta
    patch = {"metadata": {"finalizers": finalizers, "resourceVersion": meta.resource_version}}
    try:
        await objects.client.patch(one.resource, meta.namespace, meta.name, patch)
    except NotFound:
        logger.debug("gone before its hold was changed", resource=one.resource.plural, name=meta.name)
