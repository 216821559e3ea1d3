"""`groundplane explain` against a running API server: one screen a thing, and the same as data."""

from __future__ import annotations

import json

import msgspec
import pytest
import yaml

from groundplane.api.assessment import DIMENSIONS, Drift, FeatureDecision, Nodes, StackShare
from groundplane.api.cluster import DeclaredException
from groundplane.api.facts import AbilityFacts
from groundplane.cli.explain import feature, lines
from groundplane.cli.explain.command import suggestion
from groundplane.cli.explain.feature import FeatureInCluster, FeatureStory
from groundplane.cli.explain.story import Story, of_cluster, of_machine
from support import fleets

from .conftest import Cli, Server
from .test_api import address


@pytest.fixture
def world(server: Server, namespace: str) -> str:
    of = {"namespace": namespace}
    objects = [
        fleets.foundation(**of),
        fleets.cluster("shop", **of),
        fleets.cluster("legacy", number=2, size=6, worse=4, **of),
        fleets.excepted("lab", **of),
        fleets.unreachable("warehouse", **of),
        fleets.never_seen("new", **of),
        fleets.machine("legacy-6", address=address(namespace), **of),
    ]
    server.do(lambda client: fleets.put(client, *objects))
    return namespace


def _screen(text: str) -> list[str]:
    """Return the lines, after a look at their length."""
    assert max(map(len, text.splitlines())) <= lines.WIDTH
    return [line.strip() for line in text.splitlines()]


def test_a_cluster_is_told_with_what_was_found_what_is_wanted_what_it_costs_and_what_mends_it(
    cli: Cli, world: str
) -> None:
    outcome = cli("explain", "cluster/legacy")
    assert outcome.code == 0, outcome.err
    screen = _screen(outcome.out)
    assert screen[0] == "cluster/legacy: native v1.18.20, 6 nodes, Ready"
    assert "HIGH EndOfLife: Kubernetes v1.18.20 gets no security fixes since 2022-02-28" in screen
    assert "seen: version of the API server; kubernetes.io/releases" in screen
    row = next(line for line in screen if line.startswith("Kernel "))
    assert row.split() == ["Kernel", "drift", "(4)", "4.14.105", ">=", "5.4.119"]
    assert "4.14.105 on: legacy-3, legacy-4, legacy-5, legacy-6" in screen
    assert "costs: BandwidthManager stays off; one more kernel to patch" in screen
    assert "remedy: upgrade the kernel to 5.4.119 or later (UpgradeKernel)" in screen
    assert "on: all 6 nodes" in screen
    assert any("2026-11-28T02:57:00Z" in line and "kernel: 4.9 -> 4.14.105" in line for line in screen)
    assert any(line.startswith(f"groundplane -n {world} survey cluster/legacy --wait") for line in screen)


@pytest.mark.usefixtures("world")
def test_a_blocked_feature_names_its_nodes_and_what_would_unlock_it(cli: Cli) -> None:
    screen = _screen(cli("explain", "cluster/legacy").out)
    assert any(line.startswith("BandwidthManager BLOCKED: BandwidthManager needs kernel 5.1") for line in screen)
    assert "blocked by 4 of 6 nodes: legacy-3, legacy-4, legacy-5, legacy-6" in screen
    assert "unlocks: kernel 5.1 or later on these nodes" in screen


@pytest.mark.usefixtures("world")
def test_an_exception_has_its_reason_and_its_end_and_no_remedy(cli: Cli) -> None:
    out = cli("explain", "cluster/lab").out
    assert "exception: new hardware comes in March; until 2027-03-31" in out
    assert "UpgradeKernel" not in out


def test_an_exception_that_has_ended_is_named_where_it_counts_as_drift(
    cli: Cli, server: Server, namespace: str
) -> None:
    ended = DeclaredException(dimension="Kernel", reason="new hardware", until="2020-01-31")
    legacy = fleets.cluster("legacy", namespace=namespace, worse=2)
    spec = msgspec.structs.replace(legacy.spec, exceptions=[ended])
    server.do(lambda client: fleets.put(client, msgspec.structs.replace(legacy, spec=spec)))
    out = " ".join(cli("explain", "cluster/legacy").out.split())
    assert "exception: new hardware; declared until 2020-01-31 only, so it counts as drift" in out


@pytest.mark.usefixtures("world")
def test_a_cluster_that_cannot_be_reached_says_why_and_how_old_the_rest_is(cli: Cli) -> None:
    screen = _screen(cli("explain", "cluster/warehouse").out)
    assert screen[1] == "CANNOT BE REACHED: Unreachable: no answer from https://10.0.0.9:6443 within 10 s"
    assert "(2026-11-26T03:00:00Z) from https://warehouse.clusters.example:6443" in screen[2]


@pytest.mark.usefixtures("world")
def test_a_cluster_that_was_never_surveyed_says_so(cli: Cli) -> None:
    out = cli("explain", "cluster/new").out
    assert "never surveyed: nothing below was observed" in out
    assert "Pending" in out


def test_a_machine_is_told_against_the_foundation_of_its_cluster(cli: Cli, world: str) -> None:
    screen = _screen(cli("explain", "machine/legacy-6").out)
    assert screen[0].startswith("machine/legacy-6: Worker of cluster legacy, ")
    assert screen[0].endswith("CentOS Linux 7, kernel 4.14.105")
    assert any(line.startswith("Version ") and "v1.20.6-tke.3" in line for line in screen)
    assert any(line.startswith(f"groundplane -n {world} explain cluster/legacy") for line in screen)


def test_a_machine_without_a_cluster_has_a_story_too(cli: Cli, server: Server, namespace: str) -> None:
    lone = fleets.machine("lone", namespace=namespace, of="gone", address=address(namespace))
    server.do(lambda client: fleets.put(client, lone))
    assert cli("explain", "machine/lone").code == 0
    free = msgspec.structs.replace(lone, spec=msgspec.structs.replace(lone.spec, cluster_ref=None, role=None))
    assert "of no cluster" in of_machine(free, None, None, fleets.NOW, prefix="groundplane").title


@pytest.mark.usefixtures("world")
def test_a_feature_goes_over_all_clusters(cli: Cli) -> None:
    screen = _screen(cli("explain", "feature/bandwidthmanager").out)
    assert screen[0] == "feature/BandwidthManager: wanted by Foundation production"
    assert "2 of 5 clusters could switch it on today, 2 cannot (8 nodes block it), 1 not known" in screen
    assert "blocked by 4 of 6 nodes: legacy-3, legacy-4, legacy-5, legacy-6" in screen
    assert "shop, warehouse" in screen
    assert screen[screen.index("not known") + 1] == "new"
    none = cli("explain", "feature/BandwidthManager", "--foundation", "other")
    assert "0 of 0 clusters" in none.out
    undecided = cli("explain", "feature/KubeProxyReplacement").out
    assert "0 of 5 clusters could switch it on today, 0 cannot (0 nodes block it), 5 not known" in undecided


@pytest.mark.usefixtures("world")
def test_the_same_comes_as_data(cli: Cli) -> None:
    told = json.loads(cli("explain", "cluster/legacy", "-o", "json").out)
    assert [each["dimension"] for each in told["dimensions"]] == list(DIMENSIONS)
    assert told["freshness"]["observedAt"] == "2026-11-28T02:57:00Z"
    told = yaml.safe_load(cli("explain", "feature/BandwidthManager", "-o", "yaml").out)
    assert {each["cluster"] for each in told["clusters"]} == {"shop", "legacy", "lab", "warehouse", "new"}


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("cluster/legcy", "did you mean cluster/legacy?"),
        ("machine/legacy6", "did you mean machine/legacy-6?"),
        ("feature/bandwith", "did you mean feature/BandwidthManager?"),
        ("cluster/zzzzzz", "there are lab, legacy, new, shop, warehouse"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_what_may_be_meant(cli: Cli, what: str, remedy: str) -> None:
    outcome = cli("explain", what)
    assert outcome.code == 4
    assert f"remedy: {remedy}" in outcome.err


@pytest.mark.parametrize("arguments", [["node/shop"], ["cluster/"], ["cluster/x", "-A"]])
def test_what_cannot_be_explained_is_a_usage_error(cli: Cli, arguments: list[str]) -> None:
    assert cli("explain", *arguments).code == 2


def test_where_there_is_nothing_to_suggest_the_namespace_is_in_doubt() -> None:
    assert suggestion("cluster", "x", []) == "there is no cluster here at all; -n names another namespace"


def test_long_lists_are_cut_and_counted() -> None:
    assert lines.nodes(Nodes(count=300, names=[f"n{n}" for n in range(50)])) == "n0, n1, n2, n3, n4, n5 and 294 more"
    assert lines.nodes(Nodes(count=3)) == "3 nodes"
    assert lines.nodes(Nodes()) == ""


def test_differences_are_told_by_subject_and_sources_are_named() -> None:
    base = fleets.cluster("big", size=9)
    held = base.status.assessment
    assert held is not None
    odd = Drift(dimension="Settings", subject="vm.swappiness", found="60", wanted="0", nodes=Nodes(count=9))
    ipv6 = FeatureDecision(feature="IPv6", state="Blocked", needs="an option", message="no kernel has it")
    many = [StackShare(operating_system=f"os {n}", nodes=1) for n in range(9)]
    held = msgspec.structs.replace(held, drift=[odd], features=[ipv6], stacks=many, drifting="Settings")
    base = msgspec.structs.replace(base, status=msgspec.structs.replace(base.status, assessment=held))
    story = of_cluster(base, None, fleets.NOW, prefix="groundplane")
    screen = "\n".join(lines.lines(story))
    assert "vm.swappiness: found 60, wanted 0" in screen
    assert "IPv6 BLOCKED: no kernel has it" in screen
    assert "IPv6 BLOCKED: needs an option; no kernel has it" in "\n".join(lines.lines(story, full=True))
    assert "unlocks: no kernel release alone" in screen
    assert "and 5 more" in screen
    assert "groundplane fleet --filter drift=Settings" in screen


def test_the_worst_cluster_still_fits_on_a_screen_and_full_leaves_nothing_out() -> None:
    base = fleets.cluster("bad", number=2, size=10, worse=5)
    held = base.status.assessment
    assert held is not None
    risk = held.findings[0]
    findings = [
        msgspec.structs.replace(risk, message=f"risk {n}", severity="High" if n < 8 else "Low") for n in range(9)
    ]
    held = msgspec.structs.replace(held, findings=findings)
    base = msgspec.structs.replace(base, status=msgspec.structs.replace(base.status, assessment=held))
    story = of_cluster(base, fleets.foundation(), fleets.NOW, prefix="groundplane")
    short, full = lines.lines(story), lines.lines(story, full=True)
    assert "  and 2 high, 1 low more: --full shows them" in short
    assert len(short) < 70
    assert any("risk 8" in line for line in full)
    assert not any("--full" in line for line in full)


def test_differences_that_cost_the_same_are_told_together_and_kernels_that_block_a_feature_with_it() -> None:
    base = fleets.cluster("two", size=4, worse=2)
    held = base.status.assessment
    assert held is not None
    old = fleets.kernel_drift(["two-3"])
    older = msgspec.structs.replace(old, found="3.10.0", nodes=Nodes(count=1, names=["two-4"]))
    kernel = msgspec.structs.replace(old, dimension="Network", subject="BandwidthManager", found="kernel 4.14.105")
    off = Drift(dimension="Network", subject="BandwidthManager", found="off", wanted="on", nodes=Nodes(count=4))
    held = msgspec.structs.replace(held, drift=[old, older, kernel, off])
    base = msgspec.structs.replace(base, status=msgspec.structs.replace(base.status, assessment=held))
    story = of_cluster(base, fleets.foundation(), fleets.NOW, prefix="groundplane")
    screen = [line.strip() for line in lines.lines(story)]
    assert "4.14.105 on: two-3" in screen
    assert "3.10.0 on: two-4" in screen
    assert screen.count("costs: BandwidthManager stays off; one more kernel to patch") == 1
    assert "see also: features, below" in screen
    assert "BandwidthManager: found off, wanted on" in screen


def test_many_clusters_that_block_a_feature_are_counted() -> None:
    names = [f"c{n:02}" for n in range(50)]
    blocked = [FeatureInCluster(namespace="x", cluster=n, state="Blocked", message="old", nodes=1) for n in names]
    open_to = [FeatureInCluster(namespace="x", cluster=n, state="Available", nodes=1) for n in names]
    story = FeatureStory(feature="F", clusters=[*blocked, *open_to])
    screen = feature.lines(story)
    assert "  and 42 more clusters: --full shows them" in screen
    assert any("and 10 more" in line for line in screen)
    assert not any("--full" in line for line in feature.lines(story, full=True))


def test_a_machine_tells_what_its_operating_system_can_do() -> None:
    abilities = [
        AbilityFacts(name="ContainerMeminfo", state="Present", evidence="/sys/fs/cgroup/memory/memory.meminfo"),
        AbilityFacts(name="Kdump", state="Absent", evidence="/sys/kernel/kexec_crash_loaded is 0"),
        AbilityFacts(name="LivePatching", state="Present", evidence="/sys/kernel/livepatch"),
    ]
    story = Story(kind="Machine", name="shop-1", namespace="default", abilities=abilities)
    shown = lines.lines(story)
    assert shown[shown.index("abilities") + 1 :][:2] == ["  Present: ContainerMeminfo, LivePatching", "  Absent: Kdump"]
    assert "  Kdump Absent: /sys/kernel/kexec_crash_loaded is 0" in lines.lines(story, full=True)
