"""What the cluster's API tells before nodes are changed: pods that use Docker, pods that a drain loses, budgets."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from groundplane.api.migration import BudgetFacts, PodFacts, WorkloadFacts
from groundplane.clusters import before_change
from groundplane.clusters.errors import AccessForbidden, ClusterRefused, ClusterUnavailable


class Served:
    """A cluster of these answers; what it does not serve is None, and what is an error is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def get(self, path: str) -> dict[str, Any] | None:
        parts = urlsplit(path)
        answer = self._answers.get(parts.path)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, list):
            # Two to a page, whatever was asked for, as an API server may.
            start = int(parse_qs(parts.query).get("continue", ["0"])[0])
            rest = {"continue": str(start + 2)} if start + 2 < len(answer) else {}
            return {"items": answer[start : start + 2], "metadata": rest}
        return answer


def pod(
    name: str, *, owner: str = "", mounts: tuple[str, ...] = (), image: str = "web:1", **spec: Any
) -> dict[str, Any]:
    kind, _, owner_name = owner.partition("/")
    volumes = [{"name": f"v{n}", "hostPath": {"path": path}} for n, path in enumerate(mounts)]
    return {
        "metadata": {
            "namespace": "shop",
            "name": name,
            "labels": {"app": name.partition("-")[0]},
            "ownerReferences": [{"kind": kind, "name": owner_name, "controller": True}] if kind else [],
        },
        "spec": {"nodeName": "w-1", "volumes": volumes, "containers": [{"name": "c", "image": image}], **spec},
        "status": {"phase": "Running"},
    }


async def look(*pods: dict[str, Any], **answers: Any) -> WorkloadFacts:
    return await before_change.look(Served({"/api/v1/pods": list(pods), "/api/v1/nodes": [], **answers}))


async def test_pods_that_use_docker_are_found_by_what_they_mount() -> None:
    found = await look(
        pod("ci-1", owner="ReplicaSet/ci", mounts=("/var/run/docker.sock", "/etc")),
        pod(
            "logs-1", owner="DaemonSet/logs", mounts=("/var/log/", "/var/lib/docker/containers"), image="x/fluent-bit:1"
        ),
        pod("web-1", owner="ReplicaSet/web", mounts=("/var/lib/dockerish", "/var/logs")),
    )
    ci = PodFacts(namespace="shop", name="ci-1", node="w-1", owner="ReplicaSet/ci", what=["/var/run/docker.sock"])
    logs = PodFacts(namespace="shop", name="logs-1", node="w-1", owner="DaemonSet/logs")
    assert found.socket_mounts == [ci, _with(logs, "/var/lib/docker/containers")]
    assert found.log_mounts == [_with(logs, "/var/log")]
    assert found.agents == [_with(logs, "x/fluent-bit:1")]
    assert found.unmanaged == []


def _with(pod_facts: PodFacts, what: str) -> PodFacts:
    return PodFacts(
        namespace=pod_facts.namespace, name=pod_facts.name, node=pod_facts.node, owner=pod_facts.owner, what=[what]
    )


async def test_pods_that_a_drain_loses_are_those_that_nothing_makes_anew() -> None:
    bare, done, static = pod("bare-1"), pod("done-1"), pod("static-1", owner="Node/w-1")
    done["status"]["phase"] = "Succeeded"
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    static["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}]
    local = pod("local-1", owner="ReplicaSet/local", volumes=[{"name": "cache", "emptyDir": {}}])
    found = await look(bare, done, static, local)
    assert [one.name for one in found.unmanaged] == ["bare-1"]
    assert [(one.name, one.what) for one in found.local_storage] == [("local-1", ["cache"])]


async def test_pods_that_ask_for_gpus_are_found() -> None:
    asks = [{"name": "c", "image": "i", "resources": {"limits": {"nvidia.com/gpu": 1, "cpu": 1}}}]
    found = await look(pod("train-1", owner="Job/train", containers=asks), pod("web-1", owner="ReplicaSet/web"))
    assert [(one.name, one.what) for one in found.gpus] == [("train-1", ["nvidia.com/gpu"])]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_budgets_that_let_nothing_go_are_found_in_the_version_that_is_served(version: str) -> None:
    def budget(name: str, allowed: int, selector: dict[str, Any], expected: int = 1) -> dict[str, Any]:
        status = {"disruptionsAllowed": allowed, "expectedPods": expected, "currentHealthy": 1, "desiredHealthy": 1}
        return {"metadata": {"namespace": "shop", "name": name}, "spec": {"selector": selector}, "status": status}

    budgets = [
        budget("tight", 0, {"matchLabels": {"app": "web"}}),
        budget("loose", 1, {"matchLabels": {"app": "web"}}),
        budget("empty", 0, {"matchLabels": {"app": "none"}}, expected=0),
    ]
    answers = {
        "/apis/policy": {"versions": [{"version": version}]},
        f"/apis/policy/{version}/poddisruptionbudgets": budgets,
    }
    found = await look(pod("web-1", owner="ReplicaSet/web"), pod("db-1", owner="StatefulSet/db"), **answers)
    assert found.budgets == [BudgetFacts(namespace="shop", name="tight", healthy=1, desired=1, nodes=["w-1"])]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "db"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_selectors_choose_as_kubernetes_does(selector: dict[str, Any], chosen: bool) -> None:
    assert before_change.selects(selector, pod("web-1")) is chosen


async def test_what_makes_new_nodes_is_found() -> None:
    groups = [{"name": "cluster.x-k8s.io", "preferredVersion": {"groupVersion": "cluster.x-k8s.io/v1beta1"}}]
    answers = {
        "/apis": {"groups": groups},
        "/apis/cluster.x-k8s.io/v1beta1/machinedeployments": [{"metadata": {"namespace": "ns", "name": "pool"}}],
    }
    scaler = pod("scaler-1", owner="ReplicaSet/scaler", image="registry/cluster-autoscaler:v1.20.0")
    found = await look(scaler, **answers)
    assert found.templates == ["machinedeployment ns/pool", "pod shop/scaler-1"]


async def test_nodes_with_a_problem_are_found() -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "KernelDeadlock", "status": "True"}]
    node = {"metadata": {"name": "w-1"}, "status": {"conditions": [*conditions, {"type": "X", "status": "False"}]}}
    assert (await look(**{"/api/v1/nodes": [node]})).troubled == {"w-1": ["KernelDeadlock"]}


async def test_every_page_is_read() -> None:
    assert len((await look(*(pod(f"bare-{n}") for n in range(7)))).unmanaged) == 7


async def test_a_part_that_cannot_be_read_is_a_gap_but_pods_have_to_be_known() -> None:
    found = await look(pod("bare-1"), **{"/apis/policy": ClusterRefused("cannot get it"), "/apis": None})
    assert found.gaps == ["/apis/policy: cannot get it"]
    assert len(found.unmanaged) == 1
    forbidden = await look(**{"/apis/policy": AccessForbidden("cannot get it: forbidden")})
    assert forbidden.gaps == ["/apis/policy: cannot get it: forbidden"]
    with pytest.raises(ClusterUnavailable):
        await look(**{"/api/v1/nodes": ClusterUnavailable("cannot reach it")})
