"""A Scope on this very machine, with a small cluster of Nodes in memory."""

from __future__ import annotations

from typing import Any, cast

from groundplane.api.target import ClusterTarget
from groundplane.operations import Scope
from support.virtual import VirtualClock

from .here import Here
from .targets import MACHINES, target


class Notes:
    """A Journal in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str) -> None:
        self.kept[key] = value


class Nodes:
    """A ClusterDoor whose objects are in `objects`, by path."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self.objects = objects
        self.patched: list[tuple[str, dict[str, object]]] = []

    async def get(self, path: str) -> dict[str, object] | None:
        return cast("dict[str, object] | None", self.objects.get(path.partition("?")[0]))

    async def patch(self, path: str, patch: dict[str, object]) -> None:
        self.patched.append((path, patch))


def node(name: str, runtime: str, *, ready: bool = True, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **meta},
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "nodeInfo": {"containerRuntimeVersion": f"{runtime}://1"},
        },
    }


def scope_of(
    host: Here, cluster: Nodes, *, name: str = "shop-1", notes: Notes | None = None, wanted: ClusterTarget | None = None
) -> Scope:
    async def door() -> Any:
        return cluster

    hosts = {one: host for one in MACHINES}
    return Scope(
        target=wanted or target("v1.20.2"),
        machine=MACHINES[name],
        machines=MACHINES,
        hosts=hosts,
        writable=hosts,
        journal=notes or Notes(),
        log=lambda _: None,
        clock=VirtualClock(),
        cluster=door,
        published_kubeconfig=cast(Any, None),
        delivery=cast(Any, None),
        publish_kubeconfig=cast(Any, None),
    )
