"""Steps that change only the cluster, against a real kube-apiserver: labels, manifest, drain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from groundplane.api.cluster import Cluster
from groundplane.api.distribution import Distribution
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import ANNOTATION_CORDON as CORDON
from groundplane.api.target import resolve
from groundplane.clusters.api import KubernetesDoor
from groundplane.kube.kubeconfig import Access, render_kubeconfig
from groundplane.operations import Scope, Step, StepRefused, SystemClock
from groundplane.operations.steps.drain import Drain
from groundplane.operations.steps.network_manifest import NetworkManifest
from groundplane.operations.steps.node_labels import NodeLabels
from support.real_kube import real_kube

from .driver import Record

MEMBERS = {"shop-1": "ControlPlane", "shop-2": "Worker"}


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    folder: Path = tmp_path_factory.mktemp("kube")
    with real_kube(folder) as found:
        yield found


def scope_of(door: KubernetesDoor, machines: dict[str, Machine], record: Record, **spec: Any) -> Scope:
    wanted = {"kubernetes": {"version": "v1.20.2"}} | spec
    cluster = msgspec.convert({"metadata": {"name": "shop", "namespace": "default"}, "spec": wanted}, Cluster)
    distribution = msgspec.convert({"spec": {"releases": [{"version": "v1.20.2"}]}}, Distribution)
    machine = machines["shop-2"]

    async def opened() -> KubernetesDoor:
        return door

    return Scope(
        target=resolve(cluster, Foundation(), distribution, list(machines.values())),
        machine=machine,
        machines=machines,
        hosts={},
        journal=record,
        log=lambda line: record.log("step", line),
        clock=SystemClock(),
        cluster=opened,
        published_kubeconfig=record.published,
        writable={},
        delivery=None,  # type: ignore[arg-type]
        publish_kubeconfig=record.publish,
    )


def machines_with(**spec: Any) -> dict[str, Machine]:
    """The members; `spec` is laid over the worker's."""
    return {
        name: msgspec.convert(
            {
                "metadata": {"name": name},
                "spec": {"address": "192.0.2.1", "role": role} | (spec if role == "Worker" else {}),
            },
            Machine,
        )
        for name, role in MEMBERS.items()
    }


@asynccontextmanager
async def cluster(access: Access) -> AsyncIterator[KubernetesDoor]:
    """A door to the API with one Node for each member, as kubelet registers them."""
    async with KubernetesDoor(render_kubeconfig(access, name="shop")) as door:
        for name in MEMBERS:
            await door.delete(f"/api/v1/nodes/{name}")
            await door.apply(
                {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"theirs": "1"}}}
            )
        yield door


async def takes(step: Step, scope: Scope) -> None:
    """Plan, apply, and see that nothing is left and that another plan is the same."""
    changes = await step.plan(scope)
    assert changes
    assert await step.plan(scope) == changes
    await step.apply(scope, changes)
    assert await step.plan(scope) == []


async def node(door: KubernetesDoor, name: str = "shop-2") -> dict[str, Any]:
    found = await door.get(f"/api/v1/nodes/{name}")
    assert found is not None
    return found


async def test_labels_and_taints_come_and_go_and_those_of_others_stay(access: Access) -> None:
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    async with cluster(access) as door:
        foreign = {"key": "theirs", "effect": "NoExecute"}
        await door.patch("/api/v1/nodes/shop-2", {"spec": {"taints": [foreign]}})
        with_both = machines_with(labels={"disk": "fast"}, taints=[taint])
        await takes(NodeLabels(), scope_of(door, with_both, Record()))
        found = await node(door)
        assert found["metadata"]["labels"].items() >= {"disk": "fast", "theirs": "1"}.items()
        assert {t["key"] for t in found["spec"]["taints"]} == {"theirs", "dedicated"}

        await takes(NodeLabels(), scope_of(door, machines_with(), Record()))
        found = await node(door)
        assert "disk" not in found["metadata"]["labels"]
        assert found["metadata"]["labels"]["theirs"] == "1"
        assert [t["key"] for t in found["spec"]["taints"]] == ["theirs"]


MANIFEST = """
apiVersion: net.example/v1
kind: Pool
metadata: {name: pods, namespace: net}
spec: {cidr: 10.244.0.0/16}
---
apiVersion: v1
kind: Namespace
metadata: {name: net}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pools.net.example}
spec:
  group: net.example
  scope: Namespaced
  names: {kind: Pool, plural: pools, singular: pool, listKind: PoolList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
POOL = "/apis/net.example/v1/namespaces/net/pools/pods"


async def test_a_manifest_is_applied_with_kinds_of_its_own_and_again_when_it_changes(access: Access) -> None:
    async with cluster(access) as door:
        for text in (MANIFEST, MANIFEST.replace("10.244", "10.245")):
            network = {"plugin": "manifest", "manifest": text}
            await takes(NetworkManifest(), scope_of(door, machines_with(), Record(), network=network))
        pool = await door.get(POOL)
        assert pool is not None
        assert pool["spec"]["cidr"] == "10.245.0.0/16"


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}, **metadata},
        "spec": {
            "nodeName": "shop-2",
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "pause"}],
        },
    }


async def test_drain_cordons_with_its_mark_evicts_and_leaves_daemons(access: Access) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "logs", "uid": "1"}
    async with cluster(access) as door:
        await door.apply(pod("web"))
        await door.apply(pod("logs", ownerReferences=[owner]))
        record = Record()
        await takes(Drain(), scope_of(door, machines_with(), record))
        found = await node(door)
        assert found["spec"]["unschedulable"] is True
        assert found["metadata"]["annotations"][CORDON] == "default/shop"
        assert await door.get("/api/v1/namespaces/default/pods/web") is None
        assert await door.get("/api/v1/namespaces/default/pods/logs") is not None
        assert ("step", "evicted default/web") in record.lines
        await door.delete("/api/v1/namespaces/default/pods/logs")


async def test_a_foreign_cordon_is_neither_marked_nor_taken_back(access: Access) -> None:
    async with cluster(access) as door:
        await door.patch("/api/v1/nodes/shop-2", {"spec": {"unschedulable": True}})
        scope = scope_of(door, machines_with(), Record())
        assert await Drain().plan(scope) == []
        assert CORDON not in (await node(door))["metadata"].get("annotations", {})
        await Drain().undo(scope)
        assert (await node(door))["spec"]["unschedulable"] is True


async def test_a_cordon_of_ours_is_taken_back_with_its_mark(access: Access) -> None:
    async with cluster(access) as door:
        scope = scope_of(door, machines_with(), Record())
        await takes(Drain(), scope)
        await Drain().undo(scope)
        found = await node(door)
        assert not found["spec"].get("unschedulable")
        assert CORDON not in found["metadata"].get("annotations", {})


async def test_drain_respects_a_budget_and_names_the_pod_that_blocks(access: Access) -> None:
    async with cluster(access) as door:
        await door.apply(pod("db"))
        # A budget protects only pods that run; there is no kubelet here to say so.
        await door.patch("/api/v1/namespaces/default/pods/db/status", {"status": {"phase": "Running"}})
        budget = {
            "apiVersion": "policy/v1beta1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "db", "namespace": "default"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "db"}}},
        }
        await door.apply(budget)
        scope = scope_of(door, machines_with(), Record(), change={"drain": {"timeout": "3s"}})
        with pytest.raises(StepRefused, match="a PodDisruptionBudget keeps default/db") as caught:
            await Drain().apply(scope, await Drain().plan(scope))
        assert "default/db" in caught.value.remedy
        assert await door.get("/api/v1/namespaces/default/pods/db") is not None
        await door.delete("/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets/db")
        await door.delete("/api/v1/namespaces/default/pods/db")


async def test_drain_of_a_cluster_whose_api_is_gone_is_left_out_aloud() -> None:
    gone = Access("https://127.0.0.1:1", token="t")
    async with KubernetesDoor(render_kubeconfig(gone, name="shop"), timeout=2) as door:
        record = Record()
        async with asyncio.timeout(30):
            assert await Drain().plan(scope_of(door, machines_with(), record)) == []
        assert any(line.startswith("not drained") for _, line in record.lines)


def test_no_time_means_no_drain() -> None:
    door: Any = None
    scope = scope_of(door, machines_with(), Record(), change={"drain": {"timeout": "0s"}})
    assert not Drain().wanted(scope)
