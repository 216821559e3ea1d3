"""Risks: end of life, pairs that nobody supports, skew, certificates, clocks, versions that cannot be read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from groundplane.api.assessment import Finding
from groundplane.api.facts import (
    CertificateFacts,
    ClusterFacts,
    ComponentFacts,
    HandlerFacts,
    PlatformFacts,
    StackFacts,
    TimeFacts,
)
from groundplane.api.foundation import CertificateLimits, OperatingSystem, OSEntry, SecurityLimits
from groundplane.assess import ClusterSubject, assess_cluster, assess_machine

from .world import SPEC, facts, machine, stack, standard

CURRENT = "v1.34.2"


def modern(*stacks: StackFacts, **fields: Any) -> ClusterFacts:
    """Facts of a cluster that has no finding at all on 2026-02-01."""
    plain = stack(
        os_image="Debian GNU/Linux 12 (bookworm)", kernel="6.1.0", kubelet=CURRENT, runtime="containerd://2.2.5"
    )
    return facts(*(stacks or [plain]), **{"version": CURRENT, "platform": PlatformFacts(name="native"), **fields})


def risks(found: ClusterFacts, *, today: str = "2026-02-01", **subject: Any) -> list[Finding]:
    return assess_cluster(ClusterSubject(found, **subject), standard(today=today)).findings


def of_type(found: list[Finding], kind: str) -> Finding:
    (one,) = [finding for finding in found if finding.type == kind]
    return one


def test_a_modern_cluster_has_no_finding() -> None:
    assert risks(modern()) == []


def test_a_version_past_its_end_is_grave_and_names_its_policy() -> None:
    found = next(one for one in risks(facts(stack())) if one.subject == "Kubernetes v1.20.6-tke.3")
    assert (found.type, found.severity, found.remedy.action) == ("EndOfLife", "High", "UpgradeKubernetes")
    assert "2022-02-28" in found.message
    assert "https://" in found.evidence


def test_an_end_that_is_near_is_told_ninety_days_before() -> None:
    end = "2026-10-27"  # of 1.34
    assert [one.type for one in risks(modern(), today="2026-07-28")] == []
    near = of_type(risks(modern(), today="2026-07-29"), "EndOfLifeNear")
    assert (near.severity, end in near.message) == ("Medium", True)
    assert "Kubernetes v1.34.2" in {one.subject for one in risks(modern(), today=end) if one.type == "EndOfLifeNear"}
    assert of_type([one for one in risks(modern(), today="2026-10-28") if "Kubernetes" in one.subject], "EndOfLife")


def test_an_operating_system_and_a_runtime_past_their_ends_name_their_nodes() -> None:
    old = stack(os_image="CentOS Linux 7 (Core)", kernel="6.1.0", kubelet=CURRENT, runtime="containerd://1.5.4")
    found = risks(modern(old))
    ended = {one.subject: one.nodes.names for one in found if one.type == "EndOfLife"}
    assert ended == {"CentOS Linux 7": ["b-1"], "containerd 1.5.4": ["b-1"]}


@pytest.mark.parametrize(
    ("kubelet", "runtime", "kernel", "subject"),
    [
        ("v1.34.2", "containerd://1.6.8", "6.1.0", "containerd 1.6.8 with Kubernetes v1.34.2"),
        ("v1.26.1", "docker://20.10.24", "6.1.0", "docker 20.10.24 with Kubernetes v1.26.1"),
        ("v1.32.1", "containerd://2.1.0", "4.18.0-553.el8_10.x86_64",
         "kernel 4.18.0-553.el8_10.x86_64 with Kubernetes v1.32.1"),
        ("v1.32.1", "containerd://2.1.0", "4.14.105-19-0009", "kernel 4.14.105-19-0009 with Kubernetes v1.32.1"),
    ],
)  # fmt: skip
def test_pairs_that_nobody_supports_are_grave(kubelet: str, runtime: str, kernel: str, subject: str) -> None:
    node = stack(os_image="Debian GNU/Linux 12 (bookworm)", kernel=kernel, kubelet=kubelet, runtime=runtime)
    pairs = {one.subject for one in risks(modern(node, version=kubelet)) if one.type == "UnsupportedPair"}
    assert pairs == {subject}


def test_a_kernel_that_kubeadm_accepts_is_no_finding() -> None:
    node = stack(kernel="4.19.91", kubelet="v1.32.1", runtime="containerd://2.1.0")
    assert not [one for one in risks(modern(node, version="v1.32.1")) if one.type == "UnsupportedPair"]


def test_a_kubelet_out_of_skew_is_found_in_both_directions() -> None:
    behind = of_type(risks(modern(stack(kubelet="v1.30.1", runtime="containerd://2.1.0"))), "VersionSkew")
    assert "4 minors behind" in behind.message
    ahead = of_type(risks(modern(stack(kubelet="v1.35.0", runtime="containerd://2.2.0"))), "VersionSkew")
    assert "may not be newer" in ahead.message


def test_components_are_held_against_the_oldest_api_server() -> None:
    parts = [
        ComponentFacts(name="kube-apiserver", version="v1.34.2"),
        ComponentFacts(name="kube-apiserver", version="v1.32.0"),
        ComponentFacts(name="kube-scheduler", version="v1.34.2"),
        ComponentFacts(name="coredns", version="1.0"),
    ]
    subjects = {one.subject for one in risks(modern(components=parts)) if one.type == "VersionSkew"}
    assert subjects == {"kube-apiserver", "kube-scheduler v1.34.2"}


def test_api_servers_within_skew_are_no_finding() -> None:
    parts = [
        ComponentFacts(name="kube-apiserver", version="v1.34.2"),
        ComponentFacts(name="kube-apiserver", version="v1.33.9"),
        ComponentFacts(name="kube-scheduler", version="v1.33.9"),
    ]
    assert not [one for one in risks(modern(components=parts)) if one.type == "VersionSkew"]


def test_a_version_of_no_known_vendor_is_reported_and_never_guessed() -> None:
    strange = "v1.27.11+749fe1d"
    found = risks(modern(stack(kubelet=strange, runtime="cri-o://1.27.4"), version=strange))
    assert {one.subject for one in found if one.type == "UnknownVersion"} == {
        f"kubelet {strange}",
        f"API server {strange}",
    }


def test_a_runtime_version_that_cannot_be_read_is_reported() -> None:
    found = risks(modern(stack(kubelet=CURRENT, runtime="containerd://Unknown", kernel="6.1.0")))
    assert of_type(found, "UnknownVersion").subject == "containerd Unknown"
    blind = risks(modern(stack(kubelet=CURRENT, runtime="containerd://2.2.1", kernel="custom")))
    assert of_type(blind, "UnknownVersion").subject == "kernel custom"


def certificate(**fields: Any) -> CertificateFacts:
    plain = {
        "path": "/etc/kubernetes/pki/apiserver.crt",
        "subject": "kube-apiserver",
        "not_before": "2025-12-01T00:00:00Z",
        "not_after": "2026-12-01T00:00:00Z",
    }
    return CertificateFacts(**{**plain, **fields})


@pytest.mark.parametrize(
    ("today", "message"),
    [
        ("2026-10-31", ""),
        ("2026-11-01", "kube-apiserver (/etc/kubernetes/pki/apiserver.crt) ends in 30 days, on 2026-12-01"),
        ("2026-12-01", "kube-apiserver (/etc/kubernetes/pki/apiserver.crt) ends today, 2026-12-01"),
        ("2027-01-01", "kube-apiserver (/etc/kubernetes/pki/apiserver.crt) ended on 2026-12-01"),
    ],
)
def test_certificates_are_findings_before_they_end(today: str, message: str) -> None:
    found = assess_machine("shop-1", machine(certificates=[certificate()]), standard(today=today)).findings
    expiring = [one for one in found if one.type == "CertificateExpiring"]
    assert [one.message for one in expiring] == ([message] if message else [])
    assert all(one.remedy.action == "RenewCertificates" and one.severity == "High" for one in expiring)


def test_certificates_of_thirty_years_are_findings_wherever_they_were_seen() -> None:
    long = certificate(not_after="2055-11-24T00:00:00Z")
    seen = risks(modern(certificates=[long]), machines={"m-1": machine(certificates=[long])})
    found = of_type(seen, "CertificateLongLived")
    assert "10950 days" in found.message
    assert "400 are allowed" in found.message
    assert found.nodes.names == ["m-1"]


def test_authorities_may_live_longer_and_the_foundation_sets_both_limits() -> None:
    authority = certificate(authority=True, not_after="2035-11-29T00:00:00Z")
    assert not [one for one in risks(modern(certificates=[authority])) if one.type.startswith("Certificate")]
    limits = CertificateLimits(maximum_validity_days=0, maximum_authority_validity_days=365)
    spec = msgspec.structs.replace(SPEC, security=SecurityLimits(certificates=limits))
    subject = ClusterSubject(modern(certificates=[authority, certificate(not_after="2055-01-01T00:00:00Z")]))
    found = assess_cluster(subject, standard(spec, today="2026-02-01")).findings
    assert "valid for 3650 days" in of_type(found, "CertificateLongLived").message


def test_a_certificate_without_dates_is_no_finding() -> None:
    bare = certificate(not_after="", not_before="")
    endless = certificate(not_before="", not_after="2027-12-01T00:00:00Z")
    assert not [one for one in risks(modern(certificates=[bare, endless])) if one.type.startswith("Certificate")]


def test_clocks_that_are_far_off_are_findings() -> None:
    assert of_type(risks(modern(clock_offset_seconds=-42.0)), "ClockSkew").message.startswith("its clock is -42 s")
    host = machine(time=TimeFacts(service="chronyd", offset_seconds=11))
    found = of_type(assess_machine("shop-1", host, standard()).findings, "ClockSkew")
    assert (found.nodes.names, found.remedy.action) == (["shop-1"], "TuneHost")
    assert not [one for one in risks(modern(), machines={"b-1": machine()}) if one.type == "ClockSkew"]


def test_a_machine_alone_is_judged_by_its_own_kubelet() -> None:
    found = assess_machine("shop-1", machine(), standard()).findings
    assert "Kubernetes v1.20.6-tke.3" not in {one.subject for one in found}


def test_findings_come_gravest_first() -> None:
    found = risks(facts(stack(kernel="custom", runtime="docker://19.3.1"), clock_offset_seconds=60))
    weights = [{"High": 0, "Medium": 1, "Low": 2}[one.severity] for one in found]
    assert weights == sorted(weights)
    assert len(set(weights)) == 3


def test_a_runc_that_lets_containers_out_is_grave() -> None:
    host = machine(handlers=[HandlerFacts(name="runc", version="1.1.11")])
    found = [one for one in assess_machine("shop-1", host, standard()).findings if one.type == "Vulnerability"]
    leak = next(one for one in found if one.subject == "runc 1.1.11: CVE-2024-21626")
    assert (leak.severity, leak.nodes.names, leak.remedy.action) == ("High", ["shop-1"], "UpgradeRuntime")
    assert "1.1.12" in leak.message


def test_a_package_of_a_distribution_may_have_the_fix_under_an_old_number() -> None:
    host = machine(handlers=[HandlerFacts(name="runc", version="1.1.5+ds1")])
    found = [
        one for one in assess_machine("shop-1", host, standard()).findings if one.subject.startswith("runc 1.1.5+ds1: ")
    ]
    assert {(one.type, one.severity) for one in found} == {("Vulnerability", "Low")}
    assert all("look at its changelog" in one.message for one in found)
    node = stack(os_image="Debian GNU/Linux 12 (bookworm)", kernel="6.1.0", runtime="containerd://1.6.20~ds1")
    ended = next(one for one in risks(modern(node)) if one.subject == "containerd 1.6.20~ds1")
    assert (ended.type, ended.severity) == ("EndOfLife", "Low")


def test_an_oci_runtime_whose_version_cannot_be_read_is_reported() -> None:
    host = machine(handlers=[HandlerFacts(name="runc", version="unknown"), HandlerFacts(name="kata")])
    found = assess_machine("shop-1", host, standard()).findings
    assert [one.subject for one in found if one.type == "UnknownVersion"] == ["runc unknown"]


@pytest.mark.parametrize("spelt", ["openEuler", "openeuler"])
def test_a_system_is_known_however_its_id_is_spelt(spelt: str) -> None:
    system = OperatingSystem(recommended=[OSEntry(id=spelt, versions=["20.03"])])
    wanted = standard(msgspec.structs.replace(SPEC, operating_system=system))
    old = stack(os_image="openEuler 20.03 (LTS)", kernel="6.1.0", kubelet=CURRENT, runtime="containerd://2.2.5")
    found = assess_cluster(ClusterSubject(modern(old)), wanted)
    assert [one for one in found.drift if one.dimension == "OperatingSystem"] == []
    assert "openEuler 20.03" in " ".join(one.subject for one in found.findings if one.type.startswith("EndOfLife"))
