"""The plan that changes living nodes: runtime, Kubernetes version, host settings. One drain for all of one node.

Order. First everything that disturbs nothing, on all nodes side by side: what is staged and proven there is not waited
for with a node drained. Then the nodes in turn, each a unit that is kept or taken back whole: drain, what needs an
empty node, proof, uncordon. One node goes alone first; the rest in the budget, and none begins while one before it
is not proven. Control planes go one by one; first when Kubernetes moves, for no kubelet may be ahead of an API server,
and last when only the runtime does, for they are what a cluster can least do without. A kubelet finds its API through
any of several API servers, so in a hop of a minor all of these go before the first kubelet; that needs no drain.
Source of the skew: https://kubernetes.io/releases/version-skew-policy/#kubelet
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import msgspec

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.meta import ANNOTATION_HOLD_BACK
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base import versions
from groundplane.base.errors import Refused
from groundplane.base.words import counted
from groundplane.catalog.skew import kubelet_behind

from . import prepare
from .budget import allowed
from .deltas import Delta, deltas_of, living
from .fingerprint import fingerprint
from .supported import version_of
from .system import system_notes
from .view import View, held_back
from .way import require_skew

VERIFY = "verify-change"
_HELD = "left as they are, for they are held back"
_WAY_BACK = "what the old runtime has"
# What needs an empty node, in the order in which it is done there.
SERVERS = "upgrade-control-plane"
DISTURBING = ("system-packages", "switch-runtime", SERVERS, "upgrade-kubelet")


@dataclass(slots=True)
class _Steps:
    """The steps so far, and the names of those that all disturbing ones wait for."""

    view: View
    steps: list[PlannedStep]
    ready: list[str]

    def add(self, key: str, title: str, changes: Sequence[PlannedChange], **at: Any) -> str:
        """Add a step; `at` says machine, unit and what it comes after. Returns its name."""
        name = f"{key}/{at['machine']}" if at.get("machine") else key
        self.steps.append(PlannedStep(name=name, step=key, title=title, changes=list(changes), **at))
        return name


def plan_change(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what brings the living nodes to the target, in one hop; no steps when they are there.

    Raises Refused when the way is not allowed (a downgrade, a skew, a node that is down and not ours).
    """
    view = View(desired, facts, cluster)
    deltas = [delta for delta in deltas_of(view) if not held_back(view, delta.name)]
    if not deltas:
        return Plan(action="Change", summary=f"cluster {view.target.name} is as wanted: nothing to do")
    _require_skew(view, deltas)
    disturbed = _in_order(view, [delta for delta in deltas if delta.disturbs])
    lanes = _lanes(view, disturbed)
    collected = _Steps(view, [], [])
    _prepare(collected, deltas)
    _guard(collected, deltas)
    apart = _servers(collected, disturbed)
    uncordons: list[str] = []
    for place, delta in enumerate(disturbed):
        before = _before(view, disturbed, uncordons, place, lanes)
        uncordons.append(_node(collected, delta, before, apart))
    _finish(collected, deltas)
    on = {step.machine for step in collected.steps}
    return Plan(
        action="Change",
        steps=collected.steps,
        fingerprints={name: fingerprint(facts[name]) for name in view.target.members if name in on},
        summary=_summary(view, deltas),
        notes=_notes(view, deltas),
    )


def _require_skew(view: View, deltas: Sequence[Delta]) -> None:
    """Raise Refused when a kubelet would be too far behind the API servers, or ahead of one that is held back."""
    wanted, members = view.target.version, [name for name in view.target.members if living(view, name)]
    kubelets = {name: version for name in members if (version := version_of(view, name))}
    if any(delta.control_plane for delta in deltas):
        require_skew(wanted, kubelets)
    if not any(delta.kubernetes for delta in deltas):
        return
    held = [name for name in members if held_back(view, name) and view.role(name) == "ControlPlane"]
    overtaken = [name for name in held if name in kubelets and kubelet_behind(kubelets[name], wanted)]
    if overtaken:
        raise Refused(
            f"cannot bring cluster {view.target.name} to {wanted}: kubelets would be ahead of the API server of"
            f" {', '.join(overtaken)}, which is held back",
            remedy=f"end the hold-back of {overtaken[0]}, or choose a version of the minor that it has",
        )


def _lanes(view: View, ordered: Sequence[Delta]) -> int:
    """Return how many nodes may be away at once, those that are away already counted in; Refused when that is none."""
    budget = allowed(view.target.change.max_unavailable, len(view.target.members))
    away = [node.name for node in view.cluster.nodes if not node.ready or node.cordoned_by == view.target.key]
    # Nodes that an Operation of ours left in the middle are to be finished, not waited for, when they go first.
    finished = [delta.name for delta in takewhile(lambda delta: delta.left, ordered)]
    others = sorted(set(away) - set(finished))
    if ordered and len(others) >= budget:
        raise Refused(
            f"cannot change cluster {view.target.name}: {', '.join(others)} not Ready or cordoned by an earlier"
            f" change, and change.maxUnavailable allows {counted(budget, 'node')} to be away",
            remedy="mend what is not Ready first, or take the machine out of the cluster",
        )
    _require_planes(view, ordered, away)
    return budget - len(others)


def _require_planes(view: View, ordered: Sequence[Delta], away: Sequence[str]) -> None:
    """Raise Refused when a control plane would go while another one is away."""
    planes = [delta.name for delta in ordered if view.role(delta.name) == "ControlPlane"]
    others = sorted(name for name in away if view.role(name) == "ControlPlane" and name not in planes[:1])
    if planes and others:
        raise Refused(
            f"cannot change control plane {planes[0]} of cluster {view.target.name}: {', '.join(others)} is away,"
            " and control planes go one at a time",
            remedy=f"mend {others[0]} first, or take the machine out of the cluster",
        )


def _prepare(collected: _Steps, deltas: Sequence[Delta]) -> None:
    """What disturbs no pod: the mark, host settings, the new runtime and the new Kubernetes staged beside the old."""
    view, target = collected.view, collected.view.target
    for delta in deltas:
        name, done = delta.name, list[str]()
        if not view.ours(name):
            owner = prepare.claim(view, name)
            done.append(collected.add("claim", "Mark the machine as this cluster's", owner, machine=name))
        mark = list(done)
        if delta.settings:
            title = "Set swap, kernel modules and sysctls"
            done.append(collected.add("host-settings", title, delta.settings, machine=name, after=mark))
        if delta.runtime:
            title = f"Stage {target.runtime.name} beside {delta.runtime_now}"
            staged = PlannedChange(what=target.runtime.name, after="installed, set up, proven, images carried over")
            mark = [*mark, collected.add("stage-runtime", title, [staged], machine=name, after=mark)]
            done.append(mark[-1])
        if delta.kubernetes:
            title = f"Bring {target.version} to the machine"
            files = PlannedChange(what="programs and images", after=f"of {target.version}, on the machine")
            done.append(collected.add("stage-kubernetes", title, [files], machine=name, after=mark))
        collected.ready += done


def _guard(collected: _Steps, deltas: Sequence[Delta]) -> None:
    """What is made sure of before the first node goes: nothing is used that the new version has not, etcd is saved."""
    view, target = collected.view, collected.view.target
    if any(delta.kubernetes for delta in deltas):
        checked = PlannedChange(what="cluster", after=f"checked for what {target.version} does not serve any more")
        collected.ready.append(collected.add("upgrade-check", "Check what the new version removes", [checked]))
    if any(delta.disturbs and view.role(delta.name) == "ControlPlane" for delta in deltas):
        saved = PlannedChange(what="etcd", after="snapshot taken and read back")
        collected.ready.append(collected.add("etcd-snapshot", "Save etcd", [saved], machine=target.first))


def _servers(collected: _Steps, ordered: Sequence[Delta]) -> tuple[str, ...]:
    """Add the API servers of a hop of a minor, one after another, and return the key of the step that nodes leave out.

    Each is a unit of its own: what serves the new version stays there whatever becomes of its node.
    """
    target = collected.view.target
    planes = [delta for delta in ordered if delta.control_plane]
    moved = [delta for delta in planes if not _same_minor(delta.version_now, target.version)]
    if len(planes) == 1 or not moved:
        return ()
    for delta in planes:
        title, changes = delta.disturbing(collected.view)[SERVERS]
        at = {"machine": delta.name, "unit": f"control-plane/{delta.name}"}
        collected.ready.append(collected.add(SERVERS, title, changes, after=list(collected.ready), **at))
    return (SERVERS,)


def _same_minor(found: str, wanted: str) -> bool:
    """Tell whether two versions are of one minor; one that cannot be read is of none."""
    core, other = versions.core_of(found), versions.core_of(wanted)
    return core is not None and other is not None and core[:2] == other[:2]


def _in_order(view: View, deltas: Sequence[Delta]) -> list[Delta]:
    """Return the nodes in the order in which they go.

    One that was left in the middle goes first, for it is away already; a worker no sooner than its role's turn, when
    Kubernetes moves.
    """
    planes_first = any(delta.kubernetes for delta in deltas)
    unready = {node.name for node in view.cluster.nodes if not node.ready}
    places = {name: place for place, name in enumerate(view.target.members)}

    def key(delta: Delta) -> tuple[bool, bool, bool, bool, int]:
        plane = view.role(delta.name) == "ControlPlane"
        waits = plane != planes_first
        first = delta.left and not (waits and planes_first)
        return (not first, waits, not delta.left, delta.name not in unready, places[delta.name])

    return sorted(deltas, key=key)


def _before(view: View, ordered: Sequence[Delta], uncordons: Sequence[str], place: int, lanes: int) -> list[str]:
    """Return the uncordons that a node waits for: all but those of nodes that may be away beside it."""
    delta = ordered[place]
    beside = lanes - 1
    before = ordered[max(0, place - beside) : place]
    planes = view.role(delta.name) == "ControlPlane" or any(view.role(one.name) == "ControlPlane" for one in before)
    # The first node goes alone: what is wrong with the way itself is met on one node only.
    if place <= beside:
        return list(uncordons[:1] if not planes else uncordons)
    return list(uncordons if planes else uncordons[: place - beside])


def _node(collected: _Steps, delta: Delta, before: Sequence[str], apart: Sequence[str]) -> str:
    """Add a node's unit, without the steps that are done `apart`; return the name of its last step."""
    name = delta.name
    at = {"machine": name, "unit": name}
    empty = PlannedChange(what=f"node {name}", after="cordoned with our mark, pods evicted")
    after = [*collected.ready, *before]
    last = collected.add("drain", "Cordon the node and evict its pods", [empty], after=after, **at)
    inside = {key: step for key, step in delta.disturbing(collected.view).items() if key not in apart}
    for key, (title, changes) in inside.items():
        last = collected.add(key, title, changes, after=[last], **at)
    proof = PlannedChange(what=f"node {name}", after="Ready, its pods run anew, a test pod is reached")
    last = collected.add("verify-node", "Verify the node", [proof], after=[last], **at)
    free = PlannedChange(what=f"node {name}", before="cordoned with our mark", after="open for pods")
    return collected.add("uncordon", "Uncordon the node", [free], after=[last], **at)


def _finish(collected: _Steps, deltas: Sequence[Delta]) -> None:
    handlers = [name for name in collected.view.target.runtime.handlers if name != "runc"]
    if handlers and any(delta.runtime for delta in deltas):
        made = [PlannedChange(what=f"RuntimeClass {name}", after="made") for name in handlers]
        after = [step.name for step in collected.steps]
        collected.add("runtime-classes", "Make the RuntimeClasses of the handlers", made, after=after)
    if any(delta.disturbs for delta in deltas):
        proof = PlannedChange(what="cluster", after="all nodes Ready, system pods running, no cordon of ours left")
        collected.add(VERIFY, "Verify the cluster", [proof], after=[step.name for step in collected.steps])


def _summary(view: View, deltas: Sequence[Delta]) -> str:
    target = view.target
    parts = []
    if moved := [delta for delta in deltas if delta.kubernetes]:
        parts.append(f"Kubernetes {moved[0].version_now} → {target.version} on {counted(len(moved), 'node')}")
    for found in sorted({delta.runtime_now for delta in deltas if delta.runtime}):
        count = sum(1 for delta in deltas if delta.runtime and delta.runtime_now == found)
        parts.append(f"{found} → {target.runtime.name} on {counted(count, 'node')}")
    if left := sum(1 for delta in deltas if delta.left):
        parts.append(f"what an earlier change left on {counted(left, 'node')} finished")
    if system := sum(1 for delta in deltas if delta.system):
        parts.append(f"kernel and packages on {counted(system, 'node')}")
    if settings := sum(1 for delta in deltas if delta.settings):
        parts.append(f"host settings on {counted(settings, 'node')}")
    drains = sum(1 for delta in deltas if delta.disturbs)
    each = f"; {counted(drains, 'node')} drained once each" if drains > 1 else "; one node drained" if drains else ""
    return f"change cluster {target.name}: {', '.join(parts)}{each}"


def _notes(view: View, deltas: Sequence[Delta]) -> list[str]:
    target, notes = view.target, []
    disturbed = [delta for delta in deltas if delta.disturbs]
    if len(target.control_planes) == 1 and any(delta.name == target.first for delta in disturbed):
        notes.append(
            f"{target.first} is the only control plane: the cluster's API does not answer while it is changed, about"
            " a minute; workloads on other nodes run on"
        )
    if target.change.drain.unmanaged_pods == "Delete" and disturbed:
        notes.append("pods that no controller makes anew are deleted for good (change.drain.unmanagedPods: Delete)")
    notes += system_notes(view, target.members)
    kept = [name for name in target.members if held_back(view, name)]
    if kept:
        notes.append(f"{_HELD}: {', '.join(kept)}")
    if any(delta.runtime for delta in deltas):
        notes.append(
            f"{_WAY_BACK} stays on the machines until `groundplane clean-up` is approved; until then the change can be"
            " rolled back"
        )
    return notes


def rolled_back(plan: Plan, operation: str) -> Plan:
    """Return a plan that is marked as what takes an Operation back."""
    notes = [note for note in plan.notes if not note.startswith((_HELD, _WAY_BACK))]
    summary = f"roll back {operation}: {plan.summary.partition(': ')[2]}"
    return msgspec.structs.replace(plan, rolls_back=operation, summary=summary, notes=notes)


def without_hold(desired: Desired, names: Sequence[str]) -> Desired:
    """Return the wish with every machine but `names` held back."""

    def held(name: str) -> object:
        machine = desired.machines[name]
        annotations = {**machine.metadata.annotations, ANNOTATION_HOLD_BACK: "true"}
        meta = msgspec.structs.replace(machine.metadata, annotations=annotations)
        return machine if name in names else msgspec.structs.replace(machine, metadata=meta)

    return msgspec.structs.replace(desired, machines={name: held(name) for name in desired.machines})


__all__ = ["DISTURBING", "VERIFY", "held_back", "plan_change", "rolled_back", "without_hold"]
