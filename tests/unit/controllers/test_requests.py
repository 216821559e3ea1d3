"""What a person asked for by an annotation, and what nobody has to approve: told from objects alone."""

from __future__ import annotations

from groundplane.api.cluster import Cluster
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.controllers.cluster.planning import approved_at_once

from .test_leaving import TARGET


def updating(what: str) -> Plan:
    change = PlannedChange(what=what, after="newer")
    step = PlannedStep(name="system-packages/w-1", step="system-packages", title="", machine="w-1", changes=[change])
    return Plan(action="Change", steps=[step])


def test_a_kernel_that_only_a_foundation_asks_for_waits_for_a_person() -> None:
    assert not approved_at_once(Cluster(), TARGET, updating("kernel"))
    assert approved_at_once(Cluster(), TARGET, updating("packages"))
