"""A bundle is the same every time, is checked to the last byte, and names what is broken."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from groundplane.api.distribution import Artifact, Distribution, DistributionSpec, Release, Source
from groundplane.api.meta import ObjectMeta
from groundplane.artifacts import ArtifactCorrupt, BundleBroken, Cache, bundle
from groundplane.base.errors import Refused

from .conftest import artifact_of

CONTENTS = {"kubeadm": b"adm" * 5000, "kubelet": b"let" * 7000, "pause": b"zzz"}


def _artifacts(*names: str) -> list[Artifact]:
    return [artifact_of(CONTENTS[name], name) for name in names]


@pytest.fixture
def distribution() -> Distribution:
    releases = [
        Release(version="v1.20.2", artifacts=_artifacts("kubelet", "kubeadm")),
        Release(version="v1.19.0", artifacts=_artifacts("pause", "kubelet")),
    ]
    spec = DistributionSpec(sources=[Source(type="Directory", path="/x")], releases=releases)
    return Distribution(metadata=ObjectMeta(name="native", uid="u-1"), spec=spec)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "files").mkdir()
    result = {}
    for name, content in CONTENTS.items():
        result[artifact_of(content).sha256] = tmp_path / "files" / name
        (tmp_path / "files" / name).write_bytes(content)
    return result


@pytest.fixture
def made(distribution: Distribution, files: dict[str, Path], tmp_path: Path) -> Path:
    path = tmp_path / "native.tar"
    bundle.create(distribution, ["v1.20.2"], path, files=files)
    return path


def test_a_bundle_holds_the_chosen_releases_without_sources(made: Path) -> None:
    manifest = bundle.verify(made)
    assert [r.version for r in manifest.distribution.spec.releases] == ["v1.20.2"]
    assert manifest.distribution.metadata == ObjectMeta(name="native")
    assert manifest.distribution.spec.sources == []
    assert sorted(entry.name for entry in manifest.entries) == ["kubeadm", "kubelet"]


def test_a_file_of_two_releases_is_in_the_bundle_once(
    distribution: Distribution, files: dict[str, Path], tmp_path: Path
) -> None:
    manifest = bundle.create(distribution, [], tmp_path / "all.tar", files=files)
    assert sorted(entry.name for entry in manifest.entries) == ["kubeadm", "kubelet", "pause"]


def test_the_same_input_gives_the_same_bytes(
    distribution: Distribution, files: dict[str, Path], made: Path, tmp_path: Path
) -> None:
    for file in files.values():
        file.touch()
    bundle.create(distribution, ["v1.20.2"], tmp_path / "again.tar", files=files)
    assert (tmp_path / "again.tar").read_bytes() == made.read_bytes()


def test_an_unknown_release_is_refused_with_the_known_ones(distribution: Distribution, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"v9\.9\.9.*v1\.19\.0, v1\.20\.2"):
        bundle.create(distribution, ["v9.9.9"], tmp_path / "x.tar", files={})
    assert not (tmp_path / "x.tar").exists()


def test_importing_puts_every_file_into_the_cache(made: Path, cache: Cache) -> None:
    manifest = bundle.import_(made, cache)
    for entry in manifest.entries:
        found = cache.find(entry.sha256)
        assert found is not None
        assert found.read_bytes() == CONTENTS[entry.name]
    assert [*(cache.root / "partial").iterdir()] == []


def test_one_flipped_byte_is_found_and_its_file_named(made: Path, cache: Cache) -> None:
    content = made.read_bytes()
    place = content.index(CONTENTS["kubelet"][:100]) + 50
    made.write_bytes(content[:place] + b"X" + content[place + 1 :])
    for read in (bundle.verify, lambda path: bundle.import_(path, cache)):
        with pytest.raises(ArtifactCorrupt, match="kubelet") as caught:
            read(made)
        assert str(made) in caught.value.message
    assert cache.find(artifact_of(CONTENTS["kubelet"]).sha256) is None


def test_a_bundle_cut_at_any_place_is_refused(made: Path, cache: Cache, tmp_path: Path) -> None:
    content = made.read_bytes()
    last = bundle.verify(made).entries[-1]
    end = content.index(CONTENTS[last.name][:100]) + last.size
    for cut in [0, 1, 511, 512, 600, *range(1024, end, 3001), end - 1]:
        short = tmp_path / "short.tar"
        short.write_bytes(content[:cut])
        with pytest.raises((BundleBroken, ArtifactCorrupt)) as caught:
            bundle.import_(short, cache)
        assert str(short) in caught.value.message


def test_a_cut_inside_a_file_names_that_file(made: Path) -> None:
    content = made.read_bytes()
    made.write_bytes(content[: content.index(CONTENTS["kubelet"][:100]) + 1000])
    with pytest.raises((BundleBroken, ArtifactCorrupt), match="kubelet"):
        bundle.verify(made)


def _rewrite(made: Path, name: str, kind: bytes = tarfile.REGTYPE) -> None:
    """Add a foreign member to the bundle."""
    with tarfile.open(made, "a") as tar:
        member = tarfile.TarInfo(name)
        member.type = kind
        member.size = 4 if kind == tarfile.REGTYPE else 0
        member.linkname = "/etc/passwd"
        tar.addfile(member, io.BytesIO(b"evil"))


@pytest.mark.parametrize("name", ["../../etc/cron.d/evil", "/etc/cron.d/evil", "artifacts/evil", "manifest.json"])
def test_a_foreign_member_is_refused_and_written_nowhere(made: Path, cache: Cache, name: str) -> None:
    _rewrite(made, name)
    with pytest.raises(BundleBroken, match="not in its manifest"):
        bundle.import_(made, cache)
    assert not [path for path in made.parent.rglob("*evil*")]


def test_a_link_in_the_place_of_a_file_is_refused(made: Path, cache: Cache, tmp_path: Path) -> None:
    manifest = bundle.verify(made)
    swapped = tmp_path / "swapped.tar"
    with tarfile.open(made) as old, tarfile.open(swapped, "w") as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            if member.name.endswith(manifest.entries[-1].sha256):
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            new.addfile(member, content)
    with pytest.raises(BundleBroken):
        bundle.import_(swapped, cache)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 10240])
def test_what_is_not_a_bundle_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(BundleBroken, match=r"x\.tar"):
        bundle.verify(path)
