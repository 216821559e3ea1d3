"""The door to the cluster: the first control plane whose API server answers, by the name that its certificate has."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from msgspec.structs import replace

from groundplane.api.cluster import Endpoint
from groundplane.api.target import ClusterTarget, Desired
from groundplane.clusters.errors import ClusterUnavailable
from groundplane.hosts.contract import Host
from groundplane.hosts.errors import HostUnreachable
from groundplane.operations import Doors, Scopes
from groundplane.operations.scope import Delivery, Journal
from support.pki import Pki, server_tls
from support.scripted_kube import Reply, Request, ScriptedKube

from .targets import machine, target

CERTIFIED = "kube.example.dev"
HERE, NOBODY = "127.0.0.1", "127.0.0.2"


class Files:
    """A host of which only the administrator's kubeconfig is read; None: there is none."""

    def __init__(self, name: str, admin: bytes | None, *, away: bool = False) -> None:
        self.name, self.address, self.reads, self._admin, self._away = name, name, 0, admin, away

    def __getattr__(self, name: str) -> Any:
        return self.refuse

    async def read(self, path: str) -> bytes | None:
        self.reads += 1
        if self._away:
            raise HostUnreachable(f"cannot reach host {self.name}")
        return self._admin

    async def refuse(self, *_: object, **__: object) -> Any:
        raise AssertionError("only the kubeconfig is read")


class Site:
    """One API server on 127.0.0.1, and control planes that are there or at an address where nobody is."""

    def __init__(self, kube: ScriptedKube, pki: Pki) -> None:
        self.kube, self.pki = kube, pki
        self.port = int(kube.url.rpartition(":")[2])

    def admin(self, server: str) -> bytes:
        certificate, key = self.pki.issue("admin")
        data = {name: base64.b64encode(value).decode() for name, value in (("certificate", certificate), ("key", key))}
        ca = base64.b64encode(self.pki.ca).decode()
        return yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": ca}}],
                "users": [
                    {
                        "name": "u",
                        "user": {
                            "client-certificate-data": data["certificate"],
                            "client-key-data": data["key"],
                        },
                    }
                ],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        ).encode()

    def scopes(self, hosts: Mapping[str, tuple[Files, str]], **fields: Any) -> Scopes:
        wanted: ClusterTarget = replace(
            target("v1.20.2"),
            control_planes=list(hosts),
            workers=[],
            **({"endpoint": Endpoint(host=HERE, port=self.port)} | fields),
        )
        machines = {name: machine(name, address, "ControlPlane") for name, (_, address) in hosts.items()}

        async def nothing(*_: object) -> None:
            return None

        doors = Doors(
            hosts={name: cast(Host, files) for name, (files, _) in hosts.items()},
            delivery=cast(Delivery, None),
            journal=cast(Journal, None),
            log=lambda *_: None,
            published_kubeconfig=nothing,
            publish_kubeconfig=nothing,
        )
        return Scopes(Desired(target=wanted, machines=machines), doors)


@contextlib.asynccontextmanager
async def site(folder: Path, *, address: str = HERE) -> AsyncIterator[Site]:
    """Run an API server whose certificate is for CERTIFIED, and for the address if one is given."""
    pki = Pki()

    async def answer(_: Request, reply: Reply) -> None:
        await reply.json({"gitVersion": "v1.20.2"})

    async with ScriptedKube(answer, tls=server_tls(pki, folder, address=address)) as kube:
        yield Site(kube, pki)


async def answered(scopes: Scopes) -> str:
    """The server that was asked, "" when there is no door."""
    async with scopes:
        door = await scopes.cluster()
        if door is None:
            return ""
        assert await door.get("/version") == {"gitVersion": "v1.20.2"}
        return str(door.server)


async def test_with_one_control_plane_its_own_server_is_taken_without_asking(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        scopes = found.scopes({"a": (Files("a", found.admin("https://elsewhere:1")), HERE)})
        async with scopes:
            assert await scopes.cluster() is not None
        assert found.kube.requests == []


async def test_a_control_plane_without_a_kubeconfig_is_no_cluster(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        assert await answered(found.scopes({"a": (Files("a", None), HERE)})) == ""


async def test_a_control_plane_that_is_away_is_told_from_one_that_has_no_cluster(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        hosts = {"a": (Files("a", None, away=True), HERE), "b": (Files("b", None), HERE)}
        async with found.scopes(hosts) as scopes:
            with pytest.raises(HostUnreachable):
                await scopes.cluster()


async def test_of_several_the_next_is_taken_when_one_is_away_or_does_not_answer(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        admin = found.admin("https://elsewhere:1")
        hosts = {
            "a": (Files("a", admin, away=True), HERE),
            "b": (Files("b", admin), NOBODY),
            "c": (Files("c", admin), HERE),
        }
        async with found.scopes(hosts) as scopes:
            first = await scopes.cluster()
            assert first is not None
            assert first.server == found.kube.url
            reads = hosts["a"][0].reads, hosts["b"][0].reads
            assert await scopes.cluster() is first
            # The one that answered is asked first from then on.
            assert (hosts["a"][0].reads, hosts["b"][0].reads) == reads


async def test_when_none_answers_the_door_says_why(tmp_path: Path) -> None:
    async with site(tmp_path) as found:
        admin = found.admin("https://elsewhere:1")
        async with found.scopes({n: (Files(n, admin), NOBODY) for n in ("a", "b")}) as scopes:
            door = await scopes.cluster()
            assert door is not None
            with pytest.raises(ClusterUnavailable, match=NOBODY):
                await door.get("/version")


async def test_an_adopted_cluster_is_reached_at_the_port_and_by_the_name_of_its_kubeconfig(tmp_path: Path) -> None:
    # Its certificate is not for the address that SSH uses, and its endpoint tells another port.
    async with site(tmp_path, address="") as found:
        files = Files("a", found.admin(f"https://{CERTIFIED}:{found.port}"))
        endpoint = Endpoint(host="lb.example", port=443, provider="External")
        scopes = found.scopes({"a": (files, HERE)}, origin="Adopted", endpoint=endpoint)
        assert await answered(scopes) == found.kube.url
