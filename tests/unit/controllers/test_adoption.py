"""Imported Clusters with Machines: matched by evidence, changed as their spec asks, let go again."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from groundplane.api.cluster import Cluster
from groundplane.api.machine import Machine
from groundplane.api.meta import (
    ANNOTATION_CLEAN_UP,
    ANNOTATION_ROLLBACK,
    ANNOTATION_SURVEY,
    FINALIZER_CLUSTER,
    FINALIZER_IN_USE,
    Condition,
    find_condition,
)
from groundplane.api.operation import Operation
from groundplane.client.contract import Object
from groundplane.client.informer import Name, ObjectChange
from groundplane.client.typed import RESOURCES, SECRETS
from groundplane.controllers.cluster.adopted import authorities_of
from support.member import Member, node
from support.pki import Pki

from .site import CONTROL_PLANE, FRESH, Host
from .test_imported import imported, kubeconfig, look, message, reasons
from .test_manager import managed, until
from .world import NAMESPACE, World, distribution, secret, world

PLANE, WORKER = "shop-1", "shop-2"
RUNS = "docker://19.3.15"
LEFT = {"swap": "Ignored", "timeSync": "Ignored", "modules": []}
TUNED = {**LEFT, "sysctls": {"net.ipv4.tcp_fin_timeout": "59"}}


def member_node(name: str, address: str, *, machine_id: str = "", **info: str) -> Object:
    """A Node as a host of the scripted site would make it."""
    about = {"kubeletVersion": "v1.20.2", "containerRuntimeVersion": RUNS, "machineID": machine_id or name}
    found = node(name, **(about | info))
    found["status"]["addresses"] = [{"type": "InternalIP", "address": address}]
    return found


class Adopted:
    """An imported kubeadm cluster of two hosts that have Machines."""

    def __init__(self, site: World, member: Member) -> None:
        self.site, self.member = site, member
        self.hosts: dict[str, Host] = {}

    async def add(self, *names: str) -> None:
        for name in names:
            number = 1 + len(self.hosts)
            self.hosts[name] = host = await add_host(self.site, self.member, name, number)
            await self.site.add(self.site.machine(host, "prod", "Worker" if number > 1 else "ControlPlane"))
            await self.tell(name)

    async def tell(self, name: str) -> None:
        """Tell of a Machine, as the informer does."""
        document = await self.site.client.get(RESOURCES[Machine], NAMESPACE, name)
        self.site.memberships.take(ObjectChange(Name(NAMESPACE, name), None, document))

    async def status(self) -> Any:
        return (await self.site.get(Cluster, "prod")).status

    async def wish(self, **spec: Any) -> None:
        await self.site.patch(Cluster, "prod", spec=spec)
        await look(self.site)
        await look(self.site)


async def add_host(site: World, member: Member, name: str, number: int) -> Host:
    """Switch a host on that is a node of the cluster, the first its control plane."""
    host = await site.site.add(name, f"198.18.9.{10 + number}")
    host.captured, host.worker = CONTROL_PLANE, number > 1
    member.nodes.append(member_node(name, host.address))
    return host


async def settle(site: World) -> None:
    """Let the controller look until Machines that stay the same have been acted upon."""
    for _ in range(2):
        await look(site)
        site.clock.advance(2)
    await look(site)


async def until_adopted(site: World, status: str, reason: str) -> None:
    async def done() -> bool:
        conditions = (await site.get(Cluster, "prod")).status.conditions
        found = find_condition(conditions, "Adopted")
        return found is not None and (found.status, found.reason) == (status, reason)

    await until(site, Cluster, done)


async def test_each_change_that_may_make_it_fit_is_looked_at_at_once(tmp_path: Path) -> None:
    async with Member(version="v1.20.2", nodes=[]) as member, managed(tmp_path) as site:
        first, second = [await add_host(site, member, name, n) for n, name in enumerate((PLANE, WORKER), 1)]
        await site.add(secret(), secret("other", "wrong"), kubeconfig(member), imported())
        await site.add(site.machine(first, "prod", "ControlPlane"))
        await until_adopted(site, "False", "NodesWithoutMachine")
        # A Machine, its spec, and the Secret that it logs in with.
        await site.add(site.machine(second, "prod", "ControlPlane", "other"))
        await until_adopted(site, "False", "MachinesUnreachable")
        await site.client.patch(SECRETS, NAMESPACE, "other", {"data": secret()["data"]})
        await until_adopted(site, "False", "NotMatched")
        await site.patch(Machine, WORKER, spec={"role": "Worker"})
        await until_adopted(site, "True", "Matched")


async def test_an_operation_and_its_end_are_seen_at_once(tmp_path: Path) -> None:
    async with Member(version="v1.20.2", nodes=[]) as member, managed(tmp_path) as site:
        host = await add_host(site, member, PLANE, 1)
        await site.add(secret(), distribution(), kubeconfig(member), imported(settings=TUNED))
        await site.add(site.machine(host, "prod", "ControlPlane"))

        async def reason(wanted: str) -> bool:
            found = find_condition((await site.get(Cluster, "prod")).status.conditions, "Progressing")
            return found is not None and found.reason == wanted

        await until(site, Cluster, lambda: reason("AwaitingApproval"))
        operation = await site.only_operation("Change")
        await site.patch(Operation, operation.metadata.name, spec={"cancel": "Requested"})
        await until(site, Cluster, lambda: reason("OperationCancelled"))
        assert (await site.get(Cluster, "prod")).status.phase == "Ready"
        await site.only_operation("Change")


@asynccontextmanager
async def adopted(folder: Path, *names: str) -> AsyncIterator[Adopted]:
    async with world(folder) as site, Member(version="v1.20.2", nodes=[]) as member:
        made = Adopted(site, member)
        await site.add(secret(), distribution(), kubeconfig(member), imported())
        await made.add(*(names or (PLANE, WORKER)))
        yield made


async def test_machines_that_are_the_nodes_adopt_the_cluster_and_nothing_is_changed(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await look(found.site)
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")
        status = await found.status()
        assert [(n.machine, n.node, n.role, n.ready) for n in status.nodes] == [
            (PLANE, PLANE, "ControlPlane", True),
            (WORKER, WORKER, "Worker", True),
        ]
        assert (status.machines, status.phase) == (2, "Ready")
        assert await found.site.operations() == []
        assert await found.site.finalizers(Cluster, "prod") == []
        assert {request.method for request in found.member.requests} == {"GET"}
        assert all(host.asked == [] for host in found.hosts.values())


async def test_a_second_look_writes_nothing(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await look(found.site)
        await look(found.site)
        revision, surveys = await found.site.store.revision(), found.hosts[PLANE].surveys
        await look(found.site)
        assert (await found.site.store.revision(), found.hosts[PLANE].surveys) == (revision, surveys)


async def test_a_host_that_is_not_the_node_is_refused_with_the_node_that_it_is(tmp_path: Path) -> None:
    async with adopted(tmp_path, PLANE, WORKER, "shop-3") as found:
        found.hosts[WORKER].identity, found.hosts["shop-3"].identity = "shop-3", WORKER
        await look(found.site)
        assert (await reasons(found.site))["Adopted"] == ("False", "NotMatched")
        said = await message(found.site, "Adopted")
        assert "machine shop-2: the host has the machine-id shop-3, and Node shop-2 has shop-2" in said
        assert "this host is Node shop-3: correct spec.address, or the Machine's name" in said


async def test_a_node_without_a_machine_holds_the_adoption_back(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        found.member.nodes.append(member_node("shop-9", "198.18.9.99"))
        await look(found.site)
        assert (await reasons(found.site))["Adopted"] == ("False", "NodesWithoutMachine")
        assert "1 Node without a Machine: shop-9" in await message(found.site, "Adopted")


async def test_a_host_that_cannot_be_reached_is_named_and_tried_again_soon(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        found.site.site.switch_off(found.hosts[WORKER])
        again = await look(found.site)
        assert (await reasons(found.site))["Adopted"] == ("False", "MachinesUnreachable")
        assert "machine shop-2" in await message(found.site, "Adopted")
        assert again.seconds is not None
        assert again.seconds <= 33
        found.site.site.switch_on(found.hosts[WORKER])
        found.site.clock.advance(40)
        await look(found.site)
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")


async def test_a_host_that_is_another_machine_too_is_refused(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        twin = await found.site.site.add("twin", "198.18.9.99")
        twin.captured, twin.worker, twin.identity = CONTROL_PLANE, True, WORKER
        spare = found.site.machine(twin, "other", "Worker")
        await found.site.add(spare)
        for name in (WORKER, "twin"):
            await found.site.look(Machine, name)
        await look(found.site)
        said = await message(found.site, "Adopted")
        assert (await reasons(found.site))["Adopted"] == ("False", "NotMatched")
        assert "is the host of Machine default/twin too and belongs to Cluster default/other" in said


def test_the_digests_of_a_ca_are_those_of_the_file_and_of_each_certificate() -> None:
    one, other = Pki().ca, Pki().ca
    both = one + b"\n" + other
    assert authorities_of(one) == {hashlib.sha256(one).hexdigest()}
    assert authorities_of(both) == {hashlib.sha256(part).hexdigest() for part in (both, one, other)}
    assert authorities_of(b"\n") == frozenset()
    assert authorities_of(b"no certificate") == {hashlib.sha256(b"no certificate").hexdigest()}


async def test_without_machines_nothing_is_said_of_an_adoption(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await look(found.site)
        for name in found.hosts:
            document = await found.site.client.get(RESOURCES[Machine], NAMESPACE, name)
            await found.site.client.delete(RESOURCES[Machine], NAMESPACE, name)
            found.site.memberships.take(ObjectChange(Name(NAMESPACE, name), document, None))
        await look(found.site)
        status = await found.status()
        assert find_condition(status.conditions, "Adopted") is None
        assert (status.machines, status.nodes) == (0, [])


async def test_a_wish_becomes_one_operation_that_waits_for_a_person(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        operation = await found.site.only_operation("Change")
        assert operation.spec.approval == "Pending"
        assert operation.spec.target.origin == "Adopted"
        assert (operation.spec.target.runtime.name, operation.spec.target.version) == ("docker", "v1.20.2")
        assert await found.site.finalizers(Cluster, "prod") == [FINALIZER_CLUSTER]
        assert await found.site.finalizers(Machine, WORKER) == [FINALIZER_IN_USE]
        assert await found.site.finalizers("Secret", "key") == [FINALIZER_IN_USE]
        status = await found.status()
        assert status.phase == "Ready", "nothing is done to it before a person has approved"
        assert status.operation_ref.name == operation.metadata.name
        assert (await reasons(found.site))["Progressing"] == ("True", "AwaitingApproval")
        await look(found.site)
        await found.site.only_operation("Change")


async def test_a_look_that_is_asked_for_is_about_what_is_written_now_whatever_is_under_way(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        operation = await found.site.only_operation("Change")
        right = found.hosts[WORKER].address
        for number, (approval, address, fits) in enumerate(
            [("Pending", "198.18.9.77", False), ("Pending", right, True), ("Approved", "198.18.9.77", False)]
        ):
            await found.site.patch(Operation, operation.metadata.name, spec={"approval": approval})
            await found.site.patch(Machine, WORKER, spec={"address": address})
            await found.site.annotate(Cluster, "prod", ANNOTATION_SURVEY, str(number))
            await look(found.site)
            assert (await found.status()).survey_answered == str(number)
            wanted = ("True", "Matched") if fits else ("False", "MachinesUnreachable")
            assert (await reasons(found.site))["Adopted"] == wanted, (approval, address)
        assert "machine shop-2" in await message(found.site, "Adopted")


async def test_each_problem_is_one_part_of_the_message(tmp_path: Path) -> None:
    async with adopted(tmp_path, PLANE, WORKER, "shop-3") as found:
        found.hosts["shop-3"].identity = WORKER
        await look(found.site)
        parts = (await message(found.site, "Adopted")).split("; ")
        assert all(part.startswith("machine shop-") and part.endswith(")") for part in parts), parts


async def test_a_machine_that_left_before_it_joined_is_not_counted_as_matched(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        host = await found.site.site.add("shop-3", "198.18.9.30")
        host.captured = FRESH
        await found.site.add(found.site.machine(host, "prod", "Worker"))
        await found.site.patch(Machine, "shop-3", metadata={"finalizers": [FINALIZER_IN_USE]})
        await found.tell("shop-3")
        await look(found.site)
        assert (await message(found.site, "Adopted")).startswith("2 Machines matched")
        await found.site.delete(Machine, "shop-3")
        await look(found.site)
        assert (await message(found.site, "Adopted")).startswith("2 Machines matched")


async def test_no_event_is_without_words(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        told = await found.site.told("Surveyed")
        assert told
        assert all(event["message"] for event in told)


async def test_a_failed_operation_is_not_repeated_before_somebody_asks(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation(), "Failed")
        await look(found.site)
        await found.site.only_operation()
        assert (await reasons(found.site))["Progressing"] == ("False", "OperationFailed")
        assert (await found.status()).phase == "Ready"
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await look(found.site)
        assert len(await found.site.operations("Change")) == 2


async def test_what_was_given_up_before_it_began_holds_nothing(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        assert await found.site.finalizers("Secret", "key") == [FINALIZER_IN_USE]
        await found.site.end(await found.site.only_operation(), "Cancelled", started=False)
        await look(found.site)
        await look(found.site)
        assert await found.site.finalizers(Cluster, "prod") == []
        assert await found.site.finalizers(Machine, WORKER) == []
        assert await found.site.finalizers("Secret", "key") == []
        assert (await reasons(found.site))["Progressing"] == ("False", "OperationCancelled")
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await look(found.site)
        await look(found.site)
        assert await found.site.finalizers(Cluster, "prod") == [FINALIZER_CLUSTER]
        assert len(await found.site.operations("Change")) == 2


async def test_a_stale_operation_is_planned_anew(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation(), "Stale", started=False)
        await look(found.site)
        assert len(await found.site.operations("Change")) == 2


async def leaves(found: Adopted) -> None:
    """Delete the worker of a cluster that was changed once, so that its Machines are held."""
    await found.wish(settings=TUNED)
    await found.site.end(await found.site.only_operation("Change"), "Succeeded")
    found.hosts[WORKER].owner = "default/prod"
    await found.site.delete(Machine, WORKER)


async def test_a_removal_that_was_cut_off_is_made_again_when_somebody_asks(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await leaves(found)
        await settle(found.site)
        await found.site.end(await found.site.only_operation("Remove"), "Failed")
        # It came as far as taking everything but the mark away.
        found.hosts[WORKER].captured = FRESH
        found.member.nodes[:] = [one for one in found.member.nodes if one["metadata"]["name"] != WORKER]
        for _ in range(2):
            await look(found.site)
        await found.site.only_operation("Remove")
        assert (await reasons(found.site))["Adopted"] == ("True", "Matched")
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await settle(found.site)
        assert len(await found.site.operations("Remove")) == 2


async def test_a_machine_that_is_given_up_is_not_asked_any_more(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await leaves(found)
        found.site.site.switch_off(found.hosts[WORKER])
        await settle(found.site)
        assert await found.site.operations("Remove") == []
        await found.site.annotate(Machine, WORKER, "groundplane.dev/abandon", "true")
        await settle(found.site)
        removal = await found.site.only_operation("Remove")
        assert [step.name for step in removal.spec.plan.steps] == [f"delete-node/{WORKER}"]


async def test_what_stood_against_a_plan_is_forgotten_with_the_plan(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await look(found.site)
        cluster = await found.site.get(Cluster, "prod")
        stood = Condition(type="PreflightPassed", status="False", reason="Problems", message="of an earlier wish")
        status = replace(cluster.status, conditions=[*cluster.status.conditions, stood])
        await found.site.objects.write_status(cluster, status)
        await found.site.annotate(Cluster, "prod", "groundplane.dev/retry", "1")
        await look(found.site)
        assert (await reasons(found.site))["PreflightPassed"] == ("True", "Passed")


async def test_what_runs_is_wanted_where_the_spec_says_nothing(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        found.member.nodes[1]["status"]["nodeInfo"]["kubeletVersion"] = "v1.19.7"
        await found.wish(settings={**LEFT, "sysctls": {}})
        assert await found.site.operations() == []
        assert (await reasons(found.site))["Progressing"] == ("False", "Done")


async def test_a_runtime_that_the_version_does_not_know_is_refused(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        found.member.version = "v1.24.3"
        for one in found.member.nodes:
            one["status"]["nodeInfo"] |= {"kubeletVersion": "v1.24.3", "containerRuntimeVersion": "containerd://1.6.9"}
        await found.wish(runtime={"name": "docker"})
        assert await found.site.operations() == []
        assert (await reasons(found.site))["Progressing"] == ("False", "Refused")
        assert "dockershim was removed in 1.24" in await message(found.site, "Progressing")


async def test_a_version_that_no_distribution_has_is_refused(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(kubernetes={"version": "v1.20.15"})
        assert (await reasons(found.site))["Progressing"] == ("False", "Refused")
        assert "choose one of its releases (v1.20.2)" in await message(found.site, "Progressing")


async def gone(site: World) -> bool:
    return await site.objects.find(Cluster, NAMESPACE, "prod") is None


async def delete(site: World) -> None:
    await site.client.delete(RESOURCES[Cluster], NAMESPACE, "prod")
    for _ in range(2):
        if not await gone(site):
            await look(site)


async def test_an_adopted_cluster_without_a_mark_is_forgotten_at_once(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await look(found.site)
        await found.site.client.delete(RESOURCES[Cluster], NAMESPACE, "prod")
        assert await gone(found.site)


async def test_an_operation_that_never_started_leaves_nothing_to_take_away(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation(), "Cancelled", started=False)
        await delete(found.site)
        assert await gone(found.site)
        assert await found.site.operations("Release") == []
        assert await found.site.finalizers(Machine, WORKER) == []


async def test_a_cluster_whose_machines_carry_its_mark_is_let_go_and_not_taken_apart(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        await found.site.end(await found.site.only_operation(), "Failed")
        found.hosts[WORKER].owner = f"{NAMESPACE}/prod"
        await delete(found.site)
        release = await found.site.only_operation("Release")
        assert release.spec.approval == "Approved"
        assert [step.name for step in release.spec.plan.steps] == [f"release/{WORKER}"]
        assert (await found.status()).phase == "Deleting"
        await found.site.end(release, "Succeeded")
        await look(found.site)
        assert await gone(found.site)
        assert await found.site.finalizers(Machine, WORKER) == []


async def test_what_is_asked_for_while_an_operation_waits_is_refused_once_and_not_done_later(tmp_path: Path) -> None:
    async with adopted(tmp_path) as found:
        await found.wish(settings=TUNED)
        waiting = await found.site.only_operation("Change")
        await found.site.annotate(Operation, waiting.metadata.name, ANNOTATION_ROLLBACK, "all")
        await found.site.annotate(Cluster, "prod", ANNOTATION_CLEAN_UP, "now")
        await look(found.site)
        await look(found.site)
        told = sorted(event["message"] for event in await found.site.told("RequestRefused"))
        assert len(told) == 2
        assert "cannot clean up cluster prod" in told[0]
        assert "it has not ended" in told[1]
        assert (await found.status()).requests[ANNOTATION_CLEAN_UP] == "now"
        await found.site.end(waiting, "Succeeded")
        await look(found.site)
        await found.site.only_operation()
