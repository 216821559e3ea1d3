"""The arithmetic of the benchmarks: a wrong ratio or a wrong end of an answer would make every figure a lie."""

from __future__ import annotations

import pytest
from bench.api_server.rounds import percentile
from bench.api_server.wire import finished
from bench.figures import Figure, table
from bench.survey.targets import Crowd


@pytest.mark.parametrize(("ours", "more", "met"), [(300.0, True, True), (299.0, True, False), (99.0, False, True)])
def test_a_goal_is_a_lower_bound_where_more_is_better_and_an_upper_one_elsewhere(
    ours: float, more: bool, met: bool
) -> None:
    figure = Figure("rate", "1/s", ours, peer=100.0, goal=3 if more else 1, more_is_better=more)
    assert figure.ratio == ours / 100
    assert figure.met is met
    assert ("≥ 3" if more else "≤ 1") in table("bench", [figure])


def test_a_goal_without_a_peer_bounds_our_own_value() -> None:
    assert Figure("seconds", "s", 3.0, goal=2.0).met is False
    assert Figure("seconds", "s", 3.0).met is None


def test_a_percentile_is_the_value_below_which_that_share_lies() -> None:
    assert percentile([float(number) for number in range(1, 1001)], 99) == pytest.approx(990, abs=1)


@pytest.mark.parametrize(
    "whole",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n0\r\n\r\n',
    ],
)
def test_an_answer_is_finished_with_its_last_byte_and_not_before(whole: bytes) -> None:
    assert finished(whole)
    assert not any(finished(whole[:length]) for length in range(len(whole)))


def test_scripted_machines_have_addresses_of_their_own() -> None:
    targets = Crowd(port=1, key="key", host_key="key").targets(70_000)
    assert len({target.address for target in targets}) == len({target.name for target in targets}) == 70_000
    assert all(0 < int(part) < 255 for part in targets[-1].address.split(".") if part != "0")
