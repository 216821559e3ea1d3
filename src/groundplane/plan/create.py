"""The plan that makes a cluster, or finishes one: the rules in order, and what each waits for.

A step is in the plan only when the facts say that something is unfinished. So the plan of a finished cluster is
empty, and the plan after an interruption holds what is left.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import ClusterTarget, Desired
from groundplane.base.words import counted

from . import assemble, prepare, supported, virtual_ip
from .fingerprint import fingerprint
from .planes import rooted
from .rule import Rule, build
from .view import View

_PREPARED = ("claim", "host-settings", "runtime", "binaries", "images", "virtual-ip")

RULES: tuple[Rule, ...] = (
    Rule("claim", "Mark the machine as this cluster's", "Machine", prepare.claim),
    Rule("host-settings", "Set swap, kernel modules and sysctls", "Machine", prepare.host_settings, after=("claim",)),
    Rule("runtime", "Set up the container runtime", "Machine", prepare.runtime, after=("claim",)),
    Rule(
        "binaries", "Install kubeadm, kubelet, kubectl and CNI plugins", "Machine", prepare.binaries, after=("claim",)
    ),
    Rule("images", "Load the images", "Machine", prepare.images, after=("claim", "runtime")),
    # Those that live come first: one that comes hears of them only when they tell it, and would take the address.
    Rule(
        virtual_ip.KEY,
        virtual_ip.TITLE,
        "Machine",
        virtual_ip.virtual_ip,
        after=("claim",),
        in_turn=("ControlPlane",),
    ),
    Rule("init", "Initialise the control plane", "Machine", assemble.init, after=_PREPARED),
    # Published before any join: from then on it is on record that init ended.
    Rule("kubeconfig", "Publish the kubeconfig", "Cluster", assemble.kubeconfig, after_all=("init",)),
    Rule(
        "join",
        "Join the cluster",
        "Machine",
        assemble.join,
        after=_PREPARED,
        after_all=("init", "kubeconfig"),
        in_turn=("ControlPlane",),
    ),
    Rule(
        "network-manifest",
        "Apply the network plugin",
        "Cluster",
        assemble.network_manifest,
        after_all=("init", "kubeconfig"),
    ),
    Rule(
        "runtime-classes",
        "Make the RuntimeClasses of the runtime handlers",
        "Cluster",
        assemble.runtime_classes,
        after_all=("init", "kubeconfig"),
    ),
    Rule(
        "pod-network",
        "Connect the pod network",
        "Machine",
        assemble.pod_network,
        after=_PREPARED,
        after_all=("init", "kubeconfig", "join"),
    ),
    Rule(
        "routes",
        "Set the routes of the nodes that are there",
        "Cluster",
        assemble.routes,
        after_all=("init", "kubeconfig", "join"),
    ),
    Rule(
        "node-labels",
        "Set labels and taints of the nodes",
        "Cluster",
        assemble.node_labels,
        after_all=("init", "kubeconfig", "join"),
    ),
)
VERIFY = "verify"
# Steps that change something for all nodes.
_WHOLE = ("kubeconfig", "network-manifest")
_NAMED = 5


def plan_create(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what is left to do until the cluster is as wanted; no steps when nothing is.

    Raises Unavailable when a machine has not been surveyed, Refused when the way there is not one that a create
    may go (a machine of another cluster, an upgrade, a migration).
    """
    supported.require_facts(View(desired, facts, cluster))
    view = View(rooted(desired, facts, cluster), facts, cluster)
    supported.require_create(view)
    steps = [_narrowed(view, step) for step in build(RULES, view, view.target.members)]
    steps += _verify(view, steps)
    on = {step.machine for step in steps}
    return Plan(
        action="Create",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in view.target.members if name in on},
        summary=_summary(view, steps),
    )


def _narrowed(view: View, step: PlannedStep) -> PlannedStep:
    """Have a step of the whole cluster look only at the machines that it is about."""
    if step.step == "routes":
        return msgspec.structs.replace(step, among=assemble.without_routes(view))
    if step.step == "node-labels":
        return msgspec.structs.replace(step, among=assemble.marked(view))
    return step


def _verify(view: View, steps: list[PlannedStep]) -> list[PlannedStep]:
    """What was proven once is not proven again because a node came: only what is new, and what does not look well."""
    members, changes = view.target.members, assemble.not_ready(view)
    new = {step.machine for step in steps if step.machine}
    about = new or {name for step in steps if step.step == "routes" for name in step.among}
    about |= set(assemble.unready(view))
    among = [name for name in members if name in about]
    if not among and not changes and not any(step.step in _WHOLE for step in steps):
        return []
    whole = not among or len(among) == len(members)
    what = "cluster" if whole else ", ".join(among) if len(among) <= _NAMED else counted(len(among), "node")
    proof = PlannedChange(what=what, after="nodes Ready, system pods running, test pod reachable")
    return [
        PlannedStep(
            name=VERIFY,
            step=VERIFY,
            title="Verify the cluster",
            among=[] if whole else among,
            after=[step.name for step in steps],
            changes=[*changes, proof],
        )
    ]


def _summary(view: View, steps: list[PlannedStep]) -> str:
    target = view.target
    if not steps:
        return f"cluster {target.name} is as wanted: nothing to do"
    touched = len({step.machine for step in steps if step.machine})
    verb = "complete" if view.initialised else "create"
    where = f" on {counted(touched, 'machine')}" if touched else ""
    return f"{verb} cluster {target.name}: {_shape(target)}; {counted(len(steps), 'step')}{where}"


def _shape(target: ClusterTarget) -> str:
    planes, workers = counted(len(target.control_planes), "control plane"), counted(len(target.workers), "worker")
    return f"{planes}, {workers}, {target.version} on {target.runtime.name}"
