"""The plan that takes a migration back: its nodes go to the runtime that they had, in the same safe order. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.foundation import Kernel, RuntimeChoice, RuntimeName
from groundplane.api.operation import Operation
from groundplane.api.target import LEFT_ALONE, ClusterTarget, Desired, running_version
from groundplane.base.errors import Refused

from .asked import chosen, moved_by, no_way_back
from .change import plan_change, rolled_back, without_hold
from .choose import Chosen
from .view import View, held_back
from .way import minor_above

_RUNTIMES: tuple[RuntimeName, ...] = ("docker", "containerd")
_UPGRADES = frozenset({"upgrade-control-plane", "upgrade-kubelet"})
# The first minor whose kubelet has no dockershim.
_NO_DOCKER = (1, 24)


def plan_rollback(
    operation: Operation, wanted: str, desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts
) -> Chosen:
    """Return the plan that takes `operation` back on `wanted` machines: "all", or names with commas between.

    Nothing but the runtime is changed by it. Raises Refused for what cannot be taken back: an upgrade, a machine that
    the Operation did not move, that is held back or has nothing of the former runtime any more, and Docker under a
    Kubernetes that has no dockershim.
    """
    name = operation.metadata.name
    moved = moved_by(operation)
    upgraded = [step for step in operation.spec.plan.steps if step.step in _UPGRADES]
    if upgraded:
        raise Refused(
            f"cannot roll back {name}: it upgraded Kubernetes, and a Kubernetes is never taken back",
            remedy="etcd's snapshot was taken before it; its place is in the Operation's log",
        )
    view = View(desired, facts, cluster)
    names = _chosen(operation, wanted, view)
    former = {change.before for one in names for change in moved[one].changes if change.before}
    runtime: RuntimeName | None = next((known for known in _RUNTIMES if former == {known}), None)
    if runtime is None:
        raise Refused(f"cannot roll back {name}: it is not known which runtime the machines had")
    if runtime == "docker" and minor_above(cluster.version or desired.target.version, _NO_DOCKER):
        raise Refused(f"cannot roll back {name}: Kubernetes {cluster.version} has no dockershim any more")
    # Operations can be deleted; what is on the machines says it as well.
    removed = [one for one in names if one in facts and not view.of(one).runtime(runtime).installed]
    if removed:
        raise no_way_back(name, removed, runtime)
    target = _target(operation, desired.target, running_version(cluster), runtime)
    wish = without_hold(msgspec.structs.replace(desired, target=target), names)
    plan = plan_change(wish, facts, cluster)
    return Chosen(rolled_back(plan, name), target)


def _target(operation: Operation, wanted: ClusterTarget, running: str, runtime: RuntimeName) -> ClusterTarget:
    """Return the cluster as it runs, but for its runtime: what else is wanted of it meanwhile is not for a way back."""
    version = running or wanted.version
    known = (one for one in (wanted.release, operation.spec.target.release) if one.version == version)
    return msgspec.structs.replace(
        wanted,
        version=version,
        release=next(known, wanted.release),
        runtime=RuntimeChoice(name=runtime, handlers=["runc"]),
        settings=LEFT_ALONE,
        kernel=Kernel(),
        update_packages="",
    )


def _chosen(operation: Operation, wanted: str, view: View) -> list[str]:
    names = chosen(operation, wanted)
    held = [name for name in names if name in view.desired.machines and held_back(view, name)]
    if held:
        raise Refused(
            f"cannot roll back {operation.metadata.name}: {', '.join(held)} held back",
            remedy="end the hold-back, or name other machines with --machine",
        )
    return names
