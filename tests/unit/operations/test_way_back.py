"""The way back from a switch of the runtime is that of this Operation, and of no earlier one."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplane.operations import before, kubelet_flags
from groundplane.operations.runtimes import CONTAINERD
from groundplane.operations.steps import switch_runtime

from .here import Here
from .scopes_here import Nodes, Notes, node, scope_of

KEPT = "runtime-docker"


@pytest.fixture(autouse=True)
def flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "kubeadm-flags.env"
    monkeypatch.setattr(before, "HOME", str(tmp_path / "kept"))
    monkeypatch.setattr(kubelet_flags, "PATH", str(path))
    monkeypatch.setattr(switch_runtime, "_KUBELETS", (str(path),))
    return path


@pytest.mark.parametrize(("ready", "kept"), [(True, b"now"), (False, b"earlier")])
async def test_an_earlier_copy_holds_only_for_a_node_that_is_not_whole(flags: Path, ready: bool, kept: bytes) -> None:
    host, notes = Here(), Notes()
    cluster = Nodes({"/api/v1/nodes/shop-1": node("shop-1", "docker", ready=ready)})
    flags.write_bytes(b"earlier")
    await before.save(host, KEPT, str(flags))
    flags.write_bytes(b"now")
    scope = scope_of(host, cluster, notes=notes)
    await switch_runtime._keep(scope, CONTAINERD)
    assert await before.copy_of(host, KEPT, str(flags)) == kept
    flags.write_bytes(b"half changed")
    cluster.objects["/api/v1/nodes/shop-1"] = node("shop-1", "docker")
    await switch_runtime._keep(scope, CONTAINERD)
    assert await before.copy_of(host, KEPT, str(flags)) == kept, "a run that goes on keeps what the first one kept"


async def test_a_switch_that_was_never_begun_is_not_taken_back(flags: Path) -> None:
    host = Here()
    await before.save(host, KEPT, str(flags))
    host.ran.clear()
    await switch_runtime.SwitchRuntime().undo(scope_of(host, Nodes({})))
    assert host.ran == []


@pytest.mark.parametrize("cordoned", [True, False])
async def test_an_open_node_is_closed_with_our_mark_before_it_is_taken_back(cordoned: bool) -> None:
    found = node("shop-1", "containerd")
    found["spec"] = {"unschedulable": True} if cordoned else {}
    cluster = Nodes({"/api/v1/nodes/shop-1": found})
    scope = scope_of(Here(), cluster)
    await switch_runtime._close(scope)
    mark = {"annotations": {"groundplane.dev/cordoned-by": scope.target.key}}
    wanted = ("/api/v1/nodes/shop-1", {"metadata": mark, "spec": {"unschedulable": True}})
    assert cluster.patched == ([] if cordoned else [wanted])
