"""A rule says when one kind of step is needed and what must come before it; a table of rules makes a plan.

The table's order is the order in which steps are shown. `after` is named by keys, so that a step waits for
whatever of these the plan holds and never names one that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from groundplane.api.operation import PlannedChange, PlannedStep

from .view import View

Needed = Callable[[View, str], list[PlannedChange]]


@dataclass(frozen=True, slots=True)
class Rule:
    """`needed` returns the changes to come; none means that there is nothing to do. Cluster-wide: machine "".

    `after`: keys on the same machine. `after_all`: keys on every machine, and cluster-wide ones.
    `in_turn`: these roles' machines take the step one after another, in the target's order.
    """

    key: str
    title: str
    scope: Literal["Machine", "Cluster"]
    needed: Needed
    after: tuple[str, ...] = ()
    after_all: tuple[str, ...] = ()
    in_turn: tuple[str, ...] = ()


def build(rules: Sequence[Rule], view: View, machines: Sequence[str]) -> list[PlannedStep]:
    """Apply the table to `machines`; every row may only wait for rows above it, so there is no cycle."""
    steps: list[PlannedStep] = []
    for rule in rules:
        above = list(steps)
        previous: str | None = None
        for machine in machines if rule.scope == "Machine" else ("",):
            changes = rule.needed(view, machine)
            if not changes:
                continue
            after = _after(rule, machine, above)
            turn = rule.scope == "Machine" and view.role(machine) in rule.in_turn
            if turn and previous is not None:
                after.append(previous)
            step = PlannedStep(
                name=f"{rule.key}/{machine}" if machine else rule.key,
                step=rule.key,
                title=rule.title,
                machine=machine,
                after=after,
                changes=changes,
            )
            previous = step.name if turn else previous
            steps.append(step)
    return steps


def _after(rule: Rule, machine: str, above: list[PlannedStep]) -> list[str]:
    return [
        step.name
        for step in above
        if (step.step in rule.after and step.machine == machine) or step.step in rule.after_all
    ]
