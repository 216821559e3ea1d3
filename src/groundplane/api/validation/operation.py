"""Admission of Operations: the plan is a graph that can be run, it never changes, and approval goes one way."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from ..cause import Cause, Verdict, forbidden, invalid
from ..operation import Operation, OperationSpec, Plan
from .shared import frozen, metadata_causes, repeated


def admit_operation(operation: Operation, old: Operation | None) -> Verdict:
    """Judge an Operation that is created, or changed from `old`."""
    verdict = Verdict(metadata_causes(operation.metadata.name, operation.metadata.generate_name))
    if old is not None:
        verdict.extend(_immutable(operation.spec, old.spec))
    else:
        verdict.extend(_plan_causes(operation.spec.plan))
    return verdict


def _immutable(spec: OperationSpec, old: OperationSpec) -> Iterator[Cause]:
    why = "what runs is what was planned and approved; have the Cluster planned anew instead"
    pairs = {
        "spec.clusterRef": (old.cluster_ref, spec.cluster_ref),
        "spec.target": (old.target, spec.target),
        "spec.plan": (old.plan, spec.plan),
    }
    for path, (before, after) in pairs.items():
        if cause := frozen(path, before, after, why):
            yield cause
    if (old.approval, spec.approval) == ("Approved", "Pending"):
        rule = "an approval cannot be taken back; set spec.cancel to Requested to stop the Operation"
        yield forbidden("spec.approval", spec.approval, rule)
    if (old.cancel, spec.cancel) == ("Requested", ""):
        rule = "a cancel cannot be taken back; have the Cluster planned anew to go on"
        yield forbidden("spec.cancel", spec.cancel, rule)


def _plan_causes(plan: Plan) -> Iterator[Cause]:
    names = [step.name for step in plan.steps]
    yield from repeated("spec.plan.steps", names, "step", field="name")
    known = set(names)
    for index, step in enumerate(plan.steps):
        for number, before in enumerate(step.after):
            if before not in known:
                path = f"spec.plan.steps[{index}].after[{number}]"
                yield invalid(path, before, "is no step of the plan")
    try:
        TopologicalSorter({step.name: step.after for step in plan.steps}).prepare()
    except CycleError as error:
        circle = " after ".join(error.args[1])
        yield invalid("spec.plan.steps", circle, "steps wait for one another in a circle")
