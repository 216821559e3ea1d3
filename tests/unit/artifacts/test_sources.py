"""Sources are tried in order, downloads resume, nothing corrupt gets in, and each file is fetched once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from groundplane.api.distribution import Artifact, Distribution, DistributionSpec, Release, Source
from groundplane.artifacts import ArtifactCorrupt, ArtifactMissing, Cache, Depot, SourceUnavailable, bundle
from groundplane.artifacts.cache import sha256_of

from .conftest import WebSource, artifact_of

CONTENT = bytes(range(256)) * 4096  # 1 MiB, so that a cut leaves a part on disk
PATH = "bin/kubelet"


@pytest.fixture
def artifact() -> Artifact:
    return artifact_of(CONTENT)


@pytest.fixture
def http(web: WebSource) -> Source:
    web.files[PATH] = CONTENT
    return Source(type="HTTP", url=web.url)


@pytest.fixture
def directory(tmp_path: Path) -> Source:
    file = tmp_path / "files" / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    return Source(type="Directory", path=str(tmp_path / "files"))


async def test_a_download_is_verified_and_kept(depot: Depot, web: WebSource, http: Source, artifact: Artifact) -> None:
    path = await depot.fetch(artifact, [http])
    assert path.read_bytes() == CONTENT
    assert await depot.fetch(artifact, []) == path
    assert web.requests == ["/bin/kubelet"]


async def test_a_cut_download_resumes_where_it_stopped(
    depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    web.faults = ["cut:700000"]
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert web.requests == ["/bin/kubelet", "/bin/kubelet bytes=700000-"]


async def test_a_part_left_by_an_earlier_process_is_resumed(
    cache: Cache, depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    cache.partial(artifact.sha256).write_bytes(CONTENT[:500])
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert web.requests == ["/bin/kubelet bytes=500-"]


async def test_a_part_that_is_whole_already_is_only_verified(
    cache: Cache, depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    cache.partial(artifact.sha256).write_bytes(CONTENT)
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert web.requests == [f"/bin/kubelet bytes={len(CONTENT)}-"]


async def test_a_part_of_something_else_is_thrown_away(
    cache: Cache, depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    cache.partial(artifact.sha256).write_bytes(b"not the same file")
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert web.requests[-1] == "/bin/kubelet"


async def test_a_server_without_ranges_sends_it_all_again(
    cache: Cache, depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    web.ranges = False
    cache.partial(artifact.sha256).write_bytes(b"some part")
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert len(web.requests) == 1


async def test_a_busy_server_is_asked_again(depot: Depot, web: WebSource, http: Source, artifact: Artifact) -> None:
    web.faults = [503, 429]
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
    assert len(web.requests) == 3


async def test_a_server_that_stays_busy_is_unavailable(
    depot: Depot, web: WebSource, http: Source, artifact: Artifact
) -> None:
    web.faults = [503] * 3
    with pytest.raises(SourceUnavailable, match="503") as caught:
        await depot.fetch(artifact, [http])
    assert web.url in caught.value.message
    assert web.faults == []


async def test_a_file_that_the_server_lacks_is_not_asked_for_again(depot: Depot, web: WebSource) -> None:
    with pytest.raises(ArtifactMissing, match="404"):
        await depot.fetch(artifact_of(b"other", path="bin/other"), [Source(type="HTTP", url=web.url)])
    assert web.requests == ["/bin/other"]


async def test_a_corrupt_download_is_refused_and_leaves_nothing(
    cache: Cache, depot: Depot, web: WebSource, artifact: Artifact
) -> None:
    web.files[PATH] = b"corrupt"
    with pytest.raises(ArtifactCorrupt) as caught:
        await depot.fetch(artifact, [Source(type="HTTP", url=web.url)])
    assert caught.value.wanted == artifact.sha256
    assert cache.find(artifact.sha256) is None
    assert not cache.partial(artifact.sha256).exists()


async def test_the_next_source_serves_when_the_first_is_corrupt(
    depot: Depot, web: WebSource, directory: Source, artifact: Artifact
) -> None:
    web.files[PATH] = b"corrupt"
    path = await depot.fetch(artifact, [Source(type="HTTP", url=web.url), directory])
    assert path.read_bytes() == CONTENT


async def test_when_no_source_works_every_one_is_named_with_its_reason(
    depot: Depot, web: WebSource, tmp_path: Path, artifact: Artifact
) -> None:
    web.faults = [500] * 3
    sources = [
        Source(type="Directory", path=str(tmp_path / "nowhere")),
        Source(type="Bundle", path=str(tmp_path / "none.tar")),
        Source(type="HTTP", url=web.url),
    ]
    with pytest.raises(SourceUnavailable) as caught:
        await depot.fetch(artifact, sources)
    for part in ("nowhere", "there is no file", "none.tar", "No such file", web.url, "500"):
        assert part in caught.value.message


async def test_an_artifact_without_sources_is_missing(depot: Depot, artifact: Artifact) -> None:
    with pytest.raises(ArtifactMissing, match="lists no sources"):
        await depot.fetch(artifact, [])


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "bin/../../secret"])
async def test_a_path_cannot_leave_its_directory(depot: Depot, directory: Source, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(ArtifactMissing, match="leaves the directory"):
        await depot.fetch(artifact_of(b"secret", path=path), [directory])


async def test_a_bundle_is_a_source(depot: Depot, tmp_path: Path, directory: Source, artifact: Artifact) -> None:
    release = Release(version="v1.20.2", artifacts=[artifact])
    files = {artifact.sha256: Path(directory.path) / PATH}
    bundle.create(Distribution(spec=DistributionSpec(releases=[release])), [], tmp_path / "b.tar", files=files)
    path = await depot.fetch(artifact, [Source(type="Bundle", path=str(tmp_path / "b.tar"))])
    assert path.read_bytes() == CONTENT
    with pytest.raises(ArtifactMissing, match="does not hold it"):
        await depot.fetch(artifact_of(b"other"), [Source(type="Bundle", path=str(tmp_path / "b.tar"))])


async def test_many_who_ask_at_once_cause_one_download(
    cache: Cache, web: WebSource, http: Source, artifact: Artifact
) -> None:
    depots = [Depot(cache), Depot(cache)]  # two depots stand for two processes: they share the disk's lock only
    paths = await asyncio.gather(*[depot.fetch(artifact, [http]) for depot in depots for _ in range(8)])
    assert len(set(paths)) == 1
    assert sha256_of(paths[0]) == artifact.sha256
    assert web.requests == ["/bin/kubelet"]


async def test_a_cancelled_fetch_leaves_its_part_to_the_next(
    depot: Depot, cache: Cache, web: WebSource, http: Source, artifact: Artifact
) -> None:
    web.faults = ["cut:1000", 503, 503]
    slow = Depot(cache)
    task = asyncio.create_task(slow.fetch(artifact, [http]))
    while not cache.partial(artifact.sha256).exists():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    web.faults = []
    assert (await depot.fetch(artifact, [http])).read_bytes() == CONTENT
