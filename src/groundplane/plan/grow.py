"""The plan that has new machines join a cluster that Groundplane did not make. Only they are changed. Pure.

What they get is what a create gives a machine; the cluster's own configuration reaches them by kubeadm, from its
ConfigMaps, and the pod network is its owner's. A node is proven when that network is one that a survey recognises: it
comes by a DaemonSet. Any other the owner sets up by hand, and until then nothing could be proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.errors import Refused
from groundplane.base.words import counted

from . import assemble, create
from .choose import Chosen
from .fingerprint import fingerprint
from .planes import TWO_PLANES, rooted
from .prepare import missing_artifacts
from .rule import Rule, build
from .view import View, plain_image

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PREPARED = ("claim", "host-settings", "runtime", "binaries", "images")


def plan_grow(
    desired: Desired,
    facts: Mapping[str, MachineFacts],
    cluster: ClusterFacts,
    joining: Sequence[str],
    unproven: Sequence[str] = (),
) -> Chosen:
    """Return what has the machines `joining` join, all of them members of the target, which is one of a living cluster.

    `unproven` are nodes that have joined and may lack what comes after it: labels, and the proof. Raises Refused when
    machines cannot join: there is no address of the cluster's own to reach it by, or the release lacks files.
    """
    view = View(rooted(desired, facts, cluster), facts, cluster)
    if joining:
        _require_endpoint(view, joining)
        _require_files(view, joining)
    about = sorted({*joining, *unproven})
    steps = [_narrowed(step, about) for step in build(_rules(about), view, joining)]
    steps += _verify(view, steps, about)
    plan = Plan(
        action="Join",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in joining},
        summary=_summary(view, joining, about),
        notes=list(_notes(view, joining)),
    )
    return Chosen(plan, view.target)


def _rules(about: Sequence[str]) -> tuple[Rule, ...]:
    """The rows of a create that are about one machine, and what marks its Node."""

    def handlers(view: View, _: str) -> list[PlannedChange]:
        wanted = [name for name in view.target.runtime.handlers if name != "runc"]
        return [PlannedChange(what=f"RuntimeClass {name}", after=f"handler {name}") for name in wanted]

    def labels(view: View, _: str) -> list[PlannedChange]:
        return [change for name in about for change in assemble.marks(view, name)]

    def join(view: View, name: str) -> list[PlannedChange]:
        return assemble.join(view, name) or _unfinished(view, name)

    rows = {rule.key: rule for rule in create.RULES}
    return (
        *(rows[key] for key in _PREPARED),
        replace(rows["join"], needed=join),
        Rule("runtime-classes", rows["runtime-classes"].title, "Cluster", handlers, after_all=("join",)),
        Rule("node-labels", rows["node-labels"].title, "Cluster", labels, after_all=("join",)),
    )


def _unfinished(view: View, name: str) -> list[PlannedChange]:
    """A join that was cut off behind the Node's registration; the step looks for itself what is left of it."""
    if not view.of(name).kubeadm.unfinished:
        return []
    return [PlannedChange(what="node", before="half joined", after=f"joined as {view.role(name)}")]


def _narrowed(step: PlannedStep, about: Sequence[str]) -> PlannedStep:
    return msgspec.structs.replace(step, among=list(about)) if step.step == "node-labels" else step


def _require_endpoint(view: View, joining: Sequence[str]) -> None:
    planes, endpoint = _planes(view, joining), view.target.endpoint
    if endpoint.host in _LOOPBACK:
        raise Refused(
            f"cannot have machines join cluster {view.target.name}: its nodes reach the API by {endpoint.host}, a proxy"
            " that runs on each of them",
            remedy="join them with what made the cluster, then add their Machines with `groundplane adopt`",
        )
    if planes and endpoint.provider == "None":
        raise Refused(
            f"cannot have {', '.join(planes)} join cluster {view.target.name} as a control plane: its nodes know it by"
            f" {endpoint.host}, the address of one machine",
            remedy="put a load balancer before the API servers, have kubeadm-config (controlPlaneEndpoint) and the"
            " kubeconfigs of all nodes name it, and issue the API server's certificate for it; or give the Machine the"
            " role Worker",
        )


def _require_files(view: View, joining: Sequence[str]) -> None:
    lacking = {name: found for name in joining if (found := missing_artifacts(view, name))}
    if lacking:
        files = "; ".join(f"{name} needs {', '.join(found)}" for name, found in lacking.items())
        raise Refused(
            f"cannot have machines join cluster {view.target.name}: release {view.target.version} of Distribution"
            f" {view.target.distribution} lacks files for them: {files}",
            remedy="add them to the release, or choose a Distribution that has them with spec.kubernetes.distribution",
        )


def _planes(view: View, joining: Sequence[str]) -> list[str]:
    return [name for name in joining if view.role(name) == "ControlPlane"]


def _verify(view: View, steps: Sequence[PlannedStep], about: Sequence[str]) -> Iterator[PlannedStep]:
    if view.cluster.network.plugin:
        proof = PlannedChange(what=", ".join(about), after="nodes Ready, system pods running, test pod reachable")
        after = [step.name for step in steps]
        yield PlannedStep(
            name=create.VERIFY,
            step=create.VERIFY,
            title="Verify the new nodes",
            among=list(about),
            after=after,
            changes=[proof],
        )


def _summary(view: View, joining: Sequence[str], about: Sequence[str]) -> str:
    target = view.target
    if not joining:
        return f"finish what the join of {', '.join(about)} to cluster {target.name} left"
    planes = len(_planes(view, joining))
    parts = [counted(planes, "control plane")] if planes else []
    if workers := len(joining) - planes:
        parts.append(counted(workers, "worker"))
    named = ", ".join(joining)
    return f"join {named} to cluster {target.name}: {', '.join(parts)}, {target.version} on {target.runtime.name}"


def _notes(view: View, joining: Sequence[str]) -> Iterator[str]:
    named = ", ".join(joining)
    if not joining:
        return
    if not view.cluster.network.plugin:
        yield (
            f"the pod network is none that Groundplane recognises: {named} is registered and not Ready until you have"
            " set it up there, and is not proven"
        )
    if planes := _planes(view, joining):
        endpoint = view.target.endpoint
        if len(view.target.control_planes) == 2:
            yield TWO_PLANES
        yield f"have {endpoint.host}:{endpoint.port} lead to {', '.join(planes)} too, once they have joined"
    brought = {plain_image(one.image) for one in view.target.release.artifacts if one.type == "Image"}
    run = {one.image for one in view.cluster.components if one.name == "kube-proxy"}
    if pulled := sorted(image for image in run if plain_image(image) not in brought):
        yield f"the release does not bring {', '.join(pulled)}, which the nodes of this cluster run: {named} pulls it"
