"""A kubelet whose API was away is started anew once the API is back: by itself it would ask only seconds later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from groundplane.base.errors import Unavailable
from groundplane.operations import kubelet, nodes
from groundplane.operations.errors import NotReached

from .here import Here
from .scopes_here import Nodes, node, scope_of

PATH = "/api/v1/nodes/shop-1"


class Lone(Nodes):
    """The API of a lone control plane: away for the first looks; kubelet tells it what it runs on when it may ask."""

    def __init__(self, away: int) -> None:
        super().__init__({PATH: node("shop-1", "docker")})
        self.away, self.restarts = away, 0

    async def get(self, path: str) -> dict[str, object] | None:
        if self.away:
            self.away -= 1
            raise Unavailable("connection refused")
        return await super().get(path)

    def systemctl(self, argv: Sequence[str]) -> str:
        assert argv[1:] == ["restart", "kubelet.service"], argv
        self.restarts += 1
        self.objects[PATH] = node("shop-1", "containerd")
        return ""


async def settle(cluster: Lone) -> None:
    scope = scope_of(Here({"systemctl": cluster.systemctl, "journalctl": lambda _: "waiting"}), cluster)
    await kubelet.settle(scope, "Ready on containerd", lambda found: nodes.not_on(found, "containerd"))


async def test_a_kubelet_that_could_not_reach_its_api_asks_at_once_when_it_is_back() -> None:
    cluster = Lone(away=3)
    await settle(cluster)
    assert cluster.restarts == 1


async def test_a_kubelet_whose_api_was_never_away_is_left_to_itself() -> None:
    cluster = Lone(away=0)
    with pytest.raises(NotReached, match="it runs on docker"):
        await settle(cluster)
    assert cluster.restarts == 0


async def test_it_is_started_anew_once_however_long_it_takes_then() -> None:
    class Slow(Lone):
        def systemctl(self, argv: Sequence[str]) -> str:
            said = super().systemctl(argv)
            self.objects[PATH] = node("shop-1", "containerd", ready=False)
            return said

    cluster: Any = Slow(away=1)
    with pytest.raises(NotReached, match="not Ready"):
        await settle(cluster)
    assert cluster.restarts == 1
