"""Imported Clusters: what a look at one writes, and when it looks."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundplane.api.cluster import Cluster
from groundplane.api.meta import SECRET_KUBECONFIG
from groundplane.client.contract import Object
from groundplane.client.errors import Conflict
from groundplane.client.informer import Name, ObjectChange
from groundplane.client.typed import EVENTS, RESOURCES, SECRETS
from groundplane.controllers.cluster import Identities, ImportedReconciler
from groundplane.controllers.cluster.imported import PLUGINS_AT_ONCE
from groundplane.engine.loop import Again
from groundplane.engine.queue import ObjectKey
from groundplane.kube.kubeconfig import Access, render_kubeconfig
from support.member import TOKEN, Member, cut, forbid, hang, node
from support.scripted_kube import Reply, Request

from .world import NAMESPACE, World, document, settings, world

EXEC = "client.authentication.k8s.io/v1"


def imported(name: str = "prod", **spec: Any) -> Object:
    return document("Cluster", name, provider="Imported", kubeconfigRef={"name": f"{name}-kubeconfig"}, **spec)


def kubeconfig(member: Member, name: str = "prod") -> Object:
    metadata = {"name": f"{name}-kubeconfig", "namespace": NAMESPACE}
    data = {"kubeconfig": member.secret_data}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": SECRET_KUBECONFIG, "data": data}


async def look(site: World, name: str = "prod") -> Again:
    return await site.imported(ObjectKey(NAMESPACE, name))


async def test_a_cluster_that_answers_is_ready_with_facts_and_no_nodes_in_them(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        cluster = await site.get(Cluster, "prod")
        assert cluster.status.phase == "Ready"
        assert (cluster.status.cluster_id, cluster.status.distribution) == ("uid-1", "tke")
        assert (cluster.status.version, cluster.status.runtime) == ("v1.20.6-tke.3", "containerd://1.6.9")
        assert (cluster.status.endpoint, cluster.status.ready_nodes) == (member.url, 2)
        facts = cluster.status.facts
        assert facts is not None
        assert facts.nodes == []
        assert [(stack.nodes, stack.count) for stack in facts.stacks] == [(["a", "b"], 2)]
        assert {request.method for request in member.requests} == {"GET"}


async def test_a_second_look_within_the_time_writes_and_asks_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        asked, revision = len(member.requests), await site.store.revision()
        site.clock.advance(400)
        again = await look(site)
        assert again.seconds is not None
        assert 100 < again.seconds < 300
        assert (len(member.requests), await site.store.revision()) == (asked, revision)
        site.clock.advance(300)
        await look(site)
        assert len(member.requests) > asked


async def test_a_new_value_of_the_annotation_is_a_survey_now(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        member.nodes.append(node("c", kernelVersion="5.4.119-20"))
        await site.annotate(Cluster, "prod", "groundplane.dev/survey", "now")
        await look(site)
        status = (await site.get(Cluster, "prod")).status
        assert status.ready_nodes == 3
        assert [(c.what, c.before, c.after) for c in status.history] == [("kernel", "", "5.4.119-20")]


async def reasons(site: World, name: str = "prod") -> dict[str, tuple[str, str]]:
    conditions = (await site.get(Cluster, name)).status.conditions
    return {one.type: (one.status, one.reason) for one in conditions}


async def message(site: World, condition: str = "Ready", name: str = "prod") -> str:
    return (await site.condition(Cluster, name, condition)).message


async def renew(site: World, data: str, name: str = "prod") -> None:
    await site.client.patch(SECRETS, NAMESPACE, f"{name}-kubeconfig", {"data": {"kubeconfig": data}})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def test_an_unreachable_cluster_keeps_its_facts_and_says_how_old_they_are(tmp_path: Path) -> None:
    async with world(tmp_path) as site:
        async with Member() as member:
            await site.add(kubeconfig(member), imported())
            await look(site)
        site.clock.advance(700)
        again = await look(site)
        cluster = await site.get(Cluster, "prod")
        assert (cluster.status.phase, cluster.status.version) == ("Degraded", "v1.20.6-tke.3")
        assert cluster.status.facts is not None
        assert await reasons(site) == {
            "Ready": ("False", "Unreachable"),
            "Reachable": ("False", "Unreachable"),
            "Uniform": ("Unknown", "NoFoundation"),
            "Imported": ("True", "Imported"),
        }
        assert "; last facts: less than 1 h ago" in await message(site)
        assert again.seconds is not None
        assert 18 <= again.seconds <= 22


async def test_failures_are_tried_again_ever_later_and_a_success_begins_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        member.spoiled["/api/v1/namespaces/kube-system"] = cut
        await site.add(kubeconfig(member), imported())
        waits = []
        for _ in range(7):
            again = await look(site)
            assert again.seconds is not None
            waits.append(again.seconds)
            site.clock.advance(again.seconds + 1)
        for wait, expected in zip(waits, (20, 40, 80, 160, 300, 300, 300), strict=True):
            assert expected * 0.9 <= wait <= expected * 1.1
        del member.spoiled["/api/v1/namespaces/kube-system"]
        await look(site)
        assert (await reasons(site))["Reachable"] == ("True", "Surveyed")


async def test_a_secret_that_is_missing_wrong_or_mended_is_noticed_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(imported())
        await look(site)
        assert (await reasons(site))["Ready"] == ("False", "KubeconfigMissing")
        assert (await site.get(Cluster, "prod")).status.phase == "Pending"
        await site.add(kubeconfig(member))
        await renew(site, encoded("clusters: ["))
        await look(site)
        assert (await reasons(site))["Ready"] == ("False", "KubeconfigInvalid")
        await renew(site, member.secret_data)
        await look(site)
        assert (await reasons(site))["Ready"] == ("True", "AllNodesReady")


@pytest.mark.parametrize(
    ("user", "reason", "says"),
    [
        ({"exec": {"apiVersion": EXEC, "command": "aws", "interactiveMode": "Never"}}, "ExecPluginNotAllowed", "aws"),
        ({"tokenFile": "/etc/shadow"}, "KubeconfigInvalid", "tokenFile"),
        ({"client-certificate": "/etc/shadow"}, "KubeconfigInvalid", "client-certificate"),
        ({"username": "u", "password": TOKEN}, "KubeconfigInvalid", "username"),
        ({"exec": {"apiVersion": EXEC, "command": "/bin/false", "interactiveMode": "Never"}}, "ExecPluginFailed", "1"),
    ],
)
async def test_what_a_kubeconfig_may_not_do_is_a_condition(
    tmp_path: Path, user: dict[str, Any], reason: str, says: str
) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        document = yaml.safe_load(member.kubeconfig)
        document["users"][0]["user"] = user
        await renew(site, encoded(yaml.safe_dump(document)))
        await look(site)
        assert (await reasons(site))["Reachable"] == ("False", reason)
        assert says in await message(site)
        assert TOKEN not in await message(site)
        assert member.requests == []


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (401, "Unauthorized", "CredentialsRefused"),
        (403, "Forbidden", "AccessForbidden"),
        (404, "NotFound", "NotKubernetes"),
        (400, "BadRequest", "NotKubernetes"),
        (500, "InternalError", "Unreachable"),
        (429, "TooManyRequests", "Unreachable"),
    ],
)
async def test_what_a_server_refuses_is_a_condition_with_a_remedy(
    tmp_path: Path, code: int, status: str, reason: str
) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"kind": "Status", "reason": status, "message": "no", "code": code}, code)

    async with world(tmp_path) as site, Member() as member:
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        await site.add(kubeconfig(member), imported())
        await look(site)
        assert (await reasons(site))["Reachable"] == ("False", reason)
        assert len(member.requests) <= 2


async def test_a_token_that_says_when_it_expired_is_told_from_one_that_is_refused(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(b'{"exp": 1700000000}').decode().rstrip("=")

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"kind": "Status", "reason": "Unauthorized", "message": "no", "code": 401}, 401)

    async with world(tmp_path) as site, Member() as member:
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        await site.add(kubeconfig(member), imported())
        token = f"e30.{claims}.c2ln"
        await renew(site, encoded(render_kubeconfig(Access(member.url, token=token), name="m").decode()))
        await look(site)
        assert (await reasons(site))["Reachable"] == ("False", "CredentialsExpired")
        assert "2023-11-14T22:13:20Z" in await message(site)
        assert token not in await message(site)


async def test_another_cluster_behind_the_kubeconfig_is_not_taken_for_the_one_that_was_imported(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        member.uid, member.version = "uid-2", "v1.30.0"
        site.clock.advance(700)
        asked = len(member.requests)
        await look(site)
        assert len(member.requests) == asked + 1
        status = (await site.get(Cluster, "prod")).status
        assert (status.cluster_id, status.version, status.phase) == ("uid-1", "v1.20.6-tke.3", "Degraded")
        assert (await reasons(site))["Imported"] == ("False", "ClusterReplaced")
        assert "uid-2" in await message(site)
        member.uid = "uid-1"
        site.clock.advance(30)
        await look(site)
        assert (await reasons(site))["Imported"] == ("True", "Imported")


async def test_an_import_that_noted_who_the_cluster_is_is_held_to_it_from_the_first_look(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await site.annotate(Cluster, "prod", "groundplane.dev/cluster-id", "another")
        await look(site)
        assert (await reasons(site))["Imported"] == ("False", "ClusterReplaced")


async def test_nodes_that_are_not_ready_are_named_up_to_ten(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member(nodes=[node(f"n{n:02}", ready=n > 11) for n in range(20)]) as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        assert (await reasons(site))["Ready"] == ("False", "NodesNotReady")
        assert (await message(site)).endswith("n09 and 2 more")


async def test_what_could_not_be_seen_is_said_and_kept(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        member.spoiled["/apis/apps/v1/daemonsets"] = forbid
        await site.add(kubeconfig(member), imported())
        await look(site)
        assert "not seen: daemonsets.apps" in await message(site, "Reachable")
        facts = (await site.get(Cluster, "prod")).status.facts
        assert facts is not None
        assert [gap.what for gap in facts.gaps] == ["daemonsets.apps"]


async def test_a_survey_that_does_not_end_in_time_is_given_up_and_its_connections_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        assert await all_closed(member)
        monkeypatch.setattr("groundplane.controllers.cluster.imported.DEADLINE", 0.5)
        member.spoiled["/api/v1/nodes"] = hang
        site.clock.advance(700)
        await look(site)
        assert (await reasons(site))["Reachable"] == ("False", "Unreachable")
        assert "did not answer within" in await message(site)
        assert (await site.get(Cluster, "prod")).status.facts is not None


async def all_closed(member: Member) -> bool:
    """Wait until the server has noticed that every connection was closed."""
    async with asyncio.timeout(10):
        await asyncio.gather(*member._connections, return_exceptions=True)
    return True


async def test_what_a_server_says_moves_no_cursor(tmp_path: Path) -> None:
    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"kind": "Status", "reason": "Forbidden", "message": "\x1b[2Jno\r\nyou", "code": 403}, 403)

    async with world(tmp_path) as site, Member(nodes=[node("a", osImage="Debian \x1b]0;x\x07")]) as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        facts = (await site.get(Cluster, "prod")).status.facts
        assert facts is not None
        assert facts.stacks[0].os_image.isprintable() is True
        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        site.clock.advance(700)
        await look(site)
        assert (await message(site)).isprintable()


async def test_a_conflict_of_our_own_api_is_no_trouble_of_the_cluster(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member, "first"), imported("first"), kubeconfig(member, "second"), imported("second"))
        await look(site, "first")
        first = await site.client.get(RESOURCES[Cluster], NAMESPACE, "first")
        first["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
        site.identities.take(ObjectChange(Name(NAMESPACE, "first"), None, first))

        async def answer(_: Request, reply: Reply) -> None:
            await site.annotate(Cluster, "second", "a-person", "was-here")
            await reply.json({"metadata": {"uid": "uid-1"}})

        member.spoiled["/api/v1/namespaces/kube-system"] = answer
        with pytest.raises(Conflict):
            await look(site, "second")
        assert (await site.get(Cluster, "second")).status.conditions == []


async def test_nothing_secret_is_in_the_cluster_or_its_events(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        member.spoiled["/api/v1/namespaces/kube-system"] = forbid
        site.clock.advance(700)
        await look(site)
        events = (await site.client.list(EVENTS)).items
        assert {event["reason"] for event in events} >= {"Surveyed", "AccessForbidden"}
        assert TOKEN not in repr(events)
        assert TOKEN not in repr(await site.get(Cluster, "prod"))


async def test_a_deleted_cluster_goes_at_once_and_nothing_is_asked_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        await look(site)
        asked = len(member.requests)
        assert await site.finalizers(Cluster, "prod") == []
        await site.delete(Cluster, "prod")
        assert await look(site) == Again()
        assert len(member.requests) == asked


async def test_the_other_controller_leaves_imported_clusters_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as site, Member() as member:
        await site.add(kubeconfig(member), imported())
        assert await site.writes(Cluster, "prod") == 0


async def test_commands_that_log_in_run_a_few_at_a_time(tmp_path: Path) -> None:
    script, log = tmp_path / "login", tmp_path / "log"
    credential = json.dumps({"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": "t"}})
    script.write_text(f"#!/bin/sh\necho + >>{log}\nsleep 0.2\necho - >>{log}\necho '{credential}'\n")
    script.chmod(0o755)
    count = 2 * PLUGINS_AT_ONCE
    async with world(tmp_path) as site, Member() as member:
        may_run = settings(tmp_path, str(script))
        reconciler = ImportedReconciler(
            site.objects, Identities(), site.adoption, site.events, settings=may_run, now=site.clock
        )
        user = {"exec": {"apiVersion": EXEC, "command": str(script), "interactiveMode": "Never"}}
        document = yaml.safe_load(member.kubeconfig)
        document["users"][0]["user"] = user
        for n in range(count):
            secret = kubeconfig(member, f"c{n}")
            await site.add(secret | {"data": {"kubeconfig": encoded(yaml.safe_dump(document))}}, imported(f"c{n}"))
        await asyncio.gather(*(reconciler(ObjectKey(NAMESPACE, f"c{n}")) for n in range(count)))
        for n in range(count):
            assert (await reasons(site, f"c{n}"))["Reachable"] == ("True", "Surveyed")
    running, most = 0, 0
    for mark in log.read_text().split():
        running += 1 if mark == "+" else -1
        most = max(most, running)
    assert 1 < most <= PLUGINS_AT_ONCE
