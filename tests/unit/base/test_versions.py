"""The order of versions: the traps that SemVer sets, and the properties that every order has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.base import versions
from groundplane.base.versions import Incomparable, KubernetesVersion, UnknownVersion, parse

NUMBERED: list[versions.Vendor] = ["tke", "gke", "aliyun", "vke", "rke2r", "k3s"]
cores = st.tuples(st.just(1), st.integers(0, 40), st.integers(0, 20))
revisions = st.integers(0, 30).map(str)


@st.composite
def of_one_vendor(draw: st.DrawFn, count: int) -> list[KubernetesVersion]:
    vendor = draw(st.sampled_from(NUMBERED))
    plain = st.builds(KubernetesVersion, cores)
    early = st.builds(
        lambda core, word, n: KubernetesVersion(core, prerelease=f"{word}.{n}"),
        cores,
        st.sampled_from(["alpha", "beta", "rc"]),
        st.integers(0, 12),
    )
    build = st.builds(lambda core, n: KubernetesVersion(core, vendor=vendor, revision=n), cores, revisions)
    return draw(st.lists(st.one_of(plain, early, build), min_size=count, max_size=count))


@pytest.mark.parametrize(
    ("text", "core", "vendor", "revision"),
    [
        ("v1.20.6-tke.2", (1, 20, 6), "tke", "2"),
        ("1.21.4-tke.3", (1, 21, 4), "tke", "3"),
        ("v1.20.7-eks-d88609", (1, 20, 7), "eks", "d88609"),
        ("v1.25.0-gke.1", (1, 25, 0), "gke", "1"),
        ("v1.30.5+rke2r1", (1, 30, 5), "rke2r", "1"),
        ("v1.28.3+k3s2", (1, 28, 3), "k3s", "2"),
        ("v1.20.11-aliyun.1", (1, 20, 11), "aliyun", "1"),
        ("v1.20.15-vke.5", (1, 20, 15), "vke", "5"),
        ("v1.22.17", (1, 22, 17), "", ""),
        ("v1.29.4-gke.1043002", (1, 29, 4), "gke", "1043002"),
        ("v1.29.3-eks-ae9a62a", (1, 29, 3), "eks", "ae9a62a"),
        ("v1.26.3-aliyun.1", (1, 26, 3), "aliyun", "1"),
        ("v1.28.10+rke2r1", (1, 28, 10), "rke2r", "1"),
    ],
)
def test_versions_of_known_vendors_are_read(text: str, core: tuple[int, int, int], vendor: str, revision: str) -> None:
    found = parse(text)
    assert (found.core, found.vendor, found.revision) == (core, vendor, revision)
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.20",
        "v1.20.2.3",
        "latest",
        "v1.20.2-oke.1",
        "v1.20.2-tke",
        "v1.20.2+tke.1",
        "v1.20.2-k3s1",
        "v1-36-eks-7",
        "v1.27.11+749fe1d",
        "v1.28.3+k3s1-rc1",
        "v1.28.3-rc1+k3s1",
        "v1.20.11-aliyunedge.1",
    ],
)
def test_what_is_not_known_is_refused_and_never_guessed(text: str) -> None:
    with pytest.raises(UnknownVersion) as refused:
        parse(text)
    assert text in refused.value.message
    assert refused.value.remedy


def test_the_traps_of_semver_are_avoided() -> None:
    ascending = [
        "v1.19.16-tke.9",
        "v1.20.6-alpha.3",
        "v1.20.6-beta.0",
        "v1.20.6-rc.1",
        "v1.20.6-rc.10",
        "v1.20.6",
        "v1.20.6-tke.1",
        "v1.20.6-tke.2",
        "v1.20.6-tke.10",
        "v1.20.7-rc.0",
        "v1.20.7",
        "v1.20.10",
    ]
    assert [str(v) for v in sorted(map(parse, reversed(ascending)))] == ascending


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.20.6-tke.1", "1.20.6-tke.2"),
        ("1.21.4-tke.2", "1.21.4-tke.3"),
        ("1.20.5", "1.20.6-tke.2"),
        ("1.21.3", "1.21.4-tke.3"),
        ("v1.20.6", "v1.20.6-tke.1"),
        ("v1.29.4-gke.1043002", "v1.29.4-gke.1447000"),
        ("v1.29.4-gke.999999", "v1.29.4-gke.1043002"),
        ("v1.28.10+rke2r1", "v1.28.10+rke2r2"),
        ("v1.28.9+k3s9", "v1.28.10+k3s1"),
    ],
)
def test_builds_of_one_core_are_ordered_by_their_numbers(lower: str, higher: str) -> None:
    assert parse(lower) < parse(higher)
    assert not parse(higher) < parse(lower)


@given(of_one_vendor(3))
def test_versions_of_one_vendor_have_a_total_order(three: list[KubernetesVersion]) -> None:
    a, b, c = three
    assert (a < b) + (b < a) + (a == b) == 1
    assert (a <= b) == (not b < a)
    if a <= b <= c:
        assert a <= c


@given(of_one_vendor(1))
def test_a_version_is_read_back_from_its_text(one: list[KubernetesVersion]) -> None:
    assert parse(str(one[0])) == one[0]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("v1.20.6-tke.1", "v1.20.6-gke.1"),
        ("v1.20.7-eks-d88609", "v1.20.7-eks-8be107"),
        ("v1.20.7-eks-1", "v1.20.7-eks-2"),
    ],
)
def test_builds_without_an_order_are_not_ordered(left: str, right: str) -> None:
    with pytest.raises(Incomparable) as refused:
        _ = parse(left) < parse(right)
    assert left in refused.value.message
    assert right in refused.value.message


def test_different_vendors_are_ordered_by_the_core_when_it_differs() -> None:
    assert parse("v1.20.6-tke.9") < parse("v1.20.7-eks-d88609")
    assert not parse("v1.20.7-eks-d88609") < parse("v1.20.7-eks-d88609")
    assert parse("v1.20.6-tke.01") == parse("v1.20.6-tke.1")


@pytest.mark.parametrize(
    ("text", "core"),
    [
        ("v1.27.11+749fe1d", (1, 27, 11)),
        ("v1.20.6-tke.3", (1, 20, 6)),
        ("v1.20.11-aliyunedge.1", (1, 20, 11)),
        (" v1.30.0-rc.1 ", (1, 30, 0)),
        ("1.22.17", (1, 22, 17)),
        ("1.22", None),
        ("v1-36-eks-7", None),
        ("v1.20.2.3", None),
        ("", None),
    ],
)
def test_the_numbers_of_a_version_are_read_whatever_its_suffix_says(text: str, core: versions.Core | None) -> None:
    assert versions.core_of(text) == core


@given(of_one_vendor(1))
def test_the_core_of_a_version_that_is_read_is_its_own(one: list[KubernetesVersion]) -> None:
    assert versions.core_of(str(one[0])) == one[0].core


def test_releases_of_eks_distro_are_ordered_by_their_numbers() -> None:
    releases = [versions.parse_eks_distro(name) for name in ("v1-35-eks-9", "v1-36-eks-7", "1-36-eks-10")]
    assert releases == sorted(reversed(releases))
    assert str(releases[2]) == "v1-36-eks-10"
    with pytest.raises(UnknownVersion, match="EKS Distro"):
        versions.parse_eks_distro("v1.36.0-eks-7")


def test_a_version_is_not_compared_with_text() -> None:
    with pytest.raises(TypeError):
        _ = parse("v1.20.6") < "v1.20.7"


def test_the_minor_is_read_from_text_and_version() -> None:
    assert versions.minor("v1.20.6-tke.3") == (1, 20) == versions.minor(parse("1.20.0"))


@pytest.mark.parametrize(
    ("version", "constraint", "met"),
    [
        ("1.6.20~ds1", "", True),
        ("1.6.20~ds1", ">=1.6.0", True),
        ("1.6.20~ds1", ">=1.6.0, <2.0.0", True),
        ("1.6.20~ds1", ">=1.7.0", False),
        ("20.10.24+dfsg1", "<=20.10.24", True),
        ("20.10.24+dfsg1", "!=20.10.24", False),
        ("5:20.10.24~3-0~debian-bookworm", "20.10.24", True),
        ("18.09.1", "=18.9.1", True),
        ("v2.0.0-rc.1", ">=2.0.0", False),
        ("2.0.0~rc1", "<2", True),
        ("2.0.0-0ubuntu1", ">=2.0.0", True),
        ("1.10.0", ">1.9", True),
    ],
)
def test_runtime_versions_are_held_against_constraints(version: str, constraint: str, met: bool) -> None:
    assert versions.satisfies(version, constraint) is met


@pytest.mark.parametrize("constraint", [">=", "about 1.6", ">=1.6.0,", "1.6.0 || 1.7.0", "=>1.6", "1.6.x"])
def test_malformed_constraints_are_refused(constraint: str) -> None:
    with pytest.raises(UnknownVersion):
        versions.parse_constraint(constraint)


def test_kernel_releases_are_compared_by_their_numbers() -> None:
    assert versions.kernel_release("6.18.44-fc-v782") == (6, 18, 44)
    assert versions.kernel_release("4.18.0-305.el8.x86_64") == (4, 18, 0)
    assert versions.kernel_release("5.4.119-19-0009.11") == (5, 4, 119)
    assert versions.kernel_at_least("6.1.0-18-amd64", "5.4.119")
    assert not versions.kernel_at_least("5.4.118", "5.4.119")
    assert versions.kernel_at_least("unreadable", "")
    with pytest.raises(UnknownVersion):
        versions.kernel_at_least("unreadable", "5.4")
