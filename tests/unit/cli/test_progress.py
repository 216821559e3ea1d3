"""An Operation's states become rows and lines, in the plan's order, each change told once with its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from groundplane.api.cluster import Cluster, ClusterSpec, ClusterStatus, KubernetesOverride
from groundplane.api.distribution import Distribution, DistributionSpec, Release
from groundplane.api.foundation import RuntimeChoice
from groundplane.api.machine import Machine, MachineSpec
from groundplane.api.meta import Condition, NameReference, ObjectMeta
from groundplane.api.operation import (
    Operation,
    OperationPhase,
    OperationSpec,
    OperationStatus,
    Plan,
    PlannedChange,
    PlannedStep,
    StepStatus,
)
from groundplane.api.target import resolve
from groundplane.cli import plans, progress
from groundplane.cli.live import render

NOW = datetime(2026, 11, 22, 12, 1, 30, tzinfo=UTC)
STEPS = [
    PlannedStep(name="runtime/shop-1", step="runtime", title="Install containerd", machine="shop-1"),
    PlannedStep(name="runtime/shop-2", step="runtime", title="Install containerd", machine="shop-2"),
    PlannedStep(
        name="init/shop-1",
        step="init",
        title="Start the control plane",
        machine="shop-1",
        after=["runtime/shop-1"],
        changes=[PlannedChange(what="swap", before="on", after="off"), PlannedChange(what="rule", before="old")],
    ),
    PlannedStep(name="verify", step="verify", title="Verify", after=["init/shop-1", "join/of-an-earlier-run"]),
]


def make(phase: OperationPhase, *steps: StepStatus, finished: str = "", planned: int = 4) -> Operation:
    machine = Machine(metadata=ObjectMeta(name="shop-1"), spec=MachineSpec(role="ControlPlane", address="198.18.1.11"))
    native = Distribution(spec=DistributionSpec(releases=[Release(version="")]))
    spec = OperationSpec(
        cluster_ref=NameReference(name="shop"),
        target=resolve(Cluster(), None, native, [machine]),
        plan=Plan(action="Create", steps=STEPS[:planned], summary="1 control plane, 1 worker"),
    )
    status = OperationStatus(phase=phase, started_at="2026-11-22T12:00:00Z", finished_at=finished, steps=list(steps))
    return Operation(metadata=ObjectMeta(name="shop-create-x", uid="u"), spec=spec, status=status)


DONE = StepStatus(
    name="runtime/shop-1", state="Succeeded", started_at="2026-11-22T12:00:00Z", finished_at="2026-11-22T12:00:05Z"
)
RUNS = StepStatus(name="runtime/shop-2", state="Running", started_at="2026-11-22T12:01:00Z", message="downloading")
FAILED = StepStatus(
    name="runtime/shop-2",
    state="Failed",
    started_at="2026-11-22T12:01:00Z",
    finished_at="2026-11-22T12:01:20Z",
    message="cannot write /usr/bin/containerd on shop-2: disk full (make room)",
)


def test_machines_stand_in_the_plans_order_with_the_cluster_last() -> None:
    rows = progress.machines(make("Running", DONE, RUNS), NOW)
    assert [(row.machine, row.done, len(row.steps)) for row in rows] == [
        ("shop-1", 1, 2),
        ("shop-2", 0, 1),
        ("(cluster)", 0, 1),
    ]
    assert rows[1].current is not None
    assert (rows[1].current.seconds, rows[1].current.message) == (30.0, "downloading")


def test_the_headline_says_what_where_and_how_far() -> None:
    headline = progress.headline(make("Running", DONE, RUNS), NOW)
    assert headline == "shop-create-x: Create cluster shop: Running, 1/4 steps, 1m30s"


def test_each_change_is_one_line_with_its_time() -> None:
    first, then = make("Pending"), make("Running", DONE, RUNS)
    assert progress.changes(first, then, NOW)[1:] == [
        "2026-11-22T12:00:05Z shop-1: Install containerd: Succeeded in 5.0s",
        "2026-11-22T12:01:00Z shop-2: Install containerd: Running: downloading",
    ]
    assert progress.changes(then, then, NOW) == []


def test_a_new_message_of_a_running_step_is_a_change_and_of_a_finished_one_is_none() -> None:
    import msgspec

    later = msgspec.structs.replace(RUNS, message="unpacking")
    assert len(progress.changes(make("Running", RUNS), make("Running", later), NOW)) == 1
    other = msgspec.structs.replace(DONE, message="said late")
    assert progress.changes(make("Running", DONE), make("Running", other), NOW) == []


def test_a_failure_ends_with_the_phase_and_says_all_of_it() -> None:
    failed = make("Failed", DONE, FAILED, finished="2026-11-22T12:01:20Z")
    assert (
        "Failed in 20.0s: cannot write /usr/bin/containerd" in progress.changes(make("Running", DONE), failed, NOW)[0]
    )
    assert progress.changes(make("Running", DONE), failed, NOW)[-1].endswith("Failed, 1/4 steps, 1m20s")
    assert progress.trouble(failed, NOW) == [f"Install containerd on shop-2 failed: {FAILED.message}"]


def test_what_became_of_the_nodes_is_said_with_the_cause_once() -> None:
    failed = make("Failed", DONE, FAILED, finished="2026-11-22T12:01:20Z")
    units = [replace(step, unit=step.machine) for step in failed.spec.plan.steps]
    told = f"step runtime/shop-2 failed: {FAILED.message}; brought back as it was: shop-2"
    failed = replace(
        failed,
        spec=replace(failed.spec, plan=replace(failed.spec.plan, steps=units)),
        # The outcome is the message of the condition, too.
        status=replace(
            failed.status,
            progress=told,
            conditions=[Condition(type="Complete", status="False", reason="Failed", message=told)],
        ),
    )
    assert progress.trouble(failed, NOW) == [told]
    other = replace(FAILED, name="init/shop-1", message="no room", finished_at="2026-11-22T12:01:30Z")
    both = replace(failed, status=replace(failed.status, steps=[DONE, FAILED, other]))
    assert progress.trouble(both, NOW) == [told, "Start the control plane on shop-1 failed: no room"]


def test_steps_that_were_skipped_are_not_done() -> None:
    skipped = StepStatus(name="init/shop-1", state="Skipped")
    assert "Failed, 1/4 steps" in progress.headline(make("Failed", DONE, FAILED, skipped), NOW)


def test_what_was_cancelled_says_why_and_asks_for_no_approval() -> None:
    why = "cancelled before it started: it was asked to stop"
    conditions = [
        Condition(type="Approved", status="False", reason="AwaitingApproval", message="then: groundplane approve x"),
        Condition(type="Complete", status="False", reason="Cancelled", message=why),
    ]
    cancelled = make("Cancelled")
    cancelled = replace(cancelled, status=replace(cancelled.status, conditions=conditions))
    assert progress.trouble(cancelled, NOW) == [f"Complete (Cancelled): {why}"]


def test_phase_times_leave_out_what_lay_between_and_count_what_ran_side_by_side_once() -> None:
    times = progress.phase_times(make("Failed", DONE, FAILED), NOW)
    assert [(time.step, time.machines, time.seconds) for time in times] == [("runtime", 2, 25.0)]
    beside = replace(FAILED, started_at="2026-11-22T12:00:03Z", finished_at="2026-11-22T12:00:09Z")
    assert [time.seconds for time in progress.phase_times(make("Failed", DONE, beside), NOW)] == [9.0]


def test_a_step_that_waits_again_after_a_restart_is_no_news_and_took_no_time() -> None:
    again = StepStatus(name="runtime/shop-2", state="Pending", started_at="2026-11-22T12:01:00Z")
    before, after = make("Running", DONE, RUNS), make("Running", DONE, again)
    assert progress.changes(before, after, NOW) == []
    assert [time.machines for time in progress.phase_times(after, NOW)] == [1]
    assert [row.seconds for row in progress.steps(after, NOW)] == [5.0, None, None, None]
    done = StepStatus(
        name="runtime/shop-2", state="Unchanged", started_at="2026-11-22T12:01:20Z", finished_at="2026-11-22T12:01:20Z"
    )
    assert progress.changes(after, make("Running", DONE, done), NOW) == [
        "2026-11-22T12:01:20Z shop-2: Install containerd: Unchanged in 0.0s"
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0s"), (4.25, "4.2s"), (59.94, "59.9s"), (65, "1m05s"), (7380, "2h03m")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text


def test_a_log_line_shows_time_step_and_text() -> None:
    line = b'{"time":"2026-11-22T12:00:00Z","step":"init/shop-1","line":"[init] done"}'
    assert progress.log_line(line) == "2026-11-22T12:00:00Z init/shop-1              [init] done"


def _screen(operation: Operation, height: int) -> list[str]:
    console = Console(width=100, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(render(operation, NOW, height=height))
    return capture.get().splitlines()


def test_a_screen_shows_what_each_machine_does() -> None:
    lines = _screen(make("Running", DONE, RUNS), 24)
    assert lines[1].split() == ["shop-1", "✔·", "1/2", "waiting"]
    assert "Install containerd (Running 30.0s): downloading" in lines[2]


def test_a_failed_step_stays_in_sight_on_a_small_screen() -> None:
    lines = _screen(make("Failed", DONE, FAILED), 12)
    assert "disk full (make room)" in " ".join(line.strip() for line in lines)
    assert len(lines) <= 12


def test_a_plan_reads_by_machine_with_waves_and_changes() -> None:
    assert plans.waves(Plan(action="Create", steps=STEPS)) == {
        "runtime/shop-1": 1,
        "runtime/shop-2": 1,
        "init/shop-1": 2,
        "verify": 3,
    }
    lines = plans.lines(make("AwaitingApproval"))
    assert "(4 steps in 3 waves" in lines[0]
    assert lines[lines.index("shop-1:") + 1 : lines.index("shop-1:") + 5] == [
        "   1. Install containerd",
        "   2. Start the control plane",
        "        ~ swap: on -> off",
        "        - rule: old",
    ]


def test_a_plan_in_a_circle_is_shown_and_not_looped_over() -> None:
    a = PlannedStep(name="a", step="a", title="A", after=["b"])
    b = PlannedStep(name="b", step="b", title="B", after=["a"])
    assert plans.waves(Plan(action="Create", steps=[a, b])) == {"a": 0, "b": 0}


def test_without_an_operation_the_cluster_says_that_there_is_nothing_to_do() -> None:
    ready = Condition(type="Ready", status="True", reason="AllNodesReady")
    cluster = Cluster(metadata=ObjectMeta(name="shop"), status=ClusterStatus(phase="Ready", conditions=[ready]))
    assert plans.without_operation(cluster) == ["cluster shop is Ready: there is nothing to do"]


def test_an_imported_cluster_has_no_operation_and_is_told_where_to_read_what_differs() -> None:
    reference = NameReference(name="production")
    spec = ClusterSpec(provider="Imported", foundation_ref=reference)
    cluster = Cluster(metadata=ObjectMeta(name="eu"), spec=spec, status=ClusterStatus(phase="Ready"))
    first, then = plans.without_operation(cluster)
    assert first == "cluster eu is Ready; it is imported: Groundplane reads it and changes nothing on it"
    assert then.startswith("next: groundplane explain cluster/eu, groundplane plan --foundation production ")


def imported_as(*conditions: Condition, distribution: str = "native", **spec: Any) -> list[str]:
    """What `plan` says of an imported cluster whose spec asks for something."""
    status = ClusterStatus(phase="Ready", distribution=distribution, conditions=list(conditions))
    wish = ClusterSpec(provider="Imported", **spec)
    return plans.without_operation(Cluster(metadata=ObjectMeta(name="prod"), spec=wish, status=status))


def test_a_wish_of_a_cluster_that_is_not_adopted_is_told_what_comes_first() -> None:
    containerd, newer = RuntimeChoice(name="containerd"), KubernetesOverride(version="v1.30.1")
    assert imported_as(runtime=containerd)[0] == (
        "cluster prod is Ready; spec.runtime asks for containerd; "
        "the cluster is not adopted yet: groundplane adopt cluster/prod --ssh-key FILE"
    )
    both = imported_as(runtime=containerd, kubernetes=newer)[0]
    assert "spec.runtime asks for containerd, spec.kubernetes.version asks for v1.30.1" in both
    assert "own tools" in imported_as(runtime=containerd, distribution="eks")[0]
    message = "no answer (wait; it is tried again)"
    lost = Condition(type="Reachable", status="False", reason="Unreachable", message=message)
    assert f"  - {message}" in imported_as(lost)
    assert any("not adopted yet" in line for line in imported_as(lost, runtime=containerd))


def test_one_mismatch_of_an_adopted_cluster_keeps_everything_from_being_changed() -> None:
    message = "machine n1: no answer (start it); machine n2: it is another host (correct spec.address)"
    found = Condition(type="Adopted", status="False", reason="NotMatched", message=message)
    told = imported_as(found)
    assert "  - machine n2: it is another host (correct spec.address)" in told
    assert "it has Machines, but nothing is changed until the mismatch is mended" in told


def test_what_a_rollback_left_behind_the_spec_is_said_with_the_way_forward() -> None:
    def made(name: str, machine: str, rolls_back: str = "", phase: OperationPhase = "Succeeded") -> Operation:
        one = make(phase)
        steps = [PlannedStep(name=f"switch-runtime/{machine}", step="switch-runtime", title="", machine=machine)]
        plan = Plan(action="Change", rolls_back=rolls_back, steps=steps)
        target = replace(one.spec.target, runtime=replace(one.spec.target.runtime, name="docker"))
        meta = replace(one.metadata, name=name)
        return replace(one, metadata=meta, spec=replace(one.spec, plan=plan, target=target))

    spec = ClusterSpec(provider="Imported")
    cluster = Cluster(metadata=ObjectMeta(name="shop"), spec=spec, status=ClusterStatus(phase="Ready"))
    forward, back = made("shop-change-a", "b-2"), made("shop-rollback-b", "b-2", "shop-change-a")
    told = plans.without_operation(cluster, [forward, back])[0]
    assert told == (
        "cluster shop is Ready; b-2 was rolled back by shop-rollback-b and stays on docker;"
        " forward: groundplane retry shop"
    )
    renewal = replace(forward, spec=replace(forward.spec, plan=Plan(action="RenewCertificates")))
    assert plans.without_operation(cluster, [forward, back, renewal])[0] == told
    assert "rolled back" not in plans.without_operation(cluster, [forward, back, made("shop-change-c", "b-2")])[0]
    failed = made("shop-rollback-b", "b-2", "shop-change-a", "Failed")
    assert "rolled back" not in plans.without_operation(cluster, [forward, failed])[0]


@pytest.mark.parametrize(
    ("plan", "command"),
    [
        (Plan(action="Change"), "groundplane retry shop"),
        (Plan(action="CleanUp"), "groundplane clean-up shop"),
        (Plan(action="RenewCertificates"), "groundplane renew-certificates shop"),
        (Plan(action="Change", rolls_back="shop-change-1"), "groundplane operation rollback shop-change-1"),
    ],
)
def test_what_failed_is_asked_for_again_in_its_own_way(plan: Plan, command: str) -> None:
    operation = make("Failed")
    some = [PlannedStep(name="drain/shop-1", step="drain", title="Empty", machine="shop-1")] if plan.rolls_back else []
    operation = replace(operation, spec=replace(operation.spec, plan=replace(plan, steps=some)))
    assert progress.again(operation) == command
    wider = replace(operation.spec.target, workers=["shop-2"])
    operation = replace(operation, spec=replace(operation.spec, target=wider))
    narrowed = " --machine shop-1" if plan.rolls_back else ""
    assert progress.again(operation) == f"{command}{narrowed}"
