"""From facts to an assessment in a status: which Foundation an object is held against, and the condition that says so.

`Uniform` of a Cluster or Machine: True on its Foundation, False with what differs, Unknown without a Foundation or
without facts.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from groundplane.api.assessment import Assessment
from groundplane.api.cluster import Cluster, ClusterStatus
from groundplane.api.distribution import Distribution
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine, MachineStatus
from groundplane.assess import ClusterSubject, Standard, assess_cluster, assess_machine, resolve
from groundplane.assess.standard import vendors_of
from groundplane.base.clock import Now
from groundplane.engine.conditions import Conditions

from .objects import Objects


class Assessor:
    """Holds clusters and machines against their Foundations as they are now."""

    def __init__(self, objects: Objects, *, now: Now) -> None:
        self._objects = objects
        self._now = now

    async def cluster(
        self, cluster: Cluster, facts: ClusterFacts | None, machines: Mapping[str, MachineFacts]
    ) -> Assessment | None:
        """Return what the facts mean; None without facts."""
        if facts is None:
            return None
        return assess_cluster(ClusterSubject(facts, machines), await self._standard(cluster))

    async def assessed(
        self, cluster: Cluster, status: ClusterStatus, machines: Mapping[str, MachineFacts]
    ) -> ClusterStatus:
        """Return the status with what its facts, and those of its machines, mean now."""
        facts = status.facts
        if facts is None and machines:
            facts = ClusterFacts(observed_at=max(one.observed_at for one in machines.values()))
        assessment = await self.cluster(cluster, facts, machines)
        conditions = Conditions(status.conditions, generation=cluster.metadata.generation, now=self._now())
        judge(conditions, assessment)
        reference = cluster.spec.foundation_ref
        if reference is not None and assessment is not None and not assessment.foundation:
            message = f"there is no Foundation {reference.name} in the namespace; {assessment.risks or 'no findings'}"
            conditions.set("Uniform", "Unknown", "FoundationMissing", message)
        return msgspec.structs.replace(status, assessment=assessment, conditions=conditions.values())

    async def assessed_machine(self, machine: Machine, status: MachineStatus) -> MachineStatus:
        """Return the status with what its facts mean now."""
        assessment = None if status.facts is None else await self._machine(machine, status.facts)
        conditions = Conditions(status.conditions, generation=machine.metadata.generation, now=self._now())
        judge(conditions, assessment)
        return msgspec.structs.replace(status, assessment=assessment, conditions=conditions.values())

    async def _machine(self, machine: Machine, facts: MachineFacts) -> Assessment:
        """Hold a host against the Foundation of its Cluster."""
        namespace, reference = machine.metadata.namespace, machine.spec.cluster_ref
        cluster = await self._objects.find(Cluster, namespace, reference.name) if reference else None
        standard = await self._standard(cluster or Cluster())
        return assess_machine(machine.metadata.name, facts, standard, cluster.status.facts if cluster else None)

    async def _standard(self, cluster: Cluster) -> Standard:
        today = self._now().date().isoformat()
        namespace, reference = cluster.metadata.namespace, cluster.spec.foundation_ref
        foundation = await self._objects.find(Foundation, namespace, reference.name) if reference else None
        if foundation is None:
            return resolve(cluster, None, {}, today)
        distributions = await self._objects.all(Distribution, namespace=namespace)
        return resolve(cluster, foundation, vendors_of(distributions), today)


def judge(conditions: Conditions, assessment: Assessment | None) -> None:
    """Set the condition Uniform."""
    if assessment is None:
        conditions.set("Uniform", "Unknown", "NotSurveyed", "no facts are known yet")
    elif not assessment.foundation:
        conditions.set("Uniform", "Unknown", "NoFoundation", assessment.summary)
    elif assessment.drifting:
        conditions.set("Uniform", "False", "Drift", assessment.summary)
    elif assessment.drift:
        conditions.set("Uniform", "False", "Exceptions", assessment.summary)
    elif assessment.uniformity.uniform < assessment.uniformity.nodes:
        conditions.set("Uniform", "Unknown", "FactsMissing", assessment.summary)
    else:
        conditions.set("Uniform", "True", "OnFoundation", assessment.summary)
