"""Preflight: everything that would make a create fail, found before anything is touched, and all of it at once.

An Error stops the create; a Warning is shown and does not. What a step of the plan sets right by itself (swap,
modules, sysctls, a stopped runtime) is neither. A machine that already serves this cluster is not measured again:
its ports and its disk are in use by the cluster itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from groundplane.api.facts import ClusterFacts, MachineFacts
from groundplane.api.target import Desired

from . import checks, virtual_ip
from .checks import Finding
from .supported import foreign
from .view import View

Severity = Literal["Error", "Warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to set right: `message` says what is wrong on which machine, `remedy` what to do about it."""

    machine: str
    check: str
    message: str
    remedy: str
    severity: Severity = "Error"


# The names under which kubeadm lets a user waive the same checks.
_WAIVERS = {"cpu": "numcpu", "memory": "mem", "swap": "swap"}


def check(desired: Desired, facts: Mapping[str, MachineFacts], among: Collection[str] | None = None) -> list[Problem]:
    """Return every problem of every member, or of those `among` them, in the target's order.

    Empty: the create may begin.
    """
    known = {name: facts[name] for name in desired.target.members if name in facts}
    view = View(desired, known, ClusterFacts())
    problems = []
    for name in (name for name in desired.target.members if among is None or name in among):
        if name in known:
            problems += [_problem(name, finding) for finding in _findings(view, name)]
        else:
            problems.append(_unknown(name))
    problems += [twin for twin in _duplicates(known) if among is None or twin.machine in among]
    waived = {entry.lower() for entry in desired.target.kubeadm.ignore_preflight_errors}
    return [_waive(problem, waived) for problem in problems]


def errors(problems: list[Problem]) -> list[Problem]:
    """Only those that stop a create."""
    return [problem for problem in problems if problem.severity == "Error"]


def _findings(view: View, name: str) -> Iterator[Finding]:
    whose = foreign(view.of(name), view.target.key)
    if whose:
        # Nothing else is said of a machine that is not ours to change.
        yield Finding("owner", whose, "take it out of that cluster first; Groundplane leaves it untouched")
        return
    always = (*checks.ALWAYS, virtual_ip.in_its_network)
    chosen = always if view.joined(name) else (*always, *checks.BEFORE_JOIN)
    for one in chosen:
        yield from one(view, name)


def _problem(machine: str, finding: Finding) -> Problem:
    severity: Severity = "Warning" if finding.warning else "Error"
    return Problem(machine, finding.check, f"machine {machine}: {finding.message}", finding.remedy, severity)


def _unknown(machine: str) -> Problem:
    return Problem(
        machine,
        "survey",
        f"machine {machine}: it has not been surveyed",
        "make sure that the machine is up and its SSH access is right",
    )


def _waive(problem: Problem, waived: set[str]) -> Problem:
    if "all" in waived or _WAIVERS.get(problem.check) in waived:
        return replace(problem, severity="Warning") if problem.check in _WAIVERS else problem
    return problem


def _duplicates(known: Mapping[str, MachineFacts]) -> Iterator[Problem]:
    """Identities that kubelet and the scheduler need to be unique among members.

    https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/#verify-mac-address
    """
    identities = {name: (facts.machine_id, facts.network.hostname, facts.product_uuid) for name, facts in known.items()}
    same_id = list(_same({name: identity[0] for name, identity in identities.items()}))
    yield from _twins("machine-id", "machine-id", same_id, "systemd-machine-id-setup after emptying /etc/machine-id")
    same_name = _same({name: identity[1] for name, identity in identities.items()})
    yield from _twins("hostname", "host name", same_name, "hostnamectl set-hostname")
    # Containers and some clouds show every guest the same product UUID, so alone it is only a hint.
    same_uuid = [group for group in _same({n: i[2] for n, i in identities.items()}) if group not in same_id]
    for problem in _twins("product-uuid", "product UUID", same_uuid, "the hypervisor's setting"):
        yield replace(problem, severity="Warning")


def _same(values: Mapping[str, str]) -> Iterator[list[str]]:
    ordered = sorted((value, name) for name, value in values.items() if value)
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        names = [name for _, name in group]
        if len(names) > 1:
            yield names


def _twins(kind: str, noun: str, groups: list[list[str]] | Iterator[list[str]], tool: str) -> Iterator[Problem]:
    for names in groups:
        for name in names:
            others = ", ".join(other for other in names if other != name)
            yield Problem(
                name,
                kind,
                f"machine {name}: same {noun} as {others}",
                f"give every machine a {noun} of its own ({tool}), or remove the Machine that is there twice",
            )
