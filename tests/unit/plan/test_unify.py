"""The preview of bringing a fleet to its Foundation: the way of versions, order, waves, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplane.api.assessment import Assessment, Drift, Finding, Nodes, Remedy, RemedyAction, Uniformity
from groundplane.base import versions
from groundplane.cli.unifying import in_words
from groundplane.plan.path import version_path
from groundplane.plan.unify import Member, unify, waves_of

WANTED = "v1.21.4-tke.4"


@pytest.mark.parametrize(
    ("found", "wanted", "stops"),
    [
        ("v1.20.2", "v1.20.6-tke.3", ["v1.20.6-tke.3"]),
        ("v1.20.6", "v1.20.6-tke.1", ["v1.20.6-tke.1"]),
        ("v1.19.16", "v1.21.4-tke.4", ["v1.20.6-tke.3", "v1.21.4-tke.4"]),
        ("v1.18.20", "v1.21.14", ["v1.19.16", "v1.20.15", "v1.21.14"]),
        ("v1.20.6-tke.1", "v1.20.6-tke.3", ["v1.20.6-tke.3"]),
        ("v1.20.6-tke.3", "v1.22.5-tke.9", ["v1.21.4-tke.4", "v1.22.5-tke.9"]),
        ("v1.20.6-tke.3", "v1.20.6-tke.3", []),
    ],
)
def test_a_version_is_reached_minor_by_minor(found: str, wanted: str, stops: list[str]) -> None:
    path = version_path(found, wanted)
    assert (path.refusal, [hop.target for hop in path.hops]) == ("", stops)


@pytest.mark.parametrize(
    ("found", "wanted", "word"),
    [
        ("v1.21.4", "v1.20.6-tke.3", "never taken back"),
        ("v1.20.7-eks-d88609", "v1.21.4-tke.4", "different vendors"),
        ("v1.20.6-tke.3", "v1.21.4", "vendor's patches"),
        ("v1.20.6-tke.1", "v1.20.6-gke.1", "no order"),
        ("v1.36.0", "v2.0.0", "major version"),
        ("v1.27.11+749fe1d", "v1.28.3", "no known vendor"),
    ],
)
def test_ways_that_lead_back_or_across_vendors_are_refused(found: str, wanted: str, word: str) -> None:
    path = version_path(found, wanted)
    assert path.hops == ()
    assert word in path.refusal


def test_only_the_hop_that_changes_the_build_converts() -> None:
    assert [hop.converts for hop in version_path("v1.19.16", "v1.21.4-tke.4").hops] == [True, False]


@given(st.integers(16, 36), st.integers(16, 36), st.sampled_from(["", "-tke.1"]))
def test_every_hop_rises_by_at_most_one_minor(low: int, high: int, suffix: str) -> None:
    path = version_path(f"v1.{low}.0", f"v1.{high}.0{suffix}")
    for hop in path.hops:
        source, target = versions.parse(hop.source), versions.parse(hop.target)
        assert source < target
        assert 0 <= target.minor[1] - source.minor[1] <= 1
    if low < high:
        assert path.hops[-1].target == f"v1.{high}.0{suffix}"


def drift(dimension: Any, action: RemedyAction, **fields: Any) -> Drift:
    return Drift(
        dimension=dimension,
        remedy=Remedy(action=action, text="mend it"),
        **{"nodes": Nodes(count=2, names=["n-1", "n-2"]), **fields},
    )


def member(name: str = "shop", *found: Drift, nodes: int = 3, **fields: Any) -> Member:
    findings = fields.pop("findings", [])
    assessment = Assessment(drift=list(found), findings=findings, uniformity=Uniformity(nodes=nodes))
    return Member(name=name, assessment=assessment, **{"version": "v1.20.6-tke.3", "platform": "tke", **fields})


VERSION = drift("Version", "UpgradeKubernetes", found="v1.20.6-tke.3", wanted=WANTED)
RUNTIME = drift("Runtime", "MigrateRuntime", found="docker 19.3.15", wanted="containerd >=1.6.0")
KERNEL = drift("Kernel", "UpgradeKernel", found="4.14.105", wanted=">=5.4.119")
SWAP = drift("Settings", "TuneHost", found="on", wanted="Disabled", subject="swap")
NETWORK = drift("Network", "ChangeNetwork", found="off", wanted="on", subject="BandwidthManager")
SYSTEM = drift("OperatingSystem", "ReinstallOperatingSystem", found="CentOS Linux 7", wanted="tencentos 3.1")
ENDING = Finding(
    type="CertificateExpiring", subject="kube-apiserver", message="it ends", nodes=Nodes(count=1, names=["n-1"])
)


def actions(*members: Member) -> list[tuple[str, str]]:
    return [(step.cluster, step.action) for step in unify("production", WANTED, members).steps]


def test_within_a_cluster_what_others_rest_on_comes_first() -> None:
    shop = member("shop", VERSION, NETWORK, SYSTEM, RUNTIME, SWAP, KERNEL, findings=[ENDING])
    assert [action for _, action in actions(shop)] == [
        "RenewCertificates",
        "TuneHost",
        "UpgradeKernel",
        "MigrateRuntime",
        "UpgradeKubernetes",
        "ChangeNetwork",
        "ReinstallOperatingSystem",
    ]


@pytest.mark.parametrize(
    ("one", "instead"),
    [
        (member("shop", findings=[ENDING]), "groundplane renew-certificates shop"),
        (member("shop", drift("Runtime", "UpgradeRuntime", found="1.5", wanted="1.6")), "not installed by Groundplane"),
        (member("shop", NETWORK), "not changed by Groundplane"),
    ],
)
def test_what_a_run_does_not_do_says_what_to_do_instead(one: Member, instead: str) -> None:
    plan = unify("production", WANTED, [one])
    assert [instead in step.blocked for step in plan.steps] == [True]
    assert waves_of(plan) == []


def test_only_clusters_with_the_label_are_canaries() -> None:
    plain, first = member("plain", SWAP), member("first", SWAP, canary=True)
    assert unify("production", WANTED, [plain]).canaries == []
    assert unify("production", WANTED, [plain, first]).canaries == ["first"]
    headings = [line for line in in_words(unify("production", WANTED, [plain])) if line.startswith("Wave")]
    assert headings == ["Wave 1"]
    headings = [line for line in in_words(unify("production", WANTED, [plain, first])) if line.startswith("Wave")]
    assert headings == ["Wave 1: canaries, to be watched before the others follow", "Wave 2"]


def test_kernel_runtime_and_the_first_hop_of_kubernetes_share_a_drain() -> None:
    steps = unify("production", WANTED, [member("shop", RUNTIME, KERNEL, VERSION)]).steps
    assert [(step.action, step.drains, step.shares_drain) for step in steps] == [
        ("UpgradeKernel", True, False),
        ("MigrateRuntime", True, True),
        ("UpgradeKubernetes", True, True),
    ]
    far = drift("Version", "UpgradeKubernetes", wanted="v1.22.17")
    hops = unify("production", "v1.22.17", [member("shop", RUNTIME, far, version="v1.20.2")]).steps
    assert [step.shares_drain for step in hops] == [False, True, False]
    alone = unify("production", WANTED, [member("shop", RUNTIME)]).steps
    assert [step.shares_drain for step in alone] == [False]


def test_the_runtime_step_names_the_line_that_serves_every_kubernetes_on_the_way() -> None:
    (step, *_) = unify("production", WANTED, [member("shop", RUNTIME, VERSION)]).steps
    assert step.title.endswith("(containerd 1.7 serves every Kubernetes on the way)")
    far = member("shop", RUNTIME, drift("Version", "UpgradeKubernetes", wanted="v1.36.0"), version="v1.20.2")
    (step, *_) = unify("production", "v1.36.0", [far]).steps
    assert "it moves again in between" in step.title
    still = unify("production", "", [member("shop", RUNTIME)]).steps
    assert still[0].title == "Migrate the container runtime from docker 19.3.15 to containerd >=1.6.0"


def test_canaries_go_first_and_then_the_smaller_cluster() -> None:
    big, small, canary = member("big", SWAP, nodes=9), member("small", SWAP, nodes=1), member("canary", SWAP, nodes=5)
    plan = unify("production", WANTED, [big, small, canary])
    assert [(step.cluster, step.wave) for step in plan.steps] == [("small", 1), ("canary", 2), ("big", 2)]
    marked = Member(name="canary", canary=True, assessment=canary.assessment)
    plan = unify("production", WANTED, [big, small, marked])
    assert [(step.cluster, step.wave) for step in plan.steps] == [("canary", 1), ("small", 2), ("big", 2)]
    assert [step.number for step in plan.steps] == [1, 2, 3]


def test_waves_have_the_sizes_that_are_asked_for() -> None:
    members = [member(f"c{number}", SWAP, nodes=number) for number in range(1, 8)]
    plan = unify("production", WANTED, members, [1, "30%", "100%"])
    assert waves_of(plan) == [["c1"], ["c2", "c3", "c4"], ["c5", "c6", "c7"]]


def test_clusters_of_which_nothing_would_be_done_take_nobodys_place() -> None:
    members = [member("a", SYSTEM, nodes=1), member("b", SWAP, nodes=2), member("c", SWAP, nodes=3)]
    foreign = Member(name="d", provider="Imported", foreign=True, assessment=members[1].assessment)
    plan = unify("production", WANTED, [*members, foreign])
    assert waves_of(plan) == [["b"], ["c"]]
    (told,) = [step.blocked for step in plan.steps if step.cluster == "d"]
    assert "make a Machine for each of its nodes" in told


def test_what_is_not_groundplanes_to_do_says_why() -> None:
    cloud = member("cloud", VERSION, platform="eks", version="v1.20.7-eks-d88609")
    plan = unify("production", WANTED, [cloud, member("shop", SYSTEM)])
    reasons = {step.cluster: step.blocked for step in plan.steps}
    assert "different vendors" in reasons["cloud"]
    assert "add new machines" in reasons["shop"]
    assert plan.summary == "2 steps in 2 clusters; nothing to do in 0 more; 2 steps not for Groundplane to do"
    managed = unify("production", WANTED, [member("tke", SWAP, platform="tke-managed")]).steps
    assert "provider's own means" in managed[0].blocked


def test_what_only_a_person_can_decide_is_shown_as_such() -> None:
    option = drift("Network", "None", found="kernel without it", wanted="it", subject="BandwidthManager")
    (step,) = unify("production", WANTED, [member("shop", option)]).steps
    assert (step.blocked, step.title) == ("a person has to decide", "mend it")


def test_kubelets_behind_their_api_server_follow_it() -> None:
    late = member("shop", VERSION, version=WANTED)
    (step,) = unify("production", WANTED, [late]).steps
    assert step.title == f"Bring the kubelets that are behind to {WANTED}"


def test_a_version_that_the_cluster_sets_itself_is_where_its_way_ends() -> None:
    own = member("shop", drift("Version", "UpgradeKubernetes", wanted="v1.20.6-tke.5"))
    assert [step.target for step in unify("production", WANTED, [own]).steps] == ["v1.20.6-tke.5"]


def test_clusters_that_need_nothing_are_named_with_the_reason() -> None:
    excused = member("excused", drift("Kernel", "UpgradeKernel", state="Exception"))
    members = [member("good"), excused, Member(name="dead", problem="no route to host"), Member(name="new")]
    plan = unify("production", WANTED, members)
    assert plan.steps == []
    assert {one.cluster: one.reason for one in plan.left_alone} == {
        "good": "it stands on the Foundation",
        "excused": "it differs by 1 declared exception only",
        "dead": "no route to host",
        "new": "nothing is known of it yet",
    }


@given(st.permutations([member("a", SWAP, KERNEL), member("b", RUNTIME), member("c", VERSION, nodes=9), member("d")]))
def test_the_order_of_the_input_does_not_matter(members: list[Member]) -> None:
    assert unify("production", WANTED, members) == unify("production", WANTED, sorted(members, key=lambda m: m.name))


def test_another_kind_of_kubernetes_is_told_also_where_its_version_is_as_wanted_or_free() -> None:
    other = drift("Distribution", "None", found="openshift", wanted="native")
    for wanted in ("", "v1.20.6"):
        plan = unify("production", wanted, [member("shop", other, version="v1.20.6", platform="unheard-of")])
        assert [(step.action, step.title, bool(step.blocked)) for step in plan.steps] == [("None", "mend it", True)]
    convert = drift("Distribution", "ConvertDistribution", found="native", wanted="tke")
    plan = unify("production", "", [member("shop", convert, version="v1.20.6", platform="native")])
    assert [step.action for step in plan.steps] == ["ConvertDistribution"]
    assert "names no version" in plan.steps[0].blocked
