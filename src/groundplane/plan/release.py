"""The plan that lets an adopted cluster go: our mark and notes leave its machines, and everything else stays. Pure.

A machine that is no node, for its join was cut off or its removal was, is put back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.words import counted

from . import delete
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
        steps=[step for name in mine for step in _steps(view, name)],
        fingerprints={name: fingerprint(facts[name]) for name in mine},
        summary=_summary(view, len(mine)),
        notes=["the cluster runs on; what changes made of it stays as it is"] if mine else [],
    )


def _steps(view: View, name: str) -> list[PlannedStep]:
    kubeadm = view.of(name).kubeadm
    if kubeadm.joined and not kubeadm.unfinished:
        return [_release(view, name)]
    reset = PlannedStep(
        name=f"reset/{name}",
        step="reset",
        title="Reset kubeadm, kubelet and pod network",
        machine=name,
        changes=delete.reset(view, name),
    )
    restore = PlannedStep(
        name=f"restore/{name}",
        step="restore",
        title="Put the machine back as it was",
        machine=name,
        after=[reset.name],
        changes=delete.restore(view, name),
    )
    return [reset, restore]


def _release(view: View, name: str) -> PlannedStep:
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
