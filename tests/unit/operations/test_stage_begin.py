"""What staging a runtime refuses before it writes, and which copies of an earlier Operation it goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from groundplane.operations import StepRefused, before, ledger
from groundplane.operations.runtimes import CONTAINERD, DOCKER, Runtime
from groundplane.operations.steps import stage_runtime

from .here import Here
from .scopes_here import Nodes, Notes, node, scope_of

KEPT = "runtime-docker"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(before, "HOME", str(tmp_path / "before"))
    monkeypatch.setattr(ledger, "NOTES", str(tmp_path / "notes"))
    return tmp_path


def systemd(bond: str) -> Here:
    def systemctl(argv: Sequence[str]) -> str:
        if "docker.service" in argv:
            if f"--property={bond}" not in argv:
                return ""
            return f"{bond}=containerd.service system.slice\n"
        return "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"

    return Here({"systemctl": systemctl})


async def test_a_containerd_that_docker_is_bound_to_is_not_restarted() -> None:
    host = systemd("BindsTo")
    with pytest.raises(StepRefused, match="bound to it"):
        await stage_runtime._require_free(scope_of(host, Nodes({})), CONTAINERD, due=True)
    assert not [line for line in host.ran if not line.startswith("systemctl show")]
    await stage_runtime._require_free(scope_of(host, Nodes({})), CONTAINERD, due=False)
    await stage_runtime._require_free(scope_of(systemd("Wants"), Nodes({})), CONTAINERD, due=True)


async def test_a_restart_that_a_run_before_left_due_is_refused_as_well() -> None:
    host = systemd("Requires")
    await ledger.write_note(host, "staged-runtime", {"restart": "due"})
    with pytest.raises(StepRefused, match="bound to it"):
        await stage_runtime._require_free(scope_of(host, Nodes({})), CONTAINERD, due=False)


@pytest.mark.parametrize(
    ("note", "ready", "kept"),
    [
        (None, True, b"now"),
        (None, False, b"earlier"),
        ({"restart": "due"}, True, b"earlier"),
        ({"proof": "of a configuration that is gone"}, True, b"now"),
        ("right", True, b"earlier"),
    ],
)
async def test_an_earlier_copy_stays_only_while_something_of_ours_is_staged(
    home: Path, monkeypatch: pytest.MonkeyPatch, note: dict[str, str] | str | None, ready: bool, kept: bytes
) -> None:
    monkeypatch.setattr(stage_runtime, "other", lambda _: DOCKER)
    host, notes, config = Here({"containerd": lambda _: "containerd 1.6.1"}), Notes(), home / "config.toml"
    runtime = Runtime("containerd", "containerd", "containerd.service", str(config), (), "/var/lib/containerd")
    config.write_bytes(b"earlier")
    await before.save(host, KEPT, str(config))
    config.write_bytes(b"now")
    if note is not None:
        said = {"proof": await stage_runtime._proof(host, runtime)} if isinstance(note, str) else note
        await ledger.write_note(host, "staged-runtime", said)
    cluster = Nodes({"/api/v1/nodes/shop-1": node("shop-1", "docker", ready=ready)})
    for _ in range(2):
        await stage_runtime._forget_earlier(scope_of(host, cluster, notes=notes), runtime)
        await before.save(host, KEPT, str(config))
        assert await before.copy_of(host, KEPT, str(config)) == kept
        config.write_bytes(b"half staged")
