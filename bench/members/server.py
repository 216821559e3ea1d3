"""Simulated clusters behind one port: `/c/NUMBER/…` answers a survey as the Kubernetes API of cluster NUMBER would.

A process of its own, so that its work is not counted as ours. Started as `python -m bench.members.server PORT`.
"""

from __future__ import annotations

import asyncio
import random
import sys
from email.utils import formatdate
from typing import Any

import msgspec

from bench.assess import IMAGES, KERNELS, NODES, RUNTIMES, VERSIONS

_GROUPS = ("apps", "batch", "policy", "networking.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io")
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_NOT_FOUND = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found"}


def _node(cluster: int, number: int, chance: random.Random) -> dict[str, Any]:
    """A Node as large as a real one: most of it is the list of its images."""
    images = [{"names": [f"registry.example/image-{n}@sha256:{'a' * 64}"], "sizeBytes": 1000} for n in range(30)]
    info = {
        "osImage": chance.choice(IMAGES),
        "kernelVersion": chance.choice(KERNELS),
        "containerRuntimeVersion": chance.choice(RUNTIMES),
        "kubeletVersion": chance.choice(VERSIONS),
        "architecture": "amd64",
    }
    name = f"c{cluster:04}-n{number}"
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": f"10.{number}.0.0/24"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "images": images, "nodeInfo": info},
    }


def _pod(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"component": name, "tier": "control-plane"}},
        "spec": {"containers": [{"name": name, "image": f"registry.example/{name}:v1.20.6"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _cilium() -> dict[str, Any]:
    containers = [{"name": "cilium-agent", "image": "registry.example/cilium/cilium:v1.10.3"}]
    return {
        "metadata": {"namespace": "kube-system", "name": "cilium"},
        "spec": {"template": {"spec": {"containers": containers}}},
        "status": {"numberReady": NODES},
    }


def _answer(cluster: int, path: str) -> Any:
    """Return what cluster `cluster` has at `path`; None when there is nothing."""
    chance = random.Random(cluster)
    kube_system = "/api/v1/namespaces/kube-system"
    answers: dict[str, Any] = {
        kube_system: {"metadata": {"name": "kube-system", "uid": f"uid-{cluster}"}},
        "/version": {"gitVersion": chance.choice(VERSIONS)},
        "/apis": {"groups": [{"name": g, "versions": [{"groupVersion": f"{g}/v1"}]} for g in _GROUPS]},
        "/apis/apps/v1/daemonsets": {"items": [_cilium()]},
        f"{kube_system}/pods": {"items": [_pod(name) for name in _CONTROL_PLANE]},
        "/apis/apps/v1/namespaces/kube-system/deployments": {"items": []},
        f"{kube_system}/configmaps/cilium-config": {"data": {"kube-proxy-replacement": "strict"}},
    }
    if path == "/api/v1/nodes":
        return {"metadata": {}, "items": [_node(cluster, number, chance) for number in range(NODES)]}
    return answers.get(path)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target, _, query = head.split(b" ", 2)[1].decode().partition("?")
            _, _, cluster, rest = target.split("/", 3)
            # What a survey asks by a field is what does not run, and everything runs.
            found = {"items": []} if "fieldSelector" in query else _answer(int(cluster), f"/{rest}")
            body = msgspec.json.encode(_NOT_FOUND if found is None else found)
            status = "404 Not Found" if found is None else "200 OK"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nDate: {formatdate(usegmt=True)}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=1024)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
