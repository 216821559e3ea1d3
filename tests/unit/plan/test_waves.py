"""Conducting a fleet: waves, places, windows, approvals and failures, over random fleets and one look after another."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from groundplane.api.unify import OVER, Unify, UnifyWindow
from groundplane.plan.waves import Decision, Standing, cut, decide
from groundplane.plan.windows import is_open, next_opening

NIGHT = UnifyWindow(start="22:00", duration="4h", time_zone="Europe/Berlin")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
RUNS = 1500


@dataclass
class Fleet:
    """Clusters in waves, as the world goes on with what was decided. `touched` counts first approvals."""

    wish: Unify
    waves: list[list[str]]
    chance: random.Random
    now: datetime = NOON
    states: dict[str, Standing] = field(default_factory=dict)
    hops: dict[str, int] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    approvals: int = 0

    def look(self) -> Decision:
        standings = [[self.states[name] for name in wave] for wave in self.waves]
        return decide("ground", self.wish, standings, self.now)

    def set(self, name: str, **changed: object) -> None:
        self.states[name] = replace(self.states[name], **changed)  # type: ignore[arg-type]

    def carry_out(self, decision: Decision) -> None:
        """What the conductor does with a decision."""
        for name in decision.begin:
            assert not self.states[name].turn
            self.set(name, turn=True, state="Planning")
        for name in decision.withdraw:
            assert not self.states[name].begun or self.states[name].state != "Running"
            self.set(name, turn=False, state="Waiting", operation="")
        for operation in decision.approve:
            name = operation.partition("/")[0]
            assert self.states[name].state == "Planned", "what was not planned is approved"
            self.touched[name] = self.touched.get(name, 0) + (not self.states[name].begun)
            self.set(name, state="Running", begun=True)
            self.approvals += 1
        for operation in decision.cancel:
            self.set(operation.partition("/")[0], state="Cancelled", operation="")

    def pass_time(self) -> None:
        """Some clusters get on; the clock goes on."""
        self.now += timedelta(minutes=self.chance.choice((1, 10, 60, 300)))
        for name, one in self.states.items():
            if one.settled or self.chance.random() < 0.4:
                continue
            if one.state == "Planning":
                plan = self.chance.choices(("Planned", "Done", "Blocked"), (8, 1, 1))[0]
                self.set(name, state=plan, operation=f"{name}/op-{self.hops[name]}" if plan == "Planned" else "")
            elif one.state == "Running":
                self._ended(name)
            elif one.state == "Waiting":
                self.set(name, hindered="" if one.hindered else self.chance.choice(("", "", "", "another's operation")))

    def _ended(self, name: str) -> None:
        if self.chance.random() < 0.15:
            self.set(name, state="Failed", operation="")
        elif self.hops[name] > 1:
            self.hops[name] -= 1
            self.set(name, state="Planning", operation="")
        else:
            self.set(name, state="Done", operation="")


def random_fleet(chance: random.Random) -> Fleet:
    names = [f"c{number}" for number in range(chance.choice((1, 2, 5, 9, 30)))]
    canaries = chance.sample(names, min(len(names), chance.choice((0, 0, 1, 2))))
    wish = Unify(
        run="r",
        state="Running",
        approval=chance.choice(("Once", "PerWave")),
        waves=chance.choice(([1, "10%", "100%"], ["100%"], [2], [1, 2, 3], ["20%", "50%"])),
        max_clusters=chance.choice((1, 1, 2, 5)),
        max_failures=chance.choice((0, 0, 1, 3, 99)),
        windows=chance.choice(([], [], [NIGHT], [NIGHT, UnifyWindow(days=["Sun"], start="06:30", duration="1h30m")])),
        cancel_operations=chance.random() < 0.5,
    )
    fleet = Fleet(wish, cut(names, canaries, wish.waves), chance)
    fleet.states = {name: Standing(name) for name in names}
    fleet.hops = {name: chance.choice((1, 1, 2, 3)) for name in names}
    return fleet


def by_person(fleet: Fleet) -> None:
    """Now and then a person pauses, goes on, approves a wave, or cancels."""
    chance, wish = fleet.chance, fleet.wish
    if wish.state == "Running" and chance.random() < 0.05:
        fleet.wish = with_fields(wish, state=chance.choices(("Paused", "Cancelled"), (5, 1))[0])
    elif wish.state == "Paused" and chance.random() < 0.3:
        fleet.wish = with_fields(wish, state="Running")
    if fleet.look().phase == "AwaitingApproval" and chance.random() < 0.5:
        fleet.wish = with_fields(fleet.wish, approved_wave=fleet.wish.approved_wave + 1)


def check(fleet: Fleet, decision: Decision) -> None:
    """What may never be, whatever was decided before."""
    wish, states = fleet.wish, fleet.states
    approved = [operation.partition("/")[0] for operation in decision.approve]
    number = {name: place for place, wave in enumerate(fleet.waves, start=1) for name in wave}
    at_work = {name for name, one in states.items() if one.state == "Running" or (one.begun and not one.settled)}
    assert len(at_work | set(approved)) <= max(wish.max_clusters, len(at_work)), "too many at once"
    failed = sum(1 for one in states.values() if one.state in ("Failed", "Cancelled"))
    acts = [*approved, *decision.begin]
    if wish.state != "Running" or failed > wish.max_failures:
        assert not acts, "something begins in a run that is held"
    if approved:
        assert is_open(wish.windows, fleet.now), "an operation begins outside a window"
    for name in acts:
        earlier = [other for other in states if number[other] < number[name]]
        assert all(states[other].settled for other in earlier), f"{name} begins before the wave before it is settled"
        assert not states[name].settled
    for name in approved:
        assert wish.approval == "Once" or wish.approved_wave >= number[name], f"wave {number[name]} is not approved"
    if wish.state != "Cancelled":
        assert not decision.cancel
        assert not decision.withdraw
    assert decision.message
    assert decision == fleet.look(), "the same is decided of the same"


def conduct(seed: int) -> str:
    """Conduct one random fleet until its run is over or stops; return how."""
    chance = random.Random(seed)
    fleet = random_fleet(chance)
    for _ in range(2000):
        by_person(fleet)
        decision = fleet.look()
        check(fleet, decision)
        if decision.phase in OVER:
            break
        if decision.phase == "Failed":
            assert sum(one.state == "Failed" for one in fleet.states.values()) > fleet.wish.max_failures
            break
        # Killed in the middle, it decides the rest at the next look.
        if chance.random() < 0.1:
            decision = Decision(decision.phase, decision.message, approve=decision.approve[:1])
        fleet.carry_out(decision)
        fleet.pass_time()
    else:
        raise AssertionError(f"seed {seed}: it never ends: {fleet.look()}")
    assert all(count == 1 for count in fleet.touched.values()), "a cluster is begun twice"
    if decision.phase in ("Succeeded", "Incomplete"):
        assert all(one.settled for one in fleet.states.values())
        done = all(one.state in ("Done", "Gone") for one in fleet.states.values())
        assert done == (decision.phase == "Succeeded")
    if decision.phase == "Cancelled":
        assert not any(one.state in ("Running", "Planned") for one in fleet.states.values())
    return decision.phase


def test_any_run_over_any_fleet_keeps_the_rules_and_ends() -> None:
    ends: dict[str, int] = {}
    for seed in range(RUNS):
        try:
            end = conduct(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        ends[end] = ends.get(end, 0) + 1
    assert all(ends.get(phase, 0) > RUNS // 30 for phase in ("Succeeded", "Incomplete", "Failed", "Cancelled")), ends


@st.composite
def sizes(draw: st.DrawFn) -> list[int | str]:
    share = st.integers(1, 100).map(lambda number: f"{number}%")
    return draw(st.lists(st.one_of(st.integers(1, 50), share), min_size=1, max_size=6))


@given(count=st.integers(0, 60), canaries=st.integers(0, 5), sizes=sizes())
def test_waves_hold_every_cluster_once_and_canaries_first(count: int, canaries: int, sizes: list[int | str]) -> None:
    names = [f"c{number}" for number in range(count)]
    marked = names[::-1][:canaries]
    waves = cut(names, marked, sizes)
    assert sorted(name for wave in waves for name in wave) == sorted(names)
    assert all(waves)
    if marked and names:
        assert set(waves[0]) == set(marked)
    for size, wave in zip(
        sizes[1:] if marked and names else sizes, waves[1:] if marked and names else waves, strict=False
    ):
        if isinstance(size, int):
            assert len(wave) <= size


def test_a_window_opens_at_its_hour_on_the_clock_of_the_wall() -> None:
    summer, winter = datetime(2026, 7, 1, 20, tzinfo=UTC), datetime(2026, 12, 1, 21, tzinfo=UTC)
    for opening in (summer, winter):
        assert is_open([NIGHT], opening)
        assert not is_open([NIGHT], opening - timedelta(seconds=1))
        assert is_open([NIGHT], opening + timedelta(hours=4, seconds=-1))
        assert not is_open([NIGHT], opening + timedelta(hours=4))
        assert next_opening([NIGHT], opening - timedelta(hours=5)) == opening
        assert next_opening([NIGHT], opening) == opening + timedelta(days=1)


def test_the_days_of_a_window_are_those_on_which_it_opens() -> None:
    saturday = UnifyWindow(days=["Sat"], start="22:00", duration="4h")
    assert is_open([saturday], datetime(2026, 11, 29, 1, tzinfo=UTC))
    assert not is_open([saturday], datetime(2026, 11, 29, 22, tzinfo=UTC))
    assert next_opening([saturday], datetime(2026, 11, 28, 22, tzinfo=UTC)) == datetime(2026, 12, 5, 22, tzinfo=UTC)


def test_without_windows_it_is_always_open() -> None:
    assert is_open([], NOON)
    assert next_opening([], NOON) is None


def look(wish: Unify, *waves: list[Standing], now: datetime = NOON) -> Decision:
    return decide("ground", with_fields(wish, run="r", state=wish.state or "Running"), waves, now)


def every_state() -> Iterator[tuple[Unify, list[Standing], str, str]]:
    planned = Standing("a", "Planned", turn=True, operation="a-op")
    running = Standing("a", "Running", turn=True, begun=True, operation="a-op")
    yield Unify(state="Paused"), [running], "Paused", "what runs ends as it does: a; to go on"
    yield Unify(approval="PerWave"), [planned], "AwaitingApproval", "groundplane plan a), then: groundplane unify"
    yield Unify(approval="PerWave"), [Standing("a")], "Running", "plans are being made for a"
    yield Unify(windows=[NIGHT]), [planned], "Waiting", "2026-11-28T21:00:00Z"
    yield Unify(windows=[NIGHT]), [running], "Running", "still running: a"
    yield Unify(), [Standing("a", "Failed")], "Failed", "groundplane retry a; or give it up"
    yield Unify(), [Standing("a", "Failed"), replace(running, name="b")], "Running", "what runs ends as it does: b"
    yield Unify(max_failures=1), [Standing("a", "Failed")], "Incomplete", "failed: a"
    yield Unify(), [Standing("a", "Blocked"), Standing("b", "Done")], "Incomplete", "blocked: a"
    yield Unify(), [Standing("a", "Gone"), Standing("b", "Done")], "Succeeded", "gone: a"
    yield Unify(), [Standing("a", hindered="operation x has not ended")], "Running", "waits for a: operation x"
    yield Unify(state="Cancelled"), [running], "Running", "what runs ends first: a"
    yield Unify(state="Cancelled"), [Standing("a", "Done"), Standing("b")], "Cancelled", "1 of 2 clusters are done"


@pytest.mark.parametrize(("wish", "wave", "phase", "words"), list(every_state()))
def test_every_phase_says_what_happens_next(wish: Unify, wave: list[Standing], phase: str, words: str) -> None:
    decision = look(wish, wave)
    assert decision.phase == phase
    assert words in decision.message


def test_cancelling_withdraws_what_waits_and_cancels_what_runs_only_when_that_is_wished() -> None:
    planned = Standing("a", "Planned", turn=True, operation="a-op")
    running = Standing("b", "Running", turn=True, begun=True, operation="b-op")
    kept = look(Unify(state="Cancelled"), [planned, running])
    assert (kept.cancel, kept.withdraw) == (["a-op"], ["a"])
    all_of_it = look(Unify(state="Cancelled", cancel_operations=True), [planned, running])
    assert all_of_it.cancel == ["a-op", "b-op"]
