"""Before Docker is left, on a real machine: what is found of it, and what of its settings containerd then obeys."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from groundplane.clusters import before_change
from groundplane.hosts.contract import Host
from groundplane.hosts.facts import migration
from groundplane.hosts.readonly import ReadOnly
from groundplane.hosts.ssh import HostAccess, HostPool
from groundplane.kube.kubeconfig import Access
from groundplane.operations import containerd
from groundplane.operations.carry import KUBELET_CREDENTIALS, PROXY, Carried
from groundplane.operations.carrying import carried_from, lacking
from groundplane_lab import Lab, LabSpec, down, ensure_artifacts, up
from support.real_kube import real_kube

from .test_cluster_steps import cluster

pytestmark = pytest.mark.lab

SPEC = LabSpec(name="before-change", machines=1, subnet="198.18.65.0/24")
GATEWAY = "198.18.65.1"
PASSWORD = "s3cr3t-of-the-proxy"
TOKEN = "dXNlcjpzM2NyM3Q="
FLAGS = "/etc/systemd/system/docker.service.d/options.conf"
DROPIN = "/etc/systemd/system/docker.service.d/proxy.conf"


@pytest.fixture(scope="module")
def machine() -> Iterator[Lab]:
    yield up(SPEC)
    down(SPEC.name)


@asynccontextmanager
async def door(lab: Lab) -> AsyncIterator[Host]:
    one, key = lab.machines[0], lab.private_key.read_bytes()
    access = HostAccess(name=one.name, address=one.address, private_keys=(key,), host_key=one.host_key)
    async with HostPool() as pool:
        yield pool.connect(access)


async def set_up_docker(host: Host, mirror: str) -> None:
    """Docker as somebody may have set it up, with a container of their own beside Kubernetes."""
    daemon = {
        "exec-opts": ["native.cgroupdriver=systemd"],
        "registry-mirrors": [mirror],
        "insecure-registries": ["registry.example:5000", "10.20.0.0/16"],
        "log-driver": "json-file",
        "live-restore": True,
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 10000, "Soft": 10000}},
    }
    await host.write("/etc/docker/daemon.json", json.dumps(daemon).encode())
    proxy = f'[Service]\nEnvironment="HTTP_PROXY=http://me:{PASSWORD}@127.0.0.1:9" NO_PROXY=198.18.65.0/24\n'
    await host.write(DROPIN, proxy.encode(), mode=0o600)
    # Settings by flags, out of a variable, as some installers give them.
    run = "/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS"
    opts = "--log-opt max-size=50m --log-opt max-file=4 --log-opt labels=team"
    await host.write(FLAGS, f'[Service]\nEnvironment="DOCKER_OPTS={opts}"\nExecStart=\nExecStart={run}\n'.encode())
    auths = {"auths": {"registry.example:5000": {"auth": TOKEN}}, "credHelpers": {"ecr.example": "ecr-login"}}
    await host.write("/root/.docker/config.json", json.dumps(auths, indent=2).encode(), mode=0o600)
    await host.write("/etc/cron.d/prune", b"0 3 * * * root docker system prune -f\n")
    unit = b"[Unit]\nRequires=docker.service\n[Service]\nExecStart=/usr/bin/docker run --rm legacy\n"
    await host.write("/etc/systemd/system/legacy.service", unit)
    await host.upload(str(ensure_artifacts() / "images" / "pause.tar"), "/root/pause.tar")
    await host.script("systemctl daemon-reload; systemctl restart docker", timeout=60)
    loaded = (await host.run(["docker", "load", "--quiet", "--input", "/root/pause.tar"])).text.split()[-1]
    await host.run(["docker", "run", "--detach", "--name", "legacy", "--net", "none", loaded])


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[str]]]:
    """A mirror that knows no image: its URL, and the paths that it was asked for."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().split()[1])
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, GATEWAY, 0)
    try:
        yield f"http://{GATEWAY}:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()


async def test_docker_is_found_as_it_is_and_containerd_obeys_what_was_carried_over(machine: Lab) -> None:
    async with door(machine) as host, listening() as (mirror, asked):
        await set_up_docker(host, mirror)
        await found_as_it_is(host, mirror)
        carried = await carried_from(ReadOnly(host), version=(1, 6, 20), systemd_cgroup=True)
        assert any("10.20.0.0/16" in line for line in carried.said)
        assert not any(PASSWORD in line or TOKEN in line for line in carried.said)
        assert carried.kubelet == {"containerLogMaxSize": "50Mi", "containerLogMaxFiles": 4}
        await take_over(host, carried)
        # Read again with Docker off, as the switch does, it is the same.
        await host.run(["systemctl", "stop", "docker.socket", "docker.service"], timeout=60)
        again = await carried_from(ReadOnly(host), version=(1, 6, 20), systemd_cgroup=True)
        assert again.kubelet == carried.kubelet
        # But for the credentials: kubelet has its own by now.
        assert dict(again.files) == {path: file for path, file in carried.files.items() if path != KUBELET_CREDENTIALS}
        plugins = (await host.run(["ctr", "plugins", "ls"])).text.splitlines()
        assert [line.split()[-1] for line in plugins if "io.containerd.grpc.v1" in line and " cri " in line] == ["ok"]
        folder = tomllib.loads((await host.read("/etc/containerd/config.toml") or b"").decode())
        path = containerd.registry_path(2)
        certs = folder[path[0]][path[1]][path[2]]["config_path"]
        pull = ["ctr", "images", "pull", "--hosts-dir", certs, "docker.io/library/nothing:1"]
        assert not (await host.run(pull, check=False, timeout=60)).ok
        assert asked, "containerd did not ask the mirror"
        assert asked[0].startswith("/v2/library/nothing/manifests/1")


async def found_as_it_is(host: Host, mirror: str) -> None:
    output = (await host.survey_migration()).stdout.decode()
    assert PASSWORD not in output
    assert TOKEN not in output
    facts = await migration.look(ReadOnly(host))
    docker = facts.docker
    assert docker.version.startswith("20.10.24")
    assert (docker.data_root, docker.cgroup_driver, docker.live_restore) == ("/var/lib/docker", "systemd", True)
    assert docker.mirrors == [mirror]
    assert docker.insecure == ["registry.example:5000", "10.20.0.0/16"]
    assert docker.log_options == {"labels": "", "max-file": "4", "max-size": "50m"}
    assert docker.ulimits == ["nofile"]
    assert [(one.name, one.running) for one in facts.containers] == [("legacy", True)]
    assert facts.sandboxes == 0
    assert facts.proxies == {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "198.18.65.0/24"}
    assert [(c.path, c.registries, c.helpers) for c in facts.credentials] == [
        ("/root/.docker/config.json", ["ecr.example", "registry.example:5000"], ["ecr-login"])
    ]
    assert facts.users == ["/etc/cron.d/prune", "/etc/systemd/system/legacy.service"]
    assert facts.pullers == ["/etc/systemd/system/legacy.service"]
    assert DROPIN in facts.unit("docker.service").files
    assert facts.unit("docker.service").active
    assert facts.images.count == 1
    assert facts.images.local == facts.images.local[:1] != []
    assert [image.adds for image in facts.images.carried] == [facts.images.size]
    assert facts.images.size > 1000
    assert [place.path for place in facts.places] == ["/var/lib/docker", "/var/lib/containerd", "/var/lib/groundplane"]
    assert facts.places[0].mount == "/var/lib/docker"
    assert all(place.available for place in facts.places)
    assert facts.containerd.version.startswith("1.6.20")
    assert facts.http2


async def take_over(host: Host, carried: Carried) -> None:
    """Write what was carried over, as the step does, and have containerd run with it."""
    for path, (content, mode) in (await lacking(ReadOnly(host), carried.files, ours=())).items():
        await host.write(path, content, mode=mode)
    assert await lacking(ReadOnly(host), carried.files, ours=list(carried.files)) == {}
    assert (await host.run(["stat", "-c", "%a", PROXY, "/var/lib/kubelet/config.json"])).text.split() == ["600", "600"]
    found = await host.read("/etc/containerd/config.toml")
    wanted = containerd.Wanted(systemd_cgroup=True, sandbox_image="", cni_bin="/opt/cni/bin", carried=carried.config)
    edited = containerd.edited(found, wanted, major=1)
    assert edited is not None
    await host.write("/etc/containerd/config.toml", edited)
    await host.script("systemctl daemon-reload; systemctl restart containerd", timeout=60)
    environment = (await host.run(["systemctl", "show", "containerd.service", "--property=Environment"])).text
    assert f"HTTP_PROXY=http://me:{PASSWORD}@127.0.0.1:9" in environment
    assert "NO_PROXY=198.18.65.0/24" in environment


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    folder: Path = tmp_path_factory.mktemp("kube")
    with real_kube(folder) as found:
        yield found


async def test_a_real_api_tells_of_pods_and_budgets(access: Access) -> None:
    socket = {"name": "socket", "hostPath": {"path": "/var/run/docker.sock"}}
    containers = [{"name": "c", "image": "fluentd:1", "volumeMounts": [{"name": "socket", "mountPath": "/s"}]}]
    meta = {"namespace": "default", "name": "bare", "labels": {"app": "bare"}}
    spec = {"nodeName": "shop-2", "volumes": [socket], "containers": containers, "automountServiceAccountToken": False}
    budget = {"selector": {"matchLabels": {"app": "bare"}}, "minAvailable": 1}
    async with cluster(access) as door:
        await door.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        await door.apply(
            {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": budget}
        )
        path = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets/bare"
        status = {"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1}
        await door.patch(f"{path}/status", {"status": status | {"observedGeneration": 1}})
        found = await before_change.look(door)
    assert [(pod.said, pod.node, pod.what) for pod in found.socket_mounts] == [
        ("default/bare", "shop-2", ["/var/run/docker.sock"])
    ]
    assert [pod.said for pod in found.unmanaged] == ["default/bare"]
    assert [(one.name, one.nodes) for one in found.budgets] == [("bare", ["shop-2"])]
    assert (found.templates, found.gaps) == ([], [])
