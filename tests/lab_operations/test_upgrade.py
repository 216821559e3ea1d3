"""A living cluster goes from native to tke, to the next patch and the next minor, on real machines by real kubeadm.

The versions are lab builds: one source, stamped. What is shown is the way, not what the versions bring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from groundplane.clusters.api import KubernetesDoor
from groundplane.operations import Outcome
from groundplane.operations.steps.upgrade_control_plane import CONFIG_MAP
from groundplane.plan.change import without_hold
from groundplane_lab import Lab, LabSpec, down, execute, fresh_all, up
from support.long import long

from .driver import Record, Site, site

# kubeadm gives its certificate authorities the serial number 0.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

_SPEC = LabSpec("upgrade", machines=2, subnet="198.18.62.0/24")
_PROXY = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
_APISERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_OWN: dict[str, Any] = {
    "components": {
        "kubeProxy": {"config": {"conntrack": {"maxPerCore": 0, "min": 0}}},
        "apiServer": {"args": {"event-ttl": "2h0m0s"}},
    }
}


@pytest.fixture
def machines() -> Iterator[Lab]:
    yield fresh_all(up(_SPEC))
    down(_SPEC.name)


class Interrupting(Record):
    """A record that does something when a line is said."""

    def __init__(self, words: str, kubeconfig: bytes | None) -> None:
        super().__init__(kubeconfig=kubeconfig)
        self.words, self.heard = words, asyncio.Event()

    def log(self, step: str, line: str) -> None:
        super().log(step, line)
        if self.words in line:
            self.heard.set()


async def change(lab: Lab, version: str, record: Record, *, held: str = "") -> Outcome:
    wanted = {"kubernetes": {"distribution": "tke", "version": version}}
    async with site(lab, record=record, **_OWN, **wanted) as opened:
        names = [name for name in opened.wanted.machines if name != held]
        opened.wanted = without_hold(opened.wanted, names)
        return await opened.runner(await opened.plan_change()).run()


async def created(lab: Lab) -> bytes:
    async with site(lab, **_OWN) as opened:
        outcome = await opened.run("Create")
        assert outcome.phase == "Succeeded", outcome.message
        assert opened.record.kubeconfig is not None
        await edit_proxy(opened)
        return opened.record.kubeconfig


async def edit_proxy(opened: Site) -> None:
    """As a user does it: kube-proxy's metrics on another port, in its ConfigMap."""
    async with KubernetesDoor(opened.record.kubeconfig or b"") as door:
        found = await door.get(_PROXY) or {}
        text = found["data"]["config.conf"].replace('metricsBindAddress: ""', "metricsBindAddress: 127.0.0.1:10299")
        assert text != found["data"]["config.conf"]
        await door.patch(_PROXY, {"data": {"config.conf": text}})


async def versions(kubeconfig: bytes) -> tuple[str, list[str], list[bool]]:
    """The API server's version, the kubelets', and which nodes are cordoned."""
    async with KubernetesDoor(kubeconfig) as door:
        served, nodes = await door.get("/version"), await door.get("/api/v1/nodes")
        items = sorted((nodes or {})["items"], key=lambda node: node["metadata"]["name"])
        kubelets = [node["status"]["nodeInfo"]["kubeletVersion"] for node in items]
        return (served or {})["gitVersion"], kubelets, [bool(node["spec"].get("unschedulable")) for node in items]


async def killed_in_the_middle(lab: Lab, kubeconfig: bytes) -> None:
    """kubeadm dies when it has upgraded the API server and nothing else: everything is as it was."""
    record = Interrupting('"kube-apiserver" upgraded successfully', kubeconfig)
    running = asyncio.create_task(change(lab, "v1.20.2-tke.1", record))
    async with asyncio.timeout(240):
        heard = asyncio.create_task(record.heard.wait())
        await asyncio.wait({heard, running}, return_when=asyncio.FIRST_COMPLETED)
        assert heard.done(), "the change ended before kubeadm had upgraded anything"
        kill = ["systemctl", "kill", "-s", "KILL", "groundplane-kubeadm-upgrade"]
        await asyncio.to_thread(execute, lab, lab.machines[0].name, kill)
        outcome = await running
    assert outcome.phase == "Failed"
    assert f"brought back as it was: {lab.machines[0].name}" in outcome.message
    assert await versions(kubeconfig) == ("v1.20.2", ["v1.20.2", "v1.20.2"], [False, False])
    async with KubernetesDoor(kubeconfig) as door:
        noted = await door.get(CONFIG_MAP) or {}
        assert "kubernetesVersion: v1.20.2\n" in noted["data"]["ClusterConfiguration"]


async def new_kubelet_never_starts(lab: Lab, kubeconfig: bytes) -> None:
    """A kubelet of the new version ends at once on the worker: the old one is back, the node Ready and open."""
    worker = lab.machines[1].name
    folder = "/etc/systemd/system/kubelet.service.d"
    refuses = "[Service]\nExecStartPre=/bin/sh -c '! kubelet --version | grep -q v1.20.6'"
    write = f'echo "$1" > {folder}/99-refuses.conf && systemctl daemon-reload'
    execute(lab, worker, ["sh", "-c", write, "sh", refuses])
    outcome = await change(lab, "v1.20.6-tke.1", Record(kubeconfig=kubeconfig))
    assert outcome.phase == "Failed"
    assert f"brought back as it was: {worker}" in outcome.message
    versions_now = ("v1.20.6-tke.1", ["v1.20.6-tke.1", "v1.20.2-tke.1"], [False, False])
    assert await versions(kubeconfig) == versions_now
    async with KubernetesDoor(kubeconfig) as door:
        found = await door.get(f"/api/v1/nodes/{worker}") or {}
        assert {"type": "Ready", "status": "True"}.items() <= _ready(found).items()
    execute(lab, worker, ["sh", "-c", f"rm {folder}/99-refuses.conf && systemctl daemon-reload"])


def _ready(node: dict[str, Any]) -> dict[str, str]:
    return next(one for one in node["status"]["conditions"] if one["type"] == "Ready")


@long
async def test_native_to_tke_to_the_next_patch_and_minor_with_a_worker_held_back(machines: Lab) -> None:
    worker = machines.machines[1].name
    kubeconfig = await created(machines)
    await killed_in_the_middle(machines, kubeconfig)

    ways: list[tuple[str, str, list[str]]] = [
        ("v1.20.2-tke.1", "", ["v1.20.2-tke.1", "v1.20.2-tke.1"]),
        ("v1.20.6-tke.1", worker, ["v1.20.6-tke.1", "v1.20.2-tke.1"]),
        ("v1.21.2-tke.1", "", ["v1.21.2-tke.1", "v1.21.2-tke.1"]),
    ]
    for version, held, kubelets in ways:
        outcome = await change(machines, version, Record(kubeconfig=kubeconfig), held=held)
        assert outcome.phase == "Succeeded", outcome.message
        assert await versions(kubeconfig) == (version, kubelets, [False, False])
        if held:
            await new_kubelet_never_starts(machines, kubeconfig)

    await users_things_survive(machines, kubeconfig)
    async with site(
        machines, record=Record(kubeconfig=kubeconfig), kubernetes={"distribution": "tke", "version": "v1.21.2-tke.1"}
    ) as opened:
        assert (await opened.plan_change()).steps == []


async def users_things_survive(lab: Lab, kubeconfig: bytes) -> None:
    plane = lab.machines[0].name
    async with KubernetesDoor(kubeconfig) as door:
        proxy = await door.get(_PROXY) or {}
        assert "metricsBindAddress: 127.0.0.1:10299" in proxy["data"]["config.conf"]
        assert await door.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns") is None
    assert "--event-ttl=2h0m0s" in execute(lab, plane, ["cat", _APISERVER])
    snapshots = ["find", "/var/lib/groundplane/snapshots", "-name", "*.db", "-printf", "%m\n"]
    assert execute(lab, plane, snapshots).split() == ["600"] * 3
    assert "scratch" not in execute(lab, plane, ["systemctl", "list-units", "--all", "--plain", "groundplane-*"])
    assert execute(lab, plane, ["find", "/var/lib/groundplane/stage", "-name", "kubelet"]).strip() == ""
