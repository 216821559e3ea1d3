"""Moments as Kubernetes writes them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.clock import parse_rfc3339, rfc3339

MOMENTS = st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.timezones())


@given(MOMENTS)
def test_a_moment_is_written_in_whole_seconds_of_utc_and_read_again(moment: datetime) -> None:
    text = rfc3339(moment)
    assert text.endswith("Z")
    assert len(text) == len("2006-01-02T15:04:05Z")
    assert timedelta(0) <= moment - parse_rfc3339(text) < timedelta(seconds=1)
