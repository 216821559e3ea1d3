"""What a cluster still lacks once its machines are prepared: init, join, pod network, labels, kubeconfig, proof."""

from __future__ import annotations

from groundplane.api.facts import NodeFacts
from groundplane.api.machine import MachineSpec, Taint
from groundplane.api.operation import PlannedChange
from groundplane.base.words import counted

from .view import View

CNI_CONFIG = "groundplane"
_UNKNOWN = ("", "")
_NAMED = 5


def init(view: View, name: str) -> list[PlannedChange]:
    """The first control plane, unless `kubeadm init` is known to have ended."""
    if name != view.target.first or view.initialised:
        return []
    return [PlannedChange(what="control plane", after=f"Kubernetes {view.target.version}")]


def join(view: View, name: str) -> list[PlannedChange]:
    """Every other machine that the cluster does not know yet."""
    if name == view.target.first or view.member(name):
        return []
    return [PlannedChange(what="node", after=f"join as {view.role(name)}")]


def kubeconfig(view: View, _: str) -> list[PlannedChange]:
    """The administrator's kubeconfig, kept as a Secret; of another cluster's making when init is still to come."""
    if view.cluster.kubeconfig_published and view.initialised:
        return []
    return [PlannedChange(what="administrator's kubeconfig", after="published as a Secret")]


def network_manifest(view: View, _: str) -> list[PlannedChange]:
    """The network plugin that the user brings as a manifest."""
    if view.target.network.plugin != "manifest" or (view.cluster.network_applied and view.initialised):
        return []
    return [PlannedChange(what="network plugin", after="manifest applied")]


def runtime_classes(view: View, _: str) -> list[PlannedChange]:
    """A RuntimeClass for each handler beside runc, while nodes are still to come.

    Nodes that are there keep the handlers that they were made with: a class for another one would be empty talk.
    """
    if all(view.member(name) for name in view.target.members):
        return []
    names = [name for name in view.target.runtime.handlers if name != "runc"]
    there = view.cluster.runtime_classes if view.initialised else []
    return [PlannedChange(what=f"RuntimeClass {name}", after=f"handler {name}") for name in names if name not in there]


def pod_network(view: View, name: str) -> list[PlannedChange]:
    """The CNI configuration and one route per other machine, for the routed plugin and machines that have neither."""
    if view.target.network.plugin != "routed" or connected(view, name):
        return []
    changes = [PlannedChange(what="CNI configuration", after="bridge in the node's pod range")]
    for other in view.target.members:
        if other != name:
            changes += _route(view, name, other)
    return changes


def connected(view: View, name: str) -> bool:
    """Tell whether the machine has its part of the pod network, so that only routes can be missing."""
    return view.member(name) and any(CNI_CONFIG in config for config in view.of(name).network.cni_configs)


def without_routes(view: View) -> list[str]:
    """Return the connected machines that lack a route to another one."""
    if view.target.network.plugin != "routed":
        return []
    members = view.target.members
    there = {name: view.of(name).network.routes for name in members if connected(view, name)}
    wanted = {name: _wanted_route(view, name) for name in members}
    if not all(wanted.values()):
        return list(there)
    pairs = {name: route for name, route in wanted.items() if route is not None and route != _UNKNOWN}
    return [
        name
        for name, routes in there.items()
        if any(routes.get(cidr, "") != via for other, (cidr, via) in pairs.items() if other != name)
    ]


def routes(view: View, _: str) -> list[PlannedChange]:
    """What the connected machines have to learn of the others."""
    lacking = without_routes(view)
    new = [name for name in view.target.members if _wanted_route(view, name) is None]
    to = f" of {', '.join(new)}" if 0 < len(new) <= _NAMED else ""
    on = f"set on {', '.join(lacking) if len(lacking) <= _NAMED else counted(len(lacking), 'node')}"
    return [PlannedChange(what=f"routes to the pods{to}", after=on)] if lacking else []


def node_labels(view: View, _: str) -> list[PlannedChange]:
    """Labels and taints that the Machines want and the Nodes do not have; others are left alone."""
    return [change for name in view.target.members for change in marks(view, name)]


def marked(view: View) -> list[str]:
    """Return the members whose Nodes differ in labels or taints."""
    return [name for name in view.target.members if marks(view, name)]


def unready(view: View) -> list[str]:
    """Return the members that are not known to be Ready."""
    ready = {node.name for node in view.cluster.nodes if node.ready}
    return [name for name in view.target.members if name not in ready]


def not_ready(view: View) -> list[PlannedChange]:
    """What is not as it should be in a cluster that needs nothing else."""
    nodes = {node.name: node.ready for node in view.cluster.nodes}
    changes = [
        PlannedChange(what=f"node {name}", before="NotReady" if name in nodes else "unknown", after="Ready")
        for name in view.target.members
        if not nodes.get(name, False)
    ]
    if view.cluster.system_pods_pending:
        pending = ", ".join(sorted(view.cluster.system_pods_pending))
        changes.append(PlannedChange(what="system pods", before=f"not running: {pending}", after="running"))
    return changes


def _wanted_route(view: View, name: str) -> tuple[str, str] | None:
    """Return range and address of a machine's pods; None when its Node is still to come and every route to it lacks."""
    node = view.node(name)
    if not view.member(name) or (node is not None and not node.pod_cidr):
        return None
    # A member without a Node here means that the API is down now: nothing says that its route is missing.
    return _UNKNOWN if node is None else (node.pod_cidr, view.spec(name).spec.address)


def _route(view: View, name: str, other: str) -> list[PlannedChange]:
    address, node = view.spec(other).spec.address, view.node(other)
    if not view.member(other) or (node is not None and not node.pod_cidr):
        return [PlannedChange(what=f"route to the pods of {other}", after=f"via {address}")]
    # A member without a Node here means that the API is down now: nothing says that its route is missing.
    if node is None or view.of(name).network.routes.get(node.pod_cidr, "") == address:
        return []
    before = view.of(name).network.routes.get(node.pod_cidr, "")
    return [
        PlannedChange(what=f"route {node.pod_cidr}", before=f"via {before}" if before else "", after=f"via {address}")
    ]


def marks(view: View, name: str) -> list[PlannedChange]:
    """Labels and taints in which one Node differs from its Machine."""
    node, spec = view.node(name), view.spec(name).spec
    if node is None:
        if view.member(name):
            return []
        node = NodeFacts(name=name)
    changes = [
        PlannedChange(what=f"label {key} of node {name}", before=node.labels.get(key, ""), after=value or '""')
        for key, value in spec.labels.items()
        if node.labels.get(key) != value
    ]
    present = {_taint(text) for text in node.taints}
    changes += [
        PlannedChange(what=f"taint of node {name}", after=_text(taint))
        for taint in spec.taints
        if (taint.key, taint.value, taint.effect) not in present
    ]
    return changes + _dropped(node, spec)


def _dropped(node: NodeFacts, spec: MachineSpec) -> list[PlannedChange]:
    """What the Machine once gave its Node and no longer wants there."""
    labels = [key for key in node.managed_labels if key in node.labels and key not in spec.labels]
    changes = [PlannedChange(what=f"label {key} of node {node.name}", before=node.labels[key]) for key in labels]
    gone = set(node.managed_taints) - {f"{taint.key}:{taint.effect}" for taint in spec.taints}
    for text in node.taints:
        key, _, effect = _taint(text)
        if f"{key}:{effect}" in gone:
            changes.append(PlannedChange(what=f"taint of node {node.name}", before=text))
    return changes


def _taint(text: str) -> tuple[str, str, str]:
    head, _, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    return key, value, effect


def _text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
