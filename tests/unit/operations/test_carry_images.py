"""An image goes from Docker to containerd in one stream, and a stream that was cut off is no success."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from groundplane.hosts.errors import CommandFailed
from groundplane.operations.carry_images import Held, carry_to_containerd

from .here import Here
from .scopes_here import Nodes, scope_of

IMAGE = Held(("example.com/a:1", "example.com/b c:1"), "sha256:1", 10, pulled=False)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """docker and ctr that say what they were given."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


async def test_all_names_of_an_image_go_with_it(programs: Path) -> None:
    program(programs, "docker", 'for word; do echo "$word"; done')
    program(programs, "ctr", f"cat > {programs}/got; echo loaded")
    await carry_to_containerd(scope_of(Here(), Nodes({})), [IMAGE])
    assert (programs / "got").read_text().splitlines() == ["save", "example.com/a:1", "example.com/b c:1"]


@pytest.mark.parametrize(
    ("docker", "ctr"),
    [
        ("echo half; echo no room >&2; exit 1", "cat > /dev/null"),
        ("echo whole", "cat > /dev/null; echo no room >&2; exit 3"),
    ],
)
async def test_whoever_fails_of_the_two_fails_it(programs: Path, docker: str, ctr: str) -> None:
    program(programs, "docker", docker)
    program(programs, "ctr", ctr)
    with pytest.raises(CommandFailed, match="no room"):
        await carry_to_containerd(scope_of(Here(), Nodes({})), [IMAGE])
