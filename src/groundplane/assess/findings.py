"""Risks that need no Foundation to be risks: end of life, pairs that nobody supports, skew, certificates, clocks.

Every finding names the rule's source. What the catalog does not know is no finding; a version that cannot be read is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from groundplane.api.assessment import SEVERITIES, Finding, FindingType, Remedy, RemedyAction, Severity, named
from groundplane.api.facts import CertificateFacts, ClusterFacts, MachineFacts
from groundplane.api.foundation import CertificateLimits
from groundplane.base.versions import KernelRule, UnknownVersion, kernel_release
from groundplane.base.words import counted
from groundplane.catalog.kernel import kernel_needs
from groundplane.catalog.lines import runtime_end_of_life, security_gaps
from groundplane.catalog.releases import Support, support
from groundplane.catalog.runtimes import runtime_verdict
from groundplane.catalog.skew import apiservers_skew, component_skew, kubelet_behind
from groundplane.catalog.systems import system

from . import reading
from .ground import Ground

NEAR_DAYS = 90
# How Debian, Ubuntu and Enterprise Linux mark what they build: 1.6.20~ds1, 20.10.24+dfsg1, 1.6.12-0ubuntu1.
_PACKAGED = re.compile(r"[~+]d(?:fsg|s)|ubuntu|deb\d|\.el\d")
# Tokens and leases are judged by the clock; kubeadm and etcd warn from about a second on, certificates fail later.
CLOCK_LIMIT = 10.0
_SKEWED = ("kube-controller-manager", "kube-scheduler", "cloud-controller-manager", "kube-proxy")


@dataclass(frozen=True, slots=True)
class Risk:
    """A finding of one ground, before nodes are counted. Equal ones are one finding."""

    type: FindingType
    subject: str
    message: str
    severity: Severity
    evidence: str
    remedy: Remedy


def of_ground(ground: Ground, platform: str, apiserver: str, today: str) -> Iterator[Risk]:
    """Yield the risks of what nodes stand on."""
    yield from _of_kubelet(ground.kubelet, platform, apiserver, today)
    yield from _of_system(ground.system.id, ground.system.version, today)
    yield from _of_runtime(ground.kubelet, ground.runtime, ground.runtime_version, today)
    yield from _of_kernel(ground.kubelet, ground.kernel)


@lru_cache(4096)
def _of_kubelet(kubelet: str, platform: str, apiserver: str, today: str) -> tuple[Risk, ...]:
    found = []
    if kubelet and reading.kubernetes(kubelet) is None:
        message = f"the version {kubelet} is of no vendor that is known: it is not ordered, and support is not judged"
        found.append(Risk("UnknownVersion", f"kubelet {kubelet}", message, "Low", "Node.status", Remedy()))
    if kubelet and not apiserver:
        found += _ending(support(kubelet, platform), f"Kubernetes {kubelet}", today, "UpgradeKubernetes")
    skew = kubelet_behind(apiserver, kubelet) if kubelet and apiserver else ""
    if skew:
        remedy = Remedy(action="UpgradeKubernetes", text="bring kubelets and API servers within the supported skew")
        found.append(Risk("VersionSkew", f"kubelet {kubelet}", skew, "High", _SKEW_SOURCE, remedy))
    return tuple(found)


_SKEW_SOURCE = "https://kubernetes.io/releases/version-skew-policy/"


@lru_cache(4096)
def _of_system(system_id: str, version: str, today: str) -> tuple[Risk, ...]:
    row = system(system_id, version) if system_id else None
    if row is None or not row.end_of_life:
        return ()
    until = Support(row.end_of_life, f"{row.name} is maintained until {row.end_of_life}", row.source)
    return tuple(_ending(until, row.name, today, "ReinstallOperatingSystem"))


@lru_cache(4096)
def _of_runtime(kubelet: str, runtime: str, version: str, today: str) -> tuple[Risk, ...]:
    if not runtime or not version:
        return ()
    found = []
    try:
        found += _ended_line(runtime, version, today)
        found += _gaps(runtime, version)
        verdict = runtime_verdict(kubelet, runtime, version) if kubelet else None
    except UnknownVersion as problem:
        return (Risk("UnknownVersion", f"{runtime} {version}", problem.message, "Low", "Node.status", Remedy()),)
    if verdict is not None and not verdict.ok and verdict.known:
        subject = f"{runtime} {version} with Kubernetes {kubelet}"
        action: RemedyAction = "MigrateRuntime" if runtime == "docker" else "UpgradeRuntime"
        remedy = Remedy(action=action, text=f"use {verdict.choose}" if verdict.choose else "")
        found.append(Risk("UnsupportedPair", subject, verdict.reason, "High", "catalog: runtimes", remedy))
    return tuple(found)


def _ended_line(runtime: str, version: str, today: str) -> list[Risk]:
    """A distribution goes on mending its own package of a line that its project has ended."""
    found = _ending(runtime_end_of_life(runtime, version), f"{runtime} {version}", today, "UpgradeRuntime")
    if not _PACKAGED.search(version):
        return found
    return [
        replace(one, severity="Low", message=f"{one.message} by its project; its distribution may mend the package")
        for one in found
    ]


def _gaps(program: str, version: str) -> Iterator[Risk]:
    """Yield the known vulnerabilities that a program's version has."""
    packaged = bool(_PACKAGED.search(version))
    for fix in security_gaps(program, version):
        message = f"{fix.id}: {fix.title}; fixed in {' and '.join(fix.fixed)}"
        if packaged:
            message += ", and maybe in this package of a distribution: look at its changelog"
        remedy = Remedy(action="UpgradeRuntime", text=f"bring {program} to {fix.fixed[-1]} or later")
        severity: Severity = "Low" if packaged else "High"
        yield Risk("Vulnerability", f"{program} {version}: {fix.id}", message, severity, fix.source, remedy)


@lru_cache(4096)
def _of_kernel(kubelet: str, kernel: str) -> tuple[Risk, ...]:
    if not kubelet or not kernel or reading.minor(kubelet) is None:
        return ()
    found = []
    try:
        kernel_release(kernel)
        for need in kernel_needs(kubelet):
            if need.severity == "Required" and not KernelRule.parse(need.kernel).met_by(kernel):
                subject = f"kernel {kernel} with Kubernetes {kubelet}"
                remedy = Remedy(action="UpgradeKernel", text=f"boot a kernel that meets {need.kernel}")
                found.append(Risk("UnsupportedPair", subject, need.what, "High", need.source, remedy))
    except UnknownVersion as problem:
        return (Risk("UnknownVersion", f"kernel {kernel}", problem.message, "Low", "uname -r", Remedy()),)
    return tuple(found)


def _ending(until: Support | None, subject: str, today: str, action: RemedyAction) -> list[Risk]:
    if until is None or not until.ends:
        return []
    left = (date.fromisoformat(until.ends) - date.fromisoformat(today)).days
    evidence = f"{until.basis} ({until.source})"
    remedy = Remedy(action=action, text="move to a release that is supported")
    if left < 0:
        message = f"{subject} has had no fixes since {until.ends}"
        return [Risk("EndOfLife", subject, message, "High", evidence, remedy)]
    if left <= NEAR_DAYS:
        message = f"{subject} gets fixes for {counted(left, 'more day')}, until {until.ends}"
        return [Risk("EndOfLifeNear", subject, message, "Medium", evidence, remedy)]
    return []


def of_cluster(facts: ClusterFacts, today: str) -> Iterator[Risk]:
    """Yield the risks of a cluster's API servers and components."""
    platform = facts.platform.name
    if facts.version:
        yield from _of_apiserver(facts.version, platform, today)
    servers = {one.version for one in facts.components if one.name == "kube-apiserver" and one.version}
    if len(servers) > 1 and (problem := apiservers_skew(servers)):
        remedy = Remedy(action="UpgradeKubernetes", text="bring all API servers to one version first")
        yield Risk("VersionSkew", "kube-apiserver", problem, "High", _SKEW_SOURCE, remedy)
    oldest = _oldest(servers) or facts.version
    for one in facts.components:
        if one.name in _SKEWED and one.version and (problem := component_skew(one.name, oldest, one.version)):
            remedy = Remedy(action="UpgradeKubernetes", text=f"bring {one.name} to the API server's version")
            yield Risk("VersionSkew", f"{one.name} {one.version}", problem, "High", _SKEW_SOURCE, remedy)
    if abs(facts.clock_offset_seconds) > CLOCK_LIMIT:
        message = f"its clock is {facts.clock_offset_seconds:+.0f} s off ours: tokens and certificates may be refused"
        remedy = Remedy(action="TuneHost", text="keep both clocks right with a time service")
        yield Risk("ClockSkew", "API server", message, "Medium", "Date of its answers", remedy)


@lru_cache(4096)
def _of_apiserver(version: str, platform: str, today: str) -> tuple[Risk, ...]:
    found = _ending(support(version, platform), f"Kubernetes {version}", today, "UpgradeKubernetes")
    if reading.kubernetes(version) is None:
        message = f"the version {version} is of no vendor that is known: it is not ordered"
        found.append(Risk("UnknownVersion", f"API server {version}", message, "Low", "/version", Remedy()))
    return tuple(found)


def _oldest(found: Iterable[str]) -> str:
    known = [text for text in found if reading.minor(text)]
    return min(known, key=lambda text: reading.minor(text) or (0, 0), default="")


def of_machine(facts: MachineFacts) -> Iterator[Risk]:
    """Yield the risks that only a look at the host itself shows."""
    for handler in facts.handlers:
        yield from _of_handler(handler.name, handler.version)
    if abs(facts.time.offset_seconds) > CLOCK_LIMIT:
        message = f"its clock is {facts.time.offset_seconds:+.0f} s off ours: tokens and certificates may be refused"
        remedy = Remedy(action="TuneHost", text="let a time service keep the clock right")
        yield Risk("ClockSkew", "clock", message, "Medium", "date over SSH", remedy)


@lru_cache(4096)
def _of_handler(name: str, version: str) -> tuple[Risk, ...]:
    try:
        return tuple(_gaps(name, version)) if version else ()
    except UnknownVersion as problem:
        return (Risk("UnknownVersion", f"{name} {version}", problem.message, "Low", "its own output", Remedy()),)


def of_certificates(found: Sequence[CertificateFacts], limits: CertificateLimits, today: str) -> Iterator[Risk]:
    """Yield certificates that end soon, have ended, or live longer than the Foundation allows."""
    day = date.fromisoformat(today)
    for one in found:
        if not one.not_after:
            continue
        what = f"{one.subject or 'certificate'} ({one.path})"
        end, begin = date.fromisoformat(one.not_after[:10]), date.fromisoformat((one.not_before or today)[:10])
        left = end - day
        remedy = Remedy(action="RenewCertificates", text="renew it; every control plane has its own")
        if left <= timedelta(0):
            message = f"{what} ended on {end}" if left else f"{what} ends today, {end}"
            yield Risk("CertificateExpiring", what, message, "High", "the certificate", remedy)
        elif left.days <= limits.expiry_warning_days:
            message = f"{what} ends in {counted(left.days, 'day')}, on {end}"
            yield Risk("CertificateExpiring", what, message, "High", "the certificate", remedy)
        limit = limits.maximum_authority_validity_days if one.authority else limits.maximum_validity_days
        span = (end - begin).days
        if one.not_before and limit and span > limit:
            message = f"{what} is valid for {span} days, and {limit} are allowed: a stolen key is good as long"
            yield Risk("CertificateLongLived", what, message, "Medium", "the certificate", remedy)


GRAVEST_FIRST = {severity: number for number, severity in enumerate(SEVERITIES)}


def collect(risks: Mapping[Risk, Sequence[tuple[tuple[str, ...], int]]]) -> list[Finding]:
    """Return one finding for each risk, gravest first, with the nodes that it was seen on."""
    found = []
    for risk, places in risks.items():
        names = [name for names, _ in places for name in names]
        found.append(
            Finding(
                type=risk.type,
                subject=risk.subject,
                message=risk.message,
                severity=risk.severity,
                evidence=risk.evidence,
                nodes=named(names, count=sum(count for _, count in places)),
                remedy=risk.remedy,
            )
        )
    return sorted(found, key=lambda one: (GRAVEST_FIRST[one.severity], one.type, one.subject))
