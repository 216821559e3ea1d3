"""The survey on clusters that no lab has: large ones, half-readable ones, and ones that say anything at all."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundplane.api.facts import ClusterFacts
from groundplane.base.errors import GroundplaneError
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.changes import changes
from groundplane.clusters.errors import ClusterUnavailable
from groundplane.clusters.stacks import STACKS_KEPT, node_of, stacks_of
from groundplane.clusters.survey import GROUPS_KEPT, PAGE, identify, survey
from groundplane.clusters.workloads import control_plane_of, workload_of
from support.member import Member, cut, forbid, node, workload
from support.scripted_kube import Reply, Request

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


async def look(member: Member) -> ClusterFacts:
    async with KubernetesDoor(member.kubeconfig) as door:
        return await survey(door, await identify(door, now=lambda: NOW), now=lambda: NOW)


def asked(member: Member, path: str) -> list[Request]:
    return [request for request in member.requests if request.path == path]


async def test_five_thousand_nodes_are_read_in_pages_and_kept_as_stacks() -> None:
    nodes = [node(f"node-{n:04}", kernelVersion=f"5.4.{n % 3}", ready=n != 7) for n in range(5000)]
    async with Member(nodes=nodes) as member:
        facts = await look(member)
    pages = asked(member, "/api/v1/nodes")
    assert [request.params["limit"] for request in pages] == [str(PAGE)] * 10
    assert len({request.params.get("continue", "") for request in pages}) == 10
    assert [(stack.kernel, stack.count, stack.ready) for stack in facts.stacks] == [
        ("5.4.0", 1667, 1667), ("5.4.1", 1667, 1666), ("5.4.2", 1666, 1666),
    ]  # fmt: skip
    assert facts.stacks[0].nodes[:2] == ["node-0000", "node-0003"]
    assert len(facts.nodes) == 5000
    assert {request.method for request in member.requests} == {"GET"}


async def expire(member: Member, *, times: int) -> list[int]:
    """Let the second page of nodes be gone, as often as told."""
    left = [times]

    async def answer(request: Request, reply: Reply) -> None:
        if "continue" in request.params and left[0]:
            left[0] -= 1
            await reply.json({"kind": "Status", "reason": "Expired", "message": "too old", "code": 410}, 410)
        else:
            await member._page(request, reply)

    member.spoiled["/api/v1/nodes"] = answer
    return left


async def test_a_list_that_expires_in_the_middle_is_begun_anew_once() -> None:
    async with Member(nodes=[node(f"n{n}") for n in range(PAGE + 1)]) as member:
        await expire(member, times=1)
        facts = await look(member)
        assert len(facts.nodes) == PAGE + 1
        await expire(member, times=2)
        with pytest.raises(Exception, match="too old"):
            await look(member)


async def test_pages_without_end_are_given_up() -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"continue": "more"}, "items": []})

    async with Member() as member:
        member.spoiled["/api/v1/nodes"] = answer
        with pytest.raises(ClusterUnavailable, match="pages without end"):
            await look(member)


PARTS = {
    "/apis": "API groups",
    "/version": "version",
    "/apis/apps/v1/daemonsets": "daemonsets.apps",
    "/apis/apps/v1/namespaces/kube-system/deployments": "deployments.apps of kube-system",
    "/api/v1/namespaces/kube-system/configmaps/cilium-config": "configmap cilium-config",
}


@pytest.mark.parametrize("path", PARTS)
async def test_a_part_that_may_not_be_read_is_a_gap_and_hides_nothing_else(path: str) -> None:
    async with Member() as member:
        member.spoiled[path] = forbid
        facts = await look(member)
    assert [gap.what for gap in facts.gaps] == [PARTS[path]]
    assert "docs/import.md" in facts.gaps[0].why
    assert facts.stacks[0].count == 2


async def nonsense(_: Request, reply: Reply) -> None:
    await reply.text("[" * 100_000)


@pytest.mark.parametrize("spoil", [cut, nonsense])
async def test_a_part_that_breaks_is_a_gap_too(spoil: Any) -> None:
    async with Member() as member:
        member.spoiled["/apis/apps/v1/daemonsets"] = spoil
        facts = await look(member)
    assert [gap.what for gap in facts.gaps] == ["daemonsets.apps"]
    assert facts.network.kube_proxy == ""


async def test_nodes_are_no_part_that_may_be_missing() -> None:
    async with Member() as member:
        member.spoiled["/api/v1/nodes"] = nonsense
        with pytest.raises(ClusterUnavailable, match="no JSON"):
            await look(member)


async def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundplane.clusters.survey._ANSWER_AT_MOST", 10_000)
    async with Member(nodes=[node(f"n{n}") for n in range(PAGE)]) as member:
        with pytest.raises(ClusterUnavailable, match="more than 10000 bytes"):
            await look(member)


async def test_components_add_ons_and_network_are_told_by_their_images() -> None:
    async with Member() as member:
        member.answers["/apis/apps/v1/daemonsets"] = {
            "items": [
                workload("kube-system", "kube-proxy", "k8s.gcr.io/kube-proxy:v1.20.6"),
                workload("kube-system", "cilium", "quay.io/cilium/cilium:v1.14.5@sha256:0"),
                workload("shop", "agent", "shop/agent:1"),
            ]
        }
        member.answers["/apis/apps/v1/namespaces/kube-system/deployments"] = {
            "items": [workload("kube-system", "coredns", "k8s.gcr.io/coredns:1.7.0")]
        }
        member.answers["/api/v1/namespaces/kube-system/configmaps/cilium-config"] = {
            "data": {"kube-proxy-replacement": "partial", "enable-bandwidth-manager": "true"}
        }
        member.answers["/api/v1/namespaces/kube-system/configmaps/kube-proxy"] = {"data": {"config.conf": "mode: ipvs"}}
        facts = await look(member)
    assert [(c.name, c.version) for c in facts.components] == [("kube-proxy", "v1.20.6")]
    assert [(a.name, a.version) for a in facts.addons] == [("cilium", "v1.14.5"), ("coredns", "1.7.0")]
    assert (facts.network.plugin, facts.network.version) == ("cilium", "v1.14.5")
    assert (facts.network.kube_proxy, facts.network.features) == ("ipvs", ["BandwidthManager", "KubeProxyReplacement"])
    assert facts.gaps == []


@pytest.mark.parametrize(("ahead", "offset"), [(0, 0.0), (90, 90.5), (-3600, -3599.5)])
async def test_the_clock_of_the_server_is_told_by_its_date(ahead: int, offset: float) -> None:
    date = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"uid": "uid-1"}}, headers=f"Date: {date}\r\n")

    async with Member() as member:
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        facts = await look(member)
    assert facts.clock_offset_seconds == offset


async def test_a_server_that_tells_no_date_or_a_wrong_one_has_no_offset() -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"uid": "uid-1"}}, headers="Date: yesterday\r\n")

    async with Member() as member:
        assert (await look(member)).clock_offset_seconds == 0
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        assert (await look(member)).clock_offset_seconds == 0


async def test_what_a_status_has_no_room_for_is_counted_and_said() -> None:
    nodes = [node(f"n{n}", kernelVersion=f"5.4.{n}") for n in range(STACKS_KEPT + 5)]
    async with Member(nodes=nodes) as member:
        versions = [{"groupVersion": f"g{n:05}/v1"} for n in range(GROUPS_KEPT)]
        member.answers["/apis"] = {"groups": [{"versions": versions}]}
        facts = await look(member)
    assert (len(facts.stacks), len(facts.api_groups)) == (STACKS_KEPT, GROUPS_KEPT)
    assert {gap.what: gap.why for gap in facts.gaps} == {
        "API groups beyond": "there are 1001, and 1000 of them are kept",
        "stacks": "there are 505, and 500 of them are kept",
    }


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_PLACES = [
    ("metadata",), ("metadata", "name"), ("metadata", "labels"), ("metadata", "labels", "x"), ("spec",),
    ("metadata", "annotations"), ("metadata", "annotations", "groundplane.dev/managed-labels"),
    ("spec", "taints"), ("spec", "providerID"), ("spec", "podCIDR"), ("spec", "unschedulable"), ("status",),
    ("status", "addresses"), ("status", "conditions"), ("status", "nodeInfo"), ("status", "nodeInfo", "osImage"),
    ("status", "containerStatuses"), ("spec", "containers"), ("spec", "template"), ("status", "numberReady"),
]  # fmt: skip


def spoiled(value: Any, path: tuple[str, ...], what: Any) -> Any:
    """Put `what` at `path` of a copy."""
    if not path:
        return what
    inner = value.get(path[0], {}) if isinstance(value, dict) else {}
    return {**(value if isinstance(value, dict) else {}), path[0]: spoiled(inner, path[1:], what)}


@given(st.sampled_from(_PLACES), ANY_JSON)
def test_any_json_in_any_place_of_an_object_is_read(path: tuple[str, ...], what: Any) -> None:
    odd = spoiled(node("n"), path, what)
    assert stacks_of([node_of(odd), node_of(node("m"))])
    workload_of(odd)
    control_plane_of([odd])


@given(ANY_JSON)
def test_an_object_that_is_anything_is_read(what: Any) -> None:
    odd = what if isinstance(what, dict) else {"x": what}
    assert stacks_of([node_of(odd)])
    workload_of(odd)
    control_plane_of([odd])


@settings(max_examples=25, deadline=None)
@given(ANY_JSON, st.sampled_from(["/apis", "/version", "/apis/apps/v1/daemonsets", "/api/v1/nodes"]))
def test_an_answer_that_is_any_json_ends_no_survey(what: Any, path: str) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.text(json.dumps(what))

    async def whole() -> None:
        async with Member() as member:
            member.spoiled[path] = answer
            assert (await look(member)).reachable

    asyncio.run(whole())


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["message", "reason", "details", "code"]), ANY_JSON), st.sampled_from([400, 403])
)
def test_a_refusal_that_is_any_json_is_a_refusal(status: dict[str, Any], code: int) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"kind": "Status"} | status, code)

    async def whole() -> None:
        async with Member() as member:
            member.spoiled["/api/v1/namespaces/kube-system"] = answer
            with pytest.raises(GroundplaneError):
                await look(member)

    asyncio.run(whole())


async def test_history_tells_versions_images_and_certificates_and_no_counts() -> None:
    async with Member() as member:
        member.answers["/apis/apps/v1/daemonsets"] = {"items": [workload("kube-system", "dns", "dns:1")]}
        before = await look(member)
        member.nodes = [node("a"), node("b"), node("c", ready=False)]
        assert changes(before, await look(member)) == []
        member.version = "v1.22.5-tke.1"
        member.nodes = [node("a", containerRuntimeVersion="docker://20.10.24"), node("b")]
        member.answers["/apis/apps/v1/daemonsets"] = {"items": [workload("kube-system", "dns", "dns:2")]}
        after = await look(member)
    assert [(c.what, c.before, c.after) for c in changes(before, after)] == [
        ("API server version", "v1.20.6-tke.3", "v1.22.5-tke.1"),
        ("container runtime", "", "docker://20.10.24"),
        ("kube-system/dns", "1", "2"),
    ]
    assert {c.source for c in changes(before, after)} == {f"api {member.url}"}
    assert changes(None, after) == []


async def test_a_right_that_was_taken_away_is_no_change_of_the_cluster() -> None:
    async with Member() as member:
        member.answers["/apis/apps/v1/daemonsets"] = {
            "items": [workload("kube-system", "cilium", "quay.io/cilium/cilium:v1.14.5")]
        }
        before = await look(member)
        member.spoiled |= dict.fromkeys(["/apis/apps/v1/daemonsets", "/apis", "/version"], forbid)
        after = await look(member)
        assert changes(before, after) == []
        assert changes(after, before) == []


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +9999999999999999999999"]
)
async def test_a_date_beyond_all_calendars_tells_no_clock(date: str) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"metadata": {"uid": "u"}}, headers=f"Date: {date}\r\n")

    async with Member() as member, KubernetesDoor(member.kubeconfig) as door:
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        assert (await identify(door, now=lambda: NOW)).clock_offset_seconds == 0.0


@pytest.mark.parametrize("count", [10**30, -1, 2**31])
def test_a_count_that_kubernetes_cannot_have_is_none(count: int) -> None:
    assert workload_of({"status": {"numberReady": count}}).count == 0


async def test_the_causes_of_a_refusal_move_no_cursor() -> None:
    async def answer(_: Request, reply: Reply) -> None:
        cause = {"field": "a\x1b[2J", "message": "b\u202e"}
        await reply.json({"kind": "Status", "reason": "Invalid", "details": {"causes": [cause]}}, 422)

    async with Member() as member:
        member.spoiled["/apis"] = answer
        (gap,) = (await look(member)).gaps
    assert gap.why.isprintable()
    assert "a\ufffd[2J: b\ufffd" in gap.why
