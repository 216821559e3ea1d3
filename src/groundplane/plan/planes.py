"""Who a living cluster stems from, and who leaves it: the target as it is before a plan is made of it. Pure.

By name alone the first control plane is the one that sorts first. Of a cluster that lives this may be a machine that
has just been added, while the one that once ran `kubeadm init` is gone. So before planning, the control planes that
live are put first: whoever asks for `target.first` then gets one that has the cluster's certificates and its API. The
address that the nodes were told stays, too: it is not another one because a machine came or went.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from groundplane.api.cluster import Endpoint
from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan
from groundplane.api.target import ClusterTarget, Desired

from .view import STATIC_PODS, View

TWO_PLANES = "two control planes are no safer than one: etcd stands still when either is away"


def rooted(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Desired:
    """Return the wish with the control planes that live first, and with the endpoint that the nodes know.

    Give it the facts that planning is given; a cluster that does not live yet is returned as it is.
    """
    target, view = desired.target, View(desired, facts, cluster)
    living = [name for name in target.control_planes if name in facts and lives(view, name)]
    if not living:
        return desired
    planes = [*living, *(name for name in target.control_planes if name not in living)]
    changed = msgspec.structs.replace(target, control_planes=planes, endpoint=_endpoint(view, living))
    return desired if changed == target else msgspec.structs.replace(desired, target=changed)


def lives(view: View, name: str) -> bool:
    """Tell whether a control plane is known to have ended its init or join, whoever the first one is."""
    kubeadm = view.of(name).kubeadm
    mine = view.ours(name) or view.target.origin == "Adopted"
    if kubeadm.unfinished or not (mine and kubeadm.joined and set(STATIC_PODS[1:]) <= set(kubeadm.static_pods)):
        return False
    return view.node(name) is not None if view.cluster.reachable else view.cluster.kubeconfig_published


def leave(desired: Desired, names: Iterable[str]) -> Desired:
    """Return the wish in which these machines are members no more, but are still there to be taken out."""
    target = desired.target
    gone = {*names, *target.leaving}
    changed = msgspec.structs.replace(
        target,
        control_planes=[name for name in target.control_planes if name not in gone],
        workers=[name for name in target.workers if name not in gone],
        leaving=sorted(gone),
    )
    return msgspec.structs.replace(desired, target=changed)


def with_leaving(target: ClusterTarget, planes: Collection[str]) -> ClusterTarget:
    """Return the target with the machines that were leaving among its members again, `planes` as control planes.

    For a deletion: what a removal had not ended with is still on the machines.
    """
    left = [name for name in target.leaving if name not in target.members]
    return msgspec.structs.replace(
        target,
        control_planes=[*target.control_planes, *(name for name in left if name in planes)],
        workers=[*target.workers, *(name for name in left if name not in planes)],
        leaving=[],
    )


def touched(plan: Plan) -> set[str]:
    """Return the machines that the plan has a step on. Steps of the whole cluster rest on its API, not on facts."""
    return {step.machine for step in plan.steps if step.machine}


def _endpoint(view: View, living: list[str]) -> Endpoint:
    """The target's endpoint; where that is merely the address of a control plane, the one that was told to nodes."""
    endpoint = view.target.endpoint
    if endpoint.provider != "None" or endpoint.host in {view.spec(name).spec.address for name in living}:
        return endpoint
    if endpoint.host not in {view.spec(name).spec.address for name in view.target.control_planes}:
        return endpoint
    told = [urlsplit(view.of(name).kubeadm.server).hostname for name in view.target.members if name in view.facts]
    return msgspec.structs.replace(endpoint, host=next((host for host in told if host), endpoint.host))
