"""Everything that one look at a Cluster needs, read at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import (
    ANNOTATION_ABANDON,
    ANNOTATION_HOLD_BACK,
    ANNOTATION_INPUTS,
    ANNOTATION_RETRY,
    ANNOTATION_UNIFY,
    ANNOTATION_UPDATE,
    FINALIZER_IN_USE,
    LABEL_CLUSTER,
)
from groundplane.api.operation import FINAL_PHASES, Operation
from groundplane.api.unify import OVER, Unify
from groundplane.api.validation import Runtimes
from groundplane.catalog import runtimes

from ..objects import Kind, Objects

DEFAULT_DISTRIBUTION = "native"
# What a person asks for beside the spec.
_ASIDE = ("RenewCertificates", "CleanUp")


@dataclass(frozen=True, slots=True)
class World:
    """All objects that validation compares a Cluster with (api.validation.World). Clusters are without statuses."""

    clusters: list[Cluster]
    machines: list[Machine]
    foundations: list[Foundation]
    distributions: list[Distribution]
    runtimes: Runtimes = runtimes


@dataclass(frozen=True, slots=True)
class ClusterScope:
    """`operations` are this cluster's, oldest first. `machines` point to it, and have not been let go by us.

    `aside`: what a plan for it rests on beside what these objects say.
    """

    cluster: Cluster
    foundation: Foundation | None
    distribution: Distribution | None
    machines: list[Machine]
    operations: list[Operation]
    world: World
    aside: str = ""

    @property
    def active(self) -> Operation | None:
        """The Operation that is not finished, if any."""
        return next((o for o in self.operations if o.status.phase not in FINAL_PHASES), None)

    @property
    def latest(self) -> Operation | None:
        """The newest Operation, finished or not."""
        return self.operations[-1] if self.operations else None

    @property
    def kept(self) -> list[Machine]:
        """The machines that a person has not given up."""
        return [m for m in self.machines if m.metadata.annotations.get(ANNOTATION_ABANDON) != "true"]

    @property
    def answer(self) -> Operation | None:
        """The newest Operation when it was made from the present inputs. It tells so itself: a status can get lost."""
        latest = self.latest
        made_from = latest.metadata.annotations.get(ANNOTATION_INPUTS) if latest else ""
        return latest if made_from == self.inputs() else None

    @property
    def superseded(self) -> Operation | None:
        """The Operation that waits for approval though what it was planned from is different by now."""
        one = self.active
        if one is None or one.spec.approval != "Pending" or one.status.started_at or one.spec.cancel == "Requested":
            return None
        return one if one.metadata.annotations.get(ANNOTATION_INPUTS) not in (None, self.inputs()) else None

    @property
    def _of_spec(self) -> Operation | None:
        """The newest Operation from the present inputs that tells what became of the spec.

        A renewal or a clean-up does not; a rollback does, for what it took back is not to be done at once again.
        """
        made = (o for o in reversed(self.operations) if o.spec.plan.action not in _ASIDE)
        inputs = self.inputs()
        return next((o for o in made if o.metadata.annotations.get(ANNOTATION_INPUTS) == inputs), None)

    @property
    def unfinished(self) -> bool:
        """Whether the newest Operation of the spec did well and is only a stop on the way."""
        latest = self._of_spec
        return latest is not None and latest.status.phase == "Succeeded" and bool(latest.spec.plan.next)

    @property
    def stale(self) -> bool:
        """Whether the newest Operation's plan was not true any more when it was to begin."""
        return self.latest is not None and self.latest.status.phase == "Stale"

    @property
    def removed(self) -> bool:
        """Whether every deleted machine is in a removal that was made from the present inputs."""
        inputs = self.inputs()
        made = [o for o in self.operations if o.metadata.annotations.get(ANNOTATION_INPUTS) == inputs]
        planned = {n for o in made if o.spec.plan.action == "Remove" for n in o.spec.target.leaving}
        return all(m.metadata.name in planned for m in self.machines if m.metadata.deletion_timestamp)

    @property
    def planned(self) -> bool:
        """Whether a plan was made from the present inputs, one with steps or one without."""
        return self._of_spec is not None or self.cluster.status.planned_inputs == self.inputs()

    @property
    def open(self) -> bool:
        """Whether something is to be planned, apart from what a person asks for beside the spec."""
        return self.stale or self.unfinished or not self.planned or not self.removed

    @property
    def run(self) -> str:
        """The run of unify in which the Cluster has its turn; empty: none, or one that is over."""
        name = self.cluster.metadata.annotations.get(ANNOTATION_UNIFY, "")
        status = self.foundation.status.unify if self.foundation is not None else None
        return name if status is not None and status.run == name and status.phase not in OVER else ""

    def inputs(self) -> str:
        """Digest of everything that a person can change and that a plan depends on."""
        cluster = self.cluster.metadata
        parts = [
            cluster.uid,
            str(cluster.generation),
            cluster.annotations.get(ANNOTATION_RETRY, ""),
            cluster.annotations.get(ANNOTATION_UNIFY, ""),
            cluster.annotations.get(ANNOTATION_UPDATE, ""),
            "deleting" if cluster.deletion_timestamp else "",
            *(_member(m) for m in sorted(self.kept, key=lambda m: m.metadata.name)),
            # One that was given up before it was deleted is not among the kept.
            *sorted(f"{m.metadata.uid}:leaving" for m in self.machines if m.metadata.deletion_timestamp),
            _ground(self.foundation),
            _identity(self.distribution),
            *([self.aside] if self.aside else []),
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def ground_of(scope: ClusterScope) -> str:
    """Return a digest of what the Cluster's Foundation asks for, also where that is not wished for."""
    return _ground(basis(scope.world, scope.cluster)[0])


async def load(objects: Objects, namespace: str, name: str) -> ClusterScope | None:
    """Read everything about a Cluster; None when it is gone."""
    # First, so that the answer to a look that is asked for is never about older Machines than the question.
    cluster = await objects.find(Cluster, namespace, name)
    if cluster is None:
        return None
    world = World(
        clusters=await objects.cluster_specs(),
        machines=await objects.all(Machine),
        foundations=await objects.all(Foundation),
        distributions=await objects.all(Distribution),
    )
    foundation, distribution = basis(world, cluster)
    labelled = await objects.all(Operation, namespace=namespace, label_selector=f"{LABEL_CLUSTER}={name}")
    # Those of an earlier Cluster of this name go with their owner, but not at once.
    operations = [o for o in labelled if any(ref.uid == cluster.metadata.uid for ref in o.metadata.owner_references)]
    return ClusterScope(
        cluster=cluster,
        foundation=foundation,
        distribution=distribution,
        machines=[m for m in world.machines if belongs(m, cluster) and not _let_go(m)],
        operations=sorted(operations, key=lambda o: (o.metadata.creation_timestamp, int(o.metadata.resource_version))),
        world=world,
    )


def basis(world: World, cluster: Cluster) -> tuple[Foundation | None, Distribution | None]:
    """Return what the Cluster stands on: its Foundation and its Distribution, as far as they are there."""
    namespace, reference = cluster.metadata.namespace, cluster.spec.foundation_ref
    foundation = _named(world.foundations, namespace, reference.name if reference else None)
    return foundation, _named(world.distributions, namespace, distribution_name(cluster, foundation))


def distribution_name(cluster: Cluster, foundation: Foundation | None) -> str:
    """Return the name of the Distribution that the Cluster, or else its Foundation, asks for.

    An imported Cluster has one of its own, which its survey tells: no Foundation makes it another.
    """
    if cluster.spec.kubernetes.distribution:
        return cluster.spec.kubernetes.distribution
    if cluster.spec.provider == "Imported":
        return cluster.status.distribution or DEFAULT_DISTRIBUTION
    return foundation.spec.kubernetes.distribution if foundation else DEFAULT_DISTRIBUTION


def wanted_distribution(scope: ClusterScope, foundation: Foundation) -> Distribution | None:
    """Return the Distribution that the Cluster, or else this Foundation, asks for, if it is there."""
    name = scope.cluster.spec.kubernetes.distribution or foundation.spec.kubernetes.distribution
    return _named(scope.world.distributions, scope.cluster.metadata.namespace, name)


def belongs(machine: Machine, cluster: Cluster) -> bool:
    """Tell whether the Machine says that it belongs to the Cluster."""
    reference = machine.spec.cluster_ref
    return (
        reference is not None
        and machine.metadata.namespace == cluster.metadata.namespace
        and reference.name == cluster.metadata.name
    )


def _let_go(machine: Machine) -> bool:
    """Tell whether a deleted Machine is not ours any more, or never was: only somebody else's finalizer keeps it.

    We hold a Machine before anything is done to it.
    """
    meta = machine.metadata
    return bool(meta.deletion_timestamp) and FINALIZER_IN_USE not in meta.finalizers


def _named(candidates: Sequence[Kind], namespace: str, name: str | None) -> Kind | None:
    return next((c for c in candidates if c.metadata.namespace == namespace and c.metadata.name == name), None)


def _member(machine: Machine) -> str:
    meta = machine.metadata
    asked = [meta.annotations.get(name, "") for name in (ANNOTATION_HOLD_BACK, ANNOTATION_UPDATE)]
    return f"{meta.uid}:{meta.generation}:{':'.join(asked)}"


def _ground(foundation: Foundation | None) -> str:
    """Return what a Foundation asks for; how and when its fleet is unified is not part of it."""
    if foundation is None:
        return ""
    spec = msgspec.structs.replace(foundation.spec, unify=Unify())
    return f"{foundation.metadata.uid}:{hashlib.sha256(msgspec.json.encode(spec, order='sorted')).hexdigest()[:16]}"


def _identity(value: Distribution | None) -> str:
    return f"{value.metadata.uid}:{value.metadata.generation}" if value else ""
