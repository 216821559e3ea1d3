"""Runtimes: verdicts for a Kubernetes version, lines that end, and security fixes that a version lacks."""

from __future__ import annotations

import pytest

from groundplane.base.versions import UnknownVersion
from groundplane.catalog import lines, runtimes


@pytest.mark.parametrize(
    ("kubernetes", "name", "version", "ok"),
    [
        ("v1.20.2", "containerd", "1.6.20~ds1", True),
        ("v1.27.11+749fe1d", "containerd", "1.6.14", False),
        ("v1.20.6-tke.3", "docker", "19.03.15", True),
        ("v1.20.2", "docker", "18.06.3", True),
        ("v1.20.2", "docker", "17.03.2", False),
        ("v1.20.2", "docker", "20.10.24+dfsg1", True),
        ("v1.24.0", "docker", "20.10.24", False),
        ("v1.30.2", "cri-o", "1.30.4", True),
        ("v1.30.2", "cri-o", "1.29.1", False),
        ("v1.30.2", "rkt", "1.30.0", False),
    ],
)
def test_a_runtime_is_judged_for_a_version(kubernetes: str, name: str, version: str, ok: bool) -> None:
    verdict = runtimes.runtime_verdict(kubernetes, name, version)
    assert verdict.ok is ok
    assert ok or (verdict.reason and verdict.choose)


def test_a_docker_newer_than_tested_is_allowed_and_said() -> None:
    verdict = runtimes.runtime_verdict("v1.20.2", "docker", "20.10.24")
    assert verdict.ok
    assert verdict.reason == "Docker 20.10.24 is newer than what Kubernetes 1.20.2 was tested with"
    assert runtimes.runtime_verdict("v1.20.2", "docker", "17.3").choose == "Docker 19.03"


def test_a_kubernetes_version_without_numbers_is_refused() -> None:
    with pytest.raises(UnknownVersion):
        runtimes.runtime_verdict("latest", "containerd", "1.7.0")


@pytest.mark.parametrize(
    ("name", "version", "ends"),
    [
        ("containerd", "1.5.4", "2023-02-28"),
        ("containerd", "1.6.20~ds1", "2025-08-23"),
        ("containerd", "2.3.0", "2028-04-30"),
        ("docker", "19.03.15", "2021-02-01"),
        ("docker", "5:20.10.24~3-0~debian-bookworm", "2023-12-10"),
        ("docker", "28.5.2", "2026-05-13"),
        ("docker", "29.3.1", ""),
        ("runc", "1.1.12", "2025-04-29"),
        ("runc", "1.2.8", "2026-06-19"),
    ],
)
def test_a_line_ends_when_its_project_says(name: str, version: str, ends: str) -> None:
    found = runtimes.runtime_end_of_life(name, version)
    assert found is not None
    assert (found.ends, bool(found.basis)) == (ends, True)


def test_a_line_that_is_not_known_has_no_end() -> None:
    assert runtimes.runtime_end_of_life("containerd", "0.9.0") is None
    assert runtimes.runtime_end_of_life("cri-o", "1.30.0") is None


@pytest.mark.parametrize(
    ("name", "version", "lacks"),
    [
        ("runc", "1.0.0-rc6", {"CVE-2019-5736", "CVE-2021-30465", "CVE-2024-21626"}),
        ("runc", "1.0.0-rc10", {"CVE-2021-30465", "CVE-2024-21626"}),
        ("runc", "1.0.2", {"CVE-2024-21626"}),
        ("runc", "1.1.11", {"CVE-2024-21626"}),
        ("runc", "1.1.12+ds1", set()),
        ("runc", "1.2.7", set()),
    ],
)
def test_what_a_runc_lacks_beside_the_fixes_since_2025(name: str, version: str, lacks: set[str]) -> None:
    newer = {"CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881", "CVE-2026-119101"}
    assert {fix.id for fix in lines.security_gaps(name, version)} == lacks | newer


@pytest.mark.parametrize("version", ["1.2.8", "1.3.3", "1.4.0-rc.3", "1.4.0", "1.5.0"])
def test_a_runc_with_the_fixes_of_2025_lacks_that_of_2026(version: str) -> None:
    assert [fix.id for fix in lines.security_gaps("runc", version)] == ["CVE-2026-119101"]


@pytest.mark.parametrize(
    ("version", "lacks"), [("1.7.33", False), ("2.0.10", False), ("2.1.8", True), ("2.1.9", False)]
)
def test_a_release_older_than_a_fault_needs_no_fix(version: str, lacks: bool) -> None:
    assert ("CVE-2026-53492" in {fix.id for fix in lines.security_gaps("containerd", version)}) is lacks


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("runc", "1.3.7"),
        ("runc", "1.4.4"),
        ("runc", "1.5.3"),
        ("runc", "1.6.0"),
        ("containerd", "1.7.33"),
        ("containerd", "2.0.10"),
        ("containerd", "2.2.5"),
        ("containerd", "2.4.0"),
        ("kata", "3.0.0"),
    ],
)
def test_a_version_with_every_fix_lacks_none(name: str, version: str) -> None:
    assert lines.security_gaps(name, version) == ()


def test_a_line_between_fixed_ones_is_judged_by_the_newest_of_them() -> None:
    newer = {"CVE-2024-25621", "CVE-2026-53488"}
    assert {fix.id for fix in lines.security_gaps("containerd", "1.6.39")} == newer
    assert {fix.id for fix in lines.security_gaps("containerd", "1.5.4")} == {"CVE-2022-23648", *newer}
