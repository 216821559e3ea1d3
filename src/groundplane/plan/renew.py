"""The plan that renews what kubeadm signed: control planes one after another, then the published kubeconfig.

Certificate authorities are not renewed by it, and what they signed is worth nothing once they have ended: so the notes
name the end of each of them, and say which ends before the certificates that are to be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from groundplane.api.facts import CertificateFacts, ClusterFacts, MachineFacts
from groundplane.api.operation import Plan, PlannedChange, PlannedStep
from groundplane.api.target import Desired
from groundplane.base.clock import parse_rfc3339
from groundplane.base.errors import Refused, Unavailable
from groundplane.base.words import counted

from . import prepare
from .fingerprint import fingerprint
from .planes import lives
from .view import View

# How long kubeadm's leaf certificates last.
_YEAR = timedelta(days=365)
_STEP = "renew-certificates"
# A certificate in the file itself: a kubelet that renews its own has the path of another file there.
_KUBELET = "/etc/kubernetes/kubelet.conf"


def plan_renew(desired: Desired, facts: Mapping[str, MachineFacts], cluster: ClusterFacts) -> Plan:
    """Return what renews the certificates of every control plane.

    Raises Unavailable when one has not been surveyed, Refused when one is not Ready: each is needed while the others
    start anew.
    """
    view = View(desired, facts, cluster)
    planes = list(view.target.control_planes)
    _require(view, planes)
    steps: list[PlannedStep] = []
    for name in planes:
        before = [steps[-1].name] if steps else []
        if not view.ours(name):
            mark = _step("claim", "Mark the machine as this cluster's", name, before, prepare.claim(view, name))
            steps.append(mark)
            before = [mark.name]
        steps.append(_step(_STEP, "Renew the control plane's certificates", name, before, _changes(view.of(name))))
    published = [PlannedChange(what="administrator's kubeconfig", after="published with its new certificate")]
    last = [steps[-1].name]
    steps.append(
        PlannedStep(name="kubeconfig", step="kubeconfig", title="Publish the kubeconfig", after=last, changes=published)
    )
    return Plan(
        action="RenewCertificates",
        steps=steps,
        fingerprints={name: fingerprint(facts[name]) for name in planes},
        summary=f"renew the certificates of cluster {view.target.name} on {counted(len(planes), 'control plane')}",
        notes=list(_notes(view, planes)),
    )


def _require(view: View, planes: list[str]) -> None:
    unknown = [name for name in planes if name not in view.facts]
    if unknown:
        raise Unavailable(
            f"cannot renew the certificates of cluster {view.target.name}: no answer from {', '.join(unknown)}",
            remedy="bring the machines up, or take them out of the cluster",
        )
    ready = {node.name for node in view.cluster.nodes if node.ready}
    if view.cluster.reachable and (away := [name for name in planes if name not in ready]):
        raise Refused(
            f"cannot renew the certificates of cluster {view.target.name}: {', '.join(away)} not Ready",
            remedy="mend what is not Ready first: the others are started anew one by one",
        )
    if strangers := [name for name in planes if not lives(view, name) and view.cluster.reachable]:
        raise Refused(
            f"cannot renew the certificates of cluster {view.target.name}: {', '.join(strangers)} is no control plane"
            " of it yet",
            remedy="let it join first",
        )


def _step(key: str, title: str, name: str, after: list[str], changes: list[PlannedChange]) -> PlannedStep:
    # A unit of its own: what was renewed and proven stays when a later one fails.
    return PlannedStep(
        name=f"{key}/{name}", step=key, title=title, machine=name, unit=name, after=after, changes=changes
    )


def _changes(facts: MachineFacts) -> list[PlannedChange]:
    leaves = [one for one in facts.certificates if not one.authority and _by_kubeadm(one)]
    return [
        PlannedChange(what=one.path, before=f"ends {one.not_after[:10]}" if one.not_after else "", after="renewed")
        for one in leaves
    ] or [PlannedChange(what="certificates that kubeadm signed", after="renewed")]


def _by_kubeadm(one: CertificateFacts) -> bool:
    return one.path.startswith("/etc/kubernetes/") and one.path != _KUBELET


def _notes(view: View, planes: list[str]) -> Iterator[str]:
    if len(planes) == 1:
        yield f"{planes[0]} is the only control plane: the cluster's API does not answer for about half a minute"
    ends: dict[str, str] = {}
    for name in planes:
        for one in view.of(name).certificates:
            if one.authority and one.not_after:
                ends.setdefault(one.path, one.not_after)
    today = max((view.of(name).observed_at for name in planes), default="")
    for path, end in sorted(ends.items()):
        words = f"the certificate authority {path} ends {end[:10]} and is not renewed by this"
        if today and parse_rfc3339(end) < parse_rfc3339(today) + _YEAR:
            words += ": before the certificates that it signs now, which end with it"
        yield words
    for name in view.target.members:
        for one in view.of(name).certificates if name in view.facts else ():
            if one.path == _KUBELET and not one.authority and one.not_after:
                yield (
                    f"the kubelet of {name} does not renew its client certificate by itself: it ends"
                    f" {one.not_after[:10]} and is not renewed by this"
                )
