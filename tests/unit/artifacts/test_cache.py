"""The cache lets in what is verified, gives out what still is, and is shared between processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundplane.artifacts import ArtifactCorrupt, Cache, CacheFailed
from groundplane.base.errors import Refused

from .conftest import artifact_of

CONTENT = b"kubelet " * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _adopt(cache: Cache, original: Path, digest: str = DIGEST) -> Path:
    return cache.adopt(original, digest, artifact="kubelet", source="directory /files")


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "kubelet"
    path.write_bytes(CONTENT)
    return path


def test_an_adopted_file_is_found_under_its_digest(cache: Cache, original: Path) -> None:
    adopted = _adopt(cache, original)
    assert adopted == cache.root / "sha256" / DIGEST[:2] / DIGEST
    assert cache.find(DIGEST) == adopted
    assert adopted.read_bytes() == CONTENT
    assert original.read_bytes() == CONTENT


def test_adopting_takes_no_second_copy_on_the_same_disk(cache: Cache, original: Path) -> None:
    adopted = _adopt(cache, original)
    blocks_shared = os.stat(adopted).st_ino == os.stat(original).st_ino
    assert blocks_shared or _is_reflink_capable(adopted.parent)


def _is_reflink_capable(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_bytes(b"x" * 4096)
    return (
        subprocess.run(["cp", "--reflink=always", probe, folder / "clone"], check=False, capture_output=True).returncode
        == 0
    )


def test_a_file_with_another_digest_stays_out_and_the_error_says_all(cache: Cache, original: Path) -> None:
    wanted = "0" * 64
    with pytest.raises(ArtifactCorrupt) as caught:
        _adopt(cache, original, wanted)
    for part in ("kubelet", "directory /files", wanted, DIGEST):
        assert part in caught.value.message
    assert caught.value.remedy
    assert cache.find(wanted) is None
    assert [*(cache.root / "partial").iterdir()] == []
    assert original.read_bytes() == CONTENT


def test_a_file_that_was_overwritten_afterwards_is_not_given_out(cache: Cache, original: Path) -> None:
    adopted = _adopt(cache, original)
    with adopted.open("r+b") as file:
        file.write(b"evil")
    assert cache.find(DIGEST) is None
    assert not adopted.exists()


def test_a_file_whose_note_is_lost_is_verified_again_and_noted(cache: Cache, original: Path) -> None:
    adopted = _adopt(cache, original)
    note = adopted.with_suffix(".stat")
    before = note.read_text()
    note.unlink()
    assert cache.find(DIGEST) == adopted
    assert note.read_text() == before


def test_a_noted_file_is_not_read_again(cache: Cache, original: Path) -> None:
    adopted = _adopt(cache, original)
    os.utime(adopted, ns=(0, adopted.stat().st_mtime_ns))  # noted below: access time 0 changes when it is read
    assert cache.find(DIGEST) == adopted
    os.utime(adopted, ns=(0, adopted.stat().st_mtime_ns))
    adopted.with_suffix(".stat").write_text(_stat_note(adopted))
    assert cache.find(DIGEST) == adopted
    assert adopted.stat().st_atime_ns == 0


def _stat_note(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_dev} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def test_a_cache_that_cannot_be_written_says_where_and_what_to_do(tmp_path: Path, original: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheFailed, match="GROUNDPLANE_CACHE") as caught:
        _adopt(Cache(tmp_path / "file"), original)
    assert str(tmp_path / "file") in caught.value.message


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_a_digest_that_is_none_never_becomes_a_path(digest: str) -> None:
    from groundplane.artifacts.cache import checked_digest

    with pytest.raises(Refused, match="64 hexadecimal"):
        checked_digest("kubelet", digest)


_OTHER_PROCESS = """
import fcntl, sys
handle = open(sys.argv[1], "wb")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_digest_that_another_process_fills_is_waited_for(cache: Cache) -> None:
    import asyncio

    digest = artifact_of(CONTENT).sha256
    async with cache.locked(digest):
        pass
    other = subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, cache.root / "lock" / digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), cache.locked(digest):
                pytest.fail("the lock was given twice")
        other.communicate()
    async with asyncio.timeout(5), cache.locked(digest):
        pass
