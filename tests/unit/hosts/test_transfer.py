"""Files arrive whole or not at all, and a cut costs only what had not arrived."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from groundplane.base.errors import Refused
from groundplane.hosts import shell
from groundplane.hosts.errors import CommandFailed, HostUnreachable
from groundplane.hosts.ssh import HostAccess, HostPool
from support.sshd import Sshd

MEGABYTE = 1 << 20


def make_source(tmp_path: Path, size: int) -> tuple[Path, bytes]:
    content = os.urandom(size)
    path = tmp_path / "source"
    path.write_bytes(content)
    return path, content


def part_of(target: Path, content: bytes) -> Path:
    return target.with_name(f"{target.name}.part.{hashlib.sha256(content).hexdigest()[:8]}")


async def test_an_uploaded_file_is_whole_has_its_mode_and_leaves_nothing_beside_it(
    access: HostAccess, tmp_path: Path
) -> None:
    source, content = make_source(tmp_path, 5 * MEGABYTE + 7)
    target = tmp_path / "new" / "kubelet"
    async with HostPool() as pool:
        await pool.connect(access).upload(str(source), str(target), mode=0o755)
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o7777 == 0o755
    assert os.listdir(target.parent) == ["kubelet"]


async def test_an_upload_that_was_cut_goes_on_where_it_was(sshd: Sshd, access: HostAccess, tmp_path: Path) -> None:
    source, content = make_source(tmp_path, 64 * MEGABYTE)
    target = tmp_path / "new" / "image.tar"
    part = part_of(target, content)
    async with HostPool() as pool:
        host = pool.connect(access)
        upload = asyncio.create_task(host.upload(str(source), str(target)))
        async with asyncio.timeout(20):
            while not (part.exists() and part.stat().st_size > MEGABYTE):
                await asyncio.sleep(0)
        sshd.cut()
        with pytest.raises(HostUnreachable):
            await upload
        assert not target.exists()
        inode, arrived = part.stat().st_ino, part.stat().st_size
        assert 0 < arrived < len(content)
        await host.upload(str(source), str(target))
    assert target.read_bytes() == content
    # The same file went on to grow: it was not sent anew.
    assert target.stat().st_ino == inode


async def test_a_part_that_another_sender_holds_is_left_alone_and_the_wait_has_an_end(
    access: HostAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "UPLOAD_SEND", shell.UPLOAD_SEND.replace("-w 30", "-w 0.2"))
    source, content = make_source(tmp_path, 1000)
    target = tmp_path / "file"
    with part_of(target, content).open("ab") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        async with HostPool() as pool:
            host = pool.connect(access)
            with pytest.raises(HostUnreachable, match="an earlier upload of it still holds the file"):
                await host.upload(str(source), str(target))
            assert not target.exists()
            fcntl.flock(part, fcntl.LOCK_UN)
            await host.upload(str(source), str(target))
    assert target.read_bytes() == content


async def test_a_spoilt_part_is_thrown_away_and_sent_again(access: HostAccess, tmp_path: Path) -> None:
    source, content = make_source(tmp_path, 3 * MEGABYTE)
    target = tmp_path / "file"
    part_of(target, content).write_bytes(b"not the beginning of it")
    async with HostPool() as pool:
        await pool.connect(access).upload(str(source), str(target))
    assert target.read_bytes() == content


async def test_a_part_longer_than_the_file_is_thrown_away(access: HostAccess, tmp_path: Path) -> None:
    source, content = make_source(tmp_path, 1000)
    target = tmp_path / "file"
    part_of(target, content).write_bytes(bytes(2000))
    async with HostPool() as pool:
        await pool.connect(access).upload(str(source), str(target))
    assert target.read_bytes() == content


async def test_a_file_that_is_there_already_is_not_sent_again(access: HostAccess, tmp_path: Path) -> None:
    source, _ = make_source(tmp_path, MEGABYTE)
    target = tmp_path / "file"
    async with HostPool() as pool:
        host = pool.connect(access)
        await host.upload(str(source), str(target))
        before = target.stat().st_mtime_ns, target.stat().st_ino
        await host.upload(str(source), str(target), mode=0o755)
    assert (target.stat().st_mtime_ns, target.stat().st_ino) == before
    assert target.stat().st_mode & 0o7777 == 0o755


async def test_many_files_go_over_one_connection_at_once(sshd: Sshd, access: HostAccess, tmp_path: Path) -> None:
    sources = []
    for number in range(12):
        (tmp_path / str(number)).mkdir()
        sources.append(make_source(tmp_path / str(number), MEGABYTE))
    async with HostPool() as pool:
        host = pool.connect(access)
        await asyncio.gather(*(host.upload(str(path), f"{path}.there") for path, _ in sources))
        assert len(sshd.sessions()) == 1
    assert all(Path(f"{path}.there").read_bytes() == content for path, content in sources)


async def test_an_empty_file_is_a_file_too(access: HostAccess, tmp_path: Path) -> None:
    source, _ = make_source(tmp_path, 0)
    async with HostPool() as pool:
        await pool.connect(access).upload(str(source), str(tmp_path / "empty"))
    assert (tmp_path / "empty").read_bytes() == b""


async def test_a_missing_source_is_refused_before_anything_is_sent(access: HostAccess, tmp_path: Path) -> None:
    async with HostPool() as pool:
        with pytest.raises(Refused, match="no such file"):
            await pool.connect(access).upload(str(tmp_path / "none"), str(tmp_path / "target"))


async def test_a_directory_is_not_replaced_by_a_file(access: HostAccess, tmp_path: Path) -> None:
    source, _ = make_source(tmp_path, 10)
    (tmp_path / "folder").mkdir()
    async with HostPool() as pool:
        with pytest.raises(Refused, match="directory"):
            await pool.connect(access).upload(str(source), str(tmp_path / "folder"))


async def test_what_the_machine_says_about_a_place_that_cannot_be_written_is_told(
    access: HostAccess, tmp_path: Path
) -> None:
    source, _ = make_source(tmp_path, 10)
    async with HostPool() as pool:
        host = pool.connect(access)
        with pytest.raises(CommandFailed, match="/proc"):
            await host.upload(str(source), "/proc/groundplane/file")
        with pytest.raises(CommandFailed, match="/proc"):
            await host.write("/proc/groundplane/file", b"x")
