"""Importing a real kube-apiserver: what the command writes, what the controller finds, and that it only reads."""

from __future__ import annotations

import pytest

from groundplane.client.contract import Resource
from groundplane.client.http import HttpClient
from groundplane.clusters.api import KubernetesDoor
from groundplane.clusters.survey import identify, survey
from groundplane.kube.kubeconfig import Access, render_kubeconfig

pytestmark = pytest.mark.lab

NODES = Resource("", "v1", "nodes", "Node", namespaced=False)


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
