"""Releases and until when which platform supports them: dates that somebody published, or none."""

from __future__ import annotations

import pytest

from groundplane.base.versions import UnknownVersion
from groundplane.catalog import releases


def test_kubernetes_is_known_from_1_16_on_without_a_gap() -> None:
    minors = list(releases.kubernetes_releases())
    assert minors[0] == (1, 16)
    assert minors == [(1, minor) for minor in range(16, 16 + len(minors))]
    assert minors[-1] >= (1, 37)


@pytest.mark.parametrize(
    ("version", "platform", "ends"),
    [
        ("v1.20.2", "native", "2022-02-28"),
        ("v1.37.0", "native", "2027-10-28"),
        ("v1.20.6-tke.3", "tke", "2022-02-28"),
        ("v1.28.3-tke.1", "tke-managed", "2026-06-06"),
        ("v1.34.1-eks-ae9a62a", "eks", "2026-12-02"),
        ("v1.36.1-aliyun.1", "ack", "2027-05-30"),
        ("v1.27.11+749fe1d", "native", "2024-07-16"),
        ("v1.27.11+749fe1d", "openshift", "2025-05-01"),
        ("v1.29.4-gke.1043002", "gke", "2025-04-12"),
        ("v1.30.0", "aks", "2025-08-22"),
        ("v1.36.0", "aks", "2027-06-30"),
        ("v1.36.2-eks-1", "eks", "2027-08-02"),
    ],
)
def test_support_ends_when_the_platform_says(version: str, platform: str, ends: str) -> None:
    found = releases.support(version, platform)
    assert found is not None
    assert found.ends == ends
    assert found.basis
    assert found.source.startswith("https://")


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        ("v1.27.3", "tke-managed"),
        ("v1.30.0", "tke-managed"),
        ("v1.20.15-gke.1000", "gke"),
        ("v1.35.0", "openshift"),
        ("v1.26.0", "aks"),
        ("v1.30.5+rke2r1", "rke2"),
        ("v1.28.3+k3s2", "k3s"),
        ("v1.30.0", "unknown"),
        ("v1.99.0", "native"),
        ("latest", "native"),
    ],
)
def test_where_nobody_says_it_support_is_not_guessed(version: str, platform: str) -> None:
    assert releases.support(version, platform) is None


def test_newer_builds_of_a_minor_say_what_they_fix() -> None:
    assert any("CVE-2021-25741" in fix for fix in releases.fixes_since("v1.20.6-tke.1"))
    assert releases.fixes_since("v1.20.6-tke.3") == ()
    assert releases.fixes_since("v1.21.4-tke.3") == ("scheduler extenders may take part in prebind",)
    assert len(releases.fixes_since("v1.21.3")) == 12
    assert releases.fixes_since("v1.21.3-gke.1") == ()
    assert releases.fixes_since("v1.28.3-tke.1") == ()
    with pytest.raises(UnknownVersion):
        releases.fixes_since("newest")


def test_the_builds_that_make_certificates_for_thirty_years_say_so() -> None:
    long = [name for name, row in releases.tke_releases().items() if any("30 years" in fix for fix in row.fixes)]
    assert long == ["v1.20.6-tke.2", "v1.21.4-tke.3"]
