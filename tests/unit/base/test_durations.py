"""Durations, and the settings that hold one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base.durations import seconds, written
from groundplane.base.errors import Refused
from groundplane.base.settings import read_settings


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations_are_read_as_they_are_written(hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{hours}h{minutes}m{rest}s") == hours * 3600 + minutes * 60 + rest


@given(st.integers(0, 1_000_000))
def test_a_written_duration_is_read_as_what_it_was(total: int) -> None:
    assert seconds(written(total)) == total


@pytest.mark.parametrize("text", ["", "5", "m", "5m1h", "1.5h", "-5m", "5 m", "٥m"])
def test_what_is_no_duration_is_told_apart(text: str) -> None:
    assert seconds(text) is None


def test_a_survey_is_made_every_ten_minutes_unless_the_setting_says_otherwise() -> None:
    assert read_settings({}).survey_every == 600
    assert read_settings({"GROUNDPLANE_SURVEY_EVERY": "1h30m"}).survey_every == 5400


@pytest.mark.parametrize("text", ["29s", "0s", "often"])
def test_a_survey_that_would_never_rest_is_refused(text: str) -> None:
    with pytest.raises(Refused, match=text):
        read_settings({"GROUNDPLANE_SURVEY_EVERY": text})


def test_commands_that_kubeconfigs_may_run_are_named_in_full() -> None:
    assert read_settings({}).exec_plugins == ()
    assert read_settings({"GROUNDPLANE_EXEC_PLUGINS": "/usr/bin/aws:/opt/gke"}).exec_plugins == (
        "/usr/bin/aws",
        "/opt/gke",
    )
    with pytest.raises(Refused, match="aws"):
        read_settings({"GROUNDPLANE_EXEC_PLUGINS": "aws"})
