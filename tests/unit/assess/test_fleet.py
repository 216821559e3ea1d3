"""Sums over a fleet, kept while single clusters change, and their history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.assessment import Assessment, Uniformity, UniformityPoint, percent
from groundplane.assess import ClusterSubject, Fleet, assess_cluster, next_history
from groundplane.assess.fleet import HISTORY_POINTS
from groundplane.base.clock import rfc3339

from .world import UNIFORM, facts, stack, standard

START = datetime(2026, 11, 28, 3, tzinfo=UTC)


def assessed(kernel: str, nodes: int = 1) -> Assessment:
    return assess_cluster(ClusterSubject(facts(stack(kernel=kernel, count=nodes))), standard())


KERNELS = ["5.4.119", "4.14.105", "5.0.1", "6.1.0"]
changes = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from(["production", "lab"]),
        st.one_of(st.none(), st.builds(assessed, st.sampled_from(KERNELS), st.integers(1, 9))),
        st.booleans(),
    ),
    max_size=20,
)


@given(changes)
def test_sums_are_those_of_the_members_whatever_came_before(
    steps: list[tuple[str, str, Assessment | None, bool]],
) -> None:
    fleet, members = Fleet(), dict[str, tuple[str, Assessment | None]]()
    for cluster, group, assessment, gone in steps:
        if gone:
            fleet.remove(cluster)
            members.pop(cluster, None)
        else:
            fleet.put(cluster, group, assessment)
            members[cluster] = (group, assessment)
    fresh = Fleet()
    for cluster, (group, assessment) in members.items():
        fresh.put(cluster, group, assessment)
    for group in ("production", "lab"):
        assert fleet.uniformity(group) == fresh.uniformity(group)
        assert fleet.stacks(group) == fresh.stacks(group)
        assert fleet.features(group) == fresh.features(group)
        assert (fleet.members(group), fleet.unassessed(group), fleet.drifting(group)) == (
            fresh.members(group),
            fresh.unassessed(group),
            fresh.drifting(group),
        )
        nodes = sum(one.uniformity.nodes for where, one in members.values() if one and where == group)
        assert fleet.uniformity(group).nodes == nodes


def test_a_fleet_counts_stacks_drifting_clusters_and_who_blocks_a_feature() -> None:
    fleet = Fleet()
    fleet.put("shop", "production", assess_cluster(ClusterSubject(facts(UNIFORM)), standard()))
    fleet.put("bank", "production", assessed("4.14.105", nodes=3))
    fleet.put("new", "production", None)
    found = fleet.uniformity("production")
    assert (found.nodes, found.uniform, found.percent, found.stacks) == (5, 2, "40.0%", 2)
    assert [one.nodes for one in fleet.stacks("production")] == [3, 2]
    assert (fleet.drifting("production"), fleet.unassessed("production")) == (1, 1)
    (feature,) = fleet.features("production")
    assert (feature.state, feature.blockers.count, feature.blockers.names) == ("Blocked", 3, ["bank/b-1"])
    assert feature.message.startswith("1 of 2 clusters can use it; 3 nodes of 1 cluster in the way: ")


def test_a_group_that_nobody_is_in_is_empty() -> None:
    found = Fleet()
    assert (found.uniformity("x").nodes, found.stacks("x"), found.features("x"), found.members("x")) == (0, [], [], 0)


@pytest.mark.parametrize(
    ("uniform", "nodes", "text"),
    [(0, 0, ""), (0, 3, "0.0%"), (2, 3, "66.6%"), (9999, 10000, "99.9%"), (3, 3, "100.0%")],
)
def test_only_all_of_them_are_a_hundred_percent(uniform: int, nodes: int, text: str) -> None:
    assert percent(uniform, nodes) == text


def at(minutes: float) -> str:
    return rfc3339(START + timedelta(minutes=minutes))


def grown(history: list[UniformityPoint], uniform: int, minutes: float) -> list[UniformityPoint]:
    return next_history(history, Uniformity(nodes=10_000, uniform=uniform), at(minutes))


def test_history_has_a_point_for_each_change_and_none_for_sameness() -> None:
    first = grown([], 1, 0)
    assert grown(first, 1, 60) is first
    assert [point.uniform for point in grown(first, 2, 60)] == [1, 2]


def test_a_burst_of_changes_is_one_point() -> None:
    history = grown(grown(grown([], 1, 0), 2, 60), 3, 62)
    assert [(point.uniform, point.time) for point in history] == [(1, at(0)), (3, at(60))]


def test_changes_that_never_pause_are_points_all_the_same() -> None:
    history: list[UniformityPoint] = []
    for number in range(60):
        history = grown(history, number, 4 * number)
    assert len(history) > 25
    times = [point.time for point in history]
    assert times == sorted(set(times))


def test_a_clock_that_goes_back_makes_no_point_in_the_future() -> None:
    history = grown(grown(grown([], 1, 0), 2, 60), 3, 30)
    assert [(point.uniform, point.time) for point in history] == [(1, at(0)), (3, at(30))]


def test_the_first_point_of_all_is_kept() -> None:
    assert [point.uniform for point in grown(grown([], 1, 0), 2, 1)] == [1, 2]


def test_a_long_history_is_thinned_in_its_older_half_and_keeps_both_ends() -> None:
    history: list[UniformityPoint] = []
    for number in range(3 * HISTORY_POINTS):
        history = grown(history, number, 10 * number)
        assert len(history) <= HISTORY_POINTS
    assert history[0].uniform == 0
    assert history[-1].uniform == 3 * HISTORY_POINTS - 1
    times = [point.time for point in history]
    assert times == sorted(times)
