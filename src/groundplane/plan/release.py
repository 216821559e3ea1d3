"""The plan that lets an adopted cluster go: our mark and notes leave its machines, and everything else stays. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.words import counted

from .fingerprint import fingerprint
from .view import View

RELEASE = "release"


def plan_release(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what takes our mark off the machines that carry it, side by side; no steps when none does.

    A machine without facts is left as it is, and the summary says so: the caller decides whether to wait for it.
    """
    view = View(desired, facts, cluster)
    mine = [name for name in view.target.members if name in facts and view.ours(name)]
    return Plan(
        action="Release",
        steps=[_step(view, name) for name in mine],
        fingerprints={name: fingerprint(facts[name]) for name in mine},
        summary=_summary(view, len(mine)),
        notes=["the cluster runs on; what changes made of it stays as it is"] if mine else [],
    )


def _step(view: View, name: str) -> PlannedStep:
    return PlannedStep(
        name=f"{RELEASE}/{name}",
        step=RELEASE,
        title="Let the machine go",
        machine=name,
        changes=[PlannedChange(what="owner", before=view.target.key, after="none")],
    )


def _summary(view: View, machines: int) -> str:
    name = view.target.name
    unseen = [member for member in view.target.members if member not in view.facts]
    rest = f"; left as they are, for nothing is known of them: {', '.join(unseen)}" if unseen else ""
    if not machines:
        return f"cluster {name} has its mark on no machine: nothing to do{rest}"
    return f"let cluster {name} go: mark and notes leave {counted(machines, 'machine')}{rest}"
