"""Which nodes count when a change is verified, and from where a changed node is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groundplane.operations import planes, static_pods
from groundplane.operations.steps import verify_change, verify_node

from .here import Here
from .scopes_here import Nodes, Notes, node, scope_of
from .targets import target


def cluster_of(away: set[str], pods: dict[str, bool], **spec: dict[str, Any]) -> Nodes:
    items = [node(f"shop-{i}", "containerd", ready=f"shop-{i}" not in away) for i in (1, 2, 3)]
    for item in items:
        item["spec"] = spec.get(item["metadata"]["name"].replace("-", "_"), {})
    system = [
        {
            "metadata": {"name": f"proxy-{name}", "namespace": "kube-system"},
            "spec": {"nodeName": name},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": str(well)}],
                "containerStatuses": [{"ready": well}],
            },
        }
        for name, well in pods.items()
    ]
    return Nodes({"/api/v1/nodes": {"items": items}, "/api/v1/namespaces/kube-system/pods": {"items": system}})


WELL = {"shop-1": True, "shop-2": True, "shop-3": True}


@pytest.mark.parametrize(
    ("away", "changed", "pods", "said"),
    [
        (set(), set(), WELL, ""),
        ({"shop-3"}, {"shop-1"}, WELL | {"shop-3": False}, ""),
        ({"shop-3"}, {"shop-3"}, WELL | {"shop-3": False}, "shop-3 not Ready after the change"),
        ({"shop-2", "shop-3"}, set(), WELL, "shop-2, shop-3 not Ready, and change.maxUnavailable allows 1 node"),
        ({"shop-3"}, set(), WELL | {"shop-2": False}, "proxy-shop-2 Running"),
    ],
)
async def test_a_node_that_is_down_counts_if_it_was_changed_or_is_one_too_many(
    away: set[str], changed: set[str], pods: dict[str, bool], said: str
) -> None:
    notes = Notes()
    notes.kept = {f"proven/{name}": "yes" for name in changed}
    assert await verify_change._missing(scope_of(Here(), cluster_of(away, pods), notes=notes)) == said


async def test_a_changed_node_is_looked_at_from_a_ready_one_and_rather_from_an_open_one() -> None:
    cluster = cluster_of({"shop-2"}, {})
    assert await verify_node._neighbours(scope_of(Here(), cluster), cluster) == ["shop-1", "shop-3"]
    cordoned = cluster_of(set(), {}, shop_2={"unschedulable": True})
    assert await verify_node._neighbours(scope_of(Here(), cordoned), cordoned) == ["shop-1", "shop-3"]
    alone = cluster_of({"shop-2", "shop-3"}, {})
    assert await verify_node._neighbours(scope_of(Here(), alone), alone) == ["shop-1"]


async def test_the_port_of_an_api_server_is_that_of_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kube-apiserver.yaml"
    monkeypatch.setattr(planes, "manifest_path", lambda _: str(path))
    scope = scope_of(Here(), Nodes({}), wanted=target("v1.20.2"))
    assert await planes.own_port(scope, "shop-1") == 6443
    path.write_text("spec: {containers: [{command: [kube-apiserver, --secure-port=7443]}]}")
    assert await planes.own_port(scope, "shop-1") == 7443


async def test_a_control_planes_pod_that_the_api_does_not_show_yet_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_pods, "manifest_path", lambda component: str(tmp_path / component))
    cluster = cluster_of(set(), WELL)
    scope = scope_of(Here(), cluster)
    assert await verify_change._missing(scope) == ""
    (tmp_path / "etcd").touch()
    assert await verify_change._missing(scope) == ", ".join(f"etcd-shop-{i} not shown by kubelet yet" for i in (1, 2))
    system = cluster.objects["/api/v1/namespaces/kube-system/pods"]["items"]
    shown = [{"metadata": {"name": f"etcd-shop-{i}"}, "status": system[0]["status"]} for i in (1, 2)]
    system += [pod | {"spec": {"nodeName": "shop-1"}} for pod in shown]
    assert await verify_change._missing(scope) == ""
