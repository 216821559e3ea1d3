"""What a create or delete must not try: machines of others, and changes that need an upgrade or a migration.

Refusing here, before a plan exists, keeps living nodes safe from a step that was written for empty ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from groundplane.api.facts import MachineFacts
from groundplane.base.errors import Refused, Unavailable

from .view import View, held_back, plain_version

_SILENT = "and a cluster is changed only while its API answers"
_AGAIN = "delete the cluster and create it again"


def require_facts(view: View) -> None:
    """Raise Unavailable, naming them, when members have not been surveyed."""
    missing = [name for name in view.target.members if name not in view.facts]
    if missing:
        raise Unavailable(
            f"cannot plan cluster {view.target.name}: nothing is known of {', '.join(missing)} yet",
            remedy="make sure that the machines are up and their SSH access is right, or take them out of the cluster",
        )


def require_create(view: View) -> None:
    """Raise Refused, with every reason at once, when a create may not go from what is to what is wanted."""
    reasons = [*_foreign_machines(view), *_first_control_plane(view), *_changed_nodes(view)]
    if reasons:
        problems, remedies = zip(*reasons, strict=True)
        raise Refused(
            f"cannot plan cluster {view.target.name}: {'; '.join(problems)}",
            remedy="; ".join(dict.fromkeys(remedies)),
        )


def foreign(facts: MachineFacts, key: str) -> str:
    """Say whose node the machine is when it is not cluster `key`'s; "" when it is free or ours."""
    kubeadm = facts.kubeadm
    if kubeadm.owner not in ("", key):
        return f"belongs to cluster {kubeadm.owner}"
    if not kubeadm.owner and kubeadm.present:
        return f"is already a node of the cluster at {kubeadm.server or 'an unknown address'}"
    return ""


def runtime_name(text: str) -> str:
    """The runtime in a Node's "containerd://1.6.20" or a kubelet's socket; "" when it is neither of ours."""
    return next((name for name in ("containerd", "docker") if name in text), "")


def version_of(view: View, name: str) -> str:
    """The version of the node's kubelet, with its "v"; "" when it is not known."""
    node = view.node(name)
    seen = (node.kubelet_version if node is not None else "") or view.of(name).kubelet.version
    return f"v{seen.removeprefix('v')}" if seen else ""


def runtime_of(view: View, name: str) -> str:
    """The name of the runtime that the node runs on; "" when it is none that is known."""
    node = view.node(name)
    seen = runtime_name(node.runtime) if node is not None else ""
    return seen or runtime_name(view.of(name).kubelet.runtime)


def _foreign_machines(view: View) -> Iterable[tuple[str, str]]:
    for name in view.target.members:
        whose = foreign(view.of(name), view.target.key)
        if whose:
            yield f"machine {name} {whose}", f"take {name} out of that cluster first; Groundplane leaves it untouched"


def _first_control_plane(view: View) -> Iterable[tuple[str, str]]:
    """A cluster has one beginning: members must stem from the first control plane that there is."""
    first = view.target.first
    others = [name for name in view.target.members if name != first and view.joined(name)]
    if not view.joined(first):
        if others:
            yield (
                f"{first} would be the first control plane, but {', '.join(others)} already joined without it",
                f"name new control planes so that they come after the present ones, or {_AGAIN}",
            )
        return
    authority = view.of(first).kubeadm.ca_hash
    for name in others:
        theirs = view.of(name).kubeadm.ca_hash
        if authority and theirs and theirs != authority:
            yield f"machine {name} still belongs to an earlier cluster called {view.target.name}", _AGAIN


def _changed_nodes(view: View) -> Iterable[tuple[str, str]]:
    """Nodes that a change has to bring to the target first; those that are held back stay as they are."""
    wanted = view.target.runtime.name
    for name in (name for name in view.target.members if view.joined(name) and not held_back(view, name)):
        now = runtime_of(view, name)
        if now not in ("", wanted):
            yield (
                f"node {name} runs on {now} and {wanted} is wanted, {_SILENT}",
                f"see why the API does not answer, or set the runtime back to {now}",
            )
        version = plain_version(version_of(view, name))
        if version not in ("", plain_version(view.target.version)):
            yield (
                f"node {name} runs v{version} and {view.target.version} is wanted, {_SILENT}",
                f"see why the API does not answer, or set the version back to v{version}",
            )
        yield from _changed_role(view, name)


def _changed_role(view: View, name: str) -> Iterable[tuple[str, str]]:
    serves = "kube-apiserver" in view.of(name).kubeadm.static_pods
    # kubeadm join writes the manifests before it registers the node; init registers first.
    if name != view.target.first and serves != (view.role(name) == "ControlPlane"):
        now = "ControlPlane" if serves else "Worker"
        yield (
            f"node {name} is a {now} and {view.role(name)} is wanted: a node cannot change its role",
            f"set the role of {name} back to {now}",
        )
