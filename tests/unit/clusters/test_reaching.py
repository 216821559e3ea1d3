"""Clusters behind a proxy, with a certificate for another name, of another CA, out of its time; expired credentials."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.errors import CertificateUntrusted, ClusterDenied, ClusterUnavailable
from groundplane.clusters.survey import identify, survey
from groundplane.controllers.cluster.trouble import trouble_of
from groundplane.kube.kubeconfig import Access, Kubeconfig, KubeconfigInvalid
from support.connect_proxy import ConnectProxy
from support.member import Member
from support.pki import Pki
from support.scripted_kube import ScriptedKube

NAME = "kube.example.dev"


def tls(pki: Pki, folder: Path, *, until: timedelta = timedelta(hours=1), clients: bool = False) -> ssl.SSLContext:
    """A server whose certificate is for NAME, and which asks for one of this CA if told to."""
    certificate, key = pki.issue(NAME, until=until)
    (folder / "server.pem").write_bytes(certificate + key)
    (folder / "ca.pem").write_bytes(pki.ca)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    if clients:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def member(context: ssl.SSLContext) -> AsyncIterator[tuple[Member, int]]:
    served = Member()
    served._tls = context
    async with served:
        yield served, urlsplit(served.url).port or 0


async def reason_of(access: Access) -> tuple[str, str]:
    """Survey, and return the reason and message of the condition that comes of it."""
    with pytest.raises((ClusterDenied, ClusterUnavailable)) as caught:
        async with KubernetesDoor(access) as door:
            await survey(door, await identify(door))
    trouble = trouble_of(caught.value, access, now=datetime.now(UTC))
    return trouble.reason, trouble.message


async def test_a_certificate_for_another_name_is_told_with_what_to_do_and_tls_server_name_does_it(
    tmp_path: Path,
) -> None:
    pki = Pki()
    async with member(tls(pki, tmp_path)) as (served, _):
        reason, message = await reason_of(Access(served.url, ca=pki.ca, token="t"))
        assert reason == "CertificateUntrusted"
        assert "127.0.0.1" in message
        assert "tls-server-name" in message
        assert served.requests == []
        async with KubernetesDoor(Access(served.url, ca=pki.ca, token="t", tls_server_name=NAME)) as door:
            facts = await survey(door, await identify(door))
    assert [(one.path, one.subject) for one in facts.certificates] == [
        (served.url, NAME),
        ("kubeconfig certificate-authority", "test CA"),
    ]


async def test_another_authority_and_an_expired_certificate_are_told_apart(tmp_path: Path) -> None:
    pki = Pki()
    async with member(tls(pki, tmp_path)) as (served, _):
        reason, message = await reason_of(Access(served.url, ca=Pki().ca, token="t", tls_server_name=NAME))
        assert reason == "CertificateUntrusted"
        assert "put its CA into the kubeconfig" in message
    async with member(tls(pki, tmp_path, until=timedelta(hours=-1))) as (served, _):
        reason, message = await reason_of(Access(served.url, ca=pki.ca, token="t", tls_server_name=NAME))
        assert reason == "CertificateUntrusted"
        assert "have the server's certificate renewed" in message


async def test_a_cluster_behind_a_proxy_is_surveyed_by_the_name_that_only_the_proxy_knows(tmp_path: Path) -> None:
    pki = Pki()
    async with member(tls(pki, tmp_path)) as (served, port), ConnectProxy(("127.0.0.1", port)) as proxy:
        access = Access(f"https://{NAME}:6443", ca=pki.ca, token="t", proxy=proxy.url)
        async with KubernetesDoor(access) as door:
            facts = await survey(door, await identify(door))
        assert facts.cluster_id == "uid-1"
        assert set(proxy.asked) == {f"CONNECT {NAME}:6443 HTTP/1.1"}
        assert facts.certificates[0].subject == NAME
        assert served.requests


async def test_a_proxy_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    async with ConnectProxy(("127.0.0.1", 1)) as proxy:
        gone = proxy.url
    reason, message = await reason_of(Access(f"https://{NAME}:6443", ca=Pki().ca, proxy=gone))
    assert reason == "Unreachable"
    assert NAME in message


async def test_an_expired_client_certificate_at_whose_sight_the_server_hangs_up_is_told(tmp_path: Path) -> None:
    pki = Pki()
    async with member(tls(pki, tmp_path, clients=True)) as (served, _):
        certificate, key = pki.issue("me", until=timedelta(minutes=-5))
        access = Access(served.url, ca=pki.ca, tls_server_name=NAME, certificate=certificate, key=key)
        reason, message = await reason_of(access)
    assert reason == "CredentialsExpired"
    assert "--renew" in message


async def test_a_server_that_is_down_is_unreachable_also_with_expired_credentials() -> None:
    async with ScriptedKube(Member()._by_path) as served:
        url = served.url
    certificate, key = Pki().issue("me", until=timedelta(minutes=-5))
    reason, _ = await reason_of(Access(url, certificate=certificate, key=key))
    assert reason == "Unreachable"


@pytest.mark.parametrize("token", ["two words", "line\nend", "lettré"])
async def test_a_token_that_cannot_be_sent_is_refused_and_not_quoted(token: str) -> None:
    async with Member() as served:
        with pytest.raises(KubeconfigInvalid, match="its token has spaces") as caught:
            async with KubernetesDoor(Access(served.url, token=token)) as door:
                await identify(door)
    assert token not in str(caught.value)
    assert served.requests == []


@pytest.mark.parametrize("name", [".", "x" * 300, "☃"])
async def test_a_server_name_that_is_none_is_a_fault_of_the_kubeconfig_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    pki = Pki()
    async with member(tls(pki, tmp_path)) as (served, _):
        with pytest.raises((KubeconfigInvalid, ClusterDenied, ClusterUnavailable)):
            async with KubernetesDoor(Access(served.url, ca=pki.ca, tls_server_name=name)) as door:
                await identify(door)
        with pytest.raises((KubeconfigInvalid, ClusterDenied, ClusterUnavailable)):
            async with KubernetesDoor(Access(f"https://{name}:1", ca=pki.ca)) as door:
                await door.get("/version")


def test_nothing_of_an_untrusted_server_is_more_than_a_denial() -> None:
    assert issubclass(CertificateUntrusted, ClusterDenied)


def test_what_a_kubeconfig_calls_its_parts_moves_no_cursor() -> None:
    text = 'current-context: a\nclusters: [{name: "\\e[2J", cluster: {server: https://x}}]\n'
    text += "contexts: [{name: a, context: {cluster: b}}]\n"
    with pytest.raises(KubeconfigInvalid) as caught:
        Kubeconfig.parse(text.encode()).access()
    assert trouble_of(caught.value, None, now=datetime.now(UTC)).message.endswith("it has \ufffd[2J")
