"""What is kept of a node before a change, and how it comes back, with real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundplane.hosts.errors import CommandFailed
from groundplane.operations import before

from .here import Here


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(before, "HOME", str(tmp_path / "kept"))
    return tmp_path


async def test_the_first_copy_stays_until_it_is_dropped(home: Path) -> None:
    host, path, other = Here(), home / "a file", home / "other"
    path.write_text("first")
    for content in ("second", "third"):
        await before.save(host, "change", str(path))
        await before.save(host, "change", str(other))
        path.write_text(content)
    assert await before.copy_of(host, "change", str(path)) == b"first"
    await before.drop(host, "change", [str(path)])
    assert await before.saved(host, "change") == {str(other): "absent"}
    assert await before.copy_of(host, "change", str(path)) is None
    await before.save(host, "change", str(path))
    assert await before.copy_of(host, "change", str(path)) == b"third"


async def test_nothing_is_dropped_of_a_change_that_was_never_begun() -> None:
    await before.drop(Here(), "change", ["/etc/a"])
    assert not await before.exists(Here(), "change")


async def test_on_the_way_back_no_file_has_a_name_that_kubelet_would_read(home: Path) -> None:
    host, folder = Here(), home / "manifests"
    folder.mkdir()
    pod = folder / "kube-apiserver.yaml"
    pod.write_text("old")
    await before.save(host, "change", str(pod))
    pod.write_text("new")
    # A folder in its place makes the last rename fail: what was written for it is still there.
    pod.unlink()
    (pod / "in the way").mkdir(parents=True)
    with pytest.raises(CommandFailed):
        await before.put_back(host, "change")
    assert [one.name for one in folder.iterdir() if not one.name.startswith(".")] == [pod.name]
    (pod / "in the way").rmdir()
    pod.rmdir()
    assert await before.put_back(host, "change") == [str(pod)]
    assert pod.read_text() == "old"
    assert [one.name for one in folder.iterdir()] == [pod.name]
