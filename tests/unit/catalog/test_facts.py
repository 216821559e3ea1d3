"""The tables beside facts that were collected apart from them; skipped where those are not."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from groundplane.base.versions import KernelRule
from groundplane.base.versions import parse as read_version
from groundplane.catalog import kernel, lines, network, releases, runtimes, skew

FACTS = Path(os.environ.get("GROUNDPLANE_FACTS", Path(__file__).parents[4] / "shared/facts"))
pytestmark = pytest.mark.skipif(
    not FACTS.is_dir(), reason=f"no facts to compare with in {FACTS}; set GROUNDPLANE_FACTS"
)
FEATURES = {
    "IPv4 fragment": "IPv4Fragments",
    "Restrictions on unique prefix": "CIDRPrefixes",
    "IPsec": "IPsecTunnel",
    "WireGuard": "WireGuard",
    "Host-Reachable": "HostReachableServices",
    "Kubernetes without": "KubeProxyReplacement",
    "Bandwidth Manager": "BandwidthManager",
    "Local Redirect": "LocalRedirectPolicy",
    "Full support for": "SessionAffinity",
    "BPF-based proxy": "ProxyRedirection",
    "BPF-based host": "HostRouting",
    "Socket-level": "SocketLBBypass",
    "L3 devices": "L3Devices",
    "Multicast (AMD64)": "Multicast",
    "Multicast (AArch64)": "MulticastARM64",
    "IPv6 BIG TCP": "BigTCPv6",
    "IPv4 BIG TCP": "BigTCPv4",
}


def facts(name: str) -> Any:
    return json.loads((FACTS / name).read_text())


def test_the_containerd_table_agrees() -> None:
    text = (FACTS / "containerd-kubernetes-support.md").read_text()
    rows = re.findall(r"^\| (1\.\d\d) \| ([^|]+) \| ([^|]+) \| (\S+) \|$", text, re.MULTILINE)
    assert len(rows) == len(runtimes.containerd_table())
    for kubernetes, containerd, cri, date in rows:
        row = runtimes.containerd_table()[(1, int(kubernetes[2:]))]
        # The published row of 1.23 has a comma for a dot: "1,5.8+".
        floors = sorted(part.strip().rstrip("+").replace("1,5", "1.5") for part in containerd.split(", "))
        assert sorted(row.floors) == floors
        assert row.date == date
        # The row of 1.26 still names v1alpha2, with a note; its kubelet asks for v1 only.
        published = ["v1"] if kubernetes == "1.26" else re.findall(r"v1\w*", cri)
        assert row.cri == published


def test_the_ends_of_containerds_lines_agree() -> None:
    text = (FACTS / "containerd-kubernetes-support.md").read_text()
    said = re.findall(r"(\d\.\d)(?: \(LTS\))? (20\d\d-\d\d-\d\d)", text.partition("containerd EOL:")[2])
    assert len(said) >= 3
    for line, end in said:
        assert lines.runtime_lines()["containerd", releases.minor_of(line)].end_of_life == end


def test_samples_of_versions_are_read_as_they_say() -> None:
    for text, (core, vendor, revision) in facts("tke-distro.json")["version_samples"].items():
        found = read_version(text)
        assert ".".join(map(str, found.core)) == core
        assert (found.vendor or None, found.revision or None) == (vendor, revision)


def test_the_builds_of_the_tke_distribution_agree() -> None:
    said = [build for release in facts("tke-distro.json")["releases"] for build in release["history"]]
    assert {build["v"]: build["date"] for build in said} == {
        name: row.released for name, row in releases.tke_releases().items()
    }
    for build in said:
        if build.get("why", "").startswith("CVE"):
            assert any(build["why"] in fix for fix in releases.tke_releases()[build["v"]].fixes)


def test_managed_tke_agrees_on_even_minors() -> None:
    policy = facts("tke-distro.json")["managed_tke_support_policy"]
    row = releases.policies()["tke-managed"]
    assert policy["minors"].startswith(row.minors)
    assert f"{policy['lifetime_months']} months" in row.basis


@pytest.mark.parametrize(("said", "version"), [("v1.9", "1.9"), ("v1.10", "1.10"), ("newest", "")])
def test_the_kernels_of_cilium_agree(said: str, version: str) -> None:
    theirs = facts("cilium-kernel-features.json")[said]
    ours = network.plugin_table("cilium", version)
    assert ours is not None
    assert (
        KernelRule.parse(ours.base.kernel).lowest
        == KernelRule.parse(theirs["base_kernel"].lstrip(">=").split()[0]).lowest
    )
    for title, points in theirs["features"].items():
        name = next(name for begin, name in FEATURES.items() if title.startswith(begin))
        rule = ", ".join(point.removeprefix(">=") for point in points)
        assert KernelRule.parse(ours.features[name].kernel) == KernelRule.parse(rule), title
    for option in theirs.get("required_kconfig", {}):
        assert option.removeprefix("CONFIG_") in ours.base.options


def test_kubernetes_own_kernel_needs_agree() -> None:
    theirs = facts("kernel-version-requirements.json")
    ours = {row.name: row for row in kernel.kernel_table()}
    for sysctl, need in theirs["sysctls"].items():
        row = ours[f"Sysctl:{sysctl.split(' ')[0]}"]
        assert need["kernel"].split(" ")[0] == row.kernel
        assert need.get("k8s", row.since) == row.since
    for name, key in [
        ("NFTablesProxy", "kube-proxy nftables"),
        ("PSI", "PSI"),
        ("RecursiveReadOnly", "recursive read-only mounts"),
        ("UserNamespaces", "user namespaces"),
        ("TmpfsNoswap", "tmpfs noswap (node swap)"),
    ]:
        assert theirs[key].startswith(ours[name].kernel)


def test_the_skew_policy_agrees() -> None:
    theirs = facts("version-skew-policy.json")
    older = re.search(r"up to (\d) minors older \(kubelet <(1\.\d+): up to (\d)\)", theirs["kubelet"])
    assert older
    rows = skew.skew_rules()["kubelet", "kube-apiserver"]
    assert [(row.since, row.behind, row.ahead) for row in rows] == [
        ("1.0", int(older[3]), 0),
        (older[2], int(older[1]), 0),
    ]
