"""What stands against changing living nodes, found before anything is touched, and all of it at once. Pure.

An Error stops the change, a Warning is shown. An Error that a person may stand by becomes a Warning when
`change.accept` names its check; what would break the node or lose the cluster's data cannot be accepted. What a step
sets right by itself is no problem: docs/migrate.md says for each trap which step or check covers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from groundplane.api.migration import MigrationFacts, WorkloadFacts

from . import migration_checks as machine_checks
from . import workload_checks
from .deltas import Delta
from .migration_checks import Node
from .preflight import Problem
from .view import View

# Of these, no acceptance makes a Warning: the change could not succeed, or could not be taken back.
NEVER_ACCEPTED = frozenset(
    {
        "NotLookedAt",
        "KubernetesVersion",
        "DockershimGone",
        "ContainerdVersion",
        "RoomForImages",
        "EtcdInDocker",
        "KubernetesInDocker",
        "CriDockerd",
        "BoundToContainerd",
        "KubeletFlags",
        "KubeletUnit",
        "KataVirtualisation",
    }
)


def check_change(
    view: View, migration: Mapping[str, MigrationFacts], workloads: WorkloadFacts, deltas: Sequence[Delta]
) -> list[Problem]:
    """Return every problem of the change, machines in the order of `deltas`, then what concerns the cluster.

    `migration` has the machines whose runtime changes; one that lacks there is a problem by itself.
    """
    problems: list[Problem] = []
    for delta in deltas:
        if delta.runtime:
            problems += _of_machine(view, migration.get(delta.name), delta)
    names = [delta.name for delta in deltas if delta.disturbs]
    if names:
        problems += workload_checks.of_drains(view, workloads, names)
    moved = [delta.name for delta in deltas if delta.runtime and view.target.runtime.name == "containerd"]
    if moved:
        problems += workload_checks.of_leaving_docker(view, workloads, moved)
    accepted = set(view.target.change.accept)
    return [_judged(problem, accepted) for problem in problems]


def _of_machine(view: View, facts: MigrationFacts | None, delta: Delta) -> Iterator[Problem]:
    if facts is None:
        yield Problem(
            delta.name,
            "NotLookedAt",
            f"machine {delta.name}: what its runtime is set up with is not known",
            "make sure that the machine is up and its SSH access is right",
        )
        return
    node = Node(view, delta, facts)
    for check in machine_checks.TO_CONTAINERD if view.target.runtime.name == "containerd" else machine_checks.TO_DOCKER:
        yield from check(node)


def _judged(problem: Problem, accepted: set[str]) -> Problem:
    if problem.severity == "Error" and problem.check in accepted - NEVER_ACCEPTED:
        return replace(problem, severity="Warning", message=f"{problem.message} (accepted)")
    return problem
