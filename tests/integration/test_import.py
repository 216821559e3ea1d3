"""Importing a real kube-apiserver: what the command writes, what the controller finds, and that it only reads."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from groundplane.api.cluster import Cluster
from groundplane.api.meta import API_VERSION, SECRET_KUBECONFIG, find_condition
from groundplane.base.logbook import Logbook
from groundplane.base.settings import Settings
from groundplane.base.tasks import TaskOwner
from groundplane.catalog import runtimes
from groundplane.cli.importing import Wish, import_all
from groundplane.cli.session import Api
from groundplane.client.contract import Client, Object, Resource
from groundplane.client.http import HttpClient
from groundplane.client.typed import RESOURCES, SECRETS, to_struct
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.survey import identify, survey
from groundplane.controllers.manager import Manager
from groundplane.kube.kubeconfig import Access, Kubeconfig, render_kubeconfig
from groundplane.server.admission import Admission
from groundplane.server.collector import create_namespaces
from groundplane.server.local import LocalClient
from groundplane.server.service import Service
from groundplane.store.memory import open_memory
from support.pki import Pki
from support.real_kube import GUEST_TOKEN, SURVEYOR, SURVEYOR_TOKEN, audited, client_certificate

pytestmark = pytest.mark.lab

NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
BINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
LOCAL_BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
IMPORT = Path(__file__).parents[2] / "docs" / "import.md"


@dataclass(frozen=True)
class Groundplane:
    """A Groundplane in this process, with its controllers at work."""

    client: Client
    folder: Path

    async def run(self, kubeconfig: bytes, wish: Wish | None = None, *, namespace: str = "default") -> int:
        """Do what the command does with a user's file."""
        file = self.folder / "config"
        file.write_bytes(kubeconfig)
        config = Kubeconfig.load([file])
        api = Api(cast(HttpClient, self.client), cast(Any, None), namespace)
        return await import_all(api, config, config.contexts, wish or Wish())

    async def cluster(self, name: str) -> Cluster:
        return to_struct(await self.client.get(RESOURCES[Cluster], "default", name), Cluster)

    async def settled(self, name: str, reasons: Mapping[str, str]) -> Cluster:
        """Wait until the conditions have these reasons."""
        async with asyncio.timeout(20):
            while True:
                found = await self.cluster(name)
                pairs = {one.type: one.reason for one in found.status.conditions}
                if reasons.items() <= pairs.items():
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def groundplane(folder: Path, *plugins: str) -> AsyncIterator[Groundplane]:
    store = await open_memory()
    try:
        service = Service(store, Admission(store, runtimes))
        await create_namespaces(service)
        client = LocalClient(service)
        settings = Settings(
            home=folder, cache=folder / "cache", kubeconfig=folder / "k", host="127.0.0.1", port=0, exec_plugins=plugins
        )
        async with TaskOwner("test") as owner:
            owner.start(Manager(client, settings, Logbook(folder / "logs")).run(), name="controllers")
            yield Groundplane(client, folder)
    finally:
        await store.close()


async def test_a_survey_of_a_real_server_finds_who_and_what_it_is(kube: Access) -> None:
    async with HttpClient(kube) as client:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "survey-1"}}
        created = await client.create(NODES, node)
        info = {
            "osImage": "Debian GNU/Linux 12 (bookworm)", "kernelVersion": "6.1.0-18-amd64", "architecture": "amd64",
            "kubeletVersion": "v1.20.2", "containerRuntimeVersion": "containerd://1.6.20", "machineID": "",
            "bootID": "", "systemUUID": "", "kubeProxyVersion": "v1.20.2", "operatingSystem": "linux",
        }  # fmt: skip
        await client.update_status(NODES, created | {"status": {"nodeInfo": info}})
    try:
        async with KubernetesDoor(render_kubeconfig(kube, name="real")) as door:
            identity = await identify(door)
            facts = await survey(door, identity)
    finally:
        async with HttpClient(kube) as client:
            await client.delete(NODES, "", "survey-1")
    assert len(facts.cluster_id) == 36
    assert (facts.version, facts.platform.name) == ("v1.20.2", "native")
    assert [(s.os_image, s.runtime, s.count) for s in facts.stacks] == [
        ("Debian GNU/Linux 12 (bookworm)", "containerd://1.6.20", 1)
    ]
    assert {"v1", "apps/v1"} <= set(facts.api_groups)
    assert facts.gaps == []
    assert abs(facts.clock_offset_seconds) < 2
    shown = {one.path: one for one in facts.certificates}
    assert shown[kube.server].subject == "kube-apiserver of a test"
    assert shown["kubeconfig certificate-authority"].authority


async def give_documented_rights(kube: Access) -> None:
    """Give the surveyor what docs/import.md says is enough."""
    text = re.search(r"```yaml\n(apiVersion: rbac.*?)```", IMPORT.read_text(), re.S)
    assert text is not None
    everywhere, system = yaml.safe_load_all(text[1])
    subject = {"apiGroup": RBAC, "kind": "User", "name": SURVEYOR}

    def binding(kind: str, role: Object) -> Object:
        ref = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role["metadata"]["name"]}
        metadata = {"name": role["metadata"]["name"], **({"namespace": "kube-system"} if kind == "RoleBinding" else {})}
        return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "roleRef": ref, "subjects": [subject]}

    async with HttpClient(kube) as client:
        for role in (everywhere, system):
            await client.apply(ROLES, role, field_manager="test")
        await client.apply(BINDINGS, binding("ClusterRoleBinding", everywhere), field_manager="test")
        await client.apply(LOCAL_BINDINGS, binding("RoleBinding", system), field_manager="test")


async def test_an_import_and_its_survey_only_read_and_the_documented_rights_are_enough(
    kube: Access, kube_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await give_documented_rights(kube)
    kubeconfig = render_kubeconfig(replace(kube, token=SURVEYOR_TOKEN), name="Prod EU")
    async with groundplane(tmp_path) as ours:
        assert await ours.run(kubeconfig) == 0
        assert "cluster.groundplane.dev/prod-eu imported (v1.20.2" in capsys.readouterr().out
        cluster = await ours.settled("prod-eu", {"Reachable": "Surveyed", "Imported": "Imported"})
        assert cluster.status.facts is not None
        assert cluster.status.facts.gaps == []
        assert cluster.status.distribution == "native"

        assert await ours.run(kubeconfig) == 0
        assert "already imported, unchanged" in capsys.readouterr().out
        assert await ours.run(kubeconfig, Wish(name="again")) == 3
        assert "that of Cluster default/prod-eu" in capsys.readouterr().err
    events = audited(kube_folder)
    assert {event["verb"] for event in events} <= {"get", "list"}
    assert len(events) > 10
    assert {event["responseStatus"]["code"] for event in events} <= {200, 404}


async def test_a_second_cluster_made_around_the_command_stands_back(kube: Access, tmp_path: Path) -> None:
    kubeconfig = render_kubeconfig(kube, name="real")
    async with groundplane(tmp_path) as ours:
        assert await ours.run(kubeconfig) == 0
        first = await ours.settled("real", {"Imported": "Imported"})
        await asyncio.sleep(1.1)
        data = {"kubeconfig": base64.b64encode(kubeconfig).decode()}
        meta = {"name": "copy", "namespace": "default"}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": SECRET_KUBECONFIG, "metadata": meta, "data": data}
        spec = {"provider": "Imported", "kubeconfigRef": {"name": "copy"}}
        copy = {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": meta, "spec": spec}
        await ours.client.create(SECRETS, secret)
        await ours.client.create(RESOURCES[Cluster], copy)
        second = await ours.settled("copy", {"Imported": "AlreadyImported"})
        assert second.status.facts is None
        assert second.status.cluster_id == first.status.cluster_id


async def test_a_client_certificate_works_until_it_expires_and_a_renewed_one_after(
    kube: Access, kube_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kubeconfig(until: timedelta) -> bytes:
        certificate, key = client_certificate(kube_folder, "somebody", until=until)
        return render_kubeconfig(replace(kube, token="", certificate=certificate, key=key), name="certified")

    async with groundplane(tmp_path) as ours:
        expired = kubeconfig(timedelta(minutes=-5))
        assert await ours.run(expired) == 6
        assert "context certified: error" in capsys.readouterr().err
        assert await ours.run(expired, Wish(allow_unreachable=True)) == 0
        cluster = await ours.settled("certified", {"Reachable": "CredentialsExpired", "Imported": "CredentialsExpired"})
        condition = find_condition(cluster.status.conditions, "Reachable")
        assert condition is not None
        assert "--renew" in condition.message

        assert await ours.run(kubeconfig(timedelta(hours=1)), Wish(renew=True)) == 0
        assert "credentials renewed" in capsys.readouterr().out
        cluster = await ours.settled("certified", {"Reachable": "Surveyed", "Imported": "Imported"})
        assert cluster.status.facts is not None
        assert "somebody" in [one.subject for one in cluster.status.facts.certificates]


async def test_a_plugin_logs_in_where_it_is_allowed_and_nowhere_else(kube: Access, tmp_path: Path) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    script = tmp_path / "login"
    script.write_text(f"#!/bin/sh\necho '{json.dumps(credential | {'status': {'token': kube.token}})}'\n")
    script.chmod(0o755)
    document = yaml.safe_load(render_kubeconfig(replace(kube, token=""), name="plugged"))
    login = {"apiVersion": credential["apiVersion"], "command": "./login", "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": login}
    kubeconfig = yaml.safe_dump(document).encode()
    async with groundplane(tmp_path, str(script)) as ours:
        assert await ours.run(kubeconfig) == 0
        await ours.settled("plugged", {"Reachable": "Surveyed"})
    async with groundplane(tmp_path) as ours:
        assert await ours.run(kubeconfig) == 0
        cluster = await ours.settled("plugged", {"Reachable": "ExecPluginNotAllowed"})
        condition = find_condition(cluster.status.conditions, "Reachable")
        assert condition is not None
        assert str(script) in condition.message
        assert "GROUNDPLANE_EXEC_PLUGINS" in condition.message


@pytest.mark.parametrize("trouble", ["refused", "forbidden", "another authority"])
async def test_credentials_that_do_not_do_are_a_condition_each_of_its_own(
    kube: Access, tmp_path: Path, trouble: str
) -> None:
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "refused": ({"token": "wrong"}, "CredentialsRefused"),
        "forbidden": ({"token": GUEST_TOKEN}, "AccessForbidden"),
        "another authority": ({"ca": Pki().ca}, "CertificateUntrusted"),
    }
    change, reason = changes[trouble]
    kubeconfig = render_kubeconfig(replace(kube, **change), name="odd")
    async with groundplane(tmp_path) as ours:
        assert await ours.run(kubeconfig) == 6
        assert await ours.run(kubeconfig, Wish(allow_unreachable=True)) == 0
        await ours.settled("odd", {"Reachable": reason, "Ready": reason})
