"""The plan that takes nodes out of a cluster that stays.

Nodes that are dead and given up go first, for an etcd without its dead members is safer; then workers, as many side by
side as `change.maxUnavailable` allows; then control planes, one after another. A node's machine is cleared only when
its pods have left and etcd has let it go, its Node goes only when its kubelet cannot come back, and its mark last, so
that a removal that was cut off finds the machine again. The nodes that stay are asked for one thing: their routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.meta import ANNOTATION_ABANDON, FINALIZER_IN_USE
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.errors import Refused, Unavailable
from groundplane.base.words import counted

from . import delete, virtual_ip
from .budget import allowed
from .fingerprint import fingerprint
from .planes import TWO_PLANES, leave, lives
from .view import STATIC_PODS, View

ROUTES = "routes"
_KEEP = f"to keep the machine, take the finalizer {FINALIZER_IN_USE} off it and apply it again"
_DELETE = "to take the whole cluster off its machines, delete the Cluster"
# Of a cluster that was there before, the Cluster is all that goes.
_GIVE_UP = "to give the cluster up unchanged, delete the Cluster"


def plan_remove(
    desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts, leaving: Sequence[str]
) -> Plan:
    """Return what takes the machines `leaving` out; no steps when none of them is a node. All are in `desired`.

    Raises Refused when the cluster would not outlive it, Unavailable when one does not answer and is not given up.
    """
    view = View(leave(desired, leaving), facts, cluster)
    dead = [name for name in view.target.leaving if abandoned(view, name) and _known(view, name)]
    alive = [name for name in view.target.leaving if not abandoned(view, name)]
    _require_facts(view, alive)
    alive = [name for name in alive if _member(view, name)]
    if not dead and not alive:
        return Plan(action="Remove", summary=f"no node of cluster {view.target.name} is to be taken out: nothing to do")
    _require_allowed(view, dead, alive)
    steps = _steps(view, dead, alive)
    on = {step.machine for step in steps} - set(dead)
    return Plan(
        action="Remove",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in view.desired.machines if name in on},
        summary=_summary(view, dead, alive),
        notes=list(_notes(view, dead, alive)),
    )


def abandoned(view: View, name: str) -> bool:
    """Tell whether a person has given the machine up: its host is not touched any more."""
    return view.spec(name).metadata.annotations.get(ANNOTATION_ABANDON) == "true"


def lost_majority(members: int, healthy: int, *, dead: int, alive: int) -> bool:
    """Tell whether etcd would lack a majority at any point while first dead, then living members are taken out.

    `healthy` counts all that answer, those that are to leave among them.
    """
    for place in range(dead + alive):
        if healthy <= members // 2:
            return True
        members -= 1
        healthy -= place >= dead
    return healthy <= members // 2


def _known(view: View, name: str) -> bool:
    """Tell whether the cluster may still know a machine that is not asked any more."""
    return view.node(name) is not None or not view.cluster.reachable or view.role(name) == "ControlPlane"


def _member(view: View, name: str) -> bool:
    if view.target.origin == "Adopted":
        # With the mark on it a removal was cut off, which may have taken the rest.
        return view.ours(name) or view.of(name).kubeadm.joined
    return view.ours(name)


def _require_facts(view: View, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in view.facts]
    if missing:
        raise Unavailable(
            f"cannot take {', '.join(missing)} out of cluster {view.target.name}: no answer from there",
            remedy=f'bring the machine up, or give it up for good with the annotation {ANNOTATION_ABANDON}: "true"',
        )


def _require_allowed(view: View, dead: Sequence[str], alive: Sequence[str]) -> None:
    target = view.target
    stay = [name for name in target.control_planes if name in view.facts and lives(view, name)]
    gone = [name for name in (*dead, *alive) if view.role(name) == "ControlPlane"]
    if gone and not stay:
        raise Refused(
            f"cannot take {', '.join(gone)} out of cluster {target.name}: no control plane would be left",
            remedy=f"{_KEEP}; {_GIVE_UP if target.origin == 'Adopted' else _DELETE}",
        )
    addresses = {view.spec(name).spec.address: name for name in gone}
    if target.endpoint.provider == "None" and target.endpoint.host in addresses:
        name = addresses[target.endpoint.host]
        raise Refused(
            f"cannot take {name} out of cluster {target.name}: nodes and clients reach the cluster by its address"
            f" {target.endpoint.host}",
            remedy=f"{_KEEP}; only a cluster with an endpoint of its own (controlPlane.endpoint) can lose it",
        )
    if gone and _breaks_etcd(view, stay, dead, alive):
        raise Refused(
            f"cannot take {', '.join(gone)} out of cluster {target.name}: etcd would be left without a majority",
            remedy=f"mend the control planes that are not Ready first; {_KEEP}",
        )


def _breaks_etcd(view: View, stay: Sequence[str], dead: Sequence[str], alive: Sequence[str]) -> bool:
    """Judge by what the API shows; a cluster whose API is away is judged by the step, which asks etcd itself."""
    if not view.cluster.reachable:
        return False
    planes = {name for name in (*dead, *alive) if view.role(name) == "ControlPlane" and _has_etcd(view, name)}
    ready = {node.name for node in view.cluster.nodes if node.ready}
    lost = [name for name in dead if name in planes]
    living = [name for name in alive if name in planes]
    healthy = sum(1 for name in (*stay, *living) if name in ready)
    return lost_majority(len(stay) + len(planes), healthy, dead=len(lost), alive=len(living))


def _has_etcd(view: View, name: str) -> bool:
    """Tell whether the control plane may be a member of etcd: one that never joined is none. The step asks etcd."""
    if name not in view.facts or abandoned(view, name):
        return view.node(name) is not None
    kubeadm = view.of(name).kubeadm
    return STATIC_PODS[0] in kubeadm.static_pods or kubeadm.etcd_data


def _steps(view: View, dead: Sequence[str], alive: Sequence[str]) -> list[PlannedStep]:
    steps: list[PlannedStep] = []
    ends: list[str] = []
    workers = [name for name in alive if view.role(name) == "Worker"]
    planes = [name for name in alive if view.role(name) == "ControlPlane"]
    lanes = allowed(view.target.change.max_unavailable, len(view.target.members) + len(alive))
    for name in dead:
        steps += _dead(view, name, ends[-1:])
        ends.append(steps[-1].name)
    for place, name in enumerate(workers):
        steps += _alive(view, name, ends[: len(dead) + max(0, place + 1 - lanes)])
        ends.append(_end(name))
    for name in planes:
        steps += _alive(view, name, list(ends))
        ends.append(_end(name))
    if view.target.network.plugin == "routed" and view.target.origin == "Made" and view.target.members:
        gone = ", ".join((*dead, *alive))
        steps.append(
            PlannedStep(
                name=ROUTES,
                step=ROUTES,
                title="Set the routes of the nodes that stay",
                after=ends,
                changes=[PlannedChange(what=f"routes to the pods of {gone}", before="set", after="removed")],
            )
        )
    return [*steps, *virtual_ip.without(view, (*dead, *alive), ends)]


def _end(name: str) -> str:
    return f"delete-node/{name}"


def _dead(view: View, name: str, after: Sequence[str]) -> Iterator[PlannedStep]:
    before = list(after)
    if view.role(name) == "ControlPlane":
        yield _step("etcd-member", name, before)
        before = [f"etcd-member/{name}"]
    yield _step("delete-node", name, before)


def _alive(view: View, name: str, after: Sequence[str]) -> Iterator[PlannedStep]:
    before = list(after)
    if not view.ours(name):
        yield _step("claim", name, before, f"cluster {view.target.key}")
        before = [f"claim/{name}"]
    if view.node(name) is not None or not view.cluster.reachable:
        yield _step("drain", name, before)
        before = [f"drain/{name}"]
    if view.role(name) == "ControlPlane":
        yield _step("etcd-member", name, before)
        before = [f"etcd-member/{name}"]
    yield _step("reset", name, before, changes=delete.reset(view, name))
    yield _step("delete-node", name, [f"reset/{name}"])
    yield _step("restore", name, [_end(name)], changes=delete.restore(view, name))


_WORDS = {
    "claim": ("Mark the machine as this cluster's", "owner"),
    "drain": ("Evict the pods", "pods of node {}", "evicted"),
    "etcd-member": ("Take the control plane out of etcd", "etcd member {}", "removed, the others healthy"),
    "reset": (delete.RESET,),
    "delete-node": ("Delete the Node", "node {}", "deleted"),
    "restore": (delete.RESTORE,),
}


def _step(
    key: str, name: str, after: Sequence[str], becomes: str = "", *, changes: Sequence[PlannedChange] = ()
) -> PlannedStep:
    title, *words = _WORDS[key]
    told = [PlannedChange(what=words[0].format(name), after=becomes or words[-1])] if words else list(changes)
    return PlannedStep(name=f"{key}/{name}", step=key, title=title, machine=name, after=list(after), changes=told)


def _summary(view: View, dead: Sequence[str], alive: Sequence[str]) -> str:
    names = [*alive, *(f"{name} (given up)" for name in dead)]
    stay = len(view.target.members)
    return f"take {', '.join(names)} out of cluster {view.target.name}; {counted(stay, 'node')} {_verb(stay)}"


def _verb(count: int) -> str:
    return "stays" if count == 1 else "stay"


def _notes(view: View, dead: Sequence[str], alive: Sequence[str]) -> Iterator[str]:
    if view.target.origin == "Adopted" and alive:
        yield f"{', '.join(alive)} is cleared and runs no part of the cluster any more; {_GIVE_UP} instead; {_KEEP}"
    if dead:
        yield (
            f"given up and not asked any more: {', '.join(dead)}; pods there are deleted by force, so see that the"
            " machine is really off: a pod with the same name may run elsewhere afterwards"
        )
        yield f"should {', '.join(dead)} ever come up again, keep it off the network and install it anew"
    planes = [name for name in alive if view.role(name) == "ControlPlane"]
    if planes:
        left = len(view.target.control_planes)
        yield f"{counted(left, 'control plane')} {_verb(left)}; connections to the API of {', '.join(planes)} end"
    if len(view.target.control_planes) == 2 and (planes or dead):
        yield TWO_PLANES
