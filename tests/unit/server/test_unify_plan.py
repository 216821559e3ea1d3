"""The preview of a run over the API: the plan of the command line, in the waves that are asked for."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec

from groundplane.api.assessment import Assessment, Drift, Nodes, Remedy, Uniformity

from .access import binding, caller, role, rule, user, write
from .conftest import FOUNDATION, GROUP, Start

PLAN = f"{GROUP}/foundations/f/unifyplan"


async def make_cluster(http: httpx2.AsyncClient, name: str, *, nodes: int = 1, foundation: str = "f") -> None:
    """An adopted cluster on Docker, of so many nodes, with the Machine that makes it one."""
    cluster = {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {
            "provider": "Imported",
            "kubeconfigRef": {"name": f"{name}-kubeconfig"},
            "foundationRef": {"name": foundation},
        },
    }
    made = await http.post(f"{GROUP}/clusters", json=cluster)
    assert made.status_code == 201, made.text
    drift = Drift(
        dimension="Runtime",
        found="docker",
        wanted="containerd",
        severity="High",
        state="Drift",
        nodes=Nodes(count=nodes),
        remedy=Remedy(action="MigrateRuntime", text="migrate to containerd"),
    )
    assessment = msgspec.to_builtins(Assessment(drift=[drift], uniformity=Uniformity(nodes=nodes)))
    status = {**made.json(), "status": {"version": "v1.20.2", "assessment": assessment}}
    done = await http.put(f"{GROUP}/clusters/{name}/status", json=status)
    assert done.status_code == 200, done.text


async def make_machine(http: httpx2.AsyncClient, cluster: str, address: str) -> None:
    machine = {
        "apiVersion": "groundplane.dev/v1alpha1",
        "kind": "Machine",
        "metadata": {"name": f"{cluster}-1"},
        "spec": {
            "address": address,
            "role": "ControlPlane",
            "clusterRef": {"name": cluster},
            "ssh": {"credentialsRef": {"name": "key"}},
        },
    }
    made = await http.post(f"{GROUP}/machines", json=machine)
    assert made.status_code == 201, made.text


def waves(plan: dict[str, Any]) -> list[tuple[int, str]]:
    return [(step["wave"], step["cluster"]) for step in plan["steps"]]


async def test_it_is_in_the_foundations_waves_or_in_those_that_are_asked_for(start: Start) -> None:
    async with start() as running:
        http = running.http
        await http.post(f"{GROUP}/foundations", json=FOUNDATION)
        for number, nodes in ((1, 3), (2, 1), (3, 2)):
            await make_cluster(http, f"c{number}", nodes=nodes)
            await make_machine(http, f"c{number}", f"198.18.0.{number}")
        await make_cluster(http, "other", foundation="g")
        plan = (await http.get(PLAN)).json()
        assert (plan["kind"], plan["foundation"]) == ("UnifyPlan", "f")
        assert waves(plan) == [(1, "c2"), (2, "c3"), (3, "c1")]
        assert plan["steps"][0]["drains"]
        assert waves((await http.get(PLAN, params={"waves": "2, 100%"})).json()) == [(1, "c2"), (1, "c3"), (2, "c1")]


async def test_a_cluster_without_machines_is_said_to_be_left(start: Start) -> None:
    async with start() as running:
        await running.http.post(f"{GROUP}/foundations", json=FOUNDATION)
        await make_cluster(running.http, "c1")
        [step] = (await running.http.get(PLAN)).json()["steps"]
        assert "make a Machine for each of its nodes" in step["blocked"]


async def test_sizes_that_are_none_are_refused_by_the_field_that_has_them(start: Start) -> None:
    async with start() as running:
        await running.http.post(f"{GROUP}/foundations", json=FOUNDATION)
        refused = await running.http.get(PLAN, params={"waves": "1,0,200%"})
        assert refused.status_code == 422
        fields = [cause["field"] for cause in refused.json()["details"]["causes"]]
        assert fields == ["spec.unify.waves[1]", "spec.unify.waves[2]"]


async def test_only_foundations_have_one_and_nothing_can_be_done_to_it(start: Start) -> None:
    async with start() as running:
        assert (await running.http.get(PLAN)).status_code == 404
        await running.http.post(f"{GROUP}/foundations", json=FOUNDATION)
        await make_cluster(running.http, "c1")
        assert (await running.http.get(f"{GROUP}/clusters/c1/unifyplan")).status_code == 404
        assert (await running.http.delete(PLAN)).status_code == 405


async def test_it_takes_the_right_to_what_it_is_made_of(start: Start) -> None:
    async with start() as running, caller(running, "ada") as ada, caller(running, "bob") as bob:
        await running.http.post(f"{GROUP}/foundations", json=FOUNDATION)
        assert (await ada.get(PLAN)).status_code == 403
        await write(running.http, "RoleBinding", binding("ada-view", "view", user("ada")), "default")
        assert (await ada.get(PLAN)).status_code == 200
        alone = role("alone", rule("get", "foundations/unifyplan", "groundplane.dev"))
        await write(running.http, "Role", alone, "default")
        await write(running.http, "RoleBinding", binding("bob-alone", "alone", user("bob"), kind="Role"), "default")
        refused = await bob.get(PLAN)
        assert refused.status_code == 403
        assert 'cannot list resource "clusters"' in refused.json()["message"]
