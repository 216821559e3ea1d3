"""New machines for a cluster that Groundplane did not make: they join it, and the others are left as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from groundplane.api.cluster import Cluster
from groundplane.api.foundation import Foundation
from groundplane.api.machine import Machine
from groundplane.api.meta import FINALIZER_IN_USE
from groundplane.api.operation import Operation
from groundplane.client.typed import RESOURCES
from support.member import Member, workload

from .site import CONTROL_PLANE, FRESH, Host
from .test_adoption import PLANE, TUNED, WORKER, Adopted, adopted, member_node, settle
from .test_imported import imported, kubeconfig, look, message, reasons
from .world import NAMESPACE, distribution, foundation, secret, world

NEW = "shop-3"
JOINED = ["claim", "host-settings", "runtime", "binaries", "images", "join"]


async def spare(found: Adopted, name: str = NEW, role: str = "Worker", **spec: Any) -> Host:
    """A Machine more, on a host on which nothing is."""
    host = await found.site.site.add(name, f"198.18.9.{60 + len(found.hosts)}")
    host.captured = FRESH
    found.hosts[name] = host
    document = found.site.machine(host, "prod", role)
    document["spec"] |= spec
    await found.site.add(document)
    await found.tell(name)
    return host


async def looks(found: Adopted) -> Operation:
    await settle(found.site)
    return await found.site.only_operation("Join")


async def test_a_new_machine_joins_when_a_person_approves_and_nothing_else_is_touched(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await spare(found, labels={"rack": "r7"})
        operation = await looks(found)
        plan, target = operation.spec.plan, operation.spec.target
        assert operation.spec.approval == "Pending"
        assert [(step.step, step.machine) for step in plan.steps] == [
            *((key, NEW) for key in JOINED),
            ("node-labels", ""),
        ]
        assert list(plan.fingerprints) == [NEW]
        assert plan.summary == f"join {NEW} to cluster prod: 1 worker, v1.20.2 on docker"
        assert any("not Ready until you have set it up" in note for note in plan.notes)
        assert (target.origin, target.workers, target.version) == ("Adopted", [WORKER, NEW], "v1.20.2")
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")
        assert f"2 Machines matched by name, machine-id and address; no Node yet: {NEW}" in await message(
            found.site, "Adopted"
        )
        assert await found.site.finalizers(Machine, NEW) == [FINALIZER_IN_USE]
        assert (await found.status()).phase == "Ready"


async def test_machines_that_come_one_by_one_are_one_plan(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        for name in (NEW, "shop-4"):
            await spare(found, name)
            await look(found.site)
        operation = await looks(found)
        assert operation.spec.plan.summary.startswith(f"join {NEW}, shop-4 to cluster prod: 2 workers")
        assert len(await found.site.operations()) == 1


async def test_machines_that_go_one_by_one_are_one_plan(tmp_path: Path) -> None:
    async with adopted(tmp_path, PLANE, WORKER, NEW) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation("Change"), "Succeeded")
        for name in (WORKER, NEW):
            await found.site.delete(Machine, name)
            await look(found.site)
        await settle(found.site)
        removal = await found.site.only_operation("Remove")
        assert removal.spec.target.leaving == [WORKER, NEW]


async def test_with_a_network_that_is_recognised_the_new_node_is_proven(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        flannel = workload("kube-system", "kube-flannel-ds", "quay.io/coreos/flannel:v0.13.0")
        found.member.answers["/apis/apps/v1/daemonsets"] = {"items": [flannel]}
        await spare(found)
        plan = (await looks(found)).spec.plan
        assert (plan.steps[-1].step, plan.steps[-1].among) == ("verify", [NEW])
        assert not any("pod network" in note for note in plan.notes)


async def test_a_join_that_was_cut_off_goes_on_after_a_retry(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        host = await spare(found)
        await found.site.end(await looks(found), "Failed")
        host.owner = "default/prod"
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await settle(found.site)
        again = (await found.site.operations("Join"))[-1]
        assert "claim" not in {step.step for step in again.spec.plan.steps}
        assert {step.machine for step in again.spec.plan.steps} == {NEW}


async def test_what_the_spec_asks_of_the_nodes_goes_first_and_says_who_joins_then(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await spare(found)
        await found.wish(settings=TUNED)
        await settle(found.site)
        change = await found.site.only_operation("Change")
        assert change.spec.plan.next == f"{NEW} joins"
        assert NEW not in {step.machine for step in change.spec.plan.steps}
        assert NEW not in change.spec.target.members
        await found.site.end(change, "Succeeded")
        for host in found.hosts.values():
            host.owner = "" if host.name == NEW else "default/prod"
        await found.site.patch(Cluster, "prod", spec={"settings": None})
        assert (await looks(found)).spec.plan.steps[0].machine == NEW


async def test_a_machine_that_is_held_back_does_not_join(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await spare(found)
        await found.site.annotate(Machine, NEW, "groundplane.dev/hold-back", "true")
        await settle(found.site)
        assert await found.site.operations() == []
        await found.site.annotate(Machine, NEW, "groundplane.dev/hold-back", "")
        assert (await looks(found)).spec.plan.fingerprints.keys() == {NEW}


async def test_labels_and_proof_that_a_failed_join_left_are_made_up_for_after_a_retry(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        flannel = workload("kube-system", "kube-flannel-ds", "quay.io/coreos/flannel:v0.13.0")
        found.member.answers["/apis/apps/v1/daemonsets"] = {"items": [flannel]}
        host = await spare(found, labels={"rack": "r7"})
        await found.site.end(await looks(found), "Failed")
        # It has joined, and its network came too late.
        host.captured, host.worker, host.owner = CONTROL_PLANE, True, "default/prod"
        found.member.nodes.append(member_node(NEW, host.address))
        await settle(found.site)
        assert len(await found.site.operations("Join")) == 1, "not before somebody asks"
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await settle(found.site)
        rest = (await found.site.operations("Join"))[-1]
        assert [step.step for step in rest.spec.plan.steps] == ["node-labels", "verify"]
        assert rest.spec.plan.summary == f"finish what the join of {NEW} to cluster prod left"
        await found.site.end(rest, "Succeeded")
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "2")
        await settle(found.site)
        assert len(await found.site.operations("Join")) == 2


async def test_a_removal_that_is_refused_keeps_nobody_from_joining(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation("Change"), "Succeeded")
        for name in (PLANE, WORKER):
            found.hosts[name].owner = "default/prod"
        await found.site.patch(Cluster, "prod", spec={"settings": None})
        await look(found.site)
        # The only control plane can go when another one has come.
        await found.site.delete(Machine, PLANE)
        await spare(found, role="ControlPlane")
        operation = await looks(found)
        assert operation.spec.target.control_planes == [PLANE, NEW]
        assert any("no control plane would be left" in note for note in operation.spec.plan.notes)


async def test_a_plan_that_waits_is_made_anew_when_the_ground_or_the_version_is_another(tmp_path: Path) -> None:
    async with grounded(tmp_path) as found:
        await spare(found)
        first = await looks(found)
        ground = {"runtime": {"name": "docker"}}
        await found.site.patch(Foundation, "ground", spec=ground)
        for _ in range(2):
            await settle(found.site)
        operations = await found.site.operations("Join")
        assert [one.spec.cancel for one in operations][:1] == ["Requested"]
        await found.site.end(first, "Cancelled", started=False)
        await settle(found.site)
        assert (await found.site.operations("Join"))[-1].spec.target.runtime.name == "docker"


async def test_a_release_that_nobody_has_is_asked_for(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        found.member.version = "v1.20.15"
        await spare(found)
        await settle(found.site)
        assert (await reasons(found.site))["Progressing"] == ("False", "Refused")
        said = await message(found.site, "Progressing")
        assert "Distribution native has no release v1.20.15" in said
        assert await found.site.operations() == []


async def test_a_control_plane_needs_an_address_that_does_not_go_with_one_machine(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        for host in found.hosts.values():
            host.server = f"https://{found.hosts[PLANE].address}:6443"
        await spare(found, role="ControlPlane")
        await settle(found.site)
        assert (await reasons(found.site))["Progressing"] == ("False", "Refused")
        assert "as a control plane: its nodes know it by" in await message(found.site, "Progressing")
        assert await found.site.operations() == []


async def test_a_control_plane_joins_behind_the_address_that_the_nodes_know(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        # By name it comes before the one that lives.
        await spare(found, "shop-0", role="ControlPlane")
        operation = await looks(found)
        target = operation.spec.target
        assert (target.first, target.control_planes) == (PLANE, [PLANE, "shop-0"])
        assert (target.endpoint.host, target.endpoint.provider) == ("198.18.7.11", "External")
        assert any("have 198.18.7.11:6443 lead to shop-0 too" in note for note in operation.spec.plan.notes)


async def test_a_machine_that_does_not_do_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await spare(found)
        await found.wish(runtime={"name": "docker", "version": ">=99.0.0"})
        await settle(found.site)
        assert (await reasons(found.site))["PreflightPassed"] == ("False", "Problems")
        said = await message(found.site, "PreflightPassed")
        assert f"machine {NEW}: docker" in said
        assert WORKER not in said
        assert await found.site.operations() == []


async def test_new_nodes_have_the_runtime_of_the_foundation_and_may_differ_from_the_others(tmp_path: Path) -> None:
    async with grounded(tmp_path) as found:
        await spare(found)
        operation = await looks(found)
        assert operation.spec.target.runtime.name == "containerd"
        await found.site.end(operation, "Succeeded")
        # One is on containerd now, two on Docker: that keeps nobody from adding the next one.
        found.member.nodes[1]["status"]["nodeInfo"]["containerRuntimeVersion"] = "containerd://1.6.20"
        await found.site.client.delete(RESOURCES[Machine], NAMESPACE, NEW)
        await spare(found, "shop-4")
        await settle(found.site)
        assert (await found.site.operations("Join"))[-1].spec.target.runtime.name == "containerd"


@asynccontextmanager
async def grounded(folder: Path) -> AsyncIterator[Adopted]:
    """An adopted cluster on Docker with a Foundation that has containerd."""
    async with world(folder) as site, Member(version="v1.20.2", nodes=[]) as member:
        made = Adopted(site, member)
        ground = {"foundationRef": {"name": "ground"}}
        await site.add(secret(), distribution(), foundation(), kubeconfig(member), imported(**ground))
        await made.add(PLANE, WORKER)
        yield made
