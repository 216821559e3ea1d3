"""What an upgrade finds out before it begins, on this machine with a scripted kubectl."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from groundplane.operations import StepRefused
from groundplane.operations.steps import upgrade_check, upgrade_control_plane

from .here import Here
from .scopes_here import Nodes, Notes, node, scope_of
from .targets import target

OBJECTS = {
    upgrade_control_plane.CONFIG_MAP: {"data": {"ClusterConfiguration": "kubernetesVersion: v1.21.2\n"}},
    "/api/v1/nodes/shop-1": node("shop-1", "containerd"),
}


def _silent(argv: Sequence[str]) -> str:
    raise LookupError("the connection was refused")


async def test_an_api_server_that_does_not_tell_what_it_was_asked_for_is_a_finding() -> None:
    def metrics(argv: Sequence[str]) -> str:
        if "https://192.0.2.12:6443" in " ".join(argv):
            return _silent(argv)
        return "# TYPE apiserver_requested_deprecated_apis gauge\n"

    scope = scope_of(Here({"env": metrics}), Nodes(OBJECTS), wanted=target("v1.22.4"))
    assert await upgrade_check._removed(scope) == [
        upgrade_check.Found("the API server on shop-2 does not tell what it was asked for", "RemovedAPIs")
    ]


async def test_a_control_plane_whose_version_cannot_be_seen_is_not_upgraded() -> None:
    host, notes = Here({"env": _silent, "systemctl": lambda _: ""}), Notes()
    with pytest.raises(StepRefused, match="nothing was changed"):
        await upgrade_control_plane._begin(scope_of(host, Nodes(OBJECTS), notes=notes, wanted=target("v1.22.4")))
    assert "systemctl start kubelet.service" in host.ran
    assert notes.kept == {}, "it was not begun, so there is nothing to take back"
    served = Here({"env": lambda _: '{"gitVersion": "v1.21.2"}', "systemctl": lambda _: ""})
    await upgrade_control_plane._begin(scope_of(served, Nodes(OBJECTS), notes=notes, wanted=target("v1.22.4")))
    assert notes.kept == {"upgrade-control-plane/shop-1": "v1.22.4"}
