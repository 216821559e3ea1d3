"""When Docker is not removed, and what goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from groundplane.operations import StepRefused, before, kubelet_flags
from groundplane.operations.runtimes import CONTAINERD
from groundplane.operations.steps import clean_up

from .here import Here
from .scopes_here import Nodes, scope_of

ON_CONTAINERD = b'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock"\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    flags, path = tmp_path / "flags", tmp_path / "config.toml"
    flags.write_bytes(ON_CONTAINERD)
    (tmp_path / "docker/own").mkdir(parents=True)
    monkeypatch.setattr(kubelet_flags, "PATH", str(flags))
    monkeypatch.setattr(clean_up, "_DATA", (str(tmp_path / "docker"),))
    wanted = {name: getattr(CONTAINERD, name) for name in CONTAINERD.__slots__} | {"config": str(path)}
    monkeypatch.setattr(clean_up, "CONTAINERD", type(CONTAINERD)(**wanted))
    return path


def running(argv: Sequence[str]) -> str:
    return "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"


@pytest.mark.parametrize(("answer", "said"), [("", ""), ("web\n", "it runs web"), (None, "does not say which")])
async def test_a_docker_that_runs_something_or_does_not_say_is_not_removed(
    config: Path, answer: str | None, said: str
) -> None:
    def docker(argv: Sequence[str]) -> str:
        if answer is None:
            raise LookupError("Cannot connect to the Docker daemon")
        return answer

    scope = scope_of(Here({"docker": docker, "systemctl": running}), Nodes({}))
    if not said:
        await clean_up._require_unused(scope)
        return
    with pytest.raises(StepRefused, match=said):
        await clean_up._require_unused(scope)


@pytest.mark.parametrize(("root", "refused"), [("docker/own", True), ("link", True), ("docker-other", False)])
async def test_docker_stays_where_containerd_keeps_its_data_in_its_folder(
    config: Path, root: str, refused: bool
) -> None:
    (config.parent / "link").symlink_to(config.parent / "docker/own")
    config.write_text(f'version = 2\nroot = "{config.parent / root}"\n')
    if not refused:
        await clean_up._require_apart(Here())
        return
    with pytest.raises(StepRefused, match="containerd keeps its data in"):
        await clean_up._require_apart(Here())


async def test_what_upgrades_left_goes_and_snapshots_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, stage = tmp_path / "before", tmp_path / "stage"
    monkeypatch.setattr(before, "HOME", str(kept))
    monkeypatch.setattr(clean_up, "STAGE", str(stage))
    assert await clean_up._of_upgrades(Here()) == []
    for name in (
        "before/control-plane-v1.21.2",
        "before/runtime-containerd",
        "stage/kubernetes-v1.21.2",
        "snapshots/a",
    ):
        (tmp_path / name).mkdir(parents=True)
    assert await clean_up._of_upgrades(Here()) == [
        str(kept / "control-plane-v1.21.2"),
        str(stage / "kubernetes-v1.21.2"),
    ]
