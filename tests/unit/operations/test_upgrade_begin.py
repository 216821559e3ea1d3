"""What an upgrade finds out before it begins, on this machine with a scripted kubectl."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from groundplane.operations import StepRefused, before
from groundplane.operations.kubeadm import upgrade
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


def _manifest(tag: str) -> bytes:
    return f"spec: {{containers: [{{image: 'registry.example/x:{tag}'}}]}}\n".encode()


@pytest.mark.parametrize(
    ("now", "ready", "kept"),
    [
        (("v1.21.2", "v1.21.2", "v1.21.2"), True, False),
        (("v1.21.2", "v1.21.2", "v1.21.2"), False, True),
        (("v1.22.4", "v1.21.2", "v1.21.2"), True, True),
    ],
)
async def test_earlier_copies_are_dropped_only_of_a_control_plane_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: tuple[str, str, str], ready: bool, kept: bool
) -> None:
    monkeypatch.setattr(before, "HOME", str(tmp_path / "before"))
    monkeypatch.setattr(upgrade, "manifest_path", lambda component: str(tmp_path / f"{component}.yaml"))
    host = Here({"env": lambda _: '{"gitVersion": "v1.21.2"}', "systemctl": lambda _: ""})
    paths = [tmp_path / f"{component}.yaml" for component in upgrade.COMPONENTS]
    for path, tag in zip(paths, now, strict=True):
        path.write_bytes(_manifest("v1.20.2"))
        await before.save(host, "control-plane-v1.22.4", str(path))
        path.write_bytes(_manifest(tag))
    cluster = Nodes(OBJECTS | {"/api/v1/nodes/shop-1": node("shop-1", "containerd", ready=ready)})
    await upgrade_control_plane._begin(scope_of(host, cluster, wanted=target("v1.22.4")))
    assert await before.exists(host, "control-plane-v1.22.4") is kept


async def test_a_manifest_that_was_lost_is_put_back_before_the_api_server_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(before, "HOME", str(tmp_path / "before"))
    monkeypatch.setattr(upgrade, "manifest_path", lambda component: str(tmp_path / f"{component}.yaml"))
    path = tmp_path / "kube-apiserver.yaml"

    def version(argv: Sequence[str]) -> str:
        return '{"gitVersion": "v1.21.2"}' if path.exists() else _silent(argv)

    host = Here({"env": version, "systemctl": lambda _: ""})
    path.write_bytes(_manifest("v1.21.2"))
    await before.save(host, "control-plane-v1.22.4", str(path))
    path.unlink()
    await upgrade_control_plane._begin(scope_of(host, Nodes(OBJECTS), wanted=target("v1.22.4")))
    assert path.read_bytes() == _manifest("v1.21.2")
