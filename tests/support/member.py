"""A cluster as a survey meets it, made of what it is told: nodes in pages, and parts that can be spoiled."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from groundplane.kube.kubeconfig import Access, render_kubeconfig

from .scripted_kube import Reply, Request, ScriptedKube

Spoil = Callable[[Request, Reply], Awaitable[None]]
NOT_FOUND = {"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404}
FORBIDDEN = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": "no", "code": 403}
TOKEN = "secret-token-of-a-member"


def node(name: str, *, ready: bool = True, **info: str) -> dict[str, Any]:
    """A Node object with the fields that a survey reads."""
    about = {
        "osImage": "TencentOS Server 3.1 (Final)",
        "kernelVersion": "5.4.119-19-0009.3",
        "architecture": "amd64",
        "kubeletVersion": "v1.20.6-tke.3",
        "containerRuntimeVersion": "containerd://1.6.9",
    } | info
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": {},
        "status": {"nodeInfo": about, "conditions": conditions},
    }


def workload(namespace: str, name: str, image: str) -> dict[str, Any]:
    """A DaemonSet or Deployment."""
    spec = {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec, "status": {"numberReady": 1}}


class Member(ScriptedKube):
    """Answers what is told of; `spoiled` takes over paths, `uid` is its identity."""

    def __init__(self, uid: str = "uid-1", *, version: str = "v1.20.6-tke.3", nodes: list[Any] | None = None) -> None:
        super().__init__(self._by_path)
        self.uid = uid
        self.version = version
        self.nodes: list[Any] = [node("a"), node("b")] if nodes is None else nodes
        self.answers: dict[str, Any] = {
            "/apis": {"groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1"}]}]},
            "/apis/apps/v1/daemonsets": {"items": []},
            "/apis/apps/v1/namespaces/kube-system/deployments": {"items": []},
            "/api/v1/namespaces/kube-system/pods": {"items": []},
        }
        self.spoiled: dict[str, Spoil] = {}

    @property
    def kubeconfig(self) -> bytes:
        return render_kubeconfig(Access(self.url, token=TOKEN), name="member")

    @property
    def secret_data(self) -> str:
        return base64.b64encode(self.kubeconfig).decode()

    async def _by_path(self, request: Request, reply: Reply) -> None:
        if request.path in self.spoiled:
            await self.spoiled[request.path](request, reply)
        elif request.path == "/api/v1/namespaces/kube-system":
            await reply.json({"metadata": {"name": "kube-system", "uid": self.uid}})
        elif request.path == "/version":
            await reply.json({"gitVersion": self.version})
        elif request.path == "/api/v1/nodes":
            await self._page(request, reply)
        elif request.path in self.answers:
            await reply.json(self.answers[request.path])
        else:
            await reply.json(NOT_FOUND, 404)

    async def _page(self, request: Request, reply: Reply) -> None:
        start = int(request.params.get("continue", "0"))
        end = start + int(request.params.get("limit", len(self.nodes)))
        metadata = {"continue": str(end)} if end < len(self.nodes) else {}
        await reply.json({"metadata": metadata, "items": self.nodes[start:end]})


async def forbid(_: Request, reply: Reply) -> None:
    """Spoil a path: the credentials do not allow it."""
    await reply.json(FORBIDDEN, 403)


async def hang(_: Request, reply: Reply) -> None:
    """Spoil a path: nothing ever comes."""
    await reply.silence()


async def cut(_: Request, reply: Reply) -> None:
    """Spoil a path: the connection ends without an answer."""
    reply.cut()
