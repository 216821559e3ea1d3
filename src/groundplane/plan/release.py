"""The plan that lets an adopted cluster go: our mark and notes leave its machines, and everything else stays. Pure.

A machine that is no node, for its join was cut off or its removal was, is put back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange
from groundplane.api.target import Desired
from groundplane.base.words import counted

from . import delete
from .fingerprint import fingerprint
from .rule import Rule, build
from .view import View

RELEASE = "release"


def _is_node(view: View, name: str) -> bool:
    kubeadm = view.of(name).kubeadm
    return kubeadm.joined and not kubeadm.unfinished


def _release(view: View, name: str) -> list[PlannedChange]:
    return [PlannedChange(what="owner", before=view.target.key, after="none")] if _is_node(view, name) else []


def _reset(view: View, name: str) -> list[PlannedChange]:
    return [] if _is_node(view, name) else delete.reset(view, name)


def _restore(view: View, name: str) -> list[PlannedChange]:
    return [] if _is_node(view, name) else delete.restore(view, name)


RULES = (
    Rule(RELEASE, "Let the machine go", "Machine", _release),
    Rule("reset", delete.RESET, "Machine", _reset),
    Rule("restore", delete.RESTORE, "Machine", _restore, after=("reset",)),
)


def plan_release(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what takes our mark off the machines that carry it, side by side; no steps when none does.

    A machine without facts is left as it is, and the summary says so: the caller decides whether to wait for it.
    """
    view = View(desired, facts, cluster)
    mine = [name for name in view.target.members if name in facts and view.ours(name)]
    return Plan(
        action="Release",
        steps=build(RULES, view, mine),
        fingerprints={name: fingerprint(facts[name]) for name in mine},
        summary=_summary(view, len(mine)),
        notes=["the cluster runs on; what changes made of it stays as it is"] if mine else [],
    )


def _summary(view: View, machines: int) -> str:
    name = view.target.name
    unseen = [member for member in view.target.members if member not in view.facts]
    rest = f"; left as they are, for nothing is known of them: {', '.join(unseen)}" if unseen else ""
    if not machines:
        return f"cluster {name} has its mark on no machine: nothing to do{rest}"
    return f"let cluster {name} go: mark and notes leave {counted(machines, 'machine')}{rest}"
