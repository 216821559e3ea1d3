"""What is different of each living node from its target: one Delta each, in the target's order. Pure.

Only members count: a machine that has not joined is the create's. What cannot be told of a node (its API is away, its
kubelet unknown) is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from groundplane.api.operation import PlannedChange
from groundplane.base import versions

from . import prepare
from .supported import runtime_of, version_of
from .system import system_changes
from .view import View


@dataclass(frozen=True, slots=True)
class Delta:
    """`runtime_now` and `version_now` are what the node runs; `settings` and `system` the changes of its host.

    `left`: an earlier change left the node in the middle, with our cordon on it.
    """

    name: str
    runtime_now: str = ""
    version_now: str = ""
    runtime: bool = False
    kubernetes: bool = False
    control_plane: bool = False
    left: bool = False
    settings: tuple[PlannedChange, ...] = ()
    system: tuple[PlannedChange, ...] = ()

    @property
    def disturbs(self) -> bool:
        """Whether the node has to be empty for it."""
        return self.runtime or self.kubernetes or self.left or bool(self.system)

    def disturbing(self, view: View) -> dict[str, tuple[str, list[PlannedChange]]]:
        """Return the steps of the empty node by key: title and changes."""
        target, found = view.target, {}
        if self.system:
            found["system-packages"] = ("Update packages and boot anew", list(self.system))
        if self.runtime:
            change = PlannedChange(what="container runtime", before=self.runtime_now, after=target.runtime.name)
            found["switch-runtime"] = (f"Switch from {self.runtime_now} to {target.runtime.name}", [change])
        if self.control_plane:
            change = PlannedChange(what="control plane", after=target.version)
            found["upgrade-control-plane"] = (f"Upgrade the control plane to {target.version}", [change])
        if self.kubernetes:
            change = PlannedChange(what="kubelet", before=self.version_now, after=target.version)
            found["upgrade-kubelet"] = (f"Upgrade kubelet to {target.version}", [change])
        return found


def deltas_of(view: View) -> list[Delta]:
    """Return the differences of all living members that have any."""
    return [delta for name in view.target.members if (delta := _delta(view, name)) is not None]


def living(view: View, name: str) -> bool:
    """Tell whether the machine is a node of this cluster: one that we made, or one that was there."""
    if view.target.origin == "Adopted":
        return view.of(name).kubeadm.joined and view.node(name) is not None
    return view.member(name)


def left_behind(view: View, name: str) -> bool:
    """Tell whether our own cordon is on the node: no Operation is under way when a plan is made."""
    node = view.node(name)
    return node is not None and node.cordoned_by == view.target.key


def _only_servers_behind(view: View) -> bool:
    """Tell whether the API is behind though no control plane's kubelet is, which otherwise tells whose it is.

    The API answers from any control plane, also from one that is not upgraded yet, or is held back.
    """
    wanted = view.target.version
    kubelets = (version_of(view, name) for name in view.target.control_planes)
    return _older(view.cluster.version, wanted) and not any(_older(version, wanted) for version in kubelets)


def _delta(view: View, name: str) -> Delta | None:
    if not living(view, name):
        return None
    target = view.target
    runtime, version = runtime_of(view, name), version_of(view, name)
    older = _older(version, target.version)
    plane = view.role(name) == "ControlPlane"
    behind = plane and (older or _only_servers_behind(view))
    delta = Delta(
        name=name,
        runtime_now=runtime,
        version_now=version,
        runtime=runtime not in ("", target.runtime.name),
        kubernetes=older or behind,
        control_plane=behind,
        left=left_behind(view, name),
        settings=tuple(_settings(view, name)),
        system=tuple(system_changes(view, name)),
    )
    return delta if delta.disturbs or delta.settings else None


def _settings(view: View, name: str) -> Iterator[PlannedChange]:
    """Host settings of a node that runs already: only what its target names, and only what differs for sure."""
    if view.ours(name) or view.target.origin == "Adopted":
        yield from prepare.differing_settings(view, name)


def _older(found: str, wanted: str) -> bool:
    """Tell whether a version is behind the wanted one; what cannot be compared is refused where the way is chosen."""
    if not found:
        return False
    try:
        return versions.parse(found) < versions.parse(wanted)
    except (versions.UnknownVersion, versions.Incomparable):
        return False
