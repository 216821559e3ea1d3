"""The plan that takes a cluster apart: workers first, the first control plane last, machines of others never.

Only a machine that carries this cluster's mark is in the plan; the mark itself goes last, so that an interrupted
delete finds its machines again.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.words import counted

from .assemble import CNI_CONFIG
from .fingerprint import fingerprint
from .rule import Rule, build
from .view import View


def drain(view: View, name: str) -> list[PlannedChange]:
    """Workers that still run; the step says so aloud when the API is gone and nothing can be evicted."""
    if view.role(name) != "Worker" or not view.joined(name):
        return []
    return [PlannedChange(what=f"pods of node {name}", after="evicted")]


def reset(view: View, name: str) -> list[PlannedChange]:
    """Everything that kubeadm, kubelet and the pod network left on the machine.

    Planned wherever our mark is: folders and packet filter chains that a cut-off reset leaves are in no survey.
    """
    facts, changes = view.of(name), []
    kubeadm = facts.kubeadm
    if kubeadm.present:
        changes.append(PlannedChange(what="kubeadm", before=f"{view.role(name)} of {view.target.name}", after="reset"))
    if facts.kubelet.active:
        changes.append(PlannedChange(what="kubelet", before="running", after="stopped"))
    if any(CNI_CONFIG in config for config in facts.network.cni_configs):
        changes.append(PlannedChange(what="pod network", before="CNI configuration and routes", after="removed"))
    rest = PlannedChange(what="containers, folders and chains of kubelet", before="as found", after="none")
    return [*changes, rest]


def reset_worker(view: View, name: str) -> list[PlannedChange]:
    """Workers leave while there is still a control plane to leave."""
    return reset(view, name) if view.role(name) == "Worker" else []


def reset_control_plane(view: View, name: str) -> list[PlannedChange]:
    """Control planes, once no worker is left."""
    return reset(view, name) if view.role(name) == "ControlPlane" else []


def restore(_: View, __: str) -> list[PlannedChange]:
    """Every machine that carries the mark: files that Groundplane put there go, backups come back, the mark last."""
    return [PlannedChange(what="files and settings that Groundplane put there", after="removed, backups put back")]


RESET, RESTORE = "Reset kubeadm, kubelet and pod network", "Put the machine back as it was"
RULES: tuple[Rule, ...] = (
    Rule("drain", "Evict the pods", "Machine", drain),
    Rule("reset", RESET, "Machine", reset_worker, after=("drain",)),
    Rule(
        "reset",
        RESET,
        "Machine",
        reset_control_plane,
        after_all=("drain", "reset"),
        in_turn=("ControlPlane",),
    ),
    Rule("restore", RESTORE, "Machine", restore, after=("reset",)),
)


def plan_delete(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what takes the cluster off its machines; no steps when none carries its mark.

    A machine without facts is left as it is, and the summary says so: the caller decides whether to wait for it.
    """
    view = View(desired, facts, cluster)
    target = desired.target
    # Control planes take their turns backwards: etcd loses one member at a time, and the first one goes last.
    order = [*target.workers, *reversed(target.control_planes)]
    mine = [name for name in order if name in facts and view.ours(name)]
    steps = build(RULES, view, mine)
    return Plan(
        action="Delete",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in mine},
        summary=_summary(view, steps, len(mine)),
    )


def _summary(view: View, steps: list[PlannedStep], machines: int) -> str:
    name = view.target.name
    unseen = [member for member in view.target.members if member not in view.facts]
    rest = f"; left as they are, for nothing is known of them: {', '.join(unseen)}" if unseen else ""
    if not steps:
        return f"cluster {name} is on no machine: nothing to do{rest}"
    return f"delete cluster {name}: {counted(len(steps), 'step')} on {counted(machines, 'machine')}{rest}"
