"""The door to a managed cluster where a real v1.20.2 cannot show it: newer versions, overload, first moments."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from groundplane.clusters.api import KubernetesDoor, observe
from groundplane.clusters.errors import ClusterDenied, ClusterRefused, ClusterUnavailable
from groundplane.kube.kubeconfig import Access, KubeconfigInvalid, render_kubeconfig
from support.scripted_kube import Reply, Request, ScriptedKube


class Cluster(ScriptedKube):
    """Answers by path; a path that is not told of is 404."""

    def __init__(self, answers: dict[str, tuple[int, dict[str, Any]]]) -> None:
        super().__init__(self._by_path)
        self._answers = answers

    async def _by_path(self, request: Request, reply: Reply) -> None:
        missing = (404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
        code, body = self._answers.get(request.path, missing)
        await reply.json(body, code)

    @property
    def door(self) -> KubernetesDoor:
        return KubernetesDoor(render_kubeconfig(Access(self.url, token="t"), name="c"))


def core(**eviction: str) -> tuple[int, dict[str, Any]]:
    return 200, {"resources": [{"name": "pods/eviction", "kind": "Eviction", "namespaced": True, **eviction}]}


EVICTION = "/api/v1/namespaces/shop/pods/web/eviction"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_an_eviction_speaks_the_version_that_the_cluster_offers(version):
    async with Cluster({"/api/v1": core(group="policy", version=version), EVICTION: (201, {})}) as cluster:
        async with cluster.door as door:
            assert await door.evict("shop", "web") is True
        body = json.loads(cluster.requests[-1].body)
    assert body == {
        "apiVersion": f"policy/{version}",
        "kind": "Eviction",
        "metadata": {"name": "web", "namespace": "shop"},
    }


@pytest.mark.parametrize(("cause", "forbidden"), [("DisruptionBudget", True), ("Overload", False)])
async def test_an_overloaded_server_is_not_taken_for_a_disruption_budget(cause, forbidden):
    details = {"causes": [{"reason": cause, "message": "no"}]}
    refusal = {"kind": "Status", "reason": "TooManyRequests", "message": "no", "details": details}
    async with Cluster({"/api/v1": core(), EVICTION: (429, refusal)}) as cluster, cluster.door as door:
        if forbidden:
            assert await door.evict("shop", "web") is False
        else:
            with pytest.raises(ClusterUnavailable):
                await door.evict("shop", "web")


async def test_a_cluster_in_its_first_moments_is_reachable_without_an_identity():
    async with Cluster({"/version": (200, {"gitVersion": "v1.20.2"})}) as cluster, cluster.door as door:
        facts = await observe(door, now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert facts.reachable
    assert (facts.cluster_id, facts.version, facts.nodes) == ("", "v1.20.2", [])
    assert facts.observed_at == "2026-01-02T03:04:05Z"


async def test_which_labels_and_taints_are_a_machines_is_read_from_the_node_and_garbage_names_none():
    def node(name: str, labels: str) -> dict[str, Any]:
        marks = {"groundplane.dev/managed-labels": labels, "groundplane.dev/managed-taints": '["only:NoSchedule"]'}
        return {"metadata": {"name": name, "annotations": marks, "labels": {"disk": "ssd"}}}

    answers = {"/api/v1/nodes": (200, {"items": [node("a", '["disk"]'), node("b", "{"), node("c", "[1]")]})}
    async with Cluster(answers) as cluster, cluster.door as door:
        facts = await observe(door)
    assert [one.managed_labels for one in facts.nodes] == [["disk"], [], []]
    assert [one.managed_taints for one in facts.nodes] == [["only:NoSchedule"]] * 3


def status(phase: str, *, ready: str = "", **meta: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}] if ready else []
    return {"metadata": meta, "status": {"phase": phase, "conditions": conditions}}


async def test_pending_are_the_system_pods_that_should_work_and_do_not():
    pods = [
        status("Running", ready="True", name="works"),
        status("Running", ready="False", name="crashes"),
        status("Pending", name="waits"),
        status("Failed", name="failed"),
        status("Succeeded", name="done"),
        status("Running", ready="False", name="leaves", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    answers = {"/api/v1/namespaces/kube-system/pods": (200, {"items": pods})}
    async with Cluster(answers) as cluster, cluster.door as door:
        facts = await observe(door)
    assert facts.system_pods_pending == ["crashes", "failed", "waits"]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (409, "Conflict", ClusterRefused),
        (410, "Gone", ClusterRefused),
        (403, "Forbidden", ClusterDenied),
        (500, "InternalError", ClusterUnavailable),
    ],
)
async def test_errors_are_those_of_this_layer_and_name_the_server(code, reason, kind):
    body = {"kind": "Status", "reason": reason, "message": "no"}
    async with Cluster({"/x": (code, body)}) as cluster, cluster.door as door:
        with pytest.raises(kind, match=cluster.url):
            await door.get("/x")


async def test_an_invalid_object_says_every_field_that_is_wrong():
    causes = [{"field": "a", "message": "bad"}, {"field": "b", "message": "worse"}]
    body = {"kind": "Status", "reason": "Invalid", "message": "no", "details": {"causes": causes}}
    async with Cluster({"/x": (422, body)}) as cluster, cluster.door as door:
        with pytest.raises(ClusterRefused, match=r"a: bad; b: worse"):
            await door.patch("/x", {})


async def test_a_kind_that_was_missing_is_found_once_it_is_served():
    thing = {"apiVersion": "example.dev/v1", "kind": "Thing", "metadata": {"name": "a"}}
    answers: dict[str, tuple[int, dict[str, Any]]] = {}
    async with Cluster(answers) as cluster, cluster.door as door:
        with pytest.raises(ClusterRefused, match="serves no such kind"):
            await door.apply(thing)
        served = {"resources": [{"name": "things", "kind": "Thing", "namespaced": True}]}
        answers["/apis/example.dev/v1"] = (200, served)
        answers["/apis/example.dev/v1/namespaces/default/things/a"] = (200, thing)
        await door.apply(thing)
        sent = cluster.requests[-1]
    assert (sent.method, sent.headers["content-type"]) == ("PATCH", "application/apply-patch+yaml")
    assert sent.params == {"fieldManager": "groundplane", "force": "true"}


def test_a_kubeconfig_that_would_run_a_command_here_is_refused():
    evil = b"""
clusters: [{name: c, cluster: {server: "https://x"}}]
users: [{name: c, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
current-context: c
"""
    with pytest.raises(KubeconfigInvalid, match="command 'sh'"):
        KubernetesDoor(evil)
