"""Many imported Clusters under one Manager: bad ones hide none, two that are one are told apart, changes wake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from groundplane.api.cluster import Cluster
from groundplane.client.informer import Name, ObjectChange
from groundplane.client.typed import NAMESPACES, SECRETS
from groundplane.controllers.cluster import Identities
from groundplane.controllers.cluster.identities import claim_of
from groundplane.kube.kubeconfig import Access, render_kubeconfig
from support.member import Member, hang, node

from .test_imported import encoded, imported, kubeconfig
from .test_manager import managed, until
from .world import NAMESPACE, World


async def settled(site: World, name: str, condition: str, reason: str, *, seconds: float = 30) -> None:
    """Wait until a Cluster has the reason."""

    async def done() -> bool:
        conditions = (await site.get(Cluster, name)).status.conditions
        return any((one.type, one.reason) == (condition, reason) for one in conditions)

    await until(site, Cluster, done, seconds=seconds)


@contextlib.asynccontextmanager
async def black_holes(count: int) -> AsyncIterator[list[Member]]:
    """Servers that take a request and never answer it."""
    async with contextlib.AsyncExitStack() as stack:
        members = [await stack.enter_async_context(Member(f"hole-{n}")) for n in range(count)]
        for member in members:
            member.spoiled["/api/v1/namespaces/kube-system"] = hang
        yield members


async def test_fifty_clusters_that_never_answer_delay_none_of_those_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of them is given up while this test runs, however slow the machine: whoever waited for one would wait on.
    for limit in ("DEADLINE", "SILENCE"):
        monkeypatch.setattr(f"groundplane.controllers.cluster.imported.{limit}", 600.0)
    async with black_holes(50) as holes, contextlib.AsyncExitStack() as stack, managed(tmp_path) as site:
        good = [await stack.enter_async_context(Member(f"good-{n}")) for n in range(5)]
        for number, member in enumerate(holes):
            await site.add(kubeconfig(member, f"hole-{number}"), imported(f"hole-{number}"))
        for number, member in enumerate(good):
            await site.add(kubeconfig(member, f"good-{number}"), imported(f"good-{number}"))
        for number in range(len(good)):
            await settled(site, f"good-{number}", "Reachable", "Surveyed", seconds=60)
        for number in range(len(holes)):
            assert (await site.get(Cluster, f"hole-{number}")).status.conditions == []


async def test_of_two_clusters_that_are_one_the_first_counts_and_the_second_takes_its_place(tmp_path: Path) -> None:
    async with Member() as member, managed(tmp_path) as site:
        await site.add(kubeconfig(member, "first"), imported("first"))
        await settled(site, "first", "Imported", "Imported")
        # Creation times are whole seconds; the second has to be the later one.
        await asyncio.sleep(1.1)
        await site.add(kubeconfig(member, "second"), imported("second"))
        await settled(site, "second", "Imported", "AlreadyImported")
        second = (await site.get(Cluster, "second")).status
        assert (second.facts, second.version, second.phase) == (None, "", "Pending")
        assert f"{NAMESPACE}/first" in (await site.condition(Cluster, "second", "Ready")).message
        assert (await site.condition(Cluster, "first", "Imported")).status == "True"
        await site.delete(Cluster, "first")
        await settled(site, "second", "Imported", "Imported")
        assert (await site.get(Cluster, "second")).status.facts is not None


async def test_the_first_in_another_namespace_is_not_told_to_who_may_not_see_it(tmp_path: Path) -> None:
    async with Member() as member, managed(tmp_path) as site:
        meta = {"name": "board"}
        await site.client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        elsewhere = kubeconfig(member, "secret-plan"), imported("secret-plan")
        for document in elsewhere:
            document["metadata"]["namespace"] = "board"
        await site.add(*elsewhere)
        await asyncio.sleep(1.1)
        await site.add(kubeconfig(member, "second"), imported("second"))
        await settled(site, "second", "Imported", "AlreadyImported")
        message = (await site.condition(Cluster, "second", "Ready")).message
        assert "in another namespace" in message
        assert "secret-plan" not in message
        assert "board" not in message


async def test_a_mended_secret_wakes_its_cluster_at_once(tmp_path: Path) -> None:
    async with Member() as member, managed(tmp_path) as site:
        dead = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{dead.getsockname()[1]}"
        dead.close()
        secret = kubeconfig(member)
        secret["data"] = {"kubeconfig": encoded(render_kubeconfig(Access(url), name="m").decode())}
        await site.add(secret, imported())
        await settled(site, "prod", "Reachable", "Unreachable")
        await site.client.patch(SECRETS, NAMESPACE, "prod-kubeconfig", {"data": {"kubeconfig": member.secret_data}})
        await settled(site, "prod", "Reachable", "Surveyed")


async def test_the_annotation_is_a_survey_at_once(tmp_path: Path) -> None:
    async with Member() as member, managed(tmp_path) as site:
        await site.add(kubeconfig(member), imported())
        await settled(site, "prod", "Reachable", "Surveyed")
        member.nodes = [node("a", ready=False)]
        await site.annotate(Cluster, "prod", "groundplane.dev/survey", "now")
        await settled(site, "prod", "Ready", "NodesNotReady")


def change(old: dict | None, new: dict | None) -> ObjectChange:
    meta = (new or old or {})["metadata"]
    return ObjectChange(Name(meta["namespace"], meta["name"]), old, new)


def cluster(name: str, created: str, *, provider: str = "Imported", cluster_id: str = "x") -> dict:
    metadata = {"namespace": "n", "name": name, "uid": f"uid-{name}", "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"provider": provider}, "status": {"clusterID": cluster_id}}


def test_the_older_claim_counts_then_the_smaller_uid_and_machines_before_all() -> None:
    identities = Identities()
    a, b = cluster("a", "2026-01-02T00:00:00Z"), cluster("b", "2026-01-01T00:00:00Z")
    made = cluster("m", "2026-01-03T00:00:00Z", provider="Machines")
    assert identities.take(change(None, a)) == set()
    assert identities.take(change(None, b)) == {("n", "a")}
    first = identities.before("x", claim_of(a))
    assert first is not None
    assert first.key == ("n", "b")
    assert identities.before("x", claim_of(b)) is None
    assert identities.take(change(None, made)) == {("n", "a"), ("n", "b")}
    first = identities.before("x", claim_of(b))
    assert first is not None
    assert first.key == ("n", "m")
    assert identities.take(change(made, None)) == {("n", "a"), ("n", "b")}
    assert identities.take(change(b, cluster("b", "2026-01-01T00:00:00Z", cluster_id="y"))) == {("n", "a")}
    assert identities.before("x", claim_of(a)) is None
    twin = cluster("0", "2026-01-02T00:00:00Z")
    identities.take(change(None, twin))
    assert identities.before("x", claim_of(twin)) is None
    assert identities.before("x", claim_of(a)) is not None
