"""Conditions: the transition time moves with the status and with nothing else."""

from datetime import UTC, datetime

from groundplane.engine.conditions import Conditions

MORNING = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_transition_time_stays_while_only_the_reason_changes() -> None:
    first = Conditions([], generation=1, now=MORNING)
    first.set("Ready", "False", "Creating", "one")
    later = Conditions(first.values(), generation=2, now=NOON)
    later.set("Ready", "False", "Waiting", "two")
    ready = later.get("Ready")
    assert ready is not None
    assert (ready.reason, ready.message, ready.observed_generation) == ("Waiting", "two", 2)
    assert ready.last_transition_time == "2026-11-22T08:00:00Z"


def test_the_transition_time_moves_when_the_status_changes() -> None:
    first = Conditions([], generation=1, now=MORNING)
    first.set("Ready", "False", "Creating")
    later = Conditions(first.values(), generation=1, now=NOON)
    later.set("Ready", "True", "AllNodesReady")
    ready = later.get("Ready")
    assert ready is not None
    assert ready.last_transition_time == "2026-11-22T12:00:00Z"


def test_ready_comes_first_and_dropped_ones_are_gone() -> None:
    conditions = Conditions([], generation=1, now=MORNING)
    for kind in ("Progressing", "Ready", "Approved"):
        conditions.set(kind, "True", "Test")
    conditions.drop("Approved")
    assert [c.type for c in conditions.values()] == ["Ready", "Progressing"]
