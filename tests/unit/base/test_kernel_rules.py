"""Kernel rules: back-port points, distributions' own kernels, and what is never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base import versions
from groundplane.base.versions import Core, KernelRule, UnknownVersion

CILIUM = "4.19.57, 5.1.16, 5.2"
cores = st.tuples(st.integers(3, 7), st.integers(0, 20), st.integers(0, 300))
points = st.lists(cores, min_size=1, max_size=4)


def spelled(core: Core) -> str:
    return ".".join(map(str, core))


@pytest.mark.parametrize(
    ("release", "met"),
    [
        ("4.19.56", False),
        ("4.19.57", True),
        ("4.19.90-2112.8.0.0131.oe1.x86_64", True),
        ("4.20.0", False),
        ("4.20.17", False),
        ("5.0.21", False),
        ("5.1.0", False),
        ("5.1.15", False),
        ("5.1.16", True),
        ("5.2.0", True),
        ("5.4.119-19-0009.11", True),
        ("6.1.0-18-amd64", True),
        ("4.14.105-19-0024", False),
        ("4.19.0-5-amd64", False),
        ("4.19.0-6-amd64", True),
        ("4.19.0-27-cloud-amd64", True),
        ("4.19.0-0.bpo.19-arm64", True),
        ("4.19.0-91.82.112.uelc20.x86_64", False),
        ("5.0.0-37-generic", False),
    ],
)
def test_a_back_port_counts_within_its_own_line_only(release: str, met: bool) -> None:
    assert KernelRule.parse(CILIUM).met_by(release) is met


@pytest.mark.parametrize(
    ("release", "met"),
    [
        ("4.18.0-372.9.1.el8.x86_64", True),
        ("4.18.0-372.32.1.el8_6.x86_64", True),
        ("4.18.0-553.el8_10.x86_64", True),
        ("4.18.0-553.5.1.el8_10.aarch64", True),
        ("4.18.0-348.el8.x86_64", False),
        ("4.18.0-305.25.1.el8_4.x86_64", False),
        ("4.18.0-79.el8.x86_64", False),
        ("4.18.0-25-generic", False),
        ("5.14.0-427.13.1.el9_4.x86_64", True),
        ("3.10.0-1160.el7.x86_64", False),
        ("5.4.278-1.el7.elrepo.x86_64", True),
        ("5.4.17-2136.321.4.el8uek.x86_64", True),
        ("4.18.20-1.el8.elrepo.x86_64", False),
    ],
)
def test_enterprise_linux_is_judged_by_its_minor(release: str, met: bool) -> None:
    assert KernelRule.parse("5.4, el8_6").met_by(release) is met


def test_the_minor_of_enterprise_linux_is_read_from_the_release_or_the_build() -> None:
    assert versions.enterprise_minor("4.18.0-553.el8_10.x86_64") == (8, 10)
    assert versions.enterprise_minor("4.18.0-448.el8.x86_64") == (8, 7)
    assert versions.enterprise_minor("5.14.0-70.13.1.el9_0.x86_64") == (9, 0)
    assert versions.enterprise_minor("4.18.0-553.rt7.342.el8_10.x86_64") == (8, 10)
    assert versions.enterprise_minor("4.18.0-477.10.1.el8_8.ppc64le+debug") == (8, 8)
    assert versions.enterprise_minor("3.10.0-1160.el7.centos.plus.x86_64") == (7, 9)
    assert versions.enterprise_minor("4.18.0-1.el8.elrepo.x86_64") is None
    assert versions.enterprise_minor("4.18.0-12.el8.x86_64") is None
    assert versions.enterprise_minor("4.18.0-553.el11_1.x86_64") is None
    assert versions.enterprise_minor("6.1.0-18-amd64") is None


def test_a_rule_of_rebuilds_only_is_met_by_no_other_kernel() -> None:
    rule = KernelRule.parse("el8_6")
    assert rule.met_by("4.18.0-425.3.1.el8.x86_64")
    assert not rule.met_by("6.12.0-1-amd64")
    assert rule.lowest == (0, 0, 0)


def test_a_rule_may_end() -> None:
    rule = KernelRule.parse("4.19, 5.0, <7.0")
    assert [rule.met_by(release) for release in ("4.18.0", "4.19.1", "4.20.1", "5.0.0", "6.18.1", "7.0.0")] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]
    assert str(rule) == "4.19, 5.0, <7.0"


def test_the_empty_rule_is_met_by_every_kernel() -> None:
    assert KernelRule.parse("") == KernelRule()
    assert KernelRule().met_by("2.6.32-754.el6.x86_64")
    assert str(KernelRule()) == ""


@pytest.mark.parametrize("text", ["5", "5.x", ">=5.4", "5.4 or later", "el8", "el8.6", "<el8_6", "5.4.1.2"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(UnknownVersion) as refused:
        KernelRule.parse(text)
    assert text in refused.value.message


def test_a_kernel_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UnknownVersion):
        KernelRule.parse(CILIUM).met_by("unreadable")


@given(points, cores)
def test_from_the_highest_point_on_every_kernel_meets_a_rule(found: list[Core], kernel: Core) -> None:
    rule = KernelRule.parse(", ".join(map(spelled, found)))
    assert rule.met_by(spelled(kernel)) or kernel < max(found)


@given(points, cores)
def test_below_the_highest_point_a_kernel_needs_a_point_of_its_own_line(found: list[Core], kernel: Core) -> None:
    rule = KernelRule.parse(", ".join(map(spelled, found)))
    own = any(point[:2] == kernel[:2] and point <= kernel for point in found)
    assert rule.met_by(spelled(kernel)) is (kernel >= max(found) or own)


@given(points, cores)
def test_a_later_patch_of_a_line_never_loses_a_feature(found: list[Core], kernel: Core) -> None:
    rule = KernelRule.parse(", ".join(map(spelled, found)))
    later = (kernel[0], kernel[1], kernel[2] + 1)
    assert rule.met_by(spelled(later)) or not rule.met_by(spelled(kernel))


@given(points, st.lists(st.tuples(st.integers(7, 10), st.integers(0, 10)), max_size=2), st.none() | cores)
def test_a_rule_is_read_back_from_its_text(
    found: list[Core], rebuilds: list[tuple[int, int]], below: Core | None
) -> None:
    rule = KernelRule(tuple(sorted(set(found))), tuple(sorted(set(rebuilds))), below)
    assert KernelRule.parse(str(rule)) == rule
    assert rule.lowest == min(found)
