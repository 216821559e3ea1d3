"""Our client side against a real kube-apiserver v1.20.2: the client, the informer, the door to a managed cluster."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from groundplane.client.contract import Resource
from groundplane.client.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unauthorized
from groundplane.client.http import HttpClient
from groundplane.client.informer import Informer, ObjectChange
from groundplane.clusters.api import KubernetesDoor, observe
from groundplane.clusters.errors import ClusterDenied, ClusterRefused
from groundplane.kube.kubeconfig import Access, render_kubeconfig
from support.client_contract import Case, every_case
from support.real_kube import GUEST_TOKEN

pytestmark = pytest.mark.lab

MAPS = Resource("", "v1", "configmaps", "ConfigMap")
PODS = Resource("", "v1", "pods", "Pod")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
BUDGETS = Resource("policy", "v1beta1", "poddisruptionbudgets", "PodDisruptionBudget")


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:10]}"


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "labels": {"test": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def pod(name: str) -> dict[str, Any]:
    container = {"name": "main", "image": "nothing.example.dev/none"}
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def door(kube: Access, **changes: Any) -> KubernetesDoor:
    return KubernetesDoor(render_kubeconfig(replace(kube, **changes), name="real"))


@every_case
async def test_the_contract_of_our_client_is_what_a_real_server_does(kube, name, case: Case):
    async with HttpClient(kube) as client:
        await case(client, name)


async def test_the_client_does_every_verb(kube, name):
    async with HttpClient(kube) as client:
        created = await client.create(MAPS, config_map(name, a="1"))
        assert await client.get(MAPS, "default", name) == created
        with pytest.raises(AlreadyExists, match=f"create configmaps/{name} in namespace default at {kube.server}"):
            await client.create(MAPS, config_map(name))

        updated = await client.update(MAPS, created | {"data": {"a": "2"}})
        with pytest.raises(Conflict):
            await client.update(MAPS, created | {"data": {"a": "3"}})
        patched = await client.patch(MAPS, "default", name, {"data": {"b": "1", "a": None}})
        assert (updated["data"], patched["data"]) == ({"a": "2"}, {"b": "1"})

        listed = await client.list(MAPS, namespace="default", label_selector=f"test={name}")
        assert listed.items == [patched | {"apiVersion": "v1", "kind": "ConfigMap"}]
        await client.delete(MAPS, "default", name)
        with pytest.raises(NotFound):
            await client.get(MAPS, "default", name)


async def test_server_side_apply_owns_fields_refuses_conflicts_and_takes_over_by_force(kube, name):
    async with HttpClient(kube) as client:
        dry = await client.apply(MAPS, config_map(name, a="0"), field_manager="one", dry_run=True)
        assert dry["data"] == {"a": "0"}
        with pytest.raises(NotFound):
            await client.get(MAPS, "default", name)
        await client.apply(MAPS, config_map(name, a="1"), field_manager="one")
        with pytest.raises(Conflict) as caught:
            await client.apply(MAPS, config_map(name, a="2"), field_manager="two")
        assert "one" in str(caught.value)
        forced = await client.apply(MAPS, config_map(name, a="2"), field_manager="two", force=True)
        assert forced["data"] == {"a": "2"}


async def test_status_is_a_subresource(kube, name):
    async with HttpClient(kube) as client:
        created = await client.create(PODS, pod(name))
        written = await client.update_status(PODS, created | {"status": {"phase": "Running"}})
        assert written["status"]["phase"] == "Running"
        assert written["spec"] == created["spec"]
        with pytest.raises(Conflict):
            await client.update_status(PODS, created | {"status": {"phase": "Failed"}})


async def test_errors_carry_the_servers_causes_and_name_who_is_refused(kube, name):
    async with HttpClient(kube) as client:
        with pytest.raises(Invalid) as caught:
            await client.create(MAPS, config_map(name) | {"metadata": {"name": "Not A Name", "namespace": "default"}})
        assert [cause.field for cause in caught.value.causes] == ["metadata.name"]
    async with HttpClient(replace(kube, token="wrong")) as stranger:
        with pytest.raises(Unauthorized, match="check the token"):
            await stranger.get(MAPS, "default", name)
    async with HttpClient(replace(kube, token=GUEST_TOKEN)) as guest:
        with pytest.raises(Forbidden, match="guest"):
            await guest.get(MAPS, "default", name)


@asynccontextmanager
async def informed(client: HttpClient) -> AsyncIterator[tuple[Informer, asyncio.Queue[ObjectChange]]]:
    changes: asyncio.Queue[ObjectChange] = asyncio.Queue()
    informer = Informer(client, MAPS, namespace="default", changed=changes.put_nowait)
    task = asyncio.create_task(informer.run())
    try:
        await asyncio.wait_for(informer.synced.wait(), 10)
        yield informer, changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_informer_follows_a_real_server(kube, name):
    async with HttpClient(kube) as client, informed(client) as (informer, changes):

        async def told() -> ObjectChange:
            while True:
                change = await asyncio.wait_for(changes.get(), 10)
                if change.key.name == name:
                    return change

        created = await client.create(MAPS, config_map(name, a="1"))
        assert (await told()).new == created
        patched = await client.patch(MAPS, "default", name, {"data": {"a": "2"}})
        change = await told()
        assert (change.old, change.new) == (created, patched)
        assert informer.get("default", name) == patched
        await client.delete(MAPS, "default", name)
        change = await told()
        assert change.new is None
        assert change.old is not None
        assert change.old["data"] == {"a": "2"}
        assert informer.get("default", name) is None


async def test_the_door_applies_gets_patches_and_deletes(kube, name):
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    async with door(kube) as cluster:
        assert await cluster.get(path) is None
        await cluster.apply(config_map(name, a="1"))
        await cluster.apply(config_map(name, a="1"))
        await cluster.patch(path, {"data": {"b": "2"}})
        found = await cluster.get(path)
        assert found is not None
        assert found["data"] == {"a": "1", "b": "2"}
        await cluster.delete(path)
        await cluster.delete(path)
        assert await cluster.get(path) is None


async def test_the_door_finds_every_kinds_path_by_discovery_and_names_a_kind_that_is_not_served(kube, name):
    async with door(kube) as cluster:
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
        await cluster.apply(role | {"rules": []})
        assert await cluster.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")
        await cluster.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}")
        for kind in ("Nothing", "PodDisruptionBudget"):
            # policy/v1 came with v1.21.
            with pytest.raises(ClusterRefused, match=f"cannot apply {kind} {name}"):
                await cluster.apply({"apiVersion": "policy/v1", "kind": kind, "metadata": {"name": name}})


async def test_eviction_respects_a_disruption_budget_and_a_pod_that_is_gone_is_evicted(kube, name):
    budget = {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": name}}},
    }
    async with HttpClient(kube) as client, door(kube) as cluster:
        created = await client.create(PODS, pod(name))
        # A pod that runs nowhere yet may always be evicted, so let it seem to run.
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await client.update_status(PODS, created | {"status": ready})
        made = await client.create(BUDGETS, budget)
        status = {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
        made = await client.update_status(BUDGETS, made | {"status": status | {"disruptionsAllowed": 0}})
        assert await cluster.evict("default", name) is False
        assert await client.get(PODS, "default", name)

        await client.update_status(BUDGETS, made | {"status": status | {"disruptionsAllowed": 1}})
        assert await cluster.evict("default", name) is True
        with pytest.raises(NotFound):
            await client.get(PODS, "default", name)
        assert await cluster.evict("default", name) is True


async def test_a_look_at_the_cluster_tells_its_identity_version_nodes_and_pending_pods(kube, name):
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"zone": "a"}},
        "spec": {"podCIDR": "10.244.1.0/24", "unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]},
    }
    status = {
        "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "198.18.1.9"}],
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {
            "kubeletVersion": "v1.20.2",
            "containerRuntimeVersion": "containerd://1.6.20",
            "machineID": "m",
            "osImage": "Debian",
            "kernelVersion": "6.1",
            "bootID": "b",
            "systemUUID": "u",
            "kubeProxyVersion": "v1.20.2",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }
    nodes = Resource("", "v1", "nodes", "Node", namespaced=False)
    async with HttpClient(kube) as client, door(kube) as cluster:
        created = await client.create(nodes, node)
        await client.update_status(nodes, created | {"status": status})
        pending = pod(name)
        pending["metadata"]["namespace"] = "kube-system"
        await client.create(PODS, pending)
        facts = await observe(cluster)
        system = await client.get(NAMESPACES, "", "kube-system")
        await client.delete(nodes, "", name)
    assert facts.reachable
    assert facts.version == "v1.20.2"
    assert facts.cluster_id == system["metadata"]["uid"]
    assert name in facts.system_pods_pending
    found = next(n for n in facts.nodes if n.name == name)
    assert (found.ready, found.unschedulable, found.address) == (True, True, "198.18.1.9")
    assert (found.pod_cidr, found.runtime, found.machine_id) == ("10.244.1.0/24", "containerd://1.6.20", "m")
    assert found.labels["zone"] == "a"
    assert "k=:NoSchedule" in found.taints


async def test_a_cluster_that_does_not_answer_is_unreachable_and_one_that_refuses_us_is_denied(kube):
    async with door(kube, server="https://127.0.0.1:1") as nobody:
        assert not (await observe(nobody)).reachable
    async with door(kube, token="wrong") as stranger:
        with pytest.raises(ClusterDenied, match=kube.server):
            await observe(stranger)
    async with door(kube, ca=b"") as imposter:
        with pytest.raises(ClusterDenied, match="not trusted"):
            await observe(imposter)
