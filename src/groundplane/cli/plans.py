"""Plans as a person reads them, pure: waves of what runs together, machines, steps, and each change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from groundplane.api.cluster import Cluster
from groundplane.api.meta import find_condition
from groundplane.api.operation import Operation, Plan, PlannedChange, PlannedStep
from groundplane.plan.path import MANAGED

from .progress import CLUSTER_WIDE


def waves(plan: Plan) -> dict[str, int]:
    """Return the wave of each step: 1 for those that wait for nothing, else one more than the last awaited.

    A step waits for names outside the plan no longer: they were done before. A circle (never planned) would put
    its steps into wave 0 rather than loop.
    """
    left = {step.name: [name for name in step.after] for step in plan.steps}
    found: dict[str, int] = {}
    while left:
        ready = [name for name, after in left.items() if not any(other in left for other in after)]
        if not ready:
            return found | dict.fromkeys(left, 0)
        level = {name: 1 + max((found.get(other, 0) for other in left[name]), default=0) for name in ready}
        found |= level
        for name in ready:
            del left[name]
    return found


def lines(operation: Operation) -> list[str]:
    """Return the whole plan: a heading, then each machine with its steps, their wave and their changes."""
    plan = operation.spec.plan
    numbers = waves(plan)
    count = max(numbers.values(), default=0)
    result = [
        f"Operation {operation.metadata.name}: {plan.action} cluster {operation.spec.cluster_ref.name}"
        f" ({len(plan.steps)} steps in {count} waves; steps of one wave run together)"
    ]
    if plan.summary:
        result.append(plan.summary)
    result += [f"note: {note}" for note in plan.notes]
    if plan.next:
        result.append(f"afterwards, as a further operation: {plan.next}")
    for machine, members in _grouped(plan).items():
        result += ["", f"{machine}:"]
        for step in members:
            result.append(f"  {numbers[step.name]:>2}. {step.title}")
            result.extend(f"        {_change(change)}" for change in step.changes)
    return result


def _grouped(plan: Plan) -> dict[str, list[PlannedStep]]:
    groups: dict[str, list[PlannedStep]] = {}
    for step in plan.steps:
        groups.setdefault(step.machine or CLUSTER_WIDE, []).append(step)
    own = groups.pop(CLUSTER_WIDE, None)
    return groups if own is None else groups | {CLUSTER_WIDE: own}


def _change(change: PlannedChange) -> str:
    if change.before and change.after:
        return f"~ {change.what}: {change.before} -> {change.after}"
    if change.after:
        return f"+ {change.what}: {change.after}"
    return f"- {change.what}: {change.before}" if change.before else f"* {change.what}"


_IMPORTED = "it is imported: Groundplane reads it and changes nothing on it"
_ADOPTED = "it is adopted: nothing but what its spec asks for is changed, and only after approval"
_MISMATCHED = "it has Machines, but nothing is changed until the mismatch is mended"
# Conditions whose message lists problems, apart by "; ", which none of them has within it.
_LISTS = ("SpecValid", "MachinesReachable", "PreflightPassed", "Adopted")


def without_operation(cluster: Cluster, operations: Sequence[Operation] = ()) -> list[str]:
    """Return why there is no plan: what stops it, each problem on a line of its own, or that nothing is to do.

    `operations` are the Cluster's, oldest first, all of them ended.
    """
    name, status = cluster.metadata.name, cluster.status
    if status.observed_generation < cluster.metadata.generation:
        return [f"cluster {name}: its newest change has not been looked at yet; ask again in a moment"]
    unmet = [condition for condition in status.conditions if condition.status == "False" and condition.message]
    problems = [one for one in unmet if cluster.spec.provider != "Imported" or one.reason != "Done"]
    back = _rolled_back(name, operations)
    if cluster.spec.provider == "Imported" and not problems:
        whose = back or _whose(cluster)
        return [f"cluster {name} is {status.phase or 'Pending'}; {whose}", *_where_to_read(cluster)]
    if not problems:
        return [f"cluster {name} is {status.phase or 'Pending'}: {back or 'there is nothing to do'}"]
    lines = [f"cluster {name} is {status.phase or 'Pending'}; there is no open operation:"]
    seen: set[str] = set()
    for condition in problems:
        if condition.message not in seen:
            lines.append(f"{condition.type} ({condition.reason}):")
            parts = condition.message.split("; ") if condition.type in _LISTS else [condition.message]
            lines.extend(f"  - {part}" for part in parts)
        seen.add(condition.message)
    return [*lines, _whose(cluster), *_where_to_read(cluster)] if cluster.spec.provider == "Imported" else lines


def _whose(cluster: Cluster) -> str:
    """Return what Groundplane does with an imported cluster, and what has to be done before what its spec asks for."""
    matched = find_condition(cluster.status.conditions, "Adopted")
    if matched is not None:
        return _ADOPTED if matched.status == "True" else _MISMATCHED
    wanted, name = ", ".join(_wanted(cluster)), cluster.metadata.name
    if not wanted:
        return _IMPORTED
    if cluster.status.distribution in MANAGED:
        return f"{wanted}; it is {cluster.status.distribution}, which is changed with its provider's own tools"
    return f"{wanted}; the cluster is not adopted yet: groundplane adopt cluster/{name} --ssh-key FILE"


def _wanted(cluster: Cluster) -> list[str]:
    """Return what the spec asks of the nodes, in words."""
    spec = cluster.spec
    named = {
        "runtime": spec.runtime.name if spec.runtime else "",
        "kubernetes.version": spec.kubernetes.version,
        "kubernetes.distribution": spec.kubernetes.distribution,
    }
    settings = ["spec.settings asks for settings of the nodes"] if spec.settings else []
    return [*(f"spec.{field} asks for {value}" for field, value in named.items() if value), *settings]


def _rolled_back(cluster: str, operations: Sequence[Operation]) -> str:
    """Say what stays as a rollback left it, whatever the spec asks for; empty when nothing does."""
    parts = []
    # What is asked for beside the spec does not tell what became of it.
    of_spec = (one for one in reversed(operations) if one.spec.plan.action not in ("RenewCertificates", "CleanUp"))
    for one in takewhile(lambda one: bool(one.spec.plan.rolls_back), of_spec):
        runtime = one.spec.target.runtime.name
        names = [step.machine for step in one.spec.plan.steps if step.step == "switch-runtime"]
        if one.status.phase == "Succeeded" and names:
            was, stays = ("was", "stays") if len(names) == 1 else ("were", "stay")
            by = one.metadata.name
            parts.append(f"{', '.join(names)} {was} rolled back by {by} and {stays} on {runtime}")
    return "; ".join([*reversed(parts), f"forward: groundplane retry {cluster}"]) if parts else ""


def _where_to_read(cluster: Cluster) -> list[str]:
    """Return the commands that show what an imported cluster lacks."""
    commands = [f"groundplane explain cluster/{cluster.metadata.name}"]
    if cluster.spec.foundation_ref:
        commands.append(f"groundplane plan --foundation {cluster.spec.foundation_ref.name}")
    return [f"next: {', '.join(commands)}   (reads only; changes nothing)"]
