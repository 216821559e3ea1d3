"""An API server whose watches may be deaf is another process afterwards, and ready."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from groundplane.operations import watches
from groundplane.operations.errors import NotReached

from .here import Here
from .scopes_here import Nodes, scope_of


class Plane:
    """A control plane whose kubelet starts its API server again, ready at the third look."""

    def __init__(self, *, comes_back: bool = True) -> None:
        self.pid, self.looks, self.comes_back = 100, 0, comes_back

    def pgrep(self, _: Sequence[str]) -> str:
        self.looks += 1
        if self.comes_back and self.looks > 1:
            self.pid = 200
        return f"{self.pid}\n"

    def readyz(self, argv: Sequence[str]) -> str:
        assert "--raw=/readyz" in argv, argv
        if self.looks < 3:
            raise LookupError("connection refused")
        return "ok"

    def host(self) -> Here:
        return Here({"pgrep": self.pgrep, "env": self.readyz, "which": lambda _: "/usr/bin/kubectl"})


async def test_it_is_waited_for_until_another_process_is_ready() -> None:
    plane = Plane()
    await watches.renew(scope_of(plane.host(), Nodes({})), "shop-1")
    assert plane.looks == 3


async def test_one_that_does_not_end_is_not_taken_for_a_new_one() -> None:
    with pytest.raises(NotReached, match="it has not started anew"):
        await watches.renew(scope_of(Plane(comes_back=False).host(), Nodes({})), "shop-1")


def test_versions_that_are_mended_are_left_alone() -> None:
    assert watches.may_be_deaf(20)
    assert watches.may_be_deaf(26)
    assert not watches.may_be_deaf(27)
